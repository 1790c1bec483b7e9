"""What the paragraph styles of a Word document say of headings, lists and pages."""

import re
from dataclasses import dataclass

from lumikb.compute.parse.ooxml import Attributes, PartReader, attribute

STYLE_DEPTH_MAX = 20

_HEADING_NAME = re.compile(r"heading ([1-9])", re.IGNORECASE)


@dataclass
class Style:
    """What one style says itself: heading level (0 for body text), the list it is in, and the level there from 0."""

    style_id: str = ""
    based_on: str = ""
    level: int | None = None
    list_id: str | None = None
    list_level: str | None = None


class Styles(PartReader):
    """The styles of word/styles.xml, and whether any begins a page."""

    skipped = frozenset({"pPrChange", "rPrChange"})

    def __init__(self) -> None:
        self.break_pages = False
        self._styles: dict[str, Style] = {}
        self._default = ""
        self._current = Style()

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "style":
            self._start_style(attributes)
        elif name == "name":
            title = attribute(attributes, "val")
            heading = _HEADING_NAME.fullmatch(title)
            if heading or title.lower() == "title":
                self._current.level = int(heading.group(1)) if heading else 1
        elif name == "basedOn":
            self._current.based_on = attribute(attributes, "val")
        elif name == "outlineLvl":
            self._current.level = outline_level(attributes)
        elif name == "pageBreakBefore":
            self.break_pages = True
        elif name == "numId":
            self._current.list_id = attribute(attributes, "val")
        elif name == "ilvl":
            self._current.list_level = attribute(attributes, "val")

    def _start_style(self, attributes: Attributes) -> None:
        style_id = attribute(attributes, "styleId")
        self._current = self._styles[style_id] = Style(style_id)
        if attribute(attributes, "type") == "paragraph" and attribute(attributes, "default") in {"1", "true", "on"}:
            self._default = style_id

    def lineage(self, style_id: str) -> list[Style]:
        """The style of a paragraph (the default one where it names none) and those it is based on, nearest first."""
        found: list[Style] = []
        style = self._styles.get(style_id or self._default)
        while style is not None and len(found) < STYLE_DEPTH_MAX:
            found.append(style)
            style = self._styles.get(style.based_on)
        return found


def outline_level(attributes: Attributes) -> int:
    """Heading level from 1, 0 for body text (ECMA-376, 17.3.1.20: outline levels count from 0, and 9 is none)."""
    value = attribute(attributes, "val")
    return int(value) + 1 if value.isdecimal() and int(value) < 9 else 0
