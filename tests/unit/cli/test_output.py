import json

import pytest

from lumikb.cli.answers import place_of
from lumikb.cli.output import human_size, one_line, print_json, print_names, print_table


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (35_465, "35 kB"), (999_999, "1.0 MB"), (104_857_600, "105 MB")],
)
def test_sizes_have_at_most_three_digits(size: int, shown: str) -> None:
    assert human_size(size) == shown


def test_text_of_documents_cannot_steer_the_terminal() -> None:
    assert one_line("red\x1b[31m\x07 and\u202e\n\tblue\x9b") == "red [31m and blue"


def test_a_line_is_cut_to_its_length() -> None:
    assert one_line("one two three", 9) == "one two…"
    assert one_line("one two", 7) == "one two"


def test_a_table_is_aligned_without_trailing_space(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["NAME", "ID"], [["a", "1"], ["longer", ""]])
    assert capsys.readouterr().out == "NAME    ID\na       1\nlonger\n"


def test_many_names_are_counted_rather_than_listed(capsys: pytest.CaptureFixture[str]) -> None:
    print_names("Skipped", ["a", "b", "c"], names_max=2)
    print_names("Skipped", [])
    assert capsys.readouterr().out == "Skipped (3): a, b and 1 more\n"


def test_json_keeps_all_characters(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    print_json({"name": "Größe \U0001f331"})
    assert json.loads(capfdbinary.readouterr().out.decode("utf-8")) == {"name": "Größe \U0001f331"}


def test_a_place_names_what_there_is() -> None:
    found = {"document_name": "a.pdf", "page_number": 3, "section_header": "Costs", "char_start": 5, "char_end": 9}
    assert place_of(found) == "a.pdf, p. 3, § Costs, chars 5-9"
    assert place_of({**found, "page_number": None, "section_header": None}) == "a.pdf, chars 5-9"
