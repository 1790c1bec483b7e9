"""The order in which people read a page's lines: column after column, headers first, footers last.

pdfium gives the order in which the page was drawn, which is mostly right. Lines move only when the page shows that it
is not: columns of prose with a gutter between them, or blocks of lines that were drawn after what stands below them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray

from lumikb.compute.parse.bidi import is_right_to_left
from lumikb.compute.parse.boxes import Boxes, has_box

SEGMENTS_MAX = 5000
"""Pages with more pieces of lines keep pdfium's order."""

COLUMN_DEPTH_MAX = 4
_GUTTER_BINS = 256
# In heights of a line.
_GAP_MIN = 1.2
_GUTTER_MIN = 0.7
_BAND_GAP_MIN = 0.8
_OVERLAP_MIN = 0.5
# A column of prose: lines, and characters in the median line. Tables and indexes have less. With fewer lines than the
# second number a sentence must be seen to run from one into the next.
_COLUMN_LINES_MIN = 3
_SURE_LINES_MIN = 4
_COLUMN_CHARS_MIN = 18
# Of prose, this share of the lines is at least that long compared to the longest.
_FULL_SHARE_MIN = 0.6
_FULL_LENGTH_MIN = 0.75
_CROSSING_SHARE_MAX = 0.2
_GAPS_MAX = 4
_COLUMNS_OVERLAP_MIN = 0.4
_LINE_END = np.array([-1], np.intp)


@dataclass(frozen=True)
class Segments:
    """Pieces of lines in pdfium's order: characters [starts, ends), boxes turned so that text runs across.

    `firsts` are the code points that they start with.
    """

    firsts: NDArray[np.uint32]
    starts: NDArray[np.intp]
    ends: NDArray[np.intp]
    boxes: Boxes
    lines: NDArray[np.int64]
    height: float


def reading_order(codes: NDArray[np.uint32], boxes: Boxes, lines: NDArray[np.int64]) -> NDArray[np.intp] | None:
    """The characters in reading order, -1 for a line end to add; None when they are in order as they stand."""
    rtl = _reads_leftwards(codes)
    segments = _segments(codes, boxes, lines, rtl)
    if segments is None:
        return None
    order = _arranged(segments, np.arange(len(segments.starts)), rtl, COLUMN_DEPTH_MAX)
    if order == sorted(order):
        return None
    pieces: list[NDArray[np.intp]] = []
    for at, after in pairwise([*order, len(order)]):
        if after == at + 1 < len(order) and segments.lines[after] == segments.lines[at]:
            pieces.append(np.arange(segments.starts[at], segments.starts[after], dtype=np.intp))
        else:
            pieces += [np.arange(segments.starts[at], segments.ends[at], dtype=np.intp), _LINE_END]
    return np.concatenate(pieces)


def _segments(codes: NDArray[np.uint32], boxes: Boxes, lines: NDArray[np.int64], rtl: bool) -> Segments | None:
    """Lines, cut where a gap in them may be a gutter; None for a page that has nothing to put in order."""
    shown = np.flatnonzero(has_box(boxes) & (codes != ord(" ")))
    if len(shown) < 2:
        return None
    lines = lines.take(shown)
    ends_line = lines[1:] != lines[:-1]
    x0, y0, x1, y1 = _upright(np.ascontiguousarray(boxes.take(shown, axis=0).T), ends_line, rtl)
    heights = y1 - y0
    gap = np.maximum(x0[1:] - x1[:-1], x0[:-1] - x1[1:])
    cuts = np.ones(len(shown), np.bool_)
    cuts[1:] = ends_line | (gap > _GAP_MIN * np.maximum(heights[1:], heights[:-1]))
    firsts = np.flatnonzero(cuts)
    if not 1 < len(firsts) <= SEGMENTS_MAX:
        return None
    hulls = np.empty((len(firsts), 4), np.float32)
    hulls[:, 0], hulls[:, 1] = np.minimum.reduceat(x0, firsts), np.minimum.reduceat(y0, firsts)
    hulls[:, 2], hulls[:, 3] = np.maximum.reduceat(x1, firsts), np.maximum.reduceat(y1, firsts)
    lasts = np.append(firsts[1:], len(shown)) - 1
    return Segments(codes[shown[firsts]], shown[firsts], shown[lasts] + 1, hulls, lines[firsts], _median(heights))


def _upright(columns: NDArray[np.float32], ends_line: NDArray[np.bool_], rtl: bool) -> NDArray[np.float32]:
    """Boxes turned when most of the text runs up or down the page or lies upside down; `columns` are x0, y0, x1, y1."""
    x0, y0, x1, y1 = columns
    across, down = x0 + x1, y0 + y1
    across, down = (across[1:] - across[:-1])[~ends_line], (down[1:] - down[:-1])[~ends_line]
    vertical = np.abs(down) > np.abs(across)
    if np.count_nonzero(vertical) * 2 <= len(down):
        # Where fewer than half of the steps are negative the median is not.
        upside_down = not rtl and 0 < len(across) <= 2 * np.count_nonzero(across < 0) and float(np.median(across)) < 0
        return np.stack([-x1, -y1, -x0, -y0]) if upside_down else columns
    if np.median(down[vertical]) > 0:
        return np.stack([y0, -x1, y1, -x0])
    return np.stack([-y1, x0, -y0, x1])


def _median(values: NDArray[np.float32]) -> float:
    """What `np.median` gives, at a third of its time."""
    middle = (len(values) - 1) // 2, len(values) // 2
    low, high = np.partition(values, middle)[list(middle)]
    return float((low + high) / 2)


def _reads_leftwards(codes: NDArray[np.uint32]) -> bool:
    return int(is_right_to_left(codes).sum()) * 2 > int((codes > ord("@")).sum())


def _arranged(segments: Segments, chosen: NDArray[np.intp], rtl: bool, depth: int) -> list[int]:
    """Segments `chosen` in reading order."""
    gutter = _gutter(segments, chosen) if depth else None
    if gutter is None:
        return _blocks_in_order(segments, chosen)
    boxes = segments.boxes[chosen]
    side = np.where(boxes[:, 2] <= gutter, 0, np.where(boxes[:, 0] >= gutter, 1, 2))
    side[_outer_rows(boxes, segments.height)] = 2
    if rtl:
        side = np.where(side < 2, 1 - side, side)
    order: list[int] = []
    for crosses, members in groupby(np.argsort(boxes[:, 1] + boxes[:, 3], kind="stable"), lambda at: side[at] == 2):
        band = np.sort(np.fromiter(members, np.intp))
        if crosses:
            order += _blocks_in_order(segments, chosen[band])
            continue
        for column in (0, 1):
            order += _arranged(segments, chosen[band[side[band] == column]], rtl, depth - 1)
    return order


def _gutter(segments: Segments, chosen: NDArray[np.intp]) -> float | None:
    """Where an upright gap parts two columns of prose, None when there is none."""
    if len(chosen) < 2 * _COLUMN_LINES_MIN:
        return None
    boxes = segments.boxes[chosen]
    left, right = float(boxes[:, 0].min()), float(boxes[:, 2].max())
    step = (right - left) / _GUTTER_BINS
    changes = np.zeros(_GUTTER_BINS + 2, np.int64)
    np.add.at(changes, np.floor((boxes[:, 0] - left) / step).astype(np.intp), 1)
    np.add.at(changes, np.ceil((boxes[:, 2] - left) / step).astype(np.intp), -1)
    margin = _GUTTER_BINS // 6
    covered = np.cumsum(changes)[margin : _GUTTER_BINS - margin]
    crossing_max = int(_CROSSING_SHARE_MAX * len(chosen))
    if covered.min() > crossing_max:
        return None
    for gutter_bins in _gaps(covered.tolist(), crossing_max):
        gutter = left + (margin + (gutter_bins.start + gutter_bins.stop) / 2) * step
        if len(gutter_bins) * step < _GUTTER_MIN * segments.height:
            continue
        columns = [chosen[boxes[:, 2] <= gutter], chosen[boxes[:, 0] >= gutter]]
        if all(_is_prose(segments, column) for column in columns) and _overlap(segments, *columns):
            return gutter
    return None


def _gaps(covered: list[int], crossing_max: int) -> list[range]:
    """The least covered part of each stretch that at most `crossing_max` lines cross, the widest first."""
    gaps: list[range] = []
    for crossed, stretch in groupby(range(len(covered)), lambda at: covered[at] > crossing_max):
        if crossed:
            continue
        bins = list(stretch)
        depths = [covered[at] for at in bins]
        runs = [list(run) for depth, run in groupby(bins, covered.__getitem__) if depth == min(depths)]
        widest = max(runs, key=len)
        gaps.append(range(widest[0], widest[-1] + 1))
    return sorted(gaps, key=len, reverse=True)[:_GAPS_MAX]


def _is_prose(segments: Segments, column: NDArray[np.intp]) -> bool:
    if len(column) < _COLUMN_LINES_MIN:
        return False
    chars = segments.ends[column] - segments.starts[column]
    widths = segments.boxes[column, 2] - segments.boxes[column, 0]
    full = widths >= _FULL_LENGTH_MIN * float(np.quantile(widths, 0.9))
    if len(column) < _SURE_LINES_MIN and not (full[:-1].all() and _runs_on(segments, column)):
        return False
    return float(np.median(chars)) >= _COLUMN_CHARS_MIN and float(full.mean()) >= _FULL_SHARE_MIN


def _runs_on(segments: Segments, column: NDArray[np.intp]) -> bool:
    """Whether a sentence begins in the first line, and goes on in a later one."""
    first, *others = (chr(code).islower() for code in segments.firsts[column].tolist())
    return not first and any(others)


def _overlap(segments: Segments, one: NDArray[np.intp], other: NDArray[np.intp]) -> bool:
    """Whether two columns stand next to each other, not one below the other."""
    spans = [(float(segments.boxes[side, 1].min()), float(segments.boxes[side, 3].max())) for side in (one, other)]
    shared = min(bottom for _, bottom in spans) - max(top for top, _ in spans)
    return shared >= _COLUMNS_OVERLAP_MIN * min(bottom - top for top, bottom in spans)


def _outer_rows(boxes: Boxes, height: float) -> NDArray[np.bool_]:
    """The first and the last row where they stand apart from the rest, as headers and footers do."""
    order = np.argsort(boxes[:, 1])
    tops, bottoms = boxes[order, 1], np.maximum.accumulate(boxes[order, 3])
    apart = np.flatnonzero(tops[1:] - bottoms[:-1] > _BAND_GAP_MIN * height) + 1
    outer = np.zeros(len(boxes), np.bool_)
    if len(apart):
        first, last = order[: apart[0]], order[apart[-1] :]
        for row in (first, last):
            outer[row] = np.ptp(boxes[row, 1]) <= height
    return outer


def _blocks_in_order(segments: Segments, chosen: NDArray[np.intp]) -> list[int]:
    """`chosen` as drawn, but blocks that were drawn after what stands below them moved to their place.

    A block is a stretch that was drawn downwards. Blocks next to each other stay as they were drawn.
    """
    boxes = segments.boxes[chosen]
    tolerance = _OVERLAP_MIN * segments.height
    upwards = np.diff(boxes[:, 1] + boxes[:, 3]) / 2 < -tolerance
    starts = [0, *(np.flatnonzero(upwards) + 1).tolist(), len(chosen)]
    if len(starts) == 2:
        return chosen.tolist()
    blocks = [(float(boxes[a:b, 1].min()), float(boxes[a:b, 3].max()), a, b) for a, b in pairwise(starts)]
    groups: list[tuple[float, list[tuple[int, int]]]] = []
    for top, bottom, a, b in sorted(blocks):
        if groups and top < groups[-1][0] - tolerance:
            groups[-1][1].append((a, b))
            groups[-1] = (max(groups[-1][0], bottom), groups[-1][1])
        else:
            groups.append((bottom, [(a, b)]))
    return _flat(chosen, (span for _, spans in groups for span in sorted(spans)))


def _flat(chosen: NDArray[np.intp], spans: Iterable[tuple[int, int]]) -> list[int]:
    return [at for a, b in spans for at in chosen[a:b].tolist()]
