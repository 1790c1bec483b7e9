import io
from itertools import pairwise
from typing import Any

import numpy as np
import pypdf
import pypdfium2
import pytest
from fpdf import FPDF
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf.generic import FloatObject, NameObject, RectangleObject
from support.documents import make_docx, make_pdf

from lumikb.compute.parse.boxes import BoxWriter, PageBoxes, confidence, locate
from lumikb.compute.parse.models import PageStart, ParsedText
from lumikb.compute.parse.parse import parse

TOLERANCE = 0.006


def make_word_pdf(word: str, *, turn: int = 0, **page_changes: Any) -> bytes:
    """A page with one word, turned by `turn` degrees; `page_changes`: rotation, crop, user_unit."""
    pdf = FPDF(format=(200, 300))
    pdf.add_page()
    pdf.set_font("Helvetica", size=24)
    with pdf.rotation(turn, x=90, y=120):
        pdf.text(90, 120, word)
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(bytes(pdf.output())))
    page = writer.pages[0]
    if "crop" in page_changes:
        page.cropbox = RectangleObject(page_changes["crop"])
    if "user_unit" in page_changes:
        page[NameObject("/UserUnit")] = FloatObject(page_changes["user_unit"])
    page.rotate(page_changes.get("rotation", 0))
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def ink_rect(data: bytes) -> list[float]:
    """Where the first page is dark when it is rendered, in fractions from its top left."""
    document = pypdfium2.PdfDocument(data)
    pixels = document[0].render(scale=2, grayscale=True).to_numpy()
    document.close()
    rows, columns = np.flatnonzero((pixels < 128).any(axis=1)), np.flatnonzero((pixels < 128).any(axis=0))
    height, width = pixels.shape
    return [columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height]


def rect_of(parsed: ParsedText, words: str) -> list[float]:
    start = parsed.text.index(words)
    [(_, [rect])] = locate(parsed, start, start + len(words))
    return rect


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("crop", [None, (150, 250, 420, 700)])
def test_the_rectangle_of_a_word_is_where_the_page_shows_it(turn: int, rotation: int, crop: Any):
    data = make_word_pdf("TARGET", turn=turn, rotation=rotation, user_unit=2.0, **({"crop": crop} if crop else {}))
    rect, ink = rect_of(parse(data, "a.pdf"), "TARGET"), ink_rect(data)
    assert rect[0] <= ink[0] + TOLERANCE
    assert rect[1] <= ink[1] + TOLERANCE
    assert rect[2] >= ink[2] - TOLERANCE
    assert rect[3] >= ink[3] - TOLERANCE
    assert (rect[2] - rect[0]) * (rect[3] - rect[1]) < 2.6 * (ink[2] - ink[0]) * (ink[3] - ink[1])


def test_a_range_inside_a_line_is_the_part_of_the_line():
    parsed = parse(make_pdf(["one two three four"]), "a.pdf")
    whole, part, end = (rect_of(parsed, words) for words in ("one two three four", "two three", "three four"))
    assert whole[0] < part[0] < end[0] < part[2] < end[2] == whole[2]
    assert part[1::2] == whole[1::2]


def test_a_range_over_lines_and_pages_has_a_rectangle_for_each_line():
    parsed = parse(make_pdf(["first line\nsecond line\nthird line", "next page"]), "a.pdf")
    located = locate(parsed, parsed.text.index("second"), parsed.text.index("page"))
    assert [(page, len(rects)) for page, rects in located] == [(1, 2), (2, 1)]
    second, third = located[0][1]
    assert second[3] <= third[3]


def test_a_word_split_by_a_hyphen_has_a_rectangle_on_both_lines():
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=11)
    pdf.text(20, 40, "This is a very long line that ends with a direc-")
    pdf.text(20, 45, "tory and goes on with further words on the next")
    parsed = parse(bytes(pdf.output()), "a.pdf")
    start = parsed.text.index("directory")
    [(page, rects)] = locate(parsed, start, start + len("directory"))
    assert (page, len(rects)) == (1, 2)
    assert rects[0][0] > rects[1][2]


def test_nothing_is_located_in_formats_without_boxes_and_outside_of_the_text():
    parsed = parse(make_docx([("Normal", "text")]), "a.docx")
    assert locate(parsed, 0, 4) == []
    parsed = parse(make_pdf(["text"]), "a.pdf")
    assert locate(parsed, 4, 4) == locate(parsed, 100, 200) == locate(parsed, 3, 1) == []
    assert confidence(parsed, 0, 4) is None


def test_boxes_take_less_than_three_bytes_a_character():
    parsed = parse(make_pdf(["The quick brown fox jumps over the lazy dog. " * 60] * 3), "a.pdf")
    assert parsed.boxes is not None
    assert len(parsed.boxes.runs) + len(parsed.boxes.edges) < 3 * len(parsed.text)


def test_a_page_of_many_characters_has_a_box_for_each():
    pdf = FPDF(format=(1000, 1000))
    pdf.set_font("Helvetica", size=6)
    pdf.add_page()
    for line in range(300):
        pdf.text(10, 20 + line * 3, "many words on a line that is long " * 3)
    pdf.text(10, 980, "TARGET")
    data = bytes(pdf.output())
    parsed = parse(data, "a.pdf")
    assert len(parsed.text) > 30_000
    assert rect_of(parsed, "TARGET")[1::2] == [pytest.approx(0.98, abs=TOLERANCE)] * 2
    lines = locate(parsed, 0, len(parsed.text))[0][1]
    assert len(lines) == 301
    assert all(below[1] - above[1] == pytest.approx(0.003, abs=1e-4) for above, below in pairwise(lines[:-1]))


def test_confidences_are_averaged_over_the_recognised_characters():
    boxes = np.array([[at * 10, 10, at * 10 + 10, 20] for at in range(4)], np.float32)
    writer = BoxWriter()
    writer.add(2, PageBoxes(100, 100, boxes, np.zeros(4, np.int32), np.array([80, 80, 40, 255], np.uint8)))
    parsed = ParsedText(text="  abcd", pages=[PageStart(0, 1)], boxes=writer.build())
    assert confidence(parsed, 0, 6) == pytest.approx((80 + 80 + 40) / 3)
    assert confidence(parsed, 4, 6) == 40
    assert confidence(parsed, 5, 6) is None
    assert locate(parsed, 3, 5) == [(1, [[pytest.approx(x, abs=1e-4) for x in (0.1, 0.1, 0.3, 0.2)]])]


@settings(max_examples=150, deadline=None)
@given(
    boxes=st.lists(st.tuples(*[st.floats(-200, 300, width=32)] * 4), min_size=1, max_size=40),
    lines=st.lists(st.integers(0, 3), min_size=40, max_size=40),
)
def test_whatever_the_boxes_every_rectangle_is_on_the_page(boxes: Any, lines: list[int]):
    writer = BoxWriter()
    count = len(boxes)
    writer.add(0, PageBoxes(100, 150, np.array(boxes, np.float32), np.sort(np.array(lines[:count], np.int32))))
    parsed = ParsedText(text="x" * count, pages=[PageStart(0, 1)], boxes=writer.build())
    for _, rects in locate(parsed, 0, count):
        assert all(0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1 for x0, y0, x1, y1 in rects)
