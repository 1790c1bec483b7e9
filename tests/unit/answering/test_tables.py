import pytest

from lumikb.answering.tables import Row, labelled, rows_of


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


def rows(*lines: str, text_start: int = 0) -> list[Row | None]:
    spans: list[tuple[int, int]] = []
    at = 0
    for line in lines:
        spans += [(at, at + len(line))] if line else []
        at += len(line) + 1
    return list(rows_of("\n".join(lines), spans, text_start=text_start))


@pytest.mark.parametrize(
    ("line", "is_row"), [("a | b", True), ("| a |", True), ("a or b", False), ("x: 1; y: 2", True), ("x: 1", False)]
)
def test_a_row_has_bars_or_names_its_cells(line: str, is_row: bool) -> None:
    assert (rows(line)[0] is not None) is is_row


def test_each_table_with_bars_has_its_own_header() -> None:
    found = rows("Text.", "a | b", "1 | 2", "", "c | d", "3 | 4", "More text.", "5 | 6")
    assert found == [
        None, Row("a | b", "a | b"), Row("a | b", "a: 1, b: 2", ("1", "2")),
        Row("c | d", "c | d"), Row("c | d", "c: 3, d: 4", ("3", "4")), None, Row("5 | 6", "5 | 6"),
    ]  # fmt: skip


def test_the_rule_of_markdown_says_nothing() -> None:
    rule = rows("| a | b |", "|---|--:|", "| 1 | 2 |")[1]
    assert rule is not None
    assert rule.is_header


def test_rows_that_carry_their_headers_follow_a_line_of_names() -> None:
    names, pen, ink = rows("Name; Price; Note", "Name: Pen; Price: 3", "Name: Ink; Price: 5; Note: dark; blue")
    assert names == Row("Name; Price; Note", "Name; Price; Note")
    assert pen == Row("Name", "Name: Pen; Price: 3", ("Pen", "3"))
    assert ink is not None
    assert ink.cells == ("Ink", "5", "dark", "blue")


def test_a_list_of_names_is_no_header() -> None:
    assert rows("Pens; ink; paper.", "All of it is sold.") == [None, None]


def test_a_table_may_have_begun_before_its_passage() -> None:
    first, further = rows("A1 | 8.7 m", "B2 | 9.4 m", text_start=50)
    assert first == Row("50", "A1 | 8.7 m", ("A1", "8.7 m"))
    assert further == Row("50", "B2 | 9.4 m", ("B2", "9.4 m"))
