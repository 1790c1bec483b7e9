"""PDF by pdfium: the text of each page with its boxes, and the outline (bookmarks) as headings."""

import ctypes
import re
from collections.abc import Iterator
from itertools import accumulate, islice

import pypdfium2
from pypdfium2.raw import FPDFCatalog_GetLanguage

from lumikb.compute.parse.boxes import BoxWriter
from lumikb.compute.parse.errors import CorruptedError, NoTextError, password_error
from lumikb.compute.parse.models import ParsedText
from lumikb.compute.parse.ocr import TEXT_RECOGNISED, Recogniser
from lumikb.compute.parse.ocr_options import OcrOptions
from lumikb.compute.parse.pdf_headings import HeadingFinder
from lumikb.compute.parse.pdf_page import PageText, page_text
from lumikb.compute.parse.pdf_rules import find_grids
from lumikb.compute.parse.pdf_scan import is_scan, letter_count, render_page
from lumikb.compute.parse.pdfium import CharacterReader
from lumikb.compute.parse.text import TextBuilder, clean, squeeze

PAGES_WITHOUT_TEXT = "PAGES_WITHOUT_TEXT"
PAGE_SEPARATOR = "\n\n"
OUTLINE_DEPTH_MAX = 15
OUTLINE_ENTRIES_MAX = 50_000
LANGUAGE_BYTES_MAX = 200

# fpdfview.h: FPDF_ERR_PASSWORD and FPDF_ERR_SECURITY.
_ENCRYPTED_CODES = {4, 5}

_NUMBERING = re.compile(
    r"[ \t]*(?:(?:chapter|section|part|appendix)[ \t]+)?(?:[\dA-Z]{1,4}(?:\.\d+)*\.?\s+)?", re.IGNORECASE
)
_SPACE = re.compile(r"\s+")
_LINE_REST = re.compile(r"[ \t]*$", re.MULTILINE)
_WORD_END = re.compile(r"\b")
_RANK_ALONE, _RANK_STARTS_LINE, _RANK_ANYWHERE = range(3)
_DATE = re.compile(r"D:(\d{4})(\d\d)?(\d\d)?(?:(\d\d)(\d\d)(\d\d)?)?(?:([+-])(\d\d)'?(\d\d)?|Z)?")

# Readers look for the end marker in the last 1024 bytes (ISO 32000-1, annex H.3.4.4); padding comes on top of that.
_TAIL_BYTES = 4096


def parse_pdf(data: bytes, text_chars_max: int, ocr: OcrOptions, password: str | None = None) -> ParsedText:
    """Pages joined by a blank line, so that every page has its own offset.

    Headings are the outline's, see `_add_outline`, without one what `HeadingFinder` finds.

    Pages that are pictures of text are read by OCR (warning `TEXT_RECOGNISED`). Some pages without text give
    the warning `PAGES_WITHOUT_TEXT`. Raises `EncryptedError`, `CorruptedError`, and `NoTextError` when all text is on
    pictures and there is no OCR.
    """
    _check_end(data)
    try:
        document = pypdfium2.PdfDocument(data, password=password)
    except pypdfium2.PdfiumError as exc:
        if exc.err_code in _ENCRYPTED_CODES:
            raise password_error(password) from exc
        raise CorruptedError("This PDF is damaged and cannot be opened. Export it again and upload that.") from exc
    try:
        with Recogniser(ocr) as recogniser:
            return _read(document, text_chars_max, recogniser)
    finally:
        document.close()


class _PageReader:
    """Reads one page after the other: its own text, or for a page that is a picture what OCR reads on it."""

    def __init__(
        self, document: pypdfium2.PdfDocument, recogniser: Recogniser, text_chars_max: int, *, weights: bool
    ) -> None:
        self._document = document
        self._recogniser = recogniser
        self._characters = CharacterReader(text_chars_max, weights=weights)
        self.recognised = False
        self.unavailable: NoTextError | None = None

    def read(self, index: int) -> PageText:
        """The page at `index`. Raises `CorruptedError`; absent OCR is noted in `unavailable`."""
        try:
            page = self._document[index]
            try:
                characters = self._characters.read(page)
                own = page_text(characters, find_grids(page, characters.frame))
                return self._recognise(page, own) if is_scan(page, own.text) else own
            finally:
                page.close()
        except pypdfium2.PdfiumError as exc:
            raise CorruptedError(
                f"Page {index + 1} of this PDF is damaged. Export the file again and upload that.", page=index + 1
            ) from exc

    def _recognise(self, page: pypdfium2.PdfPage, own: PageText) -> PageText:
        if self.unavailable is not None:
            return own
        try:
            read = self._recogniser.read(render_page(page))
        except NoTextError as exc:
            self.unavailable = exc
            return own
        if letter_count(read.text) <= letter_count(own.text):
            return own
        self.recognised = True
        return read


def _read(document: pypdfium2.PdfDocument, text_chars_max: int, recogniser: Recogniser) -> ParsedText:
    builder = TextBuilder(text_chars_max)
    boxes = BoxWriter()
    headings = HeadingFinder() if next(_bookmarks(document), None) is None else None
    reader = _PageReader(document, recogniser, text_chars_max, weights=headings is not None)
    pages: list[str] = []
    for index in range(len(document)):
        if index:
            builder.append(PAGE_SEPARATOR)
        page = reader.read(index)
        pages.append(page.text)
        builder.start_page(index + 1)
        start = builder.append(page.text)
        boxes.add(start, page.boxes)
        if headings is not None:
            headings.add(start, page, index + 1)
    blank = sum(not page for page in pages)
    if blank == len(pages) and reader.unavailable is not None:
        raise reader.unavailable
    if headings is None:
        _add_outline(builder, document, pages)
    else:
        headings.write(builder)
    warnings = {PAGES_WITHOUT_TEXT: 0 < blank < len(pages), TEXT_RECOGNISED: reader.recognised}
    return builder.build(
        page_count=len(pages),
        title=_about(document, "Title"),
        metadata={
            "author": _about(document, "Author"),
            "subject": _about(document, "Subject"),
            "keywords": _about(document, "Keywords"),
            "created": _iso_date(_about(document, "CreationDate")),
            "modified": _iso_date(_about(document, "ModDate")),
            "language": _language(document),
        },
        warnings=[code for code, applies in warnings.items() if applies],
        boxes=boxes.build(),
    )


def _add_outline(builder: TextBuilder, document: pypdfium2.PdfDocument, pages: list[str]) -> None:
    """Place each bookmark where its title stands on its page, else after the bookmark before it on that page."""
    starts = list(accumulate((len(page) + len(PAGE_SEPARATOR) for page in pages), initial=0))
    cursors = [0] * len(pages)
    for index, title, level in islice(_bookmarks(document), OUTLINE_ENTRIES_MAX):
        if not 0 <= index < len(pages):
            continue
        found = _find_title(pages[index], title, cursors[index])
        at, end = found or (cursors[index], cursors[index])
        cursors[index] = end
        written = pages[index][at:end] == title
        builder.add_heading(title, level, at=starts[index] + at, written=written)


def _bookmarks(document: pypdfium2.PdfDocument) -> Iterator[tuple[int, str, int]]:
    """(page index, title, level from 1) of each bookmark that leads to a page, in the outline's order."""
    for bookmark in document.get_toc(max_depth=OUTLINE_DEPTH_MAX):
        destination = bookmark.get_dest()
        index = destination.get_index() if destination else None
        try:
            title = squeeze(bookmark.get_title())
        except UnicodeDecodeError:
            continue
        if title and index is not None:
            yield index, title, bookmark.level + 1


def _find_title(page: str, title: str, cursor: int) -> tuple[int, int] | None:
    """Where `title` stands after `cursor`: alone on its lines, else at the start of one, else anywhere.

    No expression is made of a title: compiling takes longer than reading the page.
    """
    lowered = page.lower()
    if len(lowered) != len(page):
        lowered = page
    words = title.lower().split()
    best: tuple[int, int] | None = None
    best_rank = _RANK_ANYWHERE + 1
    start = lowered.find(words[0], cursor)
    while start >= 0:
        end = _words_end(lowered, words, start)
        rank = _RANK_ANYWHERE + 1 if end is None else _rank(page, start, end, cursor)
        if end is not None and rank < best_rank:
            best, best_rank = (start, end), rank
            if rank == _RANK_ALONE:
                break
        start = lowered.find(words[0], start + 1)
    return best


def _words_end(lowered: str, words: list[str], start: int) -> int | None:
    """Where `words` end that start at `start` with white space between them."""
    at = start + len(words[0])
    for word in words[1:]:
        space = _SPACE.match(lowered, at)
        if space is None or not lowered.startswith(word, space.end()):
            return None
        at = space.end() + len(word)
    return at


def _rank(page: str, start: int, end: int, cursor: int) -> int:
    line = page.rfind("\n", 0, start) + 1
    if line < cursor or _NUMBERING.fullmatch(page, line, start) is None:
        return _RANK_ANYWHERE
    if _LINE_REST.match(page, end):
        return _RANK_ALONE
    return _RANK_STARTS_LINE if _WORD_END.match(page, end) else _RANK_ANYWHERE


def _about(document: pypdfium2.PdfDocument, key: str) -> str:
    try:
        return document.get_metadata_value(key)
    except UnicodeDecodeError:
        return ""


def _language(document: pypdfium2.PdfDocument) -> str:
    """The catalog's language tag (ISO 32000-1, 14.9.2), empty when it has none."""
    size = FPDFCatalog_GetLanguage(document, None, 0)
    if size > LANGUAGE_BYTES_MAX:
        return ""
    units = (ctypes.c_ushort * LANGUAGE_BYTES_MAX)()
    FPDFCatalog_GetLanguage(document, units, LANGUAGE_BYTES_MAX)
    return clean(bytes(units).decode("utf-16-le", errors="ignore"))


def _iso_date(value: str) -> str:
    """A PDF date (ISO 32000-1, 7.9.4) in ISO 8601 as precise as it is, empty when it is not a date."""
    date = _DATE.match(value)
    if date is None:
        return ""
    year, month, day, hour, minute, second, sign, zone_hour, zone_minute = date.groups()
    if hour is None:
        return "-".join(part for part in (year, month, day) if part)
    zone = f"{sign}{zone_hour}:{zone_minute or '00'}" if sign else "Z"
    return f"{year}-{month}-{day}T{hour}:{minute}:{second or '00'}{zone}"


def _check_end(data: bytes) -> None:
    """Refuses a file that ends too early: pdfium would mend it and silently read the part that is there."""
    tail = data.rstrip(b"\x00\r\n\t ")[-_TAIL_BYTES:]
    if b"%%EOF" not in tail and b"startxref" not in tail:
        raise CorruptedError("This PDF ends too early, as after an interrupted download. Get it again and upload that.")
