"""OpenDocument files (ODF 1.3): text with headings, lists, tables and notes; worksheets; presentations."""

import re
from dataclasses import dataclass, field

from lumikb.compute.parse.flow import BULLET, Block, Flow
from lumikb.compute.parse.formats import Format
from lumikb.compute.parse.models import ParsedText
from lumikb.compute.parse.odf_password import unlocked
from lumikb.compute.parse.ooxml import Attributes, Package, PartReader, PropertyReader, attribute
from lumikb.compute.parse.pptx import write_slide
from lumikb.compute.parse.table import Cell, TableWriter
from lumikb.compute.parse.text import TextBuilder, clean, squeeze
from lumikb.compute.parse.unpack import unpacked_bytes_max
from lumikb.compute.parse.xlsx import COLUMNS_MAX

REPEATS_MAX = 1000
"""How often one cell's text or one row may stand for many: more is formatting and not data."""
SPACES_MAX = 100

_CONTENT = "content.xml"
_META = "meta.xml"
_SPACES = re.compile(r"[ \t\r\n]+")
_VALUES = ("value", "date-value", "time-value", "boolean-value", "string-value")
_CELLS = {"table-cell", "covered-table-cell"}
_SHAPES = {"frame", "custom-shape", "rect", "ellipse", "line", "path", "polygon", "polyline", "connector", "g"}
_REPEATED_CLASSES = {"page-number", "date-time", "footer", "header", "page"}
_PROPERTIES = {
    "title": "title",
    "description": "description",
    "subject": "subject",
    "keyword": "keywords",
    "initial-creator": "author",
    "creator": "editor",
    "creation-date": "created",
    "date": "modified",
    "language": "language",
}


def parse_odf(data: bytes, kind: Format, text_chars_max: int, password: str | None = None) -> ParsedText:
    """The text of an ODT, ODS or ODP. Raises `EncryptedError` when `password` does not open it."""
    package = unlocked(Package(data), [_CONTENT, _META], password, unpacked_bytes_max(len(data)))
    builder = TextBuilder(text_chars_max)
    page_count: int | None = None
    if kind is Format.ODT:
        body = _Body(builder)
        package.read(_CONTENT, body)
        page_count = body.flow.end()
    elif kind is Format.ODS:
        package.read(_CONTENT, _Sheets(builder))
    else:
        slides = _Slides(builder)
        package.read(_CONTENT, slides)
        page_count = slides.count
    properties = PropertyReader(_PROPERTIES)
    if _META in package:
        package.read(_META, properties)
    title, metadata = properties.title_and_rest()
    editor = metadata.pop("editor", "")
    metadata.setdefault("author", editor)
    return builder.build(page_count=page_count, title=title, metadata=metadata)


@dataclass
class _Paragraph:
    """Text as it grows; `silent` is that of a shape outside of its paragraphs: its name and description."""

    level: int = 0
    style: str = ""
    silent: bool = False
    parts: list[str] = field(default_factory=list[str])
    length: int = 0
    ends_in_space: bool = False
    page_breaks: list[int] = field(default_factory=list[int])
    notes: list[str] = field(default_factory=list[str])

    def append(self, piece: str) -> None:
        self.parts.append(piece)
        self.length += len(piece)
        self.ends_in_space = False

    def append_data(self, data: str) -> None:
        """White space is one space, also across pieces (ODF 1.3 part 3, 6.1.2)."""
        data = _SPACES.sub(" ", data)
        if self.ends_in_space:
            data = data.removeprefix(" ")
        if data:
            self.append(data)
            self.ends_in_space = data.endswith(" ")


class _Paragraphs(PartReader):
    """Gathers paragraphs; comments, deleted text and the numbers of notes are left out."""

    skipped = frozenset({"tracked-changes", "annotation", "note-citation", "forms", "ruby-text", "binary-data"})

    def __init__(self) -> None:
        self._open: list[_Paragraph] = []
        self._note_depth = 0

    def end_paragraph(self, paragraph: _Paragraph, text: str) -> None:
        """A paragraph outside of notes is complete."""

    def start(self, name: str, attributes: Attributes) -> None:
        if name in {"p", "h"}:
            level = _number(attribute(attributes, "outline-level"), 1) if name == "h" else 0
            self._open.append(_Paragraph(level, attribute(attributes, "style-name")))
        elif name in _SHAPES:
            self._open.append(_Paragraph(silent=True))
        elif name == "note":
            self._note_depth += 1
        elif self._open and not self._open[-1].silent:
            paragraph = self._open[-1]
            if name == "s":
                paragraph.append(" " * min(_number(attribute(attributes, "c"), 1), SPACES_MAX))
            elif name == "tab":
                paragraph.append("\t")
            elif name == "line-break":
                paragraph.append("\n")
            elif name == "soft-page-break":
                paragraph.page_breaks.append(paragraph.length)

    def end(self, name: str) -> None:
        if name == "note":
            self._note_depth -= 1
        elif name in _SHAPES and self._open:
            self._open.pop()
        elif name in {"p", "h"} and self._open:
            paragraph = self._open.pop()
            text = clean("".join(paragraph.parts))
            if not self._note_depth:
                self.end_paragraph(paragraph, text)
            elif self._open:
                self._open[-1].notes.append(text)

    def text(self, data: str) -> None:
        if self._open and not self._open[-1].silent:
            self._open[-1].append_data(data)


class _Body(_Paragraphs):
    """The text of a document. Pages are where the program that saved it last broke them, if it says so."""

    def __init__(self, builder: TextBuilder) -> None:
        super().__init__()
        self.flow = Flow(builder)
        self._parents: dict[str, str] = {}
        self._item_begins = False

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "style":
            self._parents[attribute(attributes, "name")] = attribute(attributes, "parent-style-name")
        elif name == "list-item":
            self._item_begins = True
        elif name == "table-row":
            self.flow.start_row()
        elif name in _CELLS:
            self.flow.start_cell()
        elif name == "soft-page-break" and not self._open:
            self.flow.add_paragraph("", page_breaks=[0])
        else:
            super().start(name, attributes)

    def end(self, name: str) -> None:
        if name == "table-row":
            self.flow.end_row()
        elif name == "list-item":
            self._item_begins = False
        else:
            super().end(name)

    def end_paragraph(self, paragraph: _Paragraph, text: str) -> None:
        is_title = "Title" in {paragraph.style, self._parents.get(paragraph.style)}
        level = paragraph.level or int(is_title)
        label = BULLET if self._item_begins else ""
        self.flow.add_paragraph(text, level=level, label=label, page_breaks=paragraph.page_breaks)
        self._item_begins = False
        for note in paragraph.notes:
            if note.strip():
                self.flow.add(Block(note.strip()))


class _Sheets(_Paragraphs):
    """Each sheet a heading, each row a line, its values as they are shown."""

    def __init__(self, builder: TextBuilder) -> None:
        super().__init__()
        self._builder = builder
        self._table = TableWriter(builder)
        self._row: list[Cell] = []
        self._row_repeats = 1
        self._column = 0
        self._cell_repeats = 1
        self._cell: list[str] | None = None
        self._stored: Attributes = {}

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "table":
            self._table = TableWriter(self._builder, heading=attribute(attributes, "name"))
        elif name == "table-row":
            self._row, self._column = [], 0
            self._row_repeats = _number(attribute(attributes, "number-rows-repeated"), 1)
        elif name in _CELLS:
            self._cell = []
            self._cell_repeats = _number(attribute(attributes, "number-columns-repeated"), 1)
            self._stored = attributes
        else:
            super().start(name, attributes)

    def end(self, name: str) -> None:
        if name in _CELLS:
            text = squeeze(" ".join(self._cell or [])) or _stored_value(self._stored)
            if text:
                columns = range(self._column, min(self._column + min(self._cell_repeats, REPEATS_MAX), COLUMNS_MAX))
                self._row += [(column, text) for column in columns]
            self._column = min(self._column + self._cell_repeats, COLUMNS_MAX)
            self._cell = None
        elif name == "table-row":
            for _ in range(min(self._row_repeats, REPEATS_MAX) if self._row else 0):
                self._table.write(self._row)
        else:
            super().end(name)

    def end_paragraph(self, paragraph: _Paragraph, text: str) -> None:
        if self._cell is not None:
            self._cell.append(text)


class _Slides(_Paragraphs):
    """Each slide a page, its title a heading, its notes below it."""

    def __init__(self, builder: TextBuilder) -> None:
        super().__init__()
        self.count = 0
        self._builder = builder
        self._titles: list[str] = []
        self._blocks: list[str] = []
        self._notes: list[str] = []
        self._in_notes = False
        self._classes: list[str] = []
        self._lines: list[str] = []
        self._row: list[list[str]] | None = None

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "notes":
            self._in_notes = True
        elif name == "table-row":
            self._row = []
        elif name in _CELLS and self._row is not None:
            self._row.append([])
        else:
            if name in _SHAPES:
                self._end_shape()
                self._classes.append(attribute(attributes, "class"))
            super().start(name, attributes)

    def end(self, name: str) -> None:
        if name == "notes":
            self._in_notes = False
        elif name == "page":
            self._end_slide()
        elif name == "table-row" and self._row is not None:
            cells = [squeeze(" ".join(cell)) for cell in self._row]
            self._lines += [" | ".join(cells)] if any(cells) else []
            self._row = None
        else:
            if name in _SHAPES:
                self._end_shape()
                self._classes.pop()
            super().end(name)

    def end_paragraph(self, paragraph: _Paragraph, text: str) -> None:
        line = text.strip()
        if line and self._row:
            self._row[-1].append(line)
        elif line:
            self._lines.append(line)

    def _end_shape(self) -> None:
        kind = self._classes[-1] if self._classes else ""
        lines, self._lines = self._lines, []
        if not lines or kind in _REPEATED_CLASSES:
            return
        if kind == "title" and not self._in_notes:
            self._titles += lines
        else:
            (self._notes if self._in_notes else self._blocks).append("\n".join(lines))

    def _end_slide(self) -> None:
        self.count += 1
        write_slide(self._builder, self.count, self._titles, self._blocks, self._notes)
        self._titles, self._blocks, self._notes = [], [], []


def _stored_value(attributes: Attributes) -> str:
    """What a cell holds that some program wrote without saying how it shows."""
    return next((value for name in _VALUES if (value := attribute(attributes, name))), "")


def _number(text: str, default: int) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else default
