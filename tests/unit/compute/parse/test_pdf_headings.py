from collections.abc import Sequence

import pytest
from fpdf import FPDF
from support.documents import make_pdf

from lumikb.compute.parse.parse import parse

BODY = "This is a plain sentence of the body, which goes on for a while and then ends. " * 12
Line = tuple[str, int, str]
"""Text, size, style."""


def make_styled(pages: Sequence[Sequence[Line]]) -> bytes:
    pdf = FPDF()
    for lines in pages:
        pdf.add_page()
        for text, size, style in lines:
            pdf.set_font("Helvetica", size=size, style=style)
            pdf.multi_cell(0, text=text, new_x="LMARGIN", new_y="NEXT")
    return bytes(pdf.output())


def headings(pages: Sequence[Sequence[Line]]) -> list[tuple[str, int]]:
    return [(heading.title, heading.level) for heading in parse(make_styled(pages), "a.pdf").headings]


def body(text: str = BODY) -> Line:
    return text, 10, ""


def test_larger_lines_are_headings_and_their_sizes_are_levels():
    pages = [
        [("Handbook", 20, "B"), body(), ("Safety", 14, "B"), body("Wear a helmet. " + BODY)],
        [("Tools", 14, ""), body(), ("Hammers", 12, "B"), body("Strike while it is hot. " + BODY)],
    ]
    parsed = parse(make_styled(pages), "a.pdf")
    assert parsed.heading_path_at(parsed.text.index("Wear a helmet")) == ["Handbook", "Safety"]
    assert parsed.heading_path_at(parsed.text.index("Strike while")) == ["Handbook", "Tools", "Hammers"]
    assert all(parsed.text[heading.start : heading.end] == heading.title for heading in parsed.headings)


def test_bold_numbered_lines_of_the_bodys_size_are_headings_and_other_bold_lines_are_not():
    pages = [[("1 Scope", 10, "B"), body(), ("Note well", 10, "B"), body(), ("1.1 Terms used here", 10, "B"), body()]]
    assert headings(pages) == [("1 Scope", 1), ("1.1 Terms used here", 1)]


def test_short_titles_have_long_numbers():
    titles = ["3.10.1. Purpose", "10.5 Git", "22.2 Version 4.6.2"]
    assert headings([[entry for title in titles for entry in ((title, 14, "B"), body())]]) == [(it, 1) for it in titles]


def test_a_heading_over_two_lines_is_one():
    title = "A heading so long that it does not fit on one line of the page and takes a second one"
    parsed = parse(make_styled([[(title, 16, "B"), body()]]), "a.pdf")
    assert [heading.title for heading in parsed.headings] == [title]
    assert parsed.headings[0].start == parsed.headings[0].end == 0


def test_lines_that_stand_on_page_after_page_are_no_headings():
    pages = [[(f"Annual Report, page {at}", 14, "B"), body()] for at in range(1, 6)]
    assert headings(pages) == []


@pytest.mark.parametrize("title", ["Article {}", "{} Chapter title number {}", "{}.1. Overview"])
@pytest.mark.parametrize("first", [1, 4])
def test_titles_that_differ_in_numbers_alone_are_headings(title: str, first: int):
    titles = [title.format(at, at - 1) for at in range(first, first + 6)]
    assert headings([[(text, 18, "B"), body()] for text in titles]) == [(text, 1) for text in titles]
    assert headings([[body(), (text, 14, "B"), body()] for text in titles]) == [(text, 1) for text in titles]


def test_running_heads_with_the_pages_number_are_no_headings():
    heads = ["Chapter 2. The Archive", "2.3. Mirrors", "Chapter 2. The Archive", "2.5. Sections"]
    heads += ["Chapter 2. The Archive", "2.6. Areas", "Chapter 3. Packages", "3.1. Names"]
    titles = ["2.3. Mirrors", "", "2.5. Sections", "", "2.6. Areas", "", "3.1. Names", ""]
    pdf = FPDF()
    for at, (head, title) in enumerate(zip(heads, titles, strict=True)):
        pdf.add_page()
        pdf.set_font("Helvetica", size=10, style="B")
        pdf.text(15, 15, f"{head} {at + 19}" if at % 2 else f"{at + 19} {head}")
        pdf.text(15, 280, f"Page {at + 19} of 99")
        pdf.set_y(30)
        if title:
            pdf.multi_cell(0, text=title, new_x="LMARGIN", new_y="NEXT")
        pdf.set_font("Helvetica", size=10)
        pdf.multi_cell(0, text=BODY, new_x="LMARGIN", new_y="NEXT")
    found = parse(bytes(pdf.output()), "a.pdf").headings
    assert [heading.title for heading in found] == [title for title in titles if title]


def test_sentences_numbers_and_contents_in_large_type_are_no_headings():
    large = [
        ("a line that starts small", 14, ""),
        ("This sentence ends.", 14, ""),
        ("12.50", 14, ""),
        ("Intro ..... 7", 14, ""),
    ]
    pages = [[entry for line in large for entry in (line, body())]]
    assert headings(pages) == []


def test_a_document_of_large_type_throughout_has_no_headings():
    assert headings([[(f"Slide {at} says this", 24, "") for at in "abc"], [("And more of it", 18, "")]]) == []


def test_the_outline_is_used_where_there_is_one():
    data = make_pdf(["Intro\n" + BODY], outline=[("Intro", 1, 0)])
    assert [heading.title for heading in parse(data, "a.pdf").headings] == ["Intro"]
