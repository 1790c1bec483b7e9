"""Word documents: paragraphs, lists, tables, charts, text boxes and notes in reading order, headings by styles."""

from dataclasses import dataclass, field

from lumikb.compute.parse.docx_margins import read_margins
from lumikb.compute.parse.docx_numbering import ListCounter, ListDefinitions, Place, read_lists
from lumikb.compute.parse.docx_styles import Styles, outline_level
from lumikb.compute.parse.docx_visibility import Visibility
from lumikb.compute.parse.flow import Block, Flow
from lumikb.compute.parse.ooxml import Attributes, Package, PartReader, attribute, is_on, prefixed
from lumikb.compute.parse.ooxml_chart import Charts
from lumikb.compute.parse.text import TextBuilder

PAGE_CHARS_MAX = 3500
"""Breaks that an author set tell the pages when no stretch between two is longer: more does not fit on a page."""

_BREAKS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}

_NoteTexts = dict[tuple[str, str], list[str]]
"""Pieces of the text of each note by (kind, id)."""


def read_docx(package: Package, builder: TextBuilder) -> tuple[list[str], int | None]:
    """Write headers, footers and the body to `builder`, without hidden text.

    Returns the part that holds the body (none when all of its text is hidden, so that it is empty and not unread), and
    the page count when the file tells its pages.
    """
    main = package.main_part("word/document.xml")
    styles = Styles()
    for part in package.related(main, "styles")[:1]:
        package.read(part, styles)
    notes: _NoteTexts = {}
    for kind in ("footnote", "endnote"):
        for part in package.related(main, f"{kind}s")[:1]:
            package.read(part, _Notes(kind, notes))
    for text in read_margins(package, main):
        builder.append_block(text)
    body = _Body(builder, styles, read_lists(package, main), notes, Charts(package).linked(main))
    package.read(main, body)
    parts = [] if body.flow.is_empty and body.hides_text else [main]
    if body.flow.is_empty:
        package.check_empty(parts)
    return parts, body.flow.end() if body.tells_pages() else None


class _Notes(PartReader):
    """Text of each footnote or endnote by (kind, id)."""

    def __init__(self, kind: str, found: _NoteTexts) -> None:
        self._kind = kind
        self._found = found
        self._id = ""
        self._in_text = False
        self._visibility = Visibility()

    def start(self, name: str, attributes: Attributes) -> None:
        self._visibility.start(name, attributes)
        if name == self._kind:
            self._id = attribute(attributes, "id")
        self._in_text = name == "t" and not self._visibility.is_hidden

    def end(self, name: str) -> None:
        self._visibility.end(name)
        self._in_text = False
        if name == "p":
            self._add(" ")

    def text(self, data: str) -> None:
        if self._in_text:
            self._add(data)

    def _add(self, data: str) -> None:
        self._found.setdefault((self._kind, self._id), []).append(data)


@dataclass
class _Paragraph:
    """`is_gone` says that its mark is hidden, deleted or moved away: without text nothing is left to be numbered.

    `below` are the charts and notes that it refers to.
    """

    parts: list[str] = field(default_factory=list[str])
    length: int = 0
    style: str = ""
    level: int | None = None
    list_id: str | None = None
    list_level: str | None = None
    is_gone: bool = False
    page_breaks: list[int] = field(default_factory=list[int])
    below: list[str] = field(default_factory=list[str])

    def append(self, piece: str) -> None:
        self.parts.append(piece)
        self.length += len(piece)


class _Body(PartReader):
    """Writes the body as it streams past.

    Page starts are where the program that saved the file last broke the pages (`lastRenderedPageBreak`) and where the
    author did. Without the former, the latter tell the pages only when no text runs over a page between them: no page
    numbers rather than wrong ones. Of tracked changes the new text is read; of alternative content, Word's own choice;
    of hidden text nothing, which `hides_text` tells.
    """

    skipped = frozenset({"Fallback", "moveFrom", "pPrChange", "rPrChange", "sectPrChange", "tabs"})

    def __init__(
        self,
        builder: TextBuilder,
        styles: Styles,
        lists: ListDefinitions,
        notes: _NoteTexts,
        charts: dict[str, str],
    ) -> None:
        self.flow = Flow(builder)
        self.hides_text = False
        self._styles = styles
        self._lists = lists
        self._counters = [ListCounter(lists)]
        self._ranks: dict[tuple[str, str | None, str | None], tuple[int, Place | None]] = {}
        self._notes = notes
        self._charts = charts
        self._paragraphs: list[_Paragraph] = []
        self._in_text = False
        self._visibility = Visibility()
        self._rendered = self._sectioned = False
        # The mark of the program behind a break of the author is of the same page.
        self._broken = False

    def tells_pages(self) -> bool:
        """Whether the page breaks that were seen are those of the printed document."""
        if self._rendered:
            return True
        counted = not self._sectioned and not self._styles.break_pages
        return counted and self.flow.longest_page() <= PAGE_CHARS_MAX

    def start(self, name: str, attributes: Attributes) -> None:
        self._visibility.start(name, attributes)
        if name == "p":
            self._paragraphs.append(_Paragraph())
        elif name == "txbxContent":
            self._counters.append(ListCounter(self._lists))
        elif name == "tr":
            self.flow.start_row()
        elif name == "tc":
            self.flow.start_cell()
        elif name == "t":
            self._in_text = True
        elif self._paragraphs and not self._visibility.is_hidden:
            self._start_in_paragraph(name, attributes, self._paragraphs[-1])

    def end(self, name: str) -> None:
        self._visibility.end(name)
        if name == "t":
            self._in_text = False
        elif name == "p" and self._paragraphs:
            self._end_paragraph(self._paragraphs.pop())
        elif name == "txbxContent":
            self._counters.pop()
        elif name == "tr":
            self.flow.end_row()

    def skip(self, name: str) -> None:
        if name == "moveFrom" and self._paragraphs:
            self._paragraphs[-1].is_gone = True

    def text(self, data: str) -> None:
        if not self._in_text or not self._paragraphs:
            return
        if self._visibility.is_hidden:
            self.hides_text = self.hides_text or not data.isspace()
        else:
            self._paragraphs[-1].append(data)
            self._broken = self._broken and data.isspace()

    def _start_in_paragraph(self, name: str, attributes: Attributes, paragraph: _Paragraph) -> None:
        if name in _BREAKS:
            paragraph.append(_BREAKS[name])
            if name == "br" and attribute(attributes, "type") == "page":
                self._break_page(paragraph)
        elif name == "pageBreakBefore":
            if is_on(attributes):
                self._break_page(paragraph)
        elif name == "sectPr":
            self._sectioned = True
        elif name == "lastRenderedPageBreak":
            self._rendered = True
            if not self._broken:
                paragraph.page_breaks.append(paragraph.length)
            self._broken = False
        elif name == "pStyle":
            paragraph.style = attribute(attributes, "val")
        elif name == "outlineLvl":
            paragraph.level = outline_level(attributes)
        elif name == "numId":
            paragraph.list_id = attribute(attributes, "val")
        elif name == "ilvl":
            paragraph.list_level = attribute(attributes, "val")
        elif name in {"vanish", "del"} and self._visibility.is_of_mark and is_on(attributes):
            paragraph.is_gone = True
        elif name in {"footnoteReference", "endnoteReference"}:
            kind = name.removesuffix("Reference")
            paragraph.below.append("".join(self._notes.get((kind, attribute(attributes, "id")), [])).strip())
        elif name == "chart":
            paragraph.below.append(self._charts.pop(prefixed(attributes, "id"), ""))

    def _break_page(self, paragraph: _Paragraph) -> None:
        paragraph.page_breaks.append(paragraph.length)
        self._broken = True

    def _end_paragraph(self, paragraph: _Paragraph) -> None:
        level, place = self._rank(paragraph)
        level = level if paragraph.level is None else paragraph.level
        text = "".join(paragraph.parts)
        is_left = bool(text.strip()) or not paragraph.is_gone
        label = self._counters[-1].count(*place) if place and is_left else ""
        self.flow.add_paragraph(text, level=level, label=label, page_breaks=paragraph.page_breaks)
        for text in filter(None, paragraph.below):
            self.flow.add(Block(text))

    def _rank(self, paragraph: _Paragraph) -> tuple[int, Place | None]:
        """The heading level that the paragraph's style gives it, and its place in a list."""
        key = (paragraph.style, paragraph.list_id, paragraph.list_level)
        if key not in self._ranks:
            lineage = self._styles.lineage(paragraph.style)
            level = next((style.level for style in lineage if style.level is not None), 0)
            self._ranks[key] = level, self._lists.place(paragraph.list_id, paragraph.list_level, lineage)
        return self._ranks[key]
