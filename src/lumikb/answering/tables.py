"""Rows of tables as statements: what a cell says, its column's header says for it."""

from collections.abc import Iterator, Sequence

from lumikb.compute.chunk.lines import LineKind, kind_of_line


def is_table_row(line: str) -> bool:
    """Whether a line is a row with bars between its cells, or Markdown's rule below the first of them."""
    if "|" not in line:
        return False
    return kind_of_line(line.lstrip()) is LineKind.ROW or not line.strip("-:| \t")


def headers_of(text: str, spans: Sequence[tuple[int, int]], *, begins_document: bool) -> Iterator[str]:
    """For each span of a passage the first row of the table that it is a further row of, else nothing.

    A table that begins with the passage may have begun before it, unless the document begins there: then its rows have
    no header.
    """
    header, end = "", -1
    for left, right in spans:
        line = text[left:right]
        if not is_table_row(line):
            end = -1
            yield ""
        elif end >= 0 and text.count("\n", end, left) <= 1:
            end = right
            yield header
        else:
            header, end = line if left > 0 or begins_document else "", right
            yield ""


def labelled(header: str, row: str) -> str:
    """`Stake: B2, Loss: 9.4 m` of the rows `Stake | Loss` and `B2 | 9.4 m`."""
    names, cells = _cells(header), _cells(row)
    if len(names) != len(cells):
        return f"{' '.join(names)}: {', '.join(filter(None, cells))}"
    return ", ".join(f"{name}: {cell}" if name else cell for name, cell in zip(names, cells, strict=True) if cell)


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().strip("|").split("|")]
