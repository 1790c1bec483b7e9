"""What every parser builds its result with: one text, its pages and its headings, under the bound on its length."""

import re
from collections.abc import Iterator

from lumikb.compute.parse.errors import OutputLimitError
from lumikb.compute.parse.models import Heading, PageStart, ParsedText, TextBoxes

NO_TEXT = "NO_TEXT"
HEADING_LEVEL_MAX = 6
HEADINGS_MAX = 500_000
# Every chunk repeats the titles above it: a file that marks whole paragraphs as headings must not multiply them.
TITLE_CHARS_MAX = 300

# PostgreSQL stores no NUL, and a lone surrogate cannot be encoded as UTF-8.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_SPACES = re.compile(r"\s+")
_OTHER_LINE_END = re.compile(r"\r\n?")
_LINE_END = re.compile(r"\r\n?|\n")


def clean(text: str) -> str:
    """`text` without NULs and lone surrogates."""
    return _UNSTORABLE.sub("", text)


def storable(text: str) -> str:
    """`text` with U+FFFD for each NUL and lone surrogate, so that every offset stays what it is."""
    return _UNSTORABLE.sub("\ufffd", text)


def unify_line_ends(text: str) -> str:
    """`text` with `\\n` for `\\r\\n` and `\\r`, for formats whose text is not the source's."""
    return _OTHER_LINE_END.sub("\n", text)


def lines(text: str, offset: int = 0) -> Iterator[tuple[int, str]]:
    """(offset, line without its end) of each line from `offset` on, whatever its end."""
    for end in _LINE_END.finditer(text, offset):
        yield offset, text[offset : end.start()]
        offset = end.end()
    yield offset, text[offset:]


def squeeze(text: str) -> str:
    """`text` cleaned, every run of white space made one space, the ends stripped."""
    if text.isascii() and text.isprintable() and "  " not in text:  # most are, and this takes a sixth of the time
        return text.strip()
    return _SPACES.sub(" ", clean(text)).strip()


def check_length(chars: int, text_chars_max: int) -> None:
    """Raises `OutputLimitError` when `chars` is more than `text_chars_max`."""
    if chars > text_chars_max:
        raise OutputLimitError(
            f"The text of this file is longer than {text_chars_max:,} characters. "
            "Split the file into parts and upload them one by one.",
            text_chars_max=text_chars_max,
        )


class TextBuilder:
    """Appends pieces to one text and notes where pages and headings start.

    Callers clean what they append, as offsets are taken from the pieces' lengths.
    """

    def __init__(self, text_chars_max: int) -> None:
        self._text_chars_max = text_chars_max
        self._parts: list[str] = []
        self._pages: list[PageStart] = []
        self._headings: list[Heading] = []
        self.length = 0

    def append(self, piece: str) -> int:
        """Append `piece` as it stands and return its offset. Raises `OutputLimitError` at the bound."""
        check_length(self.length + len(piece), self._text_chars_max)
        start = self.length
        self._parts.append(piece)
        self.length += len(piece)
        return start

    def append_block(self, block: str, separator: str = "\n\n", level: int = 0) -> int:
        """Append `block` after `separator` (none at the start) and return its offset; a `level` marks a heading."""
        if self.length:
            self.append(separator)
        start = self.append(block)
        if level:
            title = squeeze(block)
            self.add_heading(title, level, at=start, written=block.startswith(title))
        return start

    def add_heading(self, title: str, level: int, *, at: int | None = None, written: bool = True) -> None:
        """Note a heading at `at`, or at the end of what is there. Raises `OutputLimitError` past `HEADINGS_MAX`.

        A title that is not `written` in the text letter for letter (it runs over two lines there, or stands only in the
        outline) gets an empty span.
        """
        if len(self._headings) == HEADINGS_MAX:
            raise OutputLimitError(
                f"This file has more than {HEADINGS_MAX:,} headings. Split it into parts and upload them one by one.",
                headings_max=HEADINGS_MAX,
            )
        start = self.length if at is None else at
        title = title[:TITLE_CHARS_MAX].rstrip()
        end = start + len(title) if written else start
        self._headings.append(Heading(start, end, min(level, HEADING_LEVEL_MAX), title))

    def start_page(self, number: int, at: int | None = None) -> None:
        """Page `number` starts at `at`, or at the end of what is there."""
        self._pages.append(PageStart(self.length if at is None else at, number))

    def append_document(self, parsed: ParsedText, level: int) -> None:
        """Append another document's text with its own pages; its headings come to stand `level` ranks lower."""
        start = self.append(parsed.text)
        for heading in parsed.headings:
            rank = min(heading.level + level, HEADING_LEVEL_MAX)
            self._headings.append(Heading(start + heading.start, start + heading.end, rank, heading.title))
        if parsed.pages:
            self._pages += [PageStart(start + page.start, page.number) for page in parsed.pages]
            self._pages.append(PageStart(self.length, 0))

    def build(
        self,
        *,
        page_count: int | None = None,
        title: str | None = None,
        metadata: dict[str, str] | None = None,
        warnings: list[str] | None = None,
        boxes: TextBoxes | None = None,
    ) -> ParsedText:
        """The result; a text of nothing but white space becomes the empty text with the warning `NO_TEXT`."""
        text = "".join(self._parts)
        known = {key: squeezed for key, value in (metadata or {}).items() if (squeezed := squeeze(value))}
        title = squeeze(title or "") or None
        if not text or text.isspace():
            return ParsedText(
                text="", page_count=page_count, title=title, metadata=known, warnings=[*(warnings or []), NO_TEXT]
            )
        if self._pages and self._pages[0].start:
            self._pages.insert(0, PageStart(0, 0))
        return ParsedText(
            text=text,
            pages=self._pages,
            headings=sorted(self._headings, key=lambda heading: heading.start),
            page_count=page_count,
            title=title,
            metadata=known,
            warnings=warnings or [],
            boxes=boxes,
        )
