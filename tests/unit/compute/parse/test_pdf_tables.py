import time
import zlib
from typing import Any

import pytest
from fpdf import FPDF

from lumikb.compute.parse.boxes import locate
from lumikb.compute.parse.errors import CorruptedError
from lumikb.compute.parse.parse import parse

pytestmark = pytest.mark.thorough

ROWS = [
    ("Model", "Weight", "Price"),
    ("A1", "12 kg", "300 EUR"),
    ("B2", "", "450 EUR"),
    ("C3 with a long name", "9 kg", "7"),
]
LINES = ["Model | Weight | Price", "A1 | 12 kg | 300 EUR", "B2 |  | 450 EUR", "C3 with a long name | 9 kg | 7"]


def make_table(rows: Any = ROWS, *, borders: str = "ALL", before: str = "Before.", after: str = "After.") -> bytes:
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=10)
    pdf.multi_cell(0, text=before, new_x="LMARGIN", new_y="NEXT")
    with pdf.table(width=90, borders_layout=borders, first_row_as_headings=False) as table:
        for texts in rows:
            row = table.row()
            for text in texts:
                if isinstance(text, tuple):
                    row.cell(text[0], colspan=text[1])
                else:
                    row.cell(text)
    pdf.multi_cell(0, text=after, new_x="LMARGIN", new_y="NEXT")
    return bytes(pdf.output())


def make_raw_pdf(content: bytes, *, resources: bytes = b"", objects: tuple[bytes, ...] = ()) -> bytes:
    """One page of 600 by 800 points with `content`; `objects` get the numbers 6 and up."""
    packed = zlib.compress(content)
    bodies = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>%b>>>>"
        % resources,
        b"<</Length %d/Filter/FlateDecode>>stream\n%b\nendstream" % (len(packed), packed),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        *objects,
    ]
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(bodies, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    end = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(bodies) + 1, len(out))
    return out + b"xref\n0 %d\n0000000000 65535 f \n" % (len(bodies) + 1) + table + end


def test_a_ruled_table_is_a_line_for_each_row():
    assert parse(make_table(), "a.pdf").text.split("\n") == ["Before.", *LINES, "After."]


def test_every_cell_keeps_its_place_on_the_page():
    parsed = parse(make_table(), "a.pdf")
    at = {cell: parsed.text.index(cell) for row in ROWS for cell in row if len(cell) > 1}
    rects = {cell: locate(parsed, start, start + len(cell))[0][1] for cell, start in at.items()}
    assert rects["A1"][0][1] == pytest.approx(rects["12 kg"][0][1], abs=0.001)
    assert rects["Model"][0][0] == pytest.approx(rects["A1"][0][0], abs=0.002)
    assert rects["Weight"][0][2] < rects["Price"][0][0]
    row = parsed.text.index("A1")
    assert len(locate(parsed, row, row + len(LINES[1]))[0][1]) == 3


def test_lines_of_a_cell_are_joined():
    rows = [("Name", "Meaning"), ("first", "a long text that needs more than one line in the cell it is written in")]
    assert parse(make_table(rows), "a.pdf").text.split("\n")[2] == f"first | {rows[1][1]}"


def test_a_cell_over_two_columns_is_written_once():
    rows = [(("Both", 2), "Price"), ("A1", "12 kg", "300 EUR")]
    assert parse(make_table(rows), "a.pdf").text.split("\n")[1:3] == ["Both | Price", "A1 | 12 kg | 300 EUR"]


def test_rows_between_ruled_ends_are_rows():
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=10)
    for x in (20, 60, 100, 140):
        pdf.line(x, 20, x, 60)
    for y in (20, 60):
        pdf.line(20, y, 140, y)
    for row in range(5):
        for column in range(3):
            pdf.text(22 + 40 * column, 26 + 7 * row, f"r{row}c{column} x")
    expected = [" | ".join(f"r{row}c{column} x" for column in range(3)) for row in range(5)]
    assert parse(bytes(pdf.output()), "a.pdf").text.split("\n") == expected


def test_a_frame_around_text_and_underlines_are_no_table():
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=10, style="U")
    pdf.rect(10, 10, 190, 270)
    pdf.multi_cell(0, text="Some underlined words.\nAnd more of them.")
    assert parse(bytes(pdf.output()), "a.pdf").text == "Some underlined words.\nAnd more of them."


def test_rules_drawn_as_filled_rectangles_and_as_one_path_are_rules():
    text = b"".join(
        b"BT /F1 9 Tf %d %d Td (%d,%d) Tj ET\n" % (105 + 50 * x, 705 - 30 * y, x, y) for y in (0, 1) for x in (0, 1)
    )
    thin = b"".join(b"100 %d 100 1 re f %d 665 1 60 re f\n" % (665 + 30 * at, 100 + 50 * at) for at in range(3))
    path = b"".join(
        b"100 %d m 200 %d l %d 665 m %d 725 l\n" % (665 + 30 * at, 665 + 30 * at, 100 + 50 * at, 100 + 50 * at)
        for at in range(3)
    )
    for rules in (thin, path + b"S\n"):
        assert parse(make_raw_pdf(rules + text), "a.pdf").text == "0,0 | 1,0\n0,1 | 1,1"


@pytest.mark.parametrize(
    "content",
    [
        b"".join(b"%d %d m %d %d l S\n" % (at % 600, 0, at % 600, 800) for at in range(200_000)),
        b"".join(b"%d %d %d 3 re\n" % (at % 600, at % 800, at % 90) for at in range(200_000)) + b"S\n",
        b"".join(b"0 %d 600 .1 re f %d 0 .1 800 re f\n" % (at, at) for at in range(0, 800, 4)),
    ],
)
def test_a_page_full_of_paths_does_not_hold_up_the_reader(content: bytes):
    started = time.monotonic()
    assert "words" in parse(make_raw_pdf(content + b"BT /F1 9 Tf 50 50 Td (words) Tj ET"), "a.pdf").text
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("number", [b"1e38", b"-1e38", b"99999999999999999999999", b"nan", b"0"])
def test_numbers_beyond_measure_lose_no_text(number: bytes):
    content = b"%b 0 0 %b 50 50 cm 0 0 m %b 10 l S BT /F1 9 Tf 1 0 0 1 %b 50 Tm (lost) Tj ET" % ((number,) * 4)
    data = make_raw_pdf(b"BT /F1 9 Tf 50 700 Td (words) Tj ET q " + content + b" Q")
    parsed = parse(data, "a.pdf")
    assert "words" in parsed.text
    for _, rects in locate(parsed, 0, len(parsed.text)):
        assert all(0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1 for x0, y0, x1, y1 in rects)


def test_a_form_that_shows_itself_ends():
    head = b"<</Type/XObject/Subtype/Form/BBox[0 0 600 800]/Resources<</XObject<</X 6 0 R>>>>/Length 5>>"
    form = head + b"stream\n/X Do\nendstream"
    data = make_raw_pdf(
        b"/X Do BT /F1 9 Tf 50 700 Td (words) Tj ET", resources=b"/XObject<</X 6 0 R>>", objects=(form,)
    )
    assert parse(data, "a.pdf").text == "words"


def test_a_page_count_that_is_not_true_is_found_out():
    data = make_raw_pdf(b"BT /F1 9 Tf 50 700 Td (words) Tj ET").replace(b"/Count 1>>", b"/Count 100000>>")
    started = time.monotonic()
    with pytest.raises(CorruptedError):
        parse(data, "a.pdf")
    assert time.monotonic() - started < 20
