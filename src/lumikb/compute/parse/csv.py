"""Tables as delimiter-separated values: one line for each row."""

import csv
import io
from collections.abc import Iterator

from lumikb.compute.parse.errors import OutputLimitError
from lumikb.compute.parse.models import ParsedText
from lumikb.compute.parse.plain import decode
from lumikb.compute.parse.table import TableWriter
from lumikb.compute.parse.text import TextBuilder, unify_line_ends

DELIMITERS = ",;\t|"
SNIFF_CHARS = 65_536
SNIFF_LINES = 50
CELLS_MAX = 100_000
"""Cells of a row. A spreadsheet has 16,384."""


def parse_csv(data: bytes, text_chars_max: int) -> ParsedText:
    """Rows as `Header: value; Header: value`; the delimiter is the one that splits the first lines most evenly."""
    source, warnings = decode(data, text_chars_max)
    text = unify_line_ends(source)
    delimiter = sniff_delimiter(text)
    _check_rows(text, delimiter)
    quoting = csv.QUOTE_MINIMAL if _reads(text, delimiter) else csv.QUOTE_NONE
    builder = TextBuilder(text_chars_max)
    table = TableWriter(builder)
    for row in _rows(text, delimiter, quoting):
        table.write(list(enumerate(row)))
    return builder.build(warnings=warnings)


def _check_rows(text: str, delimiter: str) -> None:
    """Raises `OutputLimitError` for a line of more cells than `CELLS_MAX`, which the module would hold all at once."""
    if text.count(delimiter) < CELLS_MAX:
        return
    if any(len(line) > CELLS_MAX and line.count(delimiter) >= CELLS_MAX for line in io.StringIO(text)):
        raise OutputLimitError(
            f"This table has a row of more than {CELLS_MAX:,} cells. Save it with a line for each row.",
            cells_max=CELLS_MAX,
        )


def sniff_delimiter(text: str) -> str:
    """The delimiter of most of the first lines, a comma when none stands out.

    Not `csv.Sniffer`: it takes letters for delimiters and its regular expressions take quadratic time.
    """
    head = text[:SNIFF_CHARS]
    cut_off = len(text) > len(head)
    # What stands in quotes says nothing, line ends included: a cell may have several lines. Quotes that do not balance
    # are no quotes of cells, or only some are.
    balanced = head.count('"') % 2 == 0 or cut_off
    lines = (_outside_quotes(head) if balanced else head).split("\n")
    lines = [_outside_quotes(line) for line in lines[:SNIFF_LINES] if line.strip()]
    if cut_off and len(lines) > 1:
        lines.pop()

    def score(delimiter: str) -> tuple[int, int]:
        counts = [line.count(delimiter) for line in lines]
        common = max(set(counts), key=counts.count, default=0)
        return (counts.count(common) if common else 0, common)

    return max(DELIMITERS, key=score)


def _outside_quotes(line: str) -> str:
    return "".join(line.split('"')[::2])


def _reads(text: str, delimiter: str) -> bool:
    """Whether the quotes of `text` balance: else one stray quote would swallow rows up to the module's field limit."""
    try:
        for _ in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True):
            pass
    except csv.Error:
        return False
    return True


def _rows(text: str, delimiter: str, quoting: int) -> Iterator[list[str]]:
    if quoting == csv.QUOTE_NONE:
        # Without quotes a row is a line: the module's limit on a field's length would refuse long ones.
        return (line.split(delimiter) for line in text.split("\n"))
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
