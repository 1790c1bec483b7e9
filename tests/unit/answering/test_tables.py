import pytest

from lumikb.answering.tables import headers_of, is_table_row, labelled


@pytest.mark.parametrize(
    ("header", "row", "said"),
    [
        ("Stake | Loss", "B2 | 9.4 m", "Stake: B2, Loss: 9.4 m"),
        ("| Stake | Loss |", "| B2 | |", "Stake: B2"),
        ("| | Loss |", "| B2 | 9.4 m |", "B2, Loss: 9.4 m"),
        ("Stake | Loss", "B2 | 9.4 m | sunny", "Stake Loss: B2, 9.4 m, sunny"),
        ("Stake", "", ""),
    ],
)
def test_cells_are_named_by_their_columns(header: str, row: str, said: str) -> None:
    assert labelled(header, row) == said


@pytest.mark.parametrize(
    ("line", "is_row"), [("a | b", True), ("| a |", True), ("---|:--", True), ("a or b", False), ("x: 1; y: 2", False)]
)
def test_rows_have_bars(line: str, is_row: bool) -> None:
    assert is_table_row(line) is is_row


def test_each_table_has_its_own_header() -> None:
    lines = ["Text.", "a | b", "1 | 2", "", "c | d", "3 | 4", "More text.", "5 | 6"]
    text = "\n".join(lines)
    spans: list[tuple[int, int]] = []
    at = 0
    for line in lines:
        spans += [(at, at + len(line))] if line else []
        at += len(line) + 1
    found = list(headers_of(text, spans, begins_document=True))
    assert found == ["", "", "a | b", "", "c | d", "", ""]
