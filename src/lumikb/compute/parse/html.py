"""HTML: the main content as plain text, with the headings h1 to h6."""

import codecs
import re
from dataclasses import dataclass
from html.parser import HTMLParser

from lumikb.compute.parse.formats import wide_encoding
from lumikb.compute.parse.models import ParsedText
from lumikb.compute.parse.plain import decode
from lumikb.compute.parse.text import TextBuilder, check_length, clean, squeeze

ENCODING_SEARCH_BYTES = 1024
MAIN_SHARE_MIN = 0.25

_SPACES = re.compile(r"\s+")
_LINE_ENDS = re.compile(r"[ \t]+(?=\n|$)")
_CHARSET = re.compile(rb"""charset\s*=\s*["']?\s*([\w.:-]+)|<\?xml[^>]*encoding=["']([\w.:-]+)""", re.IGNORECASE)
_NO_TEXT = frozenset(
    ["script", "style", "template", "noscript", "svg", "iframe", "object", "canvas", "audio", "video", "select"]
)
_SECTIONS = frozenset(
    [
        "address",
        "article",
        "aside",
        "body",
        "center",
        "details",
        "dialog",
        "div",
        "fieldset",
        "figure",
        "footer",
        "form",
        "header",
        "hr",
        "html",
        "main",
        "nav",
        "search",
        "section",
    ]
)
_BLOCKS = _SECTIONS.union(
    [
        "blockquote",
        "caption",
        "dd",
        "dl",
        "dt",
        "figcaption",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "legend",
        "li",
        "menu",
    ],
    ["ol", "p", "pre", "summary", "table", "tbody", "tfoot", "thead", "tr", "ul"],
)
_IN_CELL = {"p", "div", "ul", "ol", "section", "blockquote"}
_TIGHT = {"tr", "dt", "dd"}
_REGIONS = {"main": "main", "nav": "boilerplate", "footer": "boilerplate"}
_ROLES = {"main": "main", "navigation": "boilerplate", "contentinfo": "boilerplate"}
_METADATA = {"author", "description", "keywords", "date"}
_CELL_MARK = "\x00"


def parse_html(data: bytes, text_chars_max: int) -> ParsedText:
    """Text of the page without scripts, styles, navigation and footers; of `<main>` alone if that is a good part."""
    source, warnings = _decode(data, text_chars_max)
    reader = _Reader()
    reader.feed(source)
    reader.close()
    builder = TextBuilder(text_chars_max)
    after_tight = False
    for block in _main_blocks(reader.blocks):
        builder.append_block(block.text, "\n" if block.tight and after_tight else "\n\n", block.level)
        after_tight = block.tight
    return builder.build(title="".join(reader.title), metadata=reader.metadata, warnings=warnings)


def _decode(data: bytes, text_chars_max: int) -> tuple[str, list[str]]:
    declared = _CHARSET.search(data[:ENCODING_SEARCH_BYTES])
    if wide_encoding(data) is not None or data.startswith(codecs.BOM_UTF8) or declared is None:
        return decode(data, text_chars_max)
    name = (declared.group(1) or declared.group(2)).decode("ascii", errors="replace").lower()
    # The HTML standard reads these labels as Windows-1252, and real pages need it.
    name = "cp1252" if name in {"iso-8859-1", "latin1", "ascii", "us-ascii"} else name
    try:
        text = clean(data.decode(name)).replace("\r\n", "\n").replace("\r", "\n")
    except (LookupError, UnicodeError):
        return decode(data, text_chars_max)
    check_length(len(text), text_chars_max)
    return text, []


@dataclass(frozen=True)
class _Block:
    text: str
    level: int
    tight: bool
    in_main: bool
    boilerplate: bool


def _main_blocks(blocks: list[_Block]) -> list[_Block]:
    """The blocks worth reading; all of them rather than none, as an unclosed `<nav>` would hide the whole page."""
    content = [block for block in blocks if not block.boilerplate]
    main = [block for block in content if block.in_main]
    if sum(len(block.text) for block in main) >= MAIN_SHARE_MIN * sum(len(block.text) for block in content) > 0:
        return main
    return content or blocks


class _Region:
    """An open element that is main content or boilerplate; `inner` counts open elements of its own name within it."""

    def __init__(self, tag: str, kind: str) -> None:
        self.tag = tag
        self.kind = kind
        self.inner = 0


class _Reader(HTMLParser):
    """Collects blocks of text and forgives what real pages get wrong: missing, surplus and crossed tags."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[_Block] = []
        self.title: list[str] = []
        self.metadata: dict[str, str] = {}
        self._parts: list[str] = []
        self._regions: list[_Region] = []
        self._silent_tag = ""
        self._silent_depth = 0
        self._in_title = False
        self._in_pre = False
        self._row = False
        self._level = 0
        self._bullet = ""
        self._tight = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._silent_depth:
            self._silent_depth += tag == self._silent_tag
        elif tag in _NO_TEXT:
            self._silent_tag, self._silent_depth = tag, 1
        elif tag == "title":
            self._in_title = not self.title
        elif tag == "meta":
            self._note_metadata(dict(attrs))
        elif tag == "br":
            self._parts.append("\n")
        elif tag in {"td", "th"}:
            self._parts += [_CELL_MARK] if self._parts else []
        elif self._row and tag in _IN_CELL:
            self._parts.append(" ")
        else:
            if tag in _BLOCKS:
                self._start_block(tag)
            self._enter(tag, dict(attrs).get("role"))

    def handle_endtag(self, tag: str) -> None:
        if self._silent_depth:
            self._silent_depth -= tag == self._silent_tag
        elif tag == "title":
            self._in_title = False
        elif self._row and tag in _IN_CELL:
            self._parts.append(" ")
        else:
            if tag in _BLOCKS:
                self._end_block()
                self._row = self._row and tag not in {"tr", "table"}
                self._in_pre = self._in_pre and tag != "pre"
            self._leave(tag)

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title.append(data)
        elif not self._silent_depth:
            data = clean(data)
            self._parts.append(data if self._in_pre else _SPACES.sub(" ", data))

    def close(self) -> None:
        super().close()
        self._end_block()

    def _start_block(self, tag: str) -> None:
        self._end_block()
        self._level = int(tag[1]) if len(tag) == 2 and tag[1].isdigit() else 0
        self._tight = tag in _TIGHT
        self._row = tag == "tr"
        self._in_pre = tag == "pre"
        if tag == "li":
            self._bullet = "- "

    def _end_block(self) -> None:
        joined = "".join(self._parts)
        self._parts.clear()
        text = _LINE_ENDS.sub("\n", joined).strip("\n") if self._in_pre else _tidy(joined)
        if self._level:
            # Documentation generators put a link to the heading, shown as a pilcrow, into it.
            text = squeeze(text).rstrip("¶ ")
        if text.strip(" |\n\t"):
            kinds = {region.kind for region in self._regions}
            tight = self._tight or bool(self._bullet)
            self.blocks.append(_Block(self._bullet + text, self._level, tight, "main" in kinds, "boilerplate" in kinds))
            self._bullet = ""
        self._level = 0

    def _enter(self, tag: str, role: str | None) -> None:
        kind = _ROLES.get(role or "", _REGIONS.get(tag))
        if kind is not None:
            self._regions.append(_Region(tag, kind))
            return
        for region in reversed(self._regions):
            if region.tag == tag:
                region.inner += 1
                return

    def _leave(self, tag: str) -> None:
        for at in range(len(self._regions) - 1, -1, -1):
            if self._regions[at].tag == tag:
                if self._regions[at].inner:
                    self._regions[at].inner -= 1
                else:
                    del self._regions[at:]
                return

    def _note_metadata(self, attributes: dict[str, str | None]) -> None:
        name = (attributes.get("name") or "").lower()
        if name in _METADATA:
            self.metadata.setdefault(name, attributes.get("content") or "")


def _tidy(text: str) -> str:
    lines = (" ".join(line.split()) for line in text.split("\n"))
    joined = "\n".join(line for line in lines if line)
    return " | ".join(cell.strip() for cell in joined.split(_CELL_MARK)).rstrip()
