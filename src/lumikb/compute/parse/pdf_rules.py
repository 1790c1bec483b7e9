"""The ruled lines of a PDF page and the grids they form."""

import ctypes
from dataclasses import dataclass
from itertools import repeat

import numpy as np
import pypdfium2
from numpy.typing import NDArray
from pypdfium2 import raw

from lumikb.compute.parse.pdfium import PageFrame, fast, reference

OBJECTS_MAX = 20_000
"""Objects of a page that are looked at, and corners of paths."""

RULES_MAX = 1500
CELLS_MAX = 20_000
# In points: rules are at most that thick, at least that long, and meet when they are that close.
_THICKNESS_MAX = 2.5
_LENGTH_MIN = 6.0
_NEAR = 3.0

_get_object = fast(raw.FPDFPage_GetObject, ctypes.c_void_p)
_get_type = fast(raw.FPDFPageObj_GetType, ctypes.c_int, ctypes.c_void_p)
_get_bounds = fast(raw.FPDFPageObj_GetBounds, ctypes.c_int, *[ctypes.c_void_p] * 5)
_get_segment = fast(raw.FPDFPath_GetPathSegment, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)
_get_point = fast(raw.FPDFPathSegment_GetPoint, ctypes.c_int, *[ctypes.c_void_p] * 3)
_get_segment_type = fast(raw.FPDFPathSegment_GetType, ctypes.c_int, ctypes.c_void_p)
_is_closed = fast(raw.FPDFPathSegment_GetClose, ctypes.c_int, ctypes.c_void_p)
_count_segments = fast(raw.FPDFPath_CountSegments, ctypes.c_int, ctypes.c_void_p)
_get_matrix = fast(raw.FPDFPageObj_GetMatrix, ctypes.c_int, *[ctypes.c_void_p] * 2)
_get_draw_mode = fast(raw.FPDFPath_GetDrawMode, ctypes.c_int, *[ctypes.c_void_p] * 3)


_Stroke = tuple[float, float, float, float]


@dataclass(frozen=True)
class Grid:
    """A ruled table: edges of its rows and columns, and for each [row, column] the number of the cell it is part of."""

    rows: NDArray[np.float64]
    columns: NDArray[np.float64]
    cells: NDArray[np.intp]

    @property
    def area(self) -> float:
        """Of the whole table."""
        return float((self.rows[-1] - self.rows[0]) * (self.columns[-1] - self.columns[0]))


def find_grids(page: pypdfium2.PdfPage, frame: PageFrame) -> list[Grid]:
    """The tables whose cells are ruled on all sides, in coordinates of the displayed page."""
    strokes = np.array(_strokes(page), np.float64).reshape(-1, 4)
    if len(strokes) < 4:
        return []
    low, high = np.minimum(strokes[:, :2], strokes[:, 2:]), np.maximum(strokes[:, :2], strokes[:, 2:])
    corners = np.stack([low[:, 0], high[:, 1], high[:, 0], low[:, 1]], axis=1).astype(np.float32)
    boxes = frame.displayed(corners).astype(np.float64)
    widths, heights = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    flat = (heights <= _THICKNESS_MAX) & (widths >= _LENGTH_MIN)
    upright = (widths <= _THICKNESS_MAX) & (heights >= _LENGTH_MIN)
    across = _merged(boxes[flat][:, [1, 3, 0, 2]])
    down = _merged(boxes[upright][:, [0, 2, 1, 3]])
    if not (1 < len(across) <= RULES_MAX and 1 < len(down) <= RULES_MAX):
        return []
    return [grid for rows, columns in _joined(across, down) if (grid := _grid(rows, columns)) is not None]


def _strokes(page: pypdfium2.PdfPage) -> list[_Stroke]:
    """Thin paths and the straight sides of others that are stroked, each by the ends (x, y, x, y) of its diagonal."""
    found: list[_Stroke] = []
    budget = OBJECTS_MAX
    edges = [ctypes.c_float() for _ in range(4)]
    pointers = [ctypes.byref(edge) for edge in edges]
    items = list(
        map(_get_object, repeat(reference(page.raw)), range(min(raw.FPDFPage_CountObjects(page), OBJECTS_MAX)))
    )
    for address, kind in zip(items, map(_get_type, items), strict=True):
        if kind != raw.FPDF_PAGEOBJ_PATH:
            continue
        if not _get_bounds(address, *pointers):
            continue
        left, bottom, right, top = (edge.value for edge in edges)
        if min(right - left, top - bottom) <= _THICKNESS_MAX:
            found.append((left, bottom, right, top))
        elif budget > 0 and _is_stroked(address):
            sides = _sides(address, budget)
            budget -= len(sides)
            found += sides
    return found


def _is_stroked(path: int) -> bool:
    mode, stroked = ctypes.c_int(), ctypes.c_int()
    return bool(_get_draw_mode(path, ctypes.byref(mode), ctypes.byref(stroked)) and stroked.value)


def _sides(path: int, sides_max: int) -> list[_Stroke]:
    """The straight sides of a path."""
    matrix = raw.FS_MATRIX()
    _get_matrix(path, ctypes.byref(matrix))
    a, b, c, d, e, f = matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f
    x, y = ctypes.c_float(), ctypes.c_float()
    place = ctypes.byref(x), ctypes.byref(y)
    sides: list[_Stroke] = []
    start: tuple[float, float] = (0.0, 0.0)
    last = start
    for index in range(min(_count_segments(path), sides_max)):
        segment = _get_segment(path, index)
        _get_point(segment, *place)
        at: tuple[float, float] = (a * x.value + c * y.value + e, b * x.value + d * y.value + f)
        kind = _get_segment_type(segment)
        if kind == raw.FPDF_SEGMENT_MOVETO:
            start = at
        elif kind == raw.FPDF_SEGMENT_LINETO:
            sides.append((*last, *at))
        if _is_closed(segment):
            sides.append((*at, *start))
        last = at
    return sides


def _merged(rules: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rules [low, high, begin, end] as [position, begin, end], those on one line that touch made one."""
    rules = rules[np.isfinite(rules).all(axis=1)]
    merged: list[list[float]] = []
    positions = (rules[:, 0] + rules[:, 1]) / 2
    order = np.argsort(positions)
    lines = np.cumsum(np.diff(positions[order], prepend=-np.inf) > _NEAR / 2)
    for at in order[np.lexsort((rules[order, 2], lines))]:
        position, begin, end = float(positions[at]), float(rules[at, 2]), float(rules[at, 3])
        if merged and abs(merged[-1][0] - position) <= _NEAR and begin <= merged[-1][2] + _NEAR:
            merged[-1][2] = max(merged[-1][2], end)
        else:
            merged.append([position, begin, end])
    return np.array(merged, np.float64).reshape(-1, 3)


def _joined(
    across: NDArray[np.float64], down: NDArray[np.float64]
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Rules that meet, directly or through others: horizontal and vertical ones of each table."""
    meets = (
        (down[None, :, 0] >= across[:, None, 1] - _NEAR)
        & (down[None, :, 0] <= across[:, None, 2] + _NEAR)
        & (across[:, None, 0] >= down[None, :, 1] - _NEAR)
        & (across[:, None, 0] <= down[None, :, 2] + _NEAR)
    )
    tables: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    left = np.ones(len(across), np.bool_)
    while left.any():
        rows = np.zeros(len(across), np.bool_)
        rows[np.argmax(left)] = True
        count = 0
        while count != rows.sum():
            count = rows.sum()
            columns = meets[rows].any(axis=0)
            rows |= meets[:, columns].any(axis=1)
        left &= ~rows
        columns = meets[rows].any(axis=0)
        if columns.any():
            tables.append((across[rows], down[columns]))
    return tables


def _grid(across: NDArray[np.float64], down: NDArray[np.float64]) -> Grid | None:
    """The cells between rules; None for what has no two cells next to each other.

    A table whose outer sides are open ends where its rules do.
    """
    rows = _positions(np.concatenate([across[:, 0], [down[:, 1].min(), down[:, 2].max()]]))
    columns = _positions(np.concatenate([down[:, 0], [across[:, 1].min(), across[:, 2].max()]]))
    height, width = len(rows) - 1, len(columns) - 1
    if height < 1 or width < 2 or height * width > CELLS_MAX:
        return None
    middles, centres = (rows[1:] + rows[:-1]) / 2, (columns[1:] + columns[:-1]) / 2
    cells = np.arange(height * width).reshape(height, width)
    for column in range(1, width):
        rule = down[np.abs(down[:, 0] - columns[column]) <= _NEAR]
        open_ = ~((rule[:, 1] <= middles[:, None]) & (rule[:, 2] >= middles[:, None])).any(axis=1)
        cells[open_, column] = cells[open_, column - 1]
    for row in range(1, height):
        rule = across[np.abs(across[:, 0] - rows[row]) <= _NEAR]
        open_ = ~((rule[:, 1] <= centres[:, None]) & (rule[:, 2] >= centres[:, None])).any(axis=1)
        cells[row, open_] = cells[row - 1, open_]
    return Grid(rows, columns, cells) if len(np.unique(cells)) > 1 else None


def _positions(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """`edges` in order, those that are near each other made one."""
    positions = np.sort(edges)
    return positions[np.diff(positions, prepend=-np.inf) > _NEAR]
