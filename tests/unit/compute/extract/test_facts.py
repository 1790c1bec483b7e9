from datetime import UTC, datetime

import pytest

from lumikb.compute.extract.facts import author_of, date_of, title_of
from lumikb.compute.parse.models import Heading, ParsedText

NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("told", "title"),
    [
        ("Tariffs of the canal", "Tariffs of the canal"),
        ("Microsoft Word - Tariffs of the canal", "Tariffs of the canal"),
        ("x" * 400, "x" * 300),
        ("Untitled", None),
        ("untitled document", None),
        ("Microsoft Word - tariffs.doc", None),
        ("report_final_v3.indd", None),
        ("PowerPoint Presentation", None),
        ("Slide 1", None),
        ("---", None),
        ("", None),
    ],
)
def test_a_title_of_the_file_is_believed_unless_a_program_wrote_it(told: str, title: str | None) -> None:
    assert title_of(ParsedText(text="", title=told), prose=True) == title


def test_the_first_heading_is_the_title_of_a_file_that_tells_none() -> None:
    parsed = ParsedText(text="2026\n\nThe toll\n\nText.", headings=[Heading(6, 14, 1, "The toll")])
    assert title_of(parsed, prose=True) == "The toll"
    assert title_of(parsed, prose=False) is None
    late = ParsedText(text="a" * 5_000, headings=[Heading(4_000, 4_008, 1, "The toll")])
    assert title_of(late, prose=True) is None


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("The toll of the canal\n\nA barge pays.", "The toll of the canal"),
        ("\n\n  The toll of the canal  \r\nA barge pays.", "The toll of the canal"),
        ("A barge pays forty crowns.\nA boat pays three.", None),
        ("A barge that passes the lock\npays forty crowns.", None),
        ("word " * 60 + "\n\nText", None),
        ("https://example.org/a\n\nText", None),
        ("- first\n- second", None),
        ("import os\nimport sys", None),
        ("From: anna@example.org\nText", None),
        ("1\n2\n3", None),
        ("A line alone", None),
        ("", None),
    ],
)
def test_a_first_line_is_the_title_where_it_looks_like_one(text: str, title: str | None) -> None:
    assert title_of(ParsedText(text=text), prose=True) == title


@pytest.mark.parametrize(("told", "author"), [("Maren  Odegaard", "Maren Odegaard"), ("python-docx", None), ("", None)])
def test_an_author_is_believed_unless_a_program_wrote_it(told: str, author: str | None) -> None:
    assert author_of({"author": told}) == author


@pytest.mark.parametrize(
    ("value", "date"),
    [
        ("2024-05-03T10:20:30Z", datetime(2024, 5, 3, 10, 20, 30, tzinfo=UTC)),
        ("2024-05-03T10:20:30.1234567+02:00", datetime(2024, 5, 3, 8, 20, 30, tzinfo=UTC)),
        ("2024-05-03 10:20", datetime(2024, 5, 3, 10, 20, tzinfo=UTC)),
        ("2024-05-03", datetime(2024, 5, 3, tzinfo=UTC)),
        ("2024-05", datetime(2024, 5, 1, tzinfo=UTC)),
        ("20240503", datetime(2024, 5, 3, tzinfo=UTC)),
        ("2024", datetime(2024, 1, 1, tzinfo=UTC)),
        ("1900-01-01", datetime(1900, 1, 1, tzinfo=UTC)),
        ("1899-12-31", None),
        ("2026-05-02", None),
        ("9999-12-31T23:59:59-12:00", None),
        ("2024-02-30", None),
        ("2024-05-03T10:20:30+99:99", None),
        ("yesterday", None),
    ],
)
def test_dates_are_read_within_bounds(value: str, date: datetime | None) -> None:
    assert date_of({"created": value}, NOW) == date


def test_the_date_that_says_most_comes_first() -> None:
    dates = {"modified": "2025", "created": "2024", "date": "2023"}
    assert [
        date.year for drop in ((), ("date",), ("date", "created")) if (date := date_of(without(dates, drop), NOW))
    ] == [
        2023,
        2024,
        2025,
    ]
    assert date_of({"created": "2030", "modified": "2025"}, NOW) == datetime(2025, 1, 1, tzinfo=UTC)


def without(dates: dict[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name, value in dates.items() if name not in names}
