"""Headers and footers of Word documents: each text once, without page numbers."""

from lumikb.compute.parse.docx_visibility import Visibility
from lumikb.compute.parse.ooxml import Attributes, Package, PartReader, attribute
from lumikb.compute.parse.text import squeeze

# Words beside a page number that say no more than that it is one, as in "Page 3 of 7".
_NUMBERING_WORDS_MAX = 2
_PAGE_FIELDS = {"PAGE", "NUMPAGES", "SECTIONPAGES"}
_PIECE_ENDS = {"tab", "ptab", "br", "cr", "tc"}


def read_margins(package: Package, main: str) -> list[str]:
    """The texts of the headers, then of the footers, that `main` links to; those that are alike once."""
    reader = _Margins()
    for kind in ("header", "footer"):
        for part in package.related(main, kind):
            package.read(part, reader)
    return list(dict.fromkeys(reader.texts))


class _Margins(PartReader):
    """Collects paragraphs. A stretch between tabs that is a page number, and little more, is left out."""

    skipped = frozenset({"Fallback", "moveFrom", "pPrChange", "rPrChange", "tabs"})

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._pieces: list[str] = []
        self._parts: list[str] = []
        self._other: list[str] = []
        self._fields: list[str] = []
        self._has_page_field = False
        self._element = ""
        self._visibility = Visibility()

    def start(self, name: str, attributes: Attributes) -> None:
        self._visibility.start(name, attributes)
        self._element = name
        if name in _PIECE_ENDS:
            self._end_piece()
        elif name == "p":
            self._end_paragraph()
        elif name == "fldSimple":
            self._fields.append(attribute(attributes, "instr"))
        elif name == "fldChar":
            kind = attribute(attributes, "fldCharType")
            if kind == "begin":
                self._fields.append("")
            elif kind == "end" and self._fields:
                self._fields.pop()

    def end(self, name: str) -> None:
        self._visibility.end(name)
        self._element = ""
        if name == "p":
            self._end_paragraph()
        elif name == "fldSimple" and self._fields:
            self._fields.pop()

    def text(self, data: str) -> None:
        if self._element == "instrText" and self._fields:
            self._fields[-1] += data
        elif self._element == "t" and not self._visibility.is_hidden:
            self._parts.append(data)
            if any(field.split()[:1] and field.split()[0].upper() in _PAGE_FIELDS for field in self._fields):
                self._has_page_field = True
            else:
                self._other.append(data)

    def _end_piece(self) -> None:
        words = sum(any(map(str.isalpha, word)) for word in "".join(self._other).split())
        if not self._has_page_field or words > _NUMBERING_WORDS_MAX:
            self._pieces.append(squeeze("".join(self._parts)))
        self._parts, self._other, self._has_page_field = [], [], False

    def _end_paragraph(self) -> None:
        self._end_piece()
        text = "\t".join(piece for piece in self._pieces if piece)
        if text:
            self.texts.append(text)
        self._pieces = []
