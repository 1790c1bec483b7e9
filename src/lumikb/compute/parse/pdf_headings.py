"""Headings of a PDF without an outline: lines that are larger than the text around them, or bold and numbered.

A heading that is missed costs less than a sentence that is taken for one, so whatever is doubtful is none.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, pairwise

import numpy as np
from numpy.typing import NDArray

from lumikb.compute.parse.boxes import Boxes, has_box
from lumikb.compute.parse.pdf_page import PageText
from lumikb.compute.parse.text import HEADING_LEVEL_MAX, TextBuilder, squeeze

LINES_MAX = 2_000_000
"""In longer documents no headings are looked for."""

_CHARS_MAX = 120
_TITLE_LINES_MAX = 3
# Of the height of the body text.
_LARGE_MIN = 1.17
_LEVEL_MIN = 0.94
_SHARE_MAX = 0.15
_REPEATED_PAGES_MIN = 3
# In heights of a line, the white space that sets a running head apart: 2.1 to 4.1 in the manuals of Debian, Valgrind
# and Nettle, below whose headings it is 1.5 at most.
_MARGIN_MIN = 1.8
_NUMBERED = re.compile(
    r"(\d{1,3}(\.\d{1,3}){0,5}\.?|[A-Z]\.\d{1,3}(\.\d{1,3}){0,4}\.?|(Chapter|Appendix|Part) [\dA-Z]+)\s+\S"
)
_DECIMAL = re.compile(r"^\d[\d.]*\s+")
_PAGE_NUMBER = re.compile(
    r"\b(?:page|pp?\.|seite|p[aá]gina|strona|стр\.|страница)\s*(\d+)|(\d+)\s*(?:/|of|von|de|sur|di|из)\s*\d",
    re.IGNORECASE,
)
# A line of a table of contents.
_LEADER = re.compile(r"(\. ?){3,}\s*\w*$")


@dataclass(frozen=True)
class _Line:
    start: int
    text: str
    height: float
    bold: bool
    page: int
    in_margin: bool
    """It is its page's first or last line, and white space sets it apart."""


class HeadingFinder:
    """Collects the lines of a document page by page, then tells which are headings."""

    def __init__(self) -> None:
        self._lines: list[_Line] = []

    def add(self, start: int, page: PageText, number: int) -> None:
        """The page `number`, whose text starts at `start`."""
        boxes = page.boxes.boxes
        shown = has_box(boxes)
        spans = _line_heights(page.text, boxes, shown)[: LINES_MAX - len(self._lines)]
        in_margin = _in_margin(boxes, shown, spans)
        for at, end, height in spans:
            bold = bool(page.bold_lines) and int(page.boxes.lines[at]) in page.bold_lines
            rounded = round(height * 4) / 4
            self._lines.append(_Line(start + at, page.text[at:end], rounded, bold, number, at in in_margin))

    def write(self, builder: TextBuilder) -> None:
        """Note the headings that were found."""
        body = self._body_height()
        groups = list(self._titles(body))
        chars = sum(len(line.text) for line in self._lines)
        if sum(len(line.text) for group in groups for line in group) > _SHARE_MAX * chars:
            return
        levels = _levels([group[0].height for group in groups])
        for group in groups:
            title = squeeze(" ".join(line.text for line in group))
            level = min(levels[group[0].height], HEADING_LEVEL_MAX)
            builder.add_heading(title, level, at=group[0].start, written=group[0].text.startswith(title))

    def _body_height(self) -> float:
        sizes: Counter[float] = Counter()
        for line in self._lines:
            sizes[round(line.height * 2) / 2] += len(line.text)
        return max(sizes, key=sizes.__getitem__, default=0.0)

    def _titles(self, body: float) -> Iterator[list[_Line]]:
        """Candidates, lines of one title together, without those that stand on page after page."""
        bold_chars = sum(len(line.text) for line in self._lines if line.bold)
        bold_tells = bold_chars * 3 < sum(len(line.text) for line in self._lines)
        chosen = [_is_candidate(line, body, bold_tells) for line in self._lines]
        repeated = _repeated([line for line, is_chosen in zip(self._lines, chosen, strict=True) if is_chosen], body)
        keys = [
            (line.page, line.height, line.bold) if is_chosen and line.start not in repeated else None
            for line, is_chosen in zip(self._lines, chosen, strict=True)
        ]
        for key, members in groupby(range(len(keys)), keys.__getitem__):
            group = [self._lines[at] for at in members]
            if key is None:
                continue
            starts = [0, *(at for at in range(1, len(group)) if _NUMBERED.match(group[at].text)), len(group)]
            for first, last in pairwise(starts):
                if last - first <= _TITLE_LINES_MAX and _is_title(" ".join(line.text for line in group[first:last])):
                    yield group[first:last]


def _line_heights(text: str, boxes: Boxes, shown: NDArray[np.bool_]) -> list[tuple[int, int, float]]:
    """(start, end, median height of its characters) of each line that shows something."""
    at = np.flatnonzero(shown)
    if not len(at):
        return []
    ends = np.array([*accumulate((len(line) + 1 for line in text.split("\n")), initial=0)], np.intp)
    lines = np.searchsorted(ends, at, side="right") - 1
    heights = boxes[at, 3] - boxes[at, 1]
    firsts = np.flatnonzero(np.diff(lines, prepend=-1))
    if not np.array_equal(np.minimum.reduceat(heights, firsts), np.maximum.reduceat(heights, firsts)):
        heights = heights[np.lexsort((heights, lines))]
    counts = np.diff(firsts, append=len(at))
    medians = (heights[firsts + (counts - 1) // 2] + heights[firsts + counts // 2]) / 2
    lines = lines[firsts]
    return list(zip(ends[lines].tolist(), (ends[lines + 1] - 1).tolist(), medians.tolist(), strict=True))


def _is_candidate(line: _Line, body: float, bold_tells: bool) -> bool:
    text = line.text.strip()
    if not 2 <= len(text) <= _CHARS_MAX or " | " in text or _LEADER.search(text):
        return False
    if line.height >= _LARGE_MIN * body:
        return True
    return bold_tells and line.bold and line.height >= _LEVEL_MIN * body and _NUMBERED.match(text) is not None


def _in_margin(boxes: Boxes, shown: NDArray[np.bool_], spans: Sequence[tuple[int, int, float]]) -> set[int]:
    """Where a page's first and last line start, if white space sets them apart; lines are (start, end, height)."""
    if len(spans) < 2:
        return set()
    found: set[int] = set()
    for upper, lower, outer in ((*spans[:2], spans[0]), (*spans[-2:], spans[-1])):
        bottom = boxes[slice(*upper[:2]), 3][shown[slice(*upper[:2])]].max()
        top = boxes[slice(*lower[:2]), 1][shown[slice(*lower[:2])]].min()
        if top - bottom >= _MARGIN_MIN * outer[2]:
            found.add(outer[0])
    return found


def _repeated(lines: Sequence[_Line], body: float) -> set[int]:
    """The starts of lines that stand on page after page: the same text, or a running head with the page's number.

    That one grows with the pages, and its line says what it is ("page 4", "4 of 9"), or is of the body's size and in
    the margin. Any other number that grows counts articles or chapters that begin a page each.
    """
    same: dict[str, list[_Line]] = {}
    numbered: dict[tuple[str, int], list[_Line]] = {}
    in_margin: dict[int, list[_Line]] = {}
    for line in lines:
        same.setdefault(line.text.strip(), []).append(line)
        is_head = line.in_margin and line.height < _LARGE_MIN * body
        for ahead in {int(digits) - line.page for digits in _page_numbers(line.text, is_head=is_head)}:
            numbered.setdefault((re.sub(r"\d+", "", line.text).strip(), ahead), []).append(line)
            if is_head:
                in_margin.setdefault(ahead, []).append(line)
    found = [*filter(_on_many_pages, same.values())]
    for (_, ahead), its in numbered.items():
        if _on_many_pages(its):
            # How pages are numbered is known now, and tells the heads of short chapters, too.
            found += [its, in_margin.get(ahead, [])]
    return {line.start for its in found for line in its}


def _page_numbers(text: str, *, is_head: bool) -> list[str]:
    """What may be the page's number: the one that is said to be, and in a running head the first and the last one."""
    said = _PAGE_NUMBER.search(text)
    numbers = [said[1] or said[2]] if said else []
    if is_head and (others := re.findall(r"\d+", text)):
        numbers += [others[0], others[-1]]
    return numbers


def _on_many_pages(lines: Sequence[_Line]) -> bool:
    return len({line.page for line in lines}) >= _REPEATED_PAGES_MIN


def _is_title(text: str) -> bool:
    """Whether a text reads like a title: words that start large, whatever their number, and no end of a sentence."""
    text = _DECIMAL.sub("", text)
    letters = sum(map(str.isalpha, text))
    first = next((char for char in text if char.isalpha()), "")
    return letters >= 3 and letters * 2 >= len(text) and not first.islower() and text.rstrip()[-1] not in ".,;:"


def _levels(heights: list[float]) -> dict[float, int]:
    """The level of each height, nearly equal ones on one level, the largest on level 1."""
    levels: dict[float, int] = {}
    level, top = 0, 0.0
    for height in sorted(set(heights), reverse=True):
        if not level or height < _LEVEL_MIN * top:
            level, top = level + 1, height
        levels[height] = level
    return levels
