"""Whatever the bytes: a result that holds its promises, or a reason."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.documents import make_docx, make_html, make_pdf, make_pptx, make_xlsx

from lumikb.compute.parse.errors import ParseError
from lumikb.compute.parse.formats import Format
from lumikb.compute.parse.parse import parse

# PDF goes through native code: its hostile input is tested in a process of its own, with the parser pool.
EXTENSIONS = [extension for kind in Format if kind is not Format.PDF for extension in kind.extensions]
SAMPLES = [
    (make_docx([("Heading 1", "Intro"), ("Normal", "Text.")], table=[["a", "b"]]), "a.docx"),
    (make_pptx([("Title", "Body", "Notes")]), "a.pptx"),
    (make_xlsx({"Sheet": [["Name", "Size"], ["Pen", 1]]}), "a.xlsx"),
    (make_html("<h1>Head</h1><p>Text<table><tr><td>a<td>b</table>"), "a.html"),
]
TAGS = ["<p>", "</p>", "<tr>", "<td>", "<h1>", "</h1>", "<nav>", "<pre>", "<li>", "<svg>", "</svg>", "<title>", "<!--"]
MARKS = ["# ", "\n", "---\n", "```", "===\n", "+++\n", '"', ",", ";", "\t", "\x00", "\ud800", "text ", "&#0;", "&amp;"]
MARKUP = st.lists(st.sampled_from([*TAGS, *MARKS])).map("".join)


def check(data: bytes, name: str) -> None:
    try:
        parsed = parse(data, name, text_chars_max=100_000)
    except ParseError:
        return
    parsed.text.encode("utf-8")
    assert len(parsed.text) <= 100_000
    assert "\x00" not in parsed.text
    assert parsed.text == "" or parsed.text.strip()
    starts = [heading.start for heading in parsed.headings]
    assert starts == sorted(starts)
    for heading in parsed.headings:
        assert heading.start == heading.end or parsed.text[heading.start : heading.end] == heading.title
        assert 1 <= heading.level <= 6
    assert not parsed.pages or parsed.pages[0].start == 0
    assert [page.start for page in parsed.pages] == sorted(page.start for page in parsed.pages)


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=2000), extension=st.sampled_from(EXTENSIONS))
def test_random_bytes_end_in_a_result_or_a_reason(data: bytes, extension: str):
    check(data, f"a{extension}")


@settings(max_examples=200, deadline=None)
@given(text=MARKUP, extension=st.sampled_from([".html", ".md", ".csv", ".txt"]))
def test_random_markup_ends_in_a_result_or_a_reason(text: str, extension: str):
    check(text.encode("utf-8", "surrogatepass"), f"a{extension}")


@pytest.mark.parametrize(("data", "name"), SAMPLES)
def test_files_with_flipped_bytes_end_in_a_result_or_a_reason(data: bytes, name: str):
    chance = random.Random(7)
    for _ in range(100):
        damaged = bytearray(data)
        for _ in range(chance.randint(1, 20)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        check(bytes(damaged), name)


def test_a_sound_pdf_keeps_every_promise():
    check(make_pdf(["First page", "", "Third page"], outline=[("Third page", 3, 0)]), "a.pdf")
