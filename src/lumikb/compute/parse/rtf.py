"""Rich text (RTF 1.9.1): paragraphs, lists, tables and notes in reading order, headings by outline level and style."""

import re
from dataclasses import dataclass, replace

from lumikb.compute.parse.charset import decode_as
from lumikb.compute.parse.errors import CorruptedError
from lumikb.compute.parse.flow import BULLET, ROW_DEPTH_MAX, Block, Flow
from lumikb.compute.parse.models import ParsedText
from lumikb.compute.parse.rtf_codes import CHARACTERS, CODE_PAGES, FILE_CHARSETS, FONT_CHARSETS, SKIPPED, SYMBOLS
from lumikb.compute.parse.text import TextBuilder, clean, squeeze

GROUP_DEPTH_MAX = 10_000
OUTLINE_LEVELS = 9

_TOKEN = re.compile(
    rb"([^\\{}\r\n]+)|\\([A-Za-z]{1,32})(-?[0-9]{1,9})? ?|([{}])|\\'([0-9A-Fa-f]{2})|[\r\n]+|\\(.)", re.DOTALL
)
_TEXT, _WORD, _NUMBER, _BRACE, _HEX, _SYMBOL = range(1, 7)
_SKIPPING = re.compile(rb"\\bin([0-9]{1,9}) ?|\\.|[{}]", re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_HEADING_NAME = re.compile(r"heading ([1-9])", re.IGNORECASE)

_ENTERED = frozenset({"shpinst", "shptxt", "nesttableprops"})
"""Destinations marked with `\\*` that hold text or mark rows."""
_NOTES = frozenset({"footnote", "shptxt"})
_LIST_MARKS = frozenset({"listtext", "pntext"})
_TABLES = frozenset({"fonttbl", "stylesheet", "info"})
_INFO = {
    "title": "title",
    "author": "author",
    "subject": "subject",
    "keywords": "keywords",
    "doccomm": "description",
    "creatim": "created",
    "revtim": "modified",
}
_DATE_FIELDS = ("yr", "mo", "dy", "hr", "min")
_ESCAPED = b"\\{}"
# Looked up first, as most control words are about looks and do nothing here.
_CHARACTER_WORDS = frozenset({"plain", "f", "deff", "uc", "v", "deleted", "ansicpg", *FILE_CHARSETS})
_PARAGRAPH_WORDS = frozenset({"par", "sect", "pard", "s", "outlinelevel", "ls", "intbl", "itap"})
_ROW_WORDS = frozenset({"trowd", "cell", "row", "nestcell", "nestrow"})


def parse_rtf(data: bytes, text_chars_max: int) -> ParsedText:
    """Raises `CorruptedError` when the file ends within a group."""
    builder = TextBuilder(text_chars_max)
    reader = _Reader(data, builder)
    reader.read()
    title, metadata = reader.properties()
    return builder.build(title=title, metadata=metadata)


@dataclass(slots=True)
class _Group:
    """What a group takes over from the one around it, and leaves behind where it ends."""

    sink: list[str]
    codec: str
    destination: str = ""
    fallback_chars: int = 1
    hidden: bool = False


@dataclass
class _Paragraph:
    style: int = 0
    level: int | None = None
    listed: bool = False
    row_depth: int = 0


class _Reader:
    """One pass over the tokens; destinations that are not read are left out without looking at their words."""

    def __init__(self, data: bytes, builder: TextBuilder) -> None:
        self._data = data
        self._flow = Flow(builder)
        self._text: list[str] = []
        self._group = _Group(self._text, "cp1252")
        self._groups: list[_Group] = []
        self._bytes = bytearray()
        self._skip_chars = 0
        self._starred = False
        self._file_codec = "cp1252"
        self._default_font = 0
        self._fonts: dict[int, str] = {}
        self._font = 0
        self._styles: dict[int, int] = {}
        self._style = _Paragraph()
        self._paragraph = _Paragraph()
        self._notes: list[list[str]] = []
        self._row_begun = False
        self._open_rows: list[bool] = []
        self._info: dict[str, list[str]] = {}
        self._dates: dict[str, dict[str, int]] = {}

    def read(self) -> None:
        """Read the outermost group; what follows it is no part of the document."""
        at, data = 0, self._data
        while token := _TOKEN.match(data, at):
            at = token.end()
            kind = token.lastindex
            if kind == _TEXT:
                self._add_bytes(token[_TEXT])
            elif kind in (_WORD, _NUMBER):
                number = token[_NUMBER]
                at = self._read_word(token[_WORD].decode(), None if number is None else int(number), at)
            elif kind == _BRACE:
                if token[_BRACE] == b"{":
                    self._open_group()
                elif not self._close_group():
                    return
            elif kind == _HEX:
                self._add_bytes(bytes((int(token[_HEX], 16),)))
            elif kind == _SYMBOL:
                self._read_symbol(token[_SYMBOL])
        raise CorruptedError(
            "This file ends too early, as after an interrupted download. Get it again and upload that."
        )

    def properties(self) -> tuple[str, dict[str, str]]:
        """Title, and what else the file says of itself."""
        found = {name: "".join(parts) for name, parts in self._info.items()}
        found |= {name: _iso_date(numbers) for name, numbers in self._dates.items()}
        return found.pop("title", ""), found

    def _add_bytes(self, data: bytes) -> None:
        skipped = min(self._skip_chars, len(data))
        self._skip_chars -= skipped
        if not self._group.hidden:
            self._bytes += data[skipped:]

    def _add(self, text: str) -> None:
        if not self._group.hidden:
            self._flush()
            self._group.sink.append(text)

    def _flush(self) -> None:
        if self._bytes:
            self._group.sink.append(decode_as(bytes(self._bytes), self._group.codec))
            self._bytes.clear()

    def _open_group(self) -> None:
        if len(self._groups) == GROUP_DEPTH_MAX:
            raise CorruptedError(
                f"The groups of this file are nested more than {GROUP_DEPTH_MAX:,} deep. Save it again."
            )
        self._flush()
        self._skip_chars = 0
        self._groups.append(self._group)
        self._group = replace(self._group)

    def _close_group(self) -> bool:
        """False at the end of the document."""
        self._flush()
        self._skip_chars = 0
        self._starred = False
        if self._group.destination == "stylesheet":
            self._end_style()
        self._group = self._groups.pop()
        if self._groups:
            return True
        self._end_paragraph()
        self._end_rows(0)
        return False

    def _skip_group(self, at: int) -> int:
        """The offset of the brace that closes the group."""
        depth = 1
        while found := _SKIPPING.search(self._data, at):
            at = found.end()
            if found[1] is not None:
                at += int(found[1])
            elif found[0] == b"{":
                depth += 1
            elif found[0] == b"}":
                depth -= 1
                if not depth:
                    return found.start()
        return len(self._data)

    def _read_symbol(self, symbol: bytes) -> None:
        if symbol == b"*":
            self._starred = True
        elif symbol in (b"\n", b"\r"):
            self._end_paragraph()
        elif symbol[0] in _ESCAPED:
            self._add_bytes(symbol)
        elif (char := SYMBOLS.get(chr(symbol[0]))) is not None:
            self._add_character(char)

    def _add_character(self, char: str) -> None:
        if self._skip_chars:
            self._skip_chars -= 1
        else:
            self._add(char)

    def _read_word(self, word: str, number: int | None, at: int) -> int:
        """Act on a control word; returns where to read on."""
        starred, self._starred = self._starred, False
        if word == "u":
            self._flush()
            self._add(chr((number or 0) & 0xFFFF))
            self._skip_chars = self._group.fallback_chars
            return at
        if word in CHARACTERS:
            self._add_character(CHARACTERS[word])
            return at
        self._skip_chars = 0
        if word == "bin":
            return at + max(number or 0, 0)
        if word in _LIST_MARKS:
            self._paragraph.listed = True
            return self._skip_group(at)
        if word in SKIPPED or (starred and word not in _ENTERED):
            return self._skip_group(at)
        if word in _CHARACTER_WORDS:
            self._flush()
            self._format_characters(word, 1 if number is None else number)
        elif word in _PARAGRAPH_WORDS:
            self._format_paragraph(word, number or 0)
        elif word in _ROW_WORDS:
            self._format_row(word)
        elif self._group.destination:
            self._read_definition(word, number or 0)
        elif word in _TABLES:
            self._enter(word)
        elif word in _NOTES:
            self._enter("")
            self._notes.append(self._group.sink)
        return at

    def _read_definition(self, word: str, number: int) -> None:
        """A word within the tables of fonts and styles, or about the document."""
        destination = self._group.destination
        if destination == "fonttbl":
            codec = {"fcharset": FONT_CHARSETS, "cpg": CODE_PAGES}.get(word, {}).get(number)
            if codec is not None:
                self._fonts[self._font] = codec
        elif destination == "info" and word in _INFO:
            self._enter(_INFO[word])
            self._info[_INFO[word]] = self._group.sink
        elif word in _DATE_FIELDS:
            self._dates.setdefault(destination, {})[word] = number

    def _enter(self, destination: str) -> None:
        self._flush()
        self._group.destination = destination
        self._group.sink = []

    def _end_style(self) -> None:
        name = squeeze("".join(self._group.sink)).rstrip(";")
        self._group.sink.clear()
        heading = _HEADING_NAME.fullmatch(name)
        level = self._style.level
        if level is None and (heading or name.lower() == "title"):
            level = int(heading[1]) if heading else 1
        self._styles[self._style.style] = level or 0
        self._style = _Paragraph()

    def _format_characters(self, word: str, number: int) -> None:
        if word == "f":
            self._set_font(number)
        elif word == "plain":
            self._group.hidden = False
            self._set_font(self._default_font)
        elif word == "uc":
            self._group.fallback_chars = max(number, 0)
        elif word in {"v", "deleted"}:
            self._group.hidden = number != 0
        elif word == "deff":
            self._default_font = number
        else:
            codec = FILE_CHARSETS.get(word) or CODE_PAGES.get(number) or self._file_codec
            self._file_codec = self._group.codec = codec

    def _set_font(self, number: int) -> None:
        self._font = number
        self._group.codec = self._fonts.get(number, self._file_codec)

    def _format_paragraph(self, word: str, number: int) -> None:
        paragraph = self._style if self._group.destination == "stylesheet" else self._paragraph
        if word in {"par", "sect"}:
            self._end_paragraph()
        elif word == "pard":
            self._paragraph = _Paragraph()
        elif word == "s":
            paragraph.style = number
        elif word == "outlinelevel":
            paragraph.level = number + 1 if 0 <= number < OUTLINE_LEVELS else 0
        elif word == "ls":
            paragraph.listed = number != 0
        else:
            depth = max(paragraph.row_depth, 1) if word == "intbl" else number
            paragraph.row_depth = min(max(depth, 0), ROW_DEPTH_MAX)

    def _format_row(self, word: str) -> None:
        if word == "trowd":
            # Simple writers mark the cells' paragraphs no further.
            self._row_begun = True
        elif word == "cell":
            self._end_rows(1)
            self._end_cell(1)
        elif word == "nestcell":
            self._end_cell(max(self._paragraph.row_depth, 2))
        elif word == "nestrow":
            self._end_rows(max(len(self._open_rows) - 1, 1))
        else:
            self._end_rows(0)
            self._row_begun = False

    def _end_paragraph(self, row_depth: int = 0) -> None:
        """A paragraph ends, in a note a line; `row_depth` is where it is known to be."""
        self._flush()
        if self._group.sink is not self._text:
            self._group.sink.append("\n")
            return
        text = _joined(self._text)
        self._text.clear()
        paragraph = self._paragraph
        depth = row_depth or paragraph.row_depth or int(self._row_begun)
        if not depth:
            self._end_rows(0)
        if text.strip() or self._notes:
            if depth:
                self._open_cell(depth)
            level = self._styles.get(paragraph.style, 0) if paragraph.level is None else paragraph.level
            self._flow.add_paragraph(text, level=level, label=BULLET if paragraph.listed else "", page_breaks=[])
        for note in self._notes:
            if note_text := _joined(note).strip():
                self._flow.add(Block(note_text))
        self._notes = []

    def _open_cell(self, depth: int) -> None:
        """Opens rows, each in a cell of the one around it, until `depth` are open, and a cell in the innermost."""
        while True:
            if self._open_rows and not self._open_rows[-1]:
                self._flow.start_cell()
                self._open_rows[-1] = True
            if len(self._open_rows) >= depth:
                return
            self._flow.start_row()
            self._open_rows.append(False)

    def _end_cell(self, depth: int) -> None:
        self._end_paragraph(depth)
        self._open_cell(depth)
        self._open_rows[-1] = False

    def _end_rows(self, depth: int) -> None:
        """Ends the innermost rows until `depth` are open."""
        while len(self._open_rows) > depth:
            self._flow.end_row()
            self._open_rows.pop()


def _joined(parts: list[str]) -> str:
    text = "".join(parts)
    if _SURROGATE.search(text):
        # Characters beyond the 16 bits of `\\u` come as two.
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return clean(text)


def _iso_date(numbers: dict[str, int]) -> str:
    year, month, day, hour, minute = (numbers.get(name, 0) for name in _DATE_FIELDS)
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:00" if year > 0 and month > 0 and day > 0 else ""
