"""Where characters stand on their pages: boxes packed for storage, and the rectangles of a range of characters.

A run is a stretch of one line whose characters follow each other without a jump. `TextBoxes.runs` holds one `RUN` for
each, sorted by `start`; `TextBoxes.edges` holds, for a run of n characters, n + 1 positions along its line, so that
character i lies between the positions i and i + 1. All positions are fractions of the page from its top left, times
65,535, as it is displayed: the page's own rotation and its crop box are applied. About 2.3 bytes a character.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lumikb.compute.parse.models import ParsedText, TextBoxes

Rect = list[float]
"""[x0, y0, x1, y1] in fractions of the page from its top left."""

Boxes = NDArray[np.float32]
"""One [x0, y0, x1, y1] a row; a row with x0 >= x1 or y0 >= y1 is no box."""

SCALE = 65_535
CONFIDENCE_NONE = 255
"""The text is the file's own, not recognised on a picture."""

RUN = np.dtype(
    [("start", "<u4"), ("edge", "<u4"), ("low", "<u2"), ("high", "<u2"), ("flags", "u1"), ("confidence", "u1")]
)
"""`start` is its first character, `edge` its first position, `low` and `high` bound it across the line."""

VERTICAL = 1
"""The line runs down or up the page: its positions are heights."""
CONTINUES = 2
"""The run stands on the line of the run before it."""

# Shares of the line's height: a smaller step tells no direction, a step back up to this is kerning or an accent, and a
# wider space is a gap.
_STEP_MIN = 0.1
_BACK_MAX = 0.5
_GAP_MAX = 3.0


@dataclass(frozen=True)
class PageBoxes:
    """The boxes of the characters of one page, which is `width` by `height` of the boxes' own unit.

    `lines` numbers each character's line, `confidences` (0-100) are given for recognised text.
    """

    width: float
    height: float
    boxes: Boxes
    lines: NDArray[np.int64]
    confidences: NDArray[np.uint8] | None = None


class BoxWriter:
    """Packs the boxes of one page after the other."""

    def __init__(self) -> None:
        self._runs: list[NDArray[np.void]] = []
        self._edges: list[NDArray[np.uint16]] = []
        self._edge_count = 0

    def add(self, start: int, page: PageBoxes) -> None:
        """Pack the boxes of a page whose text starts at `start`."""
        columns = np.maximum(page.boxes.T, 0, order="C")
        np.minimum(columns[::2], np.float32(page.width), out=columns[::2])
        np.minimum(columns[1::2], np.float32(page.height), out=columns[1::2])
        at = np.flatnonzero(has_box(columns.T))
        if not len(at):
            return
        lines = page.lines.take(at)
        starts_line = np.ones(len(at), np.bool_)
        np.not_equal(lines[1:], lines[:-1], out=starts_line[1:])
        line_firsts = np.flatnonzero(starts_line)
        vertical, ahead, behind, low, high = _oriented(columns.take(at, axis=1), line_firsts)
        splits = starts_line.copy()
        splits[1:] |= (at[1:] - at[:-1] != 1) | _jumps(ahead, behind, high - low)
        if page.confidences is not None:
            splits[1:] |= page.confidences[at[1:]] != page.confidences[at[:-1]]
        firsts = np.flatnonzero(splits)
        lasts = np.append(firsts[1:], len(at)) - 1
        width, height = np.float64(page.width), np.float64(page.height)
        along = np.where(vertical, height, width) if vertical.any() else width
        across = np.where(vertical[firsts], width, height)
        runs = np.zeros(len(firsts), RUN)
        runs["start"] = start + at[firsts]
        runs["edge"] = self._edge_count + firsts + np.arange(len(firsts))
        runs["low"] = _quantised(np.minimum.reduceat(low, firsts) / across)
        runs["high"] = _quantised(np.maximum.reduceat(high, firsts) / across)
        runs["flags"] = vertical[firsts] * VERTICAL + ~starts_line[firsts] * CONTINUES
        runs["confidence"] = CONFIDENCE_NONE if page.confidences is None else page.confidences[at[firsts]]
        edges = np.empty(len(at) + len(firsts))
        ends_run = lasts + np.arange(1, len(firsts) + 1)
        within_run = np.ones(len(edges), np.bool_)
        within_run[ends_run] = False
        edges[within_run], edges[ends_run] = np.abs(ahead / along), np.abs(behind / along)[lasts]
        self._runs.append(runs)
        self._edges.append(_quantised(edges))
        self._edge_count += len(edges)

    def build(self) -> TextBoxes | None:
        """What was packed, None when no character has a box."""
        if not self._runs:
            return None
        return TextBoxes(np.concatenate(self._runs).tobytes(), np.concatenate(self._edges).tobytes())


def has_box(boxes: Boxes) -> NDArray[np.bool_]:
    """Which rows are boxes."""
    return (boxes[:, 0] < boxes[:, 2]) & (boxes[:, 1] < boxes[:, 3])


def _oriented(
    columns: NDArray[np.float32], line_firsts: NDArray[np.intp]
) -> tuple[NDArray[np.bool_], *tuple[NDArray[np.float32], ...]]:
    """Whether each character's line is vertical, the character's ends along the line (`ahead`, `behind`) and across.

    `columns` are x0, y0, x1, y1 of the characters' boxes.
    Where the text runs against the page's direction the ends are negative, so that `ahead` grows in every run.
    """
    count = columns.shape[1]
    line_lasts = np.append(line_firsts[1:], count) - 1
    lengths = line_lasts - line_firsts + 1
    middles = (columns[:2] + columns[2:]) / 2
    extent = np.abs(middles[:, line_lasts] - middles[:, line_firsts])
    vertical = np.repeat(extent[1] > extent[0], lengths)
    along = np.where(vertical, columns[1::2], columns[::2]) if vertical.any() else columns[::2]
    across = np.where(vertical, columns[::2], columns[1::2]) if vertical.any() else columns[1::2]
    (begin, end), (low, high) = along, across
    size = high - low
    places = (begin + end) / 2
    steps = np.zeros(count, np.float32)
    np.subtract(places[1:], places[:-1], out=steps[:-1])
    near = np.abs(steps) < _GAP_MAX * size
    near[line_lasts] = False
    before = np.zeros(count, np.float32)
    before[1:] = steps[:-1]
    before[line_firsts] = 0
    steps = np.where(near, steps, before)
    if not (steps <= -_STEP_MIN * size).any():
        return vertical, begin, end, low, high
    signs = np.where(np.abs(steps) < _STEP_MIN * size, 0, np.sign(steps))
    majority = np.repeat(np.where(np.add.reduceat(signs, line_firsts) < 0, -1, 1), lengths)
    direction = np.where(np.where(signs == 0, majority, signs) < 0, np.float32(-1), np.float32(1))
    ahead, behind = np.minimum(direction * begin, direction * end), np.maximum(direction * begin, direction * end)
    return vertical, ahead, behind, low, high


def _jumps(ahead: NDArray[np.float32], behind: NDArray[np.float32], size: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where the next character does not follow: it is on the other side, or after a gap or a turn."""
    step_back = ahead[:-1] - ahead[1:]
    return (step_back > _BACK_MAX * size[1:]) | (ahead[1:] - behind[:-1] > _GAP_MAX * size[1:])


def locate(parsed: ParsedText, start: int, end: int) -> list[tuple[int, list[Rect]]]:
    """The page numbers and rectangles, one for each line, of the characters [start, end) in the text's order.

    Empty where the format has no boxes or the range has only white space between lines.
    """
    located: list[tuple[int, list[Rect]]] = []
    last_line = -1
    for first, line, rect in _rects(parsed, start, end):
        page = parsed.page_at(first)
        if page is None:
            continue
        if not located or located[-1][0] != page:
            located.append((page, [rect]))
        elif line == last_line:
            located[-1][1][-1] = _union(located[-1][1][-1], rect)
        else:
            located[-1][1].append(rect)
        last_line = line
    return located


def confidence(parsed: ParsedText, start: int, end: int) -> float | None:
    """The mean confidence (0-100) of the recognised characters in [start, end), None when none was recognised."""
    runs = _runs(parsed)
    first, last = _run_range(runs, start, end)
    total = weight = 0
    for at in range(first, last):
        run_start = int(runs["start"][at])
        chars = min(end, run_start + _run_length(parsed, runs, at)) - max(start, run_start)
        if chars > 0 and runs["confidence"][at] != CONFIDENCE_NONE:
            total += chars * int(runs["confidence"][at])
            weight += chars
    return total / weight if weight else None


def _rects(parsed: ParsedText, start: int, end: int) -> Iterator[tuple[int, int, Rect]]:
    """First character, a number of its line, and rectangle, of each run in [start, end)."""
    if parsed.boxes is None:
        return
    runs = _runs(parsed)
    edges = np.frombuffer(parsed.boxes.edges, "<u2")
    line = 0
    for at in range(*_run_range(runs, start, end)):
        run_start, edge, low, high, flags, _ = runs[at].item()
        line += not flags & CONTINUES
        first, last = max(start - run_start, 0), min(end - run_start, _run_length(parsed, runs, at))
        if first >= last:
            continue
        along = edges[edge + first : edge + last + 1]
        x0, x1, y0, y1 = int(along.min()) / SCALE, int(along.max()) / SCALE, low / SCALE, high / SCALE
        if x0 < x1 and y0 < y1:
            yield run_start + first, line, [y0, x0, y1, x1] if flags & VERTICAL else [x0, y0, x1, y1]


def _runs(parsed: ParsedText) -> NDArray[np.void]:
    return np.frombuffer(parsed.boxes.runs if parsed.boxes else b"", RUN)


def _run_range(runs: NDArray[np.void], start: int, end: int) -> tuple[int, int]:
    """The runs that may hold characters of [start, end)."""
    first = int(np.searchsorted(runs["start"], start, side="right")) - 1
    return max(first, 0), int(np.searchsorted(runs["start"], end, side="left"))


def _run_length(parsed: ParsedText, runs: NDArray[np.void], at: int) -> int:
    assert parsed.boxes is not None  # noqa: S101 - runs come from the boxes
    following = int(runs["edge"][at + 1]) if at + 1 < len(runs) else len(parsed.boxes.edges) // 2
    return following - int(runs["edge"][at]) - 1


def _union(one: Rect, other: Rect) -> Rect:
    return [min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])]


def _quantised(fractions: NDArray[np.floating]) -> NDArray[np.uint16]:
    return np.rint(np.minimum(np.maximum(fractions, 0), 1) * SCALE).astype("<u2")
