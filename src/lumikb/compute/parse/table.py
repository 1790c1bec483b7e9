"""Rows of a table as lines that can be read alone: `Header: value; Header: value`."""

from lumikb.compute.parse.text import TextBuilder, squeeze

HEADER_CHARS_MAX = 200

Cell = tuple[int, str]
"""Column (from 0) and text."""


class TableWriter:
    """Writes the rows of one table to a `TextBuilder`, one line each.

    The first row of two or more cells is the header if none of them is a number. Rows of one cell above it, such as
    a sheet's title, are written as they are, and so is every row of a table without header. A table without rows
    writes nothing, not even its heading.
    """

    def __init__(self, builder: TextBuilder, *, heading: str = "") -> None:
        self._builder = builder
        self._heading = squeeze(heading)
        self._header: dict[int, str] = {}
        self._decided = False
        self._separator = "\n\n"

    def write(self, row: list[Cell]) -> None:
        """Write one row; empty cells are left out, an empty row is no line."""
        cells = [(column, value) for column, text in row if (value := squeeze(text))]
        if not cells:
            return
        if not self._decided and len(cells) > 1:
            self._decided = True
            if not any(_is_number(value) for _, value in cells):
                self._header = {column: value[:HEADER_CHARS_MAX] for column, value in cells}
                self._line("; ".join(value for _, value in cells))
                return
        self._line("; ".join(self._labelled(column, value) for column, value in cells))

    def _labelled(self, column: int, value: str) -> str:
        label = self._header.get(column)
        return f"{label}: {value}" if label else value

    def _line(self, line: str) -> None:
        if self._heading:
            self._builder.append_block(self._heading, level=1)
            self._heading = ""
        self._builder.append_block(line, self._separator)
        self._separator = "\n"


def _is_number(value: str) -> bool:
    try:
        float(value.replace(",", "").rstrip("%"))
    except ValueError:
        return False
    return True
