"""Rows of tables as statements: what a cell says, its column's header says for it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lumikb.compute.chunk.lines import LineKind, first_label, kind_of_line

# A table of longer cells is prose in columns: which of its rows answers is no matter of single words.
RECORD_CELL_CHARS_MAX = 60

_BETWEEN_VALUES = "; "


@dataclass(frozen=True)
class Row:
    """A row of a table within a passage.

    `table` names the table within its document: by its columns' headers, or by where it begins. `statement` is what the
    row says by itself, `cells` what it says without its columns' headers; a header row has none.
    """

    table: str
    statement: str
    cells: tuple[str, ...] = ()

    @property
    def is_header(self) -> bool:
        """Whether it only names columns."""
        return not self.cells

    @property
    def is_record(self) -> bool:
        """Whether it has cells and these are names and values, not prose."""
        return not self.is_header and all(len(cell) <= RECORD_CELL_CHARS_MAX for cell in self.cells)


def rows_of(text: str, spans: Sequence[tuple[int, int]], *, text_start: int) -> Iterator[Row | None]:
    """For each span of a passage the row of a table that it is, if it is one.

    The first row of a table with bars names its columns, and so does the line of names above rows that carry their
    headers (`Name: Pen; Price: 3`). A table that begins with the passage may have begun before it, unless the document
    begins there: then its rows have no header. `text_start` is where the passage begins in its document.
    """
    table, end, header = "", -1, ""
    for at, (left, right) in enumerate(spans):
        line = text[left:right]
        goes_on = end >= 0 and text.count("\n", end, left) <= 1
        if label := _label_of_row(line):
            end = -1
            yield Row(label, line, _values(line))
        elif _names_columns(line, text[slice(*spans[at + 1])] if at + 1 < len(spans) else ""):
            end = -1
            yield Row(line, line)
        elif not _has_bars(line):
            end = -1
            yield None
        elif goes_on:
            end = right
            yield Row(table, labelled(header, line) if header else line, _cells(line))
        else:
            end = right
            header = line if left > 0 or text_start == 0 else ""
            table = header or f"{text_start + left}"
            yield Row(table, line, () if header else _cells(line))


def labelled(header: str, row: str) -> str:
    """`Stake: B2, Loss: 9.4 m` of the rows `Stake | Loss` and `B2 | 9.4 m`."""
    names, cells = _split(header), _split(row)
    if len(names) != len(cells):
        return f"{' '.join(names)}: {', '.join(filter(None, cells))}"
    return ", ".join(f"{name}: {cell}" if name else cell for name, cell in zip(names, cells, strict=True) if cell)


def _has_bars(line: str) -> bool:
    """Whether a line is a row with bars between its cells, or Markdown's rule below the first of them."""
    if "|" not in line:
        return False
    return kind_of_line(line.lstrip()) is LineKind.ROW or not line.strip("-:| \t")


def _label_of_row(line: str) -> str:
    """The first header of a row that carries its headers, else nothing."""
    return first_label(line) if "|" not in line and kind_of_line(line) is LineKind.ROW else ""


def _names_columns(line: str, following: str) -> bool:
    first, separator, _ = line.partition(_BETWEEN_VALUES)
    return bool(separator) and first == _label_of_row(following)


def _values(line: str) -> tuple[str, ...]:
    """`Pen` and `3` of `Name: Pen; Price: 3`."""
    parts = line.split(_BETWEEN_VALUES)
    return tuple(part[len(label) + 2 :] if (label := first_label(part)) else part for part in parts)


def _cells(line: str) -> tuple[str, ...]:
    """Cells that say something: of Markdown's rule none."""
    return tuple(cell for cell in _split(line) if any(map(str.isalnum, cell)))


def _split(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().strip("|").split("|")]
