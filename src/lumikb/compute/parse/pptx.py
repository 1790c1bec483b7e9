"""PowerPoint presentations: each slide a page, its title a heading, its charts tables, its notes below it."""

from lumikb.compute.parse.ooxml import Attributes, Package, PartReader, attribute, prefixed
from lumikb.compute.parse.ooxml_chart import Charts
from lumikb.compute.parse.text import TextBuilder, squeeze

_TITLES = {"title", "ctrTitle"}
# Placeholders that repeat on every slide (ECMA-376, 19.7.10).
_REPEATED = {"sldNum", "dt", "ftr", "hdr", "sldImg"}


def read_pptx(package: Package, builder: TextBuilder) -> tuple[list[str], int]:
    """Write the slides to `builder` in order; returns the parts that hold their text, and the number of slides."""
    main = package.main_part("ppt/presentation.xml")
    order = _SlideOrder()
    package.read(main, order)
    links = package.relationships(main)
    slides = [links[key].target for key in order.ids if key in links and links[key].target in package]
    charts = Charts(package)
    for number, slide in enumerate(slides, start=1):
        _read_slide(package, slide, number, charts, builder)
    return slides, len(slides)


def write_slide(builder: TextBuilder, number: int, titles: list[str], blocks: list[str], notes: list[str]) -> None:
    """Write slide `number` as a page of its own, `blocks` below its title and `notes` below them."""
    if number > 1:
        builder.append("\n\n")
    builder.start_page(number)
    title = squeeze(" ".join(titles))
    if notes:
        blocks = [*blocks, "Notes: " + "\n".join(notes)]
    # A slide without title must not come to stand under the title of the slide before.
    builder.add_heading(title or f"Slide {number}", 1, written=bool(title))
    builder.append("\n\n".join([title, *blocks] if title else blocks))


def _read_slide(package: Package, slide: str, number: int, charts: Charts, builder: TextBuilder) -> None:
    reader = _Slide(charts.linked(slide))
    package.read(slide, reader)
    for diagram in package.related(slide, "diagramData"):
        package.read(diagram, reader)
        reader.end("sp")
    notes = _Slide({})
    for part in package.related(slide, "notesSlide")[:1]:
        package.read(part, notes)
    write_slide(builder, number, reader.titles, reader.blocks, notes.blocks)


class _SlideOrder(PartReader):
    def __init__(self) -> None:
        self.ids: list[str] = []

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "sldId":
            self.ids.append(prefixed(attributes, "id"))


class _Slide(PartReader):
    """The shapes of one slide or notes page: `titles`, and `blocks` with one entry for each other shape or table.

    `charts` holds the text of each chart by the id of its link.
    """

    skipped = frozenset({"Fallback", "tabLst"})
    elements = frozenset({"ph", "t", "br", "fld", "chart", "p", "tr", "tc", "sp", "graphicFrame"})

    def __init__(self, charts: dict[str, str]) -> None:
        self.titles: list[str] = []
        self.blocks: list[str] = []
        self._charts = charts
        self._placeholder = ""
        self._lines: list[str] = []
        self._parts: list[str] = []
        self._row: list[list[str]] | None = None
        self._in_text = False
        self._repeated_field = False

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "ph":
            self._placeholder = attribute(attributes, "type")
        elif name == "t":
            self._in_text = not self._repeated_field
        elif name == "br":
            self._parts.append("\n")
        elif name == "fld":
            self._repeated_field = attribute(attributes, "type").startswith(("slidenum", "datetime"))
        elif name == "chart":
            text = self._charts.pop(prefixed(attributes, "id"), "")
            self._lines += [text] if text else []
        elif name == "tr":
            self._row = []
        elif name == "tc" and self._row is not None:
            self._row.append([])

    def end(self, name: str) -> None:
        if name == "t":
            self._in_text = False
        elif name == "fld":
            self._repeated_field = False
        elif name == "p":
            self._end_paragraph()
        elif name == "tr" and self._row is not None:
            cells = [squeeze(" ".join(cell)) for cell in self._row]
            self._lines += [" | ".join(cells)] if any(cells) else []
            self._row = None
        elif name in {"sp", "graphicFrame"}:
            self._end_shape()

    def text(self, data: str) -> None:
        if self._in_text:
            self._parts.append(data)

    def _end_paragraph(self) -> None:
        line = "".join(self._parts).strip()
        self._parts.clear()
        if line and self._row:
            self._row[-1].append(line)
        elif line:
            self._lines.append(line)

    def _end_shape(self) -> None:
        if self._placeholder in _TITLES:
            self.titles += self._lines
        elif self._lines and self._placeholder not in _REPEATED:
            self.blocks.append("\n".join(self._lines))
        self._lines = []
        self._placeholder = ""
