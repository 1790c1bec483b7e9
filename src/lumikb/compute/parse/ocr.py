"""Text recognition (OCR) of pictures by Tesseract: words with their boxes and confidences."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lumikb.compute.parse.boxes import PageBoxes
from lumikb.compute.parse.errors import NoTextError
from lumikb.compute.parse.ocr_options import OcrOptions, find_data
from lumikb.compute.parse.pdf_page import PageText, tidied
from lumikb.compute.parse.pdfium import widen_spaces

TEXT_RECOGNISED = "TEXT_RECOGNISED"
"""The warning that text was read off pictures and may have errors."""

# Below this, words are mostly specks, frames and parts of pictures.
CONFIDENCE_MIN = 25
# Upright text is read with 90 and more, a page that lies upside down with 40 to 60.
_UPRIGHT_CONFIDENCE_MIN = 70
# A hyphen between a letter and a line that starts with a small one: U+FFFE is what `tidied` joins.
_SPLIT_WORD = re.compile(r"(?<=[^\W\d_])-\n(?=[^\W\d_A-Z])")
_NO_BOXES = np.zeros((0, 4), np.float32)

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Picture:
    """Grey pixels, shape (height, width), at `dpi`."""

    pixels: NDArray[np.uint8]
    dpi: int


@dataclass(frozen=True)
class Word:
    """A word of a picture in pixels from its top left; `line` and `block` number the line and paragraph it is in."""

    text: str
    box: Box
    confidence: int
    line: tuple[int, ...]
    block: tuple[int, ...]


class Recogniser:
    """Tesseract, loaded at the first picture. Use as a context manager, in one thread."""

    def __init__(self, options: OcrOptions) -> None:
        self._options = options
        self._stack = ExitStack()
        self._api: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def read(self, picture: Picture) -> PageText:
        """The text of `picture`. Raises `NoTextError` (`OCR_UNAVAILABLE`) where Tesseract or its data is missing."""
        self._options.before_page()
        height, width = picture.pixels.shape
        words = self._words(picture)
        if words and _mean_confidence(words) < _UPRIGHT_CONFIDENCE_MIN:
            turned = self._words(Picture(picture.pixels[::-1, ::-1], picture.dpi))
            if _mean_confidence(turned) > _mean_confidence(words):
                words = [replace(word, box=_turned(word.box, width, height)) for word in turned]
        return _page_text(words, width, height)

    def _words(self, picture: Picture) -> list[Word]:
        if self._api is None:
            self._api = self._open()
        height, width = picture.pixels.shape
        self._api.SetImageBytes(np.ascontiguousarray(picture.pixels).tobytes(), width, height, 1, width)
        self._api.SetSourceResolution(picture.dpi)
        self._api.Recognize()
        return list(_parse_tsv(self._api.GetTSVText(0)))

    def _open(self) -> Any:
        languages = self._options.languages
        directory = find_data(self._options)
        try:
            import tesserocr
        except ImportError as exc:
            raise _unavailable("the Python package tesserocr", "pip install tesserocr") from exc
        if directory is None:
            packages = " ".join(
                f"tesseract-ocr-{name.lower().replace('_', '-')}" for name in languages.split("+") if name != "eng"
            )
            command = f"apt-get install tesseract-ocr {packages}".strip()
            raise _unavailable(f"Tesseract's data for {languages}", command)
        try:
            return self._stack.enter_context(
                tesserocr.PyTessBaseAPI(path=str(directory), lang=languages, psm=tesserocr.PSM.AUTO)
            )
        except RuntimeError as exc:
            raise _unavailable(f"sound Tesseract data for {languages}", "apt-get install tesseract-ocr") from exc


def _unavailable(what: str, command: str) -> NoTextError:
    return NoTextError(
        f"This file has only pictures of text, and {what} is missing on the server to read them. "
        f"Install it there ({command}), then retry, or run the file through text recognition (OCR) yourself."
    )


def _parse_tsv(tsv: str) -> Iterator[Word]:
    """Words of Tesseract's table: level, page, block, paragraph, line, word, left, top, width, height, conf, text."""
    for row in tsv.splitlines():
        fields = row.split("\t", 11)
        if len(fields) < 12 or fields[0] != "5":
            continue
        left, top, width, height = map(int, fields[6:10])
        confidence = int(float(fields[10]))
        text = "".join(fields[11].split())
        if text and confidence >= CONFIDENCE_MIN:
            place = tuple(map(int, fields[2:5]))
            yield Word(text, (left, top, left + width, top + height), min(confidence, 100), place, place[:2])


def _mean_confidence(words: list[Word]) -> float:
    chars = sum(len(word.text) for word in words)
    return sum(len(word.text) * word.confidence for word in words) / max(chars, 1)


def _turned(box: Box, width: int, height: int) -> Box:
    x0, y0, x1, y1 = box
    return width - x1, height - y1, width - x0, height - y0


def _page_text(words: list[Word], width: int, height: int) -> PageText:
    """Words in Tesseract's order: a line for each line, an empty line between paragraphs."""
    parts: list[str] = []
    boxes: list[NDArray[np.float32]] = [_NO_BOXES]
    lines: list[int] = []
    confidences: list[int] = []

    def add(text: str, text_boxes: NDArray[np.float32], line: int, confidence: int) -> None:
        parts.append(text)
        boxes.append(text_boxes)
        lines.extend([line] * len(text))
        confidences.extend([confidence] * len(text))

    last: Word | None = None
    for line, (_, members) in enumerate(groupby(words, key=lambda word: word.line)):
        row = list(members)
        if last is not None:
            gap = "\n" if row[0].block == last.block else "\n\n"
            add(gap, np.zeros((len(gap), 4), np.float32), line - 1, last.confidence)
        rises = row[0].box[1] > row[-1].box[1]
        for at, word in enumerate(row):
            if at:
                add(" ", np.zeros((1, 4), np.float32), line, row[at - 1].confidence)
            add(word.text, _character_boxes(word, rises), line, word.confidence)
        last = row[-1]
    text = _SPLIT_WORD.sub("\ufffe\n", "".join(parts))
    codes = np.frombuffer(text.encode("utf-32-le"), "<u4")
    places = np.concatenate(boxes)
    widen_spaces(codes, places)
    page = PageBoxes(width, height, places, np.array(lines, np.int64), np.array(confidences, np.uint8))
    return tidied(codes, page)


def _character_boxes(word: Word, rises: bool) -> NDArray[np.float32]:
    """The characters share the word's length evenly, which is its height on a page that lies on its side."""
    x0, y0, x1, y1 = word.box
    count = len(word.text)
    corners = np.tile(np.array(word.box, np.float32), (count, 1))
    vertical = count > 1 and y1 - y0 > x1 - x0
    begin, end = (y0, y1) if vertical else (x0, x1)
    edges = np.linspace(begin, end, count + 1, dtype=np.float32)
    corners[:, 1 if vertical else 0], corners[:, 3 if vertical else 2] = edges[:-1], edges[1:]
    return corners[::-1] if vertical and rises else corners
