"""Paragraphs, lists and tables of a word processor's document, written in reading order."""

import re
from dataclasses import dataclass, field
from itertools import pairwise

from lumikb.compute.parse.text import TextBuilder

BULLET = "-"
ROW_DEPTH_MAX = 20
"""Tables within tables: below this, rows are read as paragraphs of the cell they are in."""

# Other labels, such as `4.2` and `iii.`, may also stand where a line is wrapped.
_LINE_LABEL = re.compile(rf"{BULLET}|\(?(?:\d{{1,3}}|[a-zA-Z])[.)]")


@dataclass
class Block:
    """`run` names what it belongs to with its neighbours, such as one list: they stand on successive lines.

    `page_breaks` are the offsets in `text` where a page starts.
    """

    text: str
    level: int = 0
    run: str = ""
    page_breaks: list[int] = field(default_factory=list[int])


class Flow:
    """Writes blocks to a `TextBuilder`; a row of a table is a line `a | b`, whatever its cells hold."""

    def __init__(self, builder: TextBuilder) -> None:
        self._builder = builder
        self._rows: list[list[list[Block]]] = []
        self._deeper_rows = 0
        self._page_starts: list[int] = []
        self._pending_breaks = 0
        self._last_run = ""
        self.is_empty = True

    def add(self, block: Block) -> None:
        """Write `block`, or keep it for the cell that is open."""
        if self._rows and self._rows[-1]:
            self._rows[-1][-1].append(block)
            return
        self.is_empty = False
        separator = "\n" if block.run and block.run == self._last_run else "\n\n"
        start = self._builder.append_block(block.text, separator, block.level)
        self._page_starts += [start] * self._pending_breaks + [start + at for at in block.page_breaks]
        self._pending_breaks = 0
        self._last_run = block.run

    def add_paragraph(self, raw: str, *, level: int = 0, label: str = "", page_breaks: list[int]) -> None:
        """Write a paragraph without the white space around it, an entry of a list behind its `label`.

        A label is `BULLET`, which headings go without, or a number such as `4.2`. Entries stand on successive lines
        when their labels tell that lines begin there. `page_breaks` are offsets in `raw`.
        """
        text = raw.strip()
        if not text:
            self._pending_breaks += len(page_breaks)
            return
        prefix = f"{label} " if label and not (level and label == BULLET) else ""
        shift = len(prefix) - (len(raw) - len(raw.lstrip()))
        breaks = [min(max(at + shift, 0), len(prefix + text)) for at in page_breaks]
        is_line = not level and _LINE_LABEL.fullmatch(label) is not None
        self.add(Block(prefix + text, level, "list" if is_line else "", breaks))

    def start_row(self) -> None:
        """A row opens, within a cell if one is open."""
        if len(self._rows) == ROW_DEPTH_MAX:
            self._deeper_rows += 1
        else:
            self._rows.append([])

    def start_cell(self) -> None:
        """The next cell of the open row opens; nothing outside of a row."""
        if self._rows and not self._deeper_rows:
            self._rows[-1].append([])

    def end_row(self) -> None:
        """The open row is complete."""
        if self._deeper_rows or not self._rows:
            self._deeper_rows = max(0, self._deeper_rows - 1)
            return
        cells = self._rows.pop()
        if len(cells) == 1:
            # A row of one cell is a frame around ordinary paragraphs, which keep their headings.
            for block in cells[0]:
                self.add(block)
            return
        texts = [" ".join(" ".join(block.text.split()) for block in cell) for cell in cells]
        if any(texts):
            breaks = [0 for cell in cells for block in cell for _ in block.page_breaks]
            self.add(Block(" | ".join(texts), run="table", page_breaks=breaks))

    def longest_page(self) -> int:
        """Characters of the longest stretch between two page breaks."""
        starts = [0, *self._page_starts, self._builder.length]
        return max(after - before for before, after in pairwise(starts))

    def end(self) -> int | None:
        """Note the pages with the builder; returns their number, None when no break was seen."""
        if not self._page_starts:
            return None
        self._builder.start_page(1, at=0)
        for number, start in enumerate(self._page_starts, start=2):
            self._builder.start_page(number, at=start)
        return len(self._page_starts) + 1
