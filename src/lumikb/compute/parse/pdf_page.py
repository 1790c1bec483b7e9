"""One PDF page: its text, stripped, and the boxes of its characters."""

import re
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lumikb.compute.parse.bidi import logical_order
from lumikb.compute.parse.boxes import PageBoxes
from lumikb.compute.parse.pdf_layout import reading_order
from lumikb.compute.parse.pdf_paragraphs import paragraph_ends
from lumikb.compute.parse.pdf_rules import Grid
from lumikb.compute.parse.pdf_tables import Stream, with_tables
from lumikb.compute.parse.pdfium import Characters

# pdfium writes U+FFFE (older releases U+0002) where a line ends with a hyphen and leaves the line break out.
# Before a lower-case letter the hyphen split a word; before anything else, as in "UTF-8", it belongs there.
_LINE_END_HYPHEN = re.compile("[\ufffe\x02]\\s*(?P<lower>[^\\W\\d_A-Z])?")
_TRAILING_SPACES = re.compile(r"(?<![ \t])[ \t]+\n")


@dataclass(frozen=True)
class PageText:
    """The text of a page, the boxes of its characters, and which numbers of lines are of bold ones."""

    text: str
    boxes: PageBoxes
    bold_lines: frozenset[int] = frozenset()


def page_text(characters: Characters, grids: list[Grid] | None = None) -> PageText:
    """The page's text in reading order, with the tables in `grids` and empty lines between paragraphs; see `tidied`."""
    codes, boxes = characters.codes, characters.boxes
    line_ends = (codes == ord("\n")) | (codes == 0xFFFE) | (codes == 0x02)
    lines = np.cumsum(line_ends, dtype=np.int64) - line_ends
    order = logical_order(codes, boxes, lines)
    if order is not None:
        codes, boxes = codes[order], boxes[order]
    stream = Stream(codes, boxes, lines, boxes.copy() if grids else boxes, lines.copy() if grids else lines)
    if grids:
        stream = with_tables(stream, grids)
    order = reading_order(stream.codes, stream.layout_boxes, stream.layout_lines)
    if order is not None:
        # The line end is the last of what is added, at -1.
        stream = stream.with_added().taken(order)
    codes, boxes, own_lines = stream.codes, stream.boxes, stream.lines
    ends = paragraph_ends(codes, boxes)
    if len(ends):
        # Each line end of a paragraph stands twice.
        order = np.sort(np.concatenate((np.arange(len(codes)), ends)))
        codes, boxes, own_lines = codes.take(order), boxes.take(order, axis=0), own_lines.take(order)
    page = tidied(codes, PageBoxes(*characters.frame.size, boxes, own_lines))
    bold = lines[np.isin(np.arange(len(lines)), characters.bold)] if len(characters.bold) else lines[:0]
    return replace(page, bold_lines=frozenset(bold.tolist()))


def tidied(codes: NDArray[np.uint32], boxes: PageBoxes) -> PageText:
    """The text without the hyphens of split words, spaces at line ends, and white space around it."""
    storable = np.flatnonzero(_storable(codes))
    codes = codes[storable]
    chosen = _tidy(codes)
    kept = storable[chosen]
    return PageText(
        _decode(codes[chosen]),
        replace(
            boxes,
            boxes=boxes.boxes.take(kept, axis=0),
            lines=boxes.lines.take(kept),
            confidences=None if boxes.confidences is None else boxes.confidences[kept],
        ),
    )


def _storable(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """All but NULs, lone surrogates, and the first half of pdfium's line ends."""
    return (codes != 0) & (codes >> 11 != 0xD800 >> 11) & (codes != ord("\r"))


def _tidy(codes: NDArray[np.uint32]) -> NDArray[np.intp]:
    """Which characters stay; turns the hyphens that do into "-"."""
    text = _decode(codes)
    kept = np.ones(len(codes), np.bool_)
    has_hyphens = "\ufffe" in text or "\x02" in text
    for match in _LINE_END_HYPHEN.finditer(text) if has_hyphens else ():
        hyphen, end = match.start(), match.end() if match["lower"] is None else match.start("lower")
        codes[hyphen] = ord("-")
        kept[hyphen + (match["lower"] is None) : end] = False
    has_trailing = " \n" in text or "\t\n" in text
    for match in _TRAILING_SPACES.finditer(text) if has_trailing else ():
        kept[match.start() : match.end() - 1] = False
    start = len(text) - len(text.lstrip())
    kept[:start] = False
    kept[len(text.rstrip()) :] = False
    return np.flatnonzero(kept)


def _decode(codes: NDArray[np.uint32]) -> str:
    return codes.astype("<u4", copy=False).tobytes().decode("utf-32-le")
