"""Markdown: the source as it stands, with headings by CommonMark's rules (spec 0.31, sections 4.2, 4.3 and 4.5)."""

import re
from collections.abc import Iterator

from lumikb.compute.parse.models import ParsedText
from lumikb.compute.parse.plain import decode
from lumikb.compute.parse.text import TextBuilder, lines

FRONT_MATTER_CHARS_MAX = 65_536

_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+|$)")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)$")
_NOT_PARAGRAPH = re.compile(r" {4}|\t| {0,3}(?:>|[-+*][ \t]|\d{1,9}[.)][ \t]|\||<!--)")
_FRONT_MATTER = re.compile(r"(---|\+\+\+)[ \t]*(?>\r\n?|\n)(.*?)(?>\r\n?|\n)\1[ \t]*(?:\r\n?|\n|$)", re.DOTALL)
_FRONT_MATTER_FIELD = re.compile(r"(title|author|date|description)[ \t]*[:=](.+)", re.IGNORECASE)


def parse_markdown(data: bytes, text_chars_max: int) -> ParsedText:
    """The decoded source with its headings; title and metadata come from the front matter, else the first heading."""
    text, warnings = decode(data, text_chars_max)
    builder = TextBuilder(text_chars_max)
    builder.append(text)
    metadata, offset = _front_matter(text)
    title = metadata.pop("title", None)
    for start, heading, level in _headings(text, offset):
        builder.add_heading(heading, level, at=start)
        if title is None and level == 1:
            title = heading
    return builder.build(title=title, metadata=metadata, warnings=warnings)


def _front_matter(text: str) -> tuple[dict[str, str], int]:
    """Its plain `key: value` lines (YAML) or `key = value` lines (TOML) that we know, and where the body starts."""
    block = _FRONT_MATTER.match(text, 0, min(len(text), FRONT_MATTER_CHARS_MAX))
    if block is None:
        return {}, 0
    fields: dict[str, str] = {}
    for _, line in lines(block.group(2)):
        field = _FRONT_MATTER_FIELD.fullmatch(line)
        if field is not None:
            value = field.group(2).strip(" \t")
            quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
            fields.setdefault(field.group(1).lower(), value[1:-1] if quoted else value)
    return fields, block.end()


def _headings(text: str, offset: int) -> Iterator[tuple[int, str, int]]:
    """(offset, title, level) of each ATX and one-line setext heading from `offset` on, outside fenced code."""
    fence = ""
    paragraph: tuple[int, str] | None = None
    paragraph_lines = 0
    for start, line in lines(text, offset):
        opening = _FENCE.match(line)
        if fence:
            closes = opening and opening.group(1).startswith(fence) and not opening.group(2).strip()
            fence = "" if closes else fence
            continue
        if opening and not (opening.group(1)[0] == "`" and "`" in opening.group(2)):
            fence, paragraph_lines = opening.group(1), 0
            continue
        atx = _ATX.match(line)
        setext = _SETEXT.match(line)
        if atx:
            title = _without_closing(line[atx.end() :].rstrip())
            if title:
                yield start + atx.end(), title, len(atx.group(1))
            paragraph_lines = 0
        elif setext and paragraph is not None and paragraph_lines == 1:
            yield *paragraph, 1 if setext.group(1)[0] == "=" else 2
            paragraph_lines = 0
        elif setext or not line.strip():
            paragraph_lines = 0
        elif _NOT_PARAGRAPH.match(line):
            # The lines that follow without a gap belong to the list or quote, and none of them starts a paragraph.
            paragraph_lines = 2
        else:
            paragraph = (start + len(line) - len(line.lstrip()), line.strip())
            paragraph_lines += 1


def _without_closing(title: str) -> str:
    bare = title.rstrip("#")
    return bare.rstrip() if not bare or bare[-1] in " \t" else title
