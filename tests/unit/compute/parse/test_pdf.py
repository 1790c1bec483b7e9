import io

import numpy as np
import pypdf
import pytest
from fpdf import FPDF
from pypdf.generic import NameObject, TextStringObject
from support.documents import make_pdf

from lumikb.compute.parse.errors import CorruptedError, EncryptedError, NoTextError, OutputLimitError
from lumikb.compute.parse.ocr_options import OcrOptions
from lumikb.compute.parse.parse import parse
from lumikb.compute.parse.pdf import _iso_date
from lumikb.compute.parse.pdf_page import page_text
from lumikb.compute.parse.pdfium import Characters, PageFrame

PAGES = [
    "Handbook\nThis page introduces the Safety Rules.",
    "1 Safety Rules\nWear a helmet at all times.\n1.1 Helmets\nThey are red.",
    "Appendix\nNothing else.",
]
OUTLINE = [("Safety Rules", 2, 0), ("Helmets", 2, 1), ("Not printed", 2, 1), ("Appendix", 3, 0), ("Handbook", 1, 0)]


def test_sentences_stand_on_their_pages_under_their_headings():
    parsed = parse(make_pdf(PAGES, outline=OUTLINE, title="The Handbook", author="Ann"), "a.pdf")
    at = parsed.text.index("Wear a helmet")
    assert (parsed.page_at(at), parsed.heading_path_at(at)) == (2, ["Safety Rules"])
    at = parsed.text.index("They are red")
    assert (parsed.page_at(at), parsed.heading_path_at(at)) == (2, ["Safety Rules", "Not printed"])
    assert [page.number for page in parsed.pages] == [1, 2, 3]
    assert [parsed.text[page.start :].split("\n")[0] for page in parsed.pages] == [
        "Handbook",
        "1 Safety Rules",
        "Appendix",
    ]
    assert parsed.page_count == 3
    assert (parsed.title, parsed.metadata["author"]) == ("The Handbook", "Ann")
    assert parsed.metadata["created"].startswith("20")


def test_a_bookmark_whose_title_is_not_on_the_page_keeps_its_place_with_an_empty_span():
    parsed = parse(make_pdf(PAGES, outline=OUTLINE), "a.pdf")
    spans = {heading.title: parsed.text[heading.start : heading.end] for heading in parsed.headings}
    assert spans.pop("Not printed") == ""
    assert all(span == title for title, span in spans.items())
    assert [heading.title for heading in parsed.headings] == [
        "Handbook",
        "Safety Rules",
        "Helmets",
        "Not printed",
        "Appendix",
    ]


@pytest.mark.thorough
def test_a_pdf_of_300_pages_keeps_its_map():
    pages = [f"Sentence number {number} stands here.\n" + "Filler words on a line.\n" * 30 for number in range(1, 301)]
    parsed = parse(make_pdf(pages), "a.pdf")
    assert parsed.page_count == 300
    assert all(
        parsed.page_at(parsed.text.index(f"Sentence number {number} stands")) == number for number in (1, 2, 150, 300)
    )


def test_some_pages_without_text_are_a_warning():
    parsed = parse(make_pdf(["", "text", ""]), "a.pdf")
    assert parsed.warnings == ["PAGES_WITHOUT_TEXT"]
    assert parsed.page_at(parsed.text.index("text")) == 2


def test_pages_that_only_draw_are_an_error_that_names_ocr():
    drawn = FPDF()
    drawn.add_page()
    drawn.rect(20, 20, 80, 40)
    with pytest.raises(NoTextError) as caught:
        parse(bytes(drawn.output()), "a.pdf", ocr=OcrOptions(data_dir="/nonexistent"))
    assert caught.value.stable_code == "OCR_UNAVAILABLE"


def test_blank_pages_are_a_text_without_characters_and_a_warning():
    parsed = parse(make_pdf(["", ""]), "a.pdf")
    assert (parsed.text, parsed.page_count, parsed.warnings) == ("", 2, ["NO_TEXT"])


@pytest.mark.parametrize("password", [None, "", "wrong", "s\x00"])
def test_a_pdf_behind_a_password_is_encrypted(password: str | None):
    with pytest.raises(EncryptedError):
        parse(make_pdf(["hidden"], encrypted=True), "a.pdf", password=password)


def test_the_password_opens_a_pdf_and_does_no_harm_where_none_is_needed():
    assert parse(make_pdf(["hidden"], encrypted=True), "a.pdf", password="secret").text == "hidden"
    assert parse(make_pdf(["open"]), "a.pdf", password="secret").text == "open"


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_pdf_is_corrupted(part: float):
    data = make_pdf(["text " * 200] * 5)
    with pytest.raises(CorruptedError):
        parse(data[: int(len(data) * part)], "a.pdf")


def test_a_pdf_with_nothing_in_it_is_corrupted():
    with pytest.raises(CorruptedError):
        parse(b"%PDF-1.7\n%%EOF\n", "a.pdf")


def test_a_pdf_padded_with_zeros_is_read():
    assert parse(make_pdf(["text"]) + bytes(10_000), "a.pdf").text == "text"


def test_text_over_the_bound_is_refused():
    with pytest.raises(OutputLimitError):
        parse(make_pdf(["long text " * 50]), "a.pdf", text_chars_max=100)


def test_words_split_at_a_line_end_are_joined_and_real_hyphens_stay():
    assert tidied("a direc\ufffetory and UTF\ufffe8, a hy\x02phen") == "a directory and UTF-8, a hyphen"


def test_spaces_at_line_ends_nuls_and_lone_surrogates_are_left_out():
    assert tidied(" \r\n one \t \r\n\r\ntwo\x00 \ud800three \r\n") == "one\n\ntwo three"


def tidied(text: str) -> str:
    codes = np.array([ord(char) for char in text], np.uint32)
    return page_text(Characters(codes, np.zeros((len(text), 4), np.float32), PageFrame(0, 0, 100, 100, 0))).text


def test_dates_become_iso_8601_as_precise_as_they_are():
    assert _iso_date("D:20240131081500+02'00'") == "2024-01-31T08:15:00+02:00"
    assert _iso_date("D:20240131081500Z") == "2024-01-31T08:15:00Z"
    assert _iso_date("D:202401") == "2024-01"
    assert _iso_date("yesterday") == ""


def test_a_pdf_says_its_language():
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(make_pdf(["Text"])))
    writer.root_object[NameObject("/Lang")] = TextStringObject("de-CH")
    out = io.BytesIO()
    writer.write(out)
    assert parse(out.getvalue(), "a.pdf").metadata["language"] == "de-CH"
    assert "language" not in parse(make_pdf(["Text"]), "a.pdf").metadata
