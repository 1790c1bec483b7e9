"""Pages as pdfium reads them: characters with their boxes, in the page's own coordinates as it is displayed."""

import ctypes
import unicodedata
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import repeat
from typing import Any

import numpy as np
import pypdfium2
from numpy.typing import NDArray
from pypdfium2 import raw

from lumikb.compute.parse.boxes import Boxes, has_box
from lumikb.compute.parse.text import check_length

_BOX_BYTES = 16
# Boxes that are read before they are copied: the places a call may write to are made once and used for every page.
_BLOCK_CHARS = 16_384
_BOLD_WEIGHT_MIN = 600
_BOLD_NAMES = (b"bold", b"black", b"heavy", b"cmbx")
_FONT_NAME_BYTES_MAX = 128
# No page is larger (ISO 32000-1, annex C.2, with UserUnit left out), and float32 still tells characters apart there.
_COORDINATE_MAX = 1e6


def fast(function: Any, result: Any, *arguments: Any) -> Callable[..., Any]:
    """`function` for many calls: .18 us each, instead of 1.2 us with pypdfium2's own types.

    Without types of `arguments` it takes references for pointers, which need no conversion, and integers of 32 bits;
    with them plain numbers, at .36 us.
    """
    address: Any = ctypes.cast(function, ctypes.c_void_p).value
    return ctypes.PYFUNCTYPE(result, *arguments)(address)


def reference(handle: Any) -> Any:
    """A pointer of pdfium's, such as a page's, as an argument that needs no conversion."""
    address: Any = ctypes.cast(handle, ctypes.c_void_p).value
    return ctypes.byref(ctypes.c_char.from_address(address))


_get_box = fast(raw.FPDFText_GetLooseCharBox, None)
_get_unicode = fast(raw.FPDFText_GetUnicode, ctypes.c_uint)
_get_weight = fast(raw.FPDFText_GetFontWeight, ctypes.c_int)
_get_font = fast(raw.FPDFText_GetFontInfo, ctypes.c_ulong)


@dataclass(frozen=True)
class PageFrame:
    """What part of the page's plane is displayed, and how it is turned (degrees clockwise)."""

    left: float
    bottom: float
    right: float
    top: float
    rotation: int

    @property
    def size(self) -> tuple[float, float]:
        """Width and height as displayed, never 0."""
        width, height = max(self.right - self.left, 1e-3), max(self.top - self.bottom, 1e-3)
        return (height, width) if self.rotation in {90, 270} else (width, height)

    def displayed(self, boxes: Boxes) -> Boxes:
        """[left, top, right, bottom] of the page's plane, y up, as [x0, y0, x1, y1] from the displayed top left."""
        if not (np.abs(boxes) <= _COORDINATE_MAX).all():
            boxes = np.clip(np.nan_to_num(boxes), -_COORDINATE_MAX, _COORDINATE_MAX)
        left, top, right, bottom = boxes.T
        x0, x1, y0, y1 = left - self.left, right - self.left, self.top - top, self.top - bottom
        width, height = self.right - self.left, self.top - self.bottom
        match self.rotation:
            case 90:
                x0, y0, x1, y1 = height - y1, x0, height - y0, x1
            case 180:
                x0, y0, x1, y1 = width - x1, height - y1, width - x0, height - y0
            case 270:
                x0, y0, x1, y1 = y0, width - x1, y1, width - x0
            case _:
                pass
        shown = np.empty((len(boxes), 4), np.float32)
        shown[:, 0], shown[:, 1], shown[:, 2], shown[:, 3] = x0, y0, x1, y1
        return shown


@dataclass(frozen=True)
class Characters:
    """The code points of a page in pdfium's order, each with its box (none for most that pdfium added).

    `bold` are the first characters of the lines whose first letter is bold.
    """

    codes: NDArray[np.uint32]
    boxes: Boxes
    frame: PageFrame
    bold: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))


class CharacterReader:
    """Reads the characters of a document's pages. The only place that takes text from pdfium."""

    def __init__(self, text_chars_max: int, *, weights: bool = False) -> None:
        """Takes pages of up to `text_chars_max` characters; with `weights` looks which lines are bold."""
        self._text_chars_max = text_chars_max
        self._weights = weights
        self._block: Any = (ctypes.c_float * 0)()
        self._places: list[Any] = []

    def read(self, page: pypdfium2.PdfPage) -> Characters:
        """All characters of `page`.

        Raises `PdfiumError` for a damaged page, `OutputLimitError` for one that alone is over the bound.
        """
        frame = PageFrame(*page.get_bbox(), page.get_rotation())
        text_page = page.get_textpage()
        try:
            count = text_page.count_chars()
            check_length(count, self._text_chars_max)
            codes = _codes(text_page, count)
            boxes = self._boxes(text_page, count)
            bold = _bold_starts(text_page, codes) if self._weights else np.zeros(0, np.intp)
        finally:
            text_page.close()
        codes, boxes, bold = _without_ligatures(codes, frame.displayed(boxes), bold)
        _share_boxes(boxes)
        widen_spaces(codes, boxes)
        return Characters(codes, boxes, frame, bold)

    def _boxes(self, text_page: pypdfium2.PdfTextPage, count: int) -> Boxes:
        """[left, top, right, bottom] of each character in the page's plane."""
        boxes = np.zeros((count, 4), np.float32)
        handle = reference(text_page.raw)
        for start in range(0, count, _BLOCK_CHARS):
            end = min(start + _BLOCK_CHARS, count)
            block, places = self._room(end - start)
            deque(map(_get_box, repeat(handle), range(start, end), places), maxlen=0)
            boxes[start:end] = block
        return boxes

    def _room(self, count: int) -> tuple[Boxes, list[Any]]:
        """A block of `count` boxes, all 0, and references to them."""
        if count > len(self._places):
            size = min(max(count, 2 * len(self._places)), _BLOCK_CHARS)
            self._block = (ctypes.c_float * (4 * size))()
            self._places = [ctypes.byref(self._block, at) for at in range(0, size * _BOX_BYTES, _BOX_BYTES)]
        block = np.frombuffer(self._block, np.float32, 4 * count).reshape(-1, 4)
        block[:] = 0
        return block, self._places


def _codes(text_page: pypdfium2.PdfTextPage, count: int) -> NDArray[np.uint32]:
    units = np.zeros(2 * count + 2, np.uint16)
    length = raw.FPDFText_GetText(text_page, 0, count, units.ctypes.data_as(ctypes.POINTER(ctypes.c_ushort))) - 1
    codes = units[:count].astype(np.uint32)
    if length == count and not (codes >> 11 == 0xD800 >> 11).any():
        return codes
    # The whole text leaves out characters without code point and counts one above U+FFFF as two.
    codes = np.fromiter(map(_get_unicode, repeat(reference(text_page.raw)), range(count)), np.uint32, count)
    highs = np.flatnonzero((codes[:-1] >> 10 == 0xD800 >> 10) & (codes[1:] >> 10 == 0xDC00 >> 10))
    codes[highs] = 0x10000 + ((codes[highs] & 0x3FF) << 10) + (codes[highs + 1] & 0x3FF)
    codes[highs + 1] = 0
    return np.where(codes > 0x10FFFF, 0, codes)


def _bold_starts(text_page: pypdfium2.PdfTextPage, codes: NDArray[np.uint32]) -> NDArray[np.intp]:
    """The first characters of the lines that begin in bold letters: by the font's weight, else by its name."""
    starts = codes > ord(" ")
    starts[1:] &= codes[:-1] == ord("\n")
    handle, name = reference(text_page.raw), ctypes.create_string_buffer(_FONT_NAME_BYTES_MAX)
    place = ctypes.byref(name)

    def is_bold(index: int) -> bool:
        if _get_weight(handle, index) >= _BOLD_WEIGHT_MIN:
            return True
        name.value = b""
        _get_font(handle, index, place, _FONT_NAME_BYTES_MAX, None)
        return _names_bold(name.value)

    return np.array([at for at in np.flatnonzero(starts).tolist() if is_bold(at)], np.intp)


@lru_cache(256)
def _names_bold(font: bytes) -> bool:
    return any(word in font.lower() for word in _BOLD_NAMES)


def _without_ligatures(
    codes: NDArray[np.uint32], boxes: Boxes, marks: NDArray[np.intp]
) -> tuple[NDArray[np.uint32], Boxes, NDArray[np.intp]]:
    """Letters for ligatures such as U+FB01 and for the shapes of Arabic letters, so that words can be found.

    `marks` are indexes of characters and move with them.
    """
    shapes = codes >= 0xFB00
    shapes &= (codes <= 0xFB4F) | ((codes >= 0xFE70) & (codes <= 0xFEFC))
    if not shapes.any():
        return codes, boxes, marks
    letters = [unicodedata.normalize("NFKC", chr(code)).strip() or " " for code in codes[shapes]]
    counts = np.ones(len(codes), np.intp)
    counts[shapes] = [len(letter) for letter in letters]
    places = np.repeat(shapes, counts)
    codes, boxes = np.repeat(codes, counts), np.repeat(boxes, counts, axis=0)
    codes[places] = [ord(char) for letter in letters for char in letter]
    return codes, boxes, (np.cumsum(counts) - counts)[marks]


def _share_boxes(boxes: Boxes) -> None:
    """Part a box that characters share, as those of a ligature do, evenly between them."""
    shared = boxes[1:, 0] == boxes[:-1, 0]
    at = np.flatnonzero(shared)
    shared[at] = (boxes[at + 1] == boxes[at]).all(axis=1) & has_box(boxes[at])
    if not shared.any():
        return
    firsts = np.flatnonzero(~np.append(False, shared))
    counts = np.diff(firsts, append=len(boxes))
    places = np.arange(len(boxes)) - np.repeat(firsts, counts)
    width = (boxes[:, 2] - boxes[:, 0]) / np.repeat(counts, counts)
    left = boxes[:, 0] + places * width
    boxes[:, 0], boxes[:, 2] = left, left + width


def widen_spaces(codes: NDArray[np.uint32], boxes: Boxes) -> None:
    """Give each space without a box between two characters the place between them."""
    at = np.flatnonzero(codes[1:-1] == ord(" ")) + 1
    spaces, before, after = (boxes.take(at + step, axis=0) for step in (0, -1, 1))
    placed = ~has_box(spaces) & has_box(before) & has_box(after)
    at, before, after = at[placed], before[placed], after[placed]
    low, high = np.minimum(before[:, 2:], after[:, 2:]), np.maximum(before[:, :2], after[:, :2])
    distance = np.abs(before[:, :2] + before[:, 2:] - after[:, :2] - after[:, 2:])
    across = distance[:, 0] >= distance[:, 1]
    spaces = before.copy()
    spaces[across, 0], spaces[across, 2] = low[across, 0], high[across, 0]
    spaces[~across, 1], spaces[~across, 3] = low[~across, 1], high[~across, 1]
    boxes[at] = spaces
