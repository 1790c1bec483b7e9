"""What a parser gives: one text and a map from every character to its page and heading.

All offsets count Unicode code points of `text` (the index of a Python string), start included, end excluded.
"""

from bisect import bisect_right

import msgspec

HEADING_SEPARATOR = " > "


class PageStart(msgspec.Struct, frozen=True, array_like=True):
    """From character `start` on, text stands on page `number` (from 1; 0 for none), until the next entry."""

    start: int
    number: int


class Heading(msgspec.Struct, frozen=True, array_like=True):
    """A heading whose own title stands at `[start, end)`; `level` 1 is the highest, at most 6."""

    start: int
    end: int
    level: int
    title: str


class TextBoxes(msgspec.Struct, frozen=True, array_like=True):
    """Where characters stand on their pages, packed as `lumikb.compute.parse.boxes` says."""

    runs: bytes
    edges: bytes


class ParsedText(msgspec.Struct, frozen=True, kw_only=True):
    """A document's text with its map.

    `pages` is sorted by `start`, its first entry starts at 0; it is empty for formats without pages (Markdown, HTML,
    text, CSV). `headings` is sorted by `start`. `page_count` is None for formats without pages. `title` and `metadata`
    are what the file says of itself. `warnings` are codes such as `NO_TEXT`, some with a fact behind a colon
    (`ENCODING_GUESSED: windows-1251`). The text of plain text, Markdown and source code is the decoded file without its
    byte order mark, character for character, with its own line ends. `boxes` are those of formats that have a fixed
    layout.
    """

    text: str
    pages: list[PageStart] = []
    headings: list[Heading] = []
    page_count: int | None = None
    title: str | None = None
    metadata: dict[str, str] = {}
    warnings: list[str] = []
    boxes: TextBoxes | None = None

    def page_at(self, offset: int) -> int | None:
        """The page number of the character at `offset`, None for formats without pages."""
        at = bisect_right(self.pages, offset, key=lambda page: page.start)
        return self.pages[at - 1].number or None if at else None

    def heading_path_at(self, offset: int) -> list[str]:
        """Titles of the headings that enclose the character at `offset`, outermost first.

        A heading's own title belongs to it. A heading ends where the next one of the same or a higher rank starts.
        """
        path: list[Heading] = []
        for heading in self.headings[: bisect_right(self.headings, offset, key=lambda heading: heading.start)]:
            while path and path[-1].level >= heading.level:
                path.pop()
            path.append(heading)
        return [heading.title for heading in path]

    def section_header_at(self, offset: int) -> str | None:
        """The heading path at `offset` in one line, joined by `HEADING_SEPARATOR`; None outside of any heading."""
        return HEADING_SEPARATOR.join(self.heading_path_at(offset)) or None
