import numpy as np
from fpdf import FPDF

from lumikb.compute.parse.parse import parse
from lumikb.compute.parse.pdf_paragraphs import paragraph_ends


def make_page(*lines: tuple[float, str]) -> bytes:
    """A page of lines, each at its height in millimetres from the top."""
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=10)
    for top, text in lines:
        pdf.text(15, top, text)
    return bytes(pdf.output())


def text_of(*lines: tuple[float, str]) -> str:
    return parse(make_page(*lines), "a.pdf").text


HEAD, FOOT = (10.0, "Chapter 3. Herons"), (280.0, "page 48")
BODY = [(30.0 + at * 4.5, f"Herons stand in the water, line {at} of") for at in range(4)]


def test_running_heads_and_feet_stand_alone_whatever_the_page_begins_with():
    text = text_of(HEAD, *((top, line.lower()) for top, line in BODY), FOOT)
    assert text.split("\n\n") == [HEAD[1], "\n".join(line.lower() for _, line in BODY), FOOT[1]]


def test_paragraphs_and_headings_are_set_apart():
    heading = (54.0, "3.1 Where they nest")
    more = [(62.0 + at * 4.5, f"They nest in trees, line {at} of") for at in range(3)]
    last = [(80.0, "A paragraph of one line."), (88.0, "The last paragraph.")]
    text = text_of(HEAD, *BODY, heading, *more, *last, FOOT)
    blocks = [[HEAD], BODY, [heading], more, *([line] for line in last), [FOOT]]
    assert text.split("\n\n") == ["\n".join(line for _, line in block) for block in blocks]


def test_a_sentence_goes_on_below_a_formula():
    formula, rest = (52.0, "E = mc"), (60.0, "where m is the mass.")
    assert text_of(HEAD, *BODY, formula, rest, FOOT).split("\n\n")[-2].endswith("E = mc\nwhere m is the mass.")


def test_rows_of_a_table_stay_together():
    rows = [(60.0 + at * 12, f"Heron | {at} | pond") for at in range(3)]
    assert "\n".join(row for _, row in rows) in text_of(HEAD, *BODY, *rows, FOOT)


def test_lines_that_are_all_as_far_apart_are_one_paragraph():
    spaced = [(20.0 + at * 12, f"Line {at} of a thesis") for at in range(15)]
    assert "\n\n" not in text_of(*spaced)


def test_pages_without_lines_have_no_paragraphs():
    for codes in ([], [65], [10], [10, 10], [65, 10], [65, 10, 66]):
        boxes = np.zeros((len(codes), 4), np.float32)
        assert not len(paragraph_ends(np.array(codes, np.uint32), boxes))
