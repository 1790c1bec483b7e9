"""Where a page's paragraphs, headings, running heads and feet end: the white space below them is wider than usual."""

import numpy as np
from numpy.typing import NDArray

from lumikb.compute.parse.boxes import Boxes, has_box

# In heights of a line: how much wider than usual.
_WIDER_MIN = 0.45
# Of the gaps between the page's lines, this share at least is within paragraphs.
_USUAL_SHARE = 0.3
# A gap between lines; what is wider may be a picture.
_LINE_GAP_MAX = 2.0
_SPACE, _LINE_END, _BAR = ord(" "), ord("\n"), ord("|")


def paragraph_ends(codes: NDArray[np.uint32], boxes: Boxes) -> NDArray[np.intp]:
    """The line ends, as indexes of `codes`, which is in reading order, that an empty line is to follow.

    None is between rows of a table, nor before a line that goes on in lower case, as the one after a formula does;
    unless that is the page's second line or its last one, and the first or last is a running head or foot.
    """
    is_end = codes == _LINE_END
    ends = np.flatnonzero(is_end)
    shown = np.flatnonzero((codes > _SPACE) & has_box(boxes))
    if not len(ends) or not len(shown):
        return ends[:0]
    # A line's number is how many line ends come before it; lines that show nothing are left out.
    lines = np.cumsum(is_end)[shown]
    firsts = np.flatnonzero(lines[1:] != lines[:-1]) + 1
    firsts = np.append(0, firsts)
    numbers = lines[firsts]
    if len(firsts) < 2:
        return ends[:0]
    tops = np.minimum.reduceat(boxes[shown, 1], firsts)
    bottoms = np.maximum.reduceat(boxes[shown, 3], firsts)
    gaps = tops[1:] - bottoms[:-1]
    height = _ordered(bottoms - tops, 0.5)
    down = tops[1:] > tops[:-1]
    close = gaps[down & (gaps < _LINE_GAP_MAX * height)]
    if not len(close):
        return ends[:0]
    wide = down & (gaps > _ordered(close, _USUAL_SHARE) + _WIDER_MIN * height)
    wide &= numbers[1:] - numbers[:-1] == 1
    if not wide.any():
        return ends[:0]
    bars = np.logical_or.reduceat(codes[shown] == _BAR, firsts)
    wide &= ~(bars[1:] & bars[:-1])
    within = np.flatnonzero(wide[1:-1]) + 1
    starts = codes[shown[firsts[within + 1]]]
    wide[within] = [not chr(code).islower() for code in starts.tolist()]
    return ends[numbers[:-1][wide]]


def _ordered(values: NDArray[np.float32], share: float) -> float:
    """The value that `share` of them are not above: `np.quantile` takes as long as all the rest."""
    at = int(share * (len(values) - 1))
    return float(np.partition(values, at)[at])
