"""The text of ruled tables: a line for each row, ` | ` between its cells."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lumikb.compute.parse.boxes import Boxes, has_box
from lumikb.compute.parse.pdf_rules import Grid

CELL_CHARS_MAX = 2000
"""Rules around more text than this are the frame of a page, not of a cell."""

# Lines of a row that are rows themselves: each cell has them all, and so many are no chance.
_LINES_MIN = 3
_LINES_OF_TWO_MIN = 5
_LINE_GAP_MIN = 0.5
_WORD_GAP_MIN = 0.3
_SPACE, _LINE_END = ord(" "), ord("\n")
_ADDED = np.array([_SPACE, ord("|"), _LINE_END], np.uint32)


@dataclass(frozen=True)
class Stream:
    """A page's characters in an order: `lines` are those of the boxes.

    A row of a table is one line of `layout_lines`, and all its characters stand in its whole box in `layout_boxes`.
    """

    codes: NDArray[np.uint32]
    boxes: Boxes
    lines: NDArray[np.int64]
    layout_boxes: Boxes
    layout_lines: NDArray[np.int64]

    def taken(self, order: NDArray[np.intp]) -> "Stream":
        """The characters at `order`."""
        return Stream(
            self.codes.take(order),
            self.boxes.take(order, axis=0),
            self.lines.take(order),
            self.layout_boxes.take(order, axis=0),
            self.layout_lines.take(order),
        )

    def with_added(self) -> "Stream":
        """Behind the characters a space, a bar and a line end, without boxes."""
        none = np.zeros((len(_ADDED), 4), np.float32)
        lines = np.zeros(len(_ADDED), np.int64)
        return Stream(
            np.append(self.codes, _ADDED),
            np.append(self.boxes, none, axis=0),
            np.append(self.lines, lines),
            np.append(self.layout_boxes, none, axis=0),
            np.append(self.layout_lines, lines),
        )


class _Member(NamedTuple):
    """A character of a cell, at its place in the stream."""

    at: int
    code: int
    line: int


def with_tables(stream: Stream, grids: list[Grid]) -> Stream:
    """`stream` with the text of each grid written row by row, where the first of it stood."""
    for grid in sorted(grids, key=lambda grid: grid.area):
        stream = _with_table(stream, _with_row_edges(stream, grid))
    return stream


def _with_table(stream: Stream, grid: Grid) -> Stream:
    count = len(stream.codes)
    rows, columns, members = _members(stream, grid)
    if not len(members):
        return stream
    cells = grid.cells[rows, columns]
    if np.bincount(cells).max() > CELL_CHARS_MAX:
        return stream
    stream = stream.with_added()
    space, bar, line_end = count, count + 1, count + 2
    pieces: list[int] = []
    owners: dict[int, list[_Member]] = {}
    owned = members.tolist(), stream.codes[members].tolist(), stream.lines[members].tolist()
    for cell, *member in zip(cells.tolist(), *owned, strict=True):
        owners.setdefault(cell, []).append(_Member(*member))
    for row, row_cells in enumerate(grid.cells):
        texts = [_cell_text(owners.pop(cell, []), space) for cell in dict.fromkeys(row_cells.tolist())]
        if not any(texts):
            continue
        line = [at for text in texts for at in (*([space, bar, space]), *text)][3:]
        own = np.array([at for at in line if at < count], np.intp)
        stream.layout_boxes[own] = [grid.columns[0], grid.rows[row], grid.columns[-1], grid.rows[row + 1]]
        stream.layout_lines[own] = stream.layout_lines.max() + 1
        pieces += [*line, line_end]
    stream.lines[members] = stream.lines.max() + 1 + stream.lines[members] * (grid.cells.max() + 1) + cells
    return stream.taken(_replaced(stream.codes[:count], members, pieces, line_end))


def _with_row_edges(stream: Stream, grid: Grid) -> Grid:
    """`grid` with edges between the lines of a row whose cells all have the same lines: only its ends are ruled."""
    rows, columns, members = _members(stream, grid)
    edges: list[float] = []
    for row in np.unique(rows).tolist():
        chosen = (rows == row) & (stream.codes[members] > _SPACE)
        boxes, cells = stream.boxes[members[chosen]], grid.cells[row, columns[chosen]]
        middles = (boxes[:, 1] + boxes[:, 3]) / 2
        if not len(boxes):
            continue
        sorted_middles = np.sort(middles)
        steps = np.diff(sorted_middles)
        if np.count_nonzero(steps) < _LINES_MIN - 1:
            continue
        breaks = np.flatnonzero(steps > _LINE_GAP_MIN * np.median(boxes[:, 3] - boxes[:, 1]))
        count, width = len(breaks) + 1, len(np.unique(grid.cells[row]))
        if count < _LINES_MIN or (width < _LINES_MIN and count < _LINES_OF_TWO_MIN):
            continue
        between = (sorted_middles[breaks] + sorted_middles[breaks + 1]) / 2
        lines = np.searchsorted(between, middles)
        if len(np.unique(lines * (grid.cells.max() + 1) + cells)) == count * width:
            edges += between.tolist()
    if not edges:
        return grid
    new_rows = np.sort(np.append(grid.rows, edges))
    origin = np.searchsorted(grid.rows, (new_rows[1:] + new_rows[:-1]) / 2) - 1
    part = np.arange(len(origin)) - np.searchsorted(origin, origin)
    cells = grid.cells[origin] + (part * (grid.cells.max() + 1))[:, None]
    return Grid(new_rows, grid.columns, np.unique(cells, return_inverse=True)[1].reshape(cells.shape))


def _members(stream: Stream, grid: Grid) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Row, column and index of the characters in `grid` that no smaller one has taken.

    A word that runs over a rule is in the cell of its middle.
    """
    boxes, height = stream.boxes, stream.boxes[:, 3] - stream.boxes[:, 1]
    starts = (stream.codes <= _SPACE) | (np.diff(stream.lines, prepend=-1) != 0)
    starts[1:] |= (stream.codes[:-1] <= _SPACE) | (boxes[1:, 0] - boxes[:-1, 2] > _WORD_GAP_MIN * height[1:])
    words = np.cumsum(starts) - 1
    sizes = np.bincount(words)[:, None]
    sums = np.stack([np.bincount(words, boxes[:, at] + boxes[:, at + 2]) for at in (0, 1)], axis=1)
    middles = (sums / (2 * sizes))[words]
    columns = np.searchsorted(grid.columns, middles[:, 0]) - 1
    rows = np.searchsorted(grid.rows, middles[:, 1]) - 1
    inside = (columns >= 0) & (columns < len(grid.columns) - 1) & (rows >= 0) & (rows < len(grid.rows) - 1)
    untouched = (stream.boxes == stream.layout_boxes).all(axis=1)
    members = np.flatnonzero(inside & has_box(stream.boxes) & untouched)
    return rows[members], columns[members], members


def _cell_text(members: list[_Member], space: int) -> list[int]:
    """A cell's characters, its lines joined by a space, without spaces around them."""
    inked = [at for at, member in enumerate(members) if member.code != _SPACE]
    if not inked:
        return []
    text: list[int] = []
    line = members[inked[0]].line
    for member in members[inked[0] : inked[-1] + 1]:
        if member.line != line:
            text.append(space)
            line = member.line
        text.append(member.at)
    return text


def _replaced(
    codes: NDArray[np.uint32], members: NDArray[np.intp], pieces: list[int], line_end: int
) -> NDArray[np.intp]:
    """All characters, with `pieces` on lines of their own for `members` and the white space between those."""
    owned = np.zeros(len(codes), np.bool_)
    owned[members] = True
    last_owned = np.maximum.accumulate(np.where(owned, np.arange(len(codes)), -1))
    inked = ~owned & (codes > _SPACE)
    last_inked = np.maximum.accumulate(np.where(inked, np.arange(len(codes)), -1))
    next_owned = np.minimum.accumulate(np.where(owned, np.arange(len(codes)), len(codes))[::-1])[::-1]
    next_inked = np.minimum.accumulate(np.where(inked, np.arange(len(codes)), len(codes))[::-1])[::-1]
    between = (codes <= _SPACE) & (last_owned > last_inked) & (next_owned < next_inked)
    kept = np.flatnonzero(~owned & ~between)
    before, after = kept[kept < members[0]], kept[kept > members[0]]
    parts = [before, np.array(pieces[:-1], np.intp), after]
    if len(before) and codes[before[-1]] != _LINE_END:
        parts.insert(1, np.array([line_end], np.intp))
    if len(after) and codes[after[0]] not in {_LINE_END, ord("\r")}:
        parts.insert(-1, np.array([line_end], np.intp))
    return np.concatenate(parts)
