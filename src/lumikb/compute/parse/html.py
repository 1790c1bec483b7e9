"""HTML: the main content as plain text, with the headings h1 to h6."""

import codecs
import re
from dataclasses import dataclass
from html.parser import HTMLParser

from lumikb.compute.parse.charset import declared_codec, decode_as
from lumikb.compute.parse.errors import OutputLimitError
from lumikb.compute.parse.formats import wide_encoding
from lumikb.compute.parse.markup import (
    unclosed_starts,
    without_dangling_marks,
    without_declarations,
    without_marked_sections,
)
from lumikb.compute.parse.models import ParsedText
from lumikb.compute.parse.plain import decode
from lumikb.compute.parse.text import TextBuilder, check_length, clean, squeeze, storable, unify_line_ends

UNCLOSED_ELEMENT = "UNCLOSED_ELEMENT"
# The HTML standard looks at 1024 bytes first, and once more when the declaration turns up later.
ENCODING_SEARCH_BYTES = 4096
# Of the bytes beyond ASCII: above it the declaration is wrong.
MEANINGLESS_SHARE_MAX = 0.05
TAGS_MAX = 2_000_000
"""Each takes some 6 us."""
MAIN_SHARE_MIN = 0.25

_SPACES = re.compile(r"\s+")
# Looks back, as a run of spaces would else be tried from each of its characters.
_LINE_ENDS = re.compile(r"(?<![ \t])[ \t]+(?=\n|$)")
_CHARSET = re.compile(
    rb"""<meta\b[^>]*?\bcharset\s*=\s*["']?\s*([\w.:-]+)|<\?xml\b[^>]*?\bencoding\s*=\s*["']([\w.:-]+)""", re.IGNORECASE
)
# XML's names are in small letters.
_XML_DECLARATION = re.compile(r"[\s\ufeff]*<\?xml\s")
_XHTML_ROOT = re.compile(r"""<html\b[^<>]*\sxmlns\s*=\s*["']http://www\.w3\.org/1999/xhtml["']""")
_NO_TEXT = frozenset(
    ["script", "style", "template", "noscript", "svg", "iframe", "object", "canvas", "audio", "video", "select"]
)
_HIDING = _NO_TEXT | {"title"}
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
_METADATA = {
    "author": "author",
    "dc.creator": "author",
    "description": "description",
    "keywords": "keywords",
    "date": "date",
    "article:published_time": "created",
    "dcterms.created": "created",
    "article:modified_time": "modified",
    "dcterms.modified": "modified",
    "dc.language": "language",
}
_INVISIBLE = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)
_CELL_MARK = "\x00"
# What an anchor to a heading shows in it: GitHub, MkDocs, Sphinx, VuePress.
_PERMALINKS = {"", "#", "¶", "§", "🔗"}


def parse_html(data: bytes, text_chars_max: int, *, is_xhtml: bool = False) -> ParsedText:
    """Text of the page without scripts, styles, navigation and footers; of `<main>` alone if that is a good part.

    CDATA is text in XHTML, which a page is that `is_xhtml`, or says so by an XML declaration or its namespace.
    An element that would be left out but never ends is read, with the warning `UNCLOSED_ELEMENT: select`.
    """
    source, warnings = _decode(data, text_chars_max)
    source = without_declarations(source)
    source = without_marked_sections(source, read_cdata=is_xhtml or _says_xhtml(source))
    if source.count("<") > TAGS_MAX:
        raise OutputLimitError(
            f"This page has more than {TAGS_MAX:,} tags. Split it into parts and upload them one by one.",
            tags_max=TAGS_MAX,
        )
    source = without_dangling_marks(source)
    reader = _Reader(source)
    reader.feed(source)
    reader.close()
    builder = TextBuilder(text_chars_max)
    after_tight = False
    for block in _main_blocks(reader.blocks):
        builder.append_block(block.text, "\n" if block.tight and after_tight else "\n\n", block.level)
        after_tight = block.tight
    warnings += [f"{UNCLOSED_ELEMENT}: {tag}" for tag in reader.unclosed]
    return builder.build(title="".join(reader.title), metadata=reader.metadata, warnings=warnings)


def _says_xhtml(source: str) -> bool:
    return bool(_XML_DECLARATION.match(source) or _XHTML_ROOT.search(source))


def _decode(data: bytes, text_chars_max: int) -> tuple[str, list[str]]:
    declared = _CHARSET.search(data[:ENCODING_SEARCH_BYTES])
    if wide_encoding(data) is None and not data.startswith(codecs.BOM_UTF8) and declared is not None:
        codec = declared_codec((declared.group(1) or declared.group(2)).decode("ascii", errors="replace"))
        text = decode_as(data, codec) if codec else ""
        beyond = len(data.translate(None, bytes(range(128))))
        if codec and text.count("\ufffd") <= MEANINGLESS_SHARE_MAX * beyond:
            check_length(len(text), text_chars_max)
            return storable(unify_line_ends(text)), []
    text, warnings = decode(data, text_chars_max)
    return unify_line_ends(text), warnings


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


@dataclass
class _Region:
    """An open element that is main content or boilerplate; `inner` counts open elements of its own name within it."""

    tag: str
    kind: str
    inner: int = 0


class _Regions:
    """The open regions; each step takes constant time however deep they nest."""

    def __init__(self) -> None:
        self._open: list[_Region] = []
        self._by_tag: dict[str, list[_Region]] = {}
        self._by_kind = {"main": 0, "boilerplate": 0}

    def enter(self, tag: str, kind: str | None) -> None:
        """An element of no `kind` counts only within a region of its own name."""
        same = self._by_tag.setdefault(tag, [])
        if kind is not None:
            region = _Region(tag, kind)
            self._open.append(region)
            same.append(region)
            self._by_kind[kind] += 1
        elif same:
            same[-1].inner += 1

    def leave(self, tag: str) -> None:
        """Ends the innermost region of that name with all regions in it."""
        same = self._by_tag.get(tag)
        if not same:
            return
        ending = same[-1]
        if ending.inner:
            ending.inner -= 1
            return
        last = None
        while last is not ending:
            last = self._open.pop()
            self._by_tag[last.tag].pop()
            self._by_kind[last.kind] -= 1

    def within(self, kind: str) -> bool:
        """Whether a region of that kind is open."""
        return self._by_kind[kind] > 0


class _Reader(HTMLParser):
    """Collects blocks of text and forgives what real pages get wrong: missing, surplus and crossed tags."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[_Block] = []
        self.unclosed: list[str] = []
        self._unclosed_starts = unclosed_starts(source)
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", source))]
        self.title: list[str] = []
        self.metadata: dict[str, str] = {}
        self._parts: list[str] = []
        self._regions = _Regions()
        self._silent_tag = ""
        self._silent_depth = 0
        self._in_title = False
        self._in_pre = False
        self._row = False
        self._level = 0
        self._bullet = ""
        self._tight = False
        self._anchor: int | None = None

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _NO_TEXT:
            super().handle_startendtag(tag, attrs)

    def set_cdata_mode(self, elem: str, **flags: bool) -> None:
        if not self._never_ends():
            super().set_cdata_mode(elem, **flags)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _HIDING and self._never_ends():
            self.unclosed += [] if tag in self.unclosed else [tag]
        elif self._silent_depth:
            self._silent_depth += tag == self._silent_tag
        elif tag in _NO_TEXT or (_is_hidden(dict(attrs)) and not self._never_ends()):
            self._silent_tag, self._silent_depth = tag, 1
        elif tag == "title":
            self._in_title = not self.title
        elif tag == "meta":
            self._note_metadata(dict(attrs))
        elif tag == "html":
            self.metadata.setdefault("language", dict(attrs).get("lang") or "")
        elif tag == "br":
            # A row stays one line.
            self._parts.append(" " if self._row else "\n")
        elif tag == "a":
            self._anchor = len(self._parts) if self._level else None
        elif tag in {"td", "th"}:
            self._parts += [_CELL_MARK] if self._parts else []
        elif self._row and tag in _IN_CELL:
            self._parts.append(" ")
        else:
            if tag in _BLOCKS:
                self._start_block(tag)
            kind = _ROLES.get(dict(attrs).get("role") or "", _REGIONS.get(tag))
            if kind == "boilerplate" and self._never_ends():
                kind = None
            self._regions.enter(tag, kind)

    def handle_endtag(self, tag: str) -> None:
        if self._silent_depth:
            self._silent_depth -= tag == self._silent_tag
        elif tag == "title":
            self._in_title = False
        elif tag == "a":
            self._end_anchor()
        elif self._row and tag in _IN_CELL:
            self._parts.append(" ")
        else:
            if tag in _BLOCKS:
                self._end_block()
                self._row = self._row and tag not in {"tr", "table"}
                self._in_pre = self._in_pre and tag != "pre"
            self._regions.leave(tag)

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
        text = _LINE_ENDS.sub("\n", joined.replace(_CELL_MARK, " | ")).strip("\n") if self._in_pre else _tidy(joined)
        if self._level:
            # Documentation generators put a link to the heading, shown as a pilcrow, into it.
            text = squeeze(text).rstrip("¶ ")
        if text.strip(" |\n\t"):
            tight = self._tight or bool(self._bullet)
            in_main, boilerplate = self._regions.within("main"), self._regions.within("boilerplate")
            self.blocks.append(_Block(self._bullet + text, self._level, tight, in_main, boilerplate))
            self._bullet = ""
        self._level = 0
        self._anchor = None

    def _end_anchor(self) -> None:
        if self._anchor is not None and "".join(self._parts[self._anchor :]).strip(" \n\ufe0f") in _PERMALINKS:
            del self._parts[self._anchor :]
        self._anchor = None

    def _never_ends(self) -> bool:
        """Whether the start tag that is being read has no end tag."""
        line, column = self.getpos()
        return self._line_starts[line - 1] + column in self._unclosed_starts

    def _note_metadata(self, attributes: dict[str, str | None]) -> None:
        name = (attributes.get("name") or attributes.get("property") or "").lower()
        if name in _METADATA:
            self.metadata.setdefault(_METADATA[name], attributes.get("content") or "")


def _tidy(text: str) -> str:
    lines = (" ".join(line.split()) for line in text.split("\n"))
    joined = "\n".join(line for line in lines if line)
    return " | ".join(cell.strip() for cell in joined.split(_CELL_MARK)).rstrip()


def _is_hidden(attributes: dict[str, str | None]) -> bool:
    """Whether a browser does not show the element."""
    hidden = "hidden" in attributes and attributes["hidden"] != "until-found"
    return hidden or _INVISIBLE.search(attributes.get("style") or "") is not None
