import io
import re
from pathlib import Path

import numpy as np
import pypdf
import pytest
from fpdf import FPDF

from lumikb.compute.parse.bidi import logical_order
from lumikb.compute.parse.boxes import locate
from lumikb.compute.parse.parse import parse
from lumikb.compute.parse.pdf_page import page_text
from lumikb.compute.parse.pdfium import Characters, PageFrame

FONT = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")
LINES = 30
WORDS = ["harbour master reads", "every paper of the crew", "before a ship may leave"]


def make_columns(order: str, count: int, *, title: bool = False, rotation: int = 0) -> bytes:
    """Columns of prose whose lines start with A00, A01, …, B00, …; drawn column by column, row by row, or backwards."""
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=8)
    pdf.text(15, 288, "page foot")
    places = [(column, line) for column in range(count) for line in range(LINES)]
    keys = {"columns": lambda at: at, "rows": lambda at: at[::-1], "right first": lambda at: (-at[0], at[1])}
    for column, line in sorted(places, key=keys[order]):
        tag = f"{'ABC'[column]}{line:02d}"
        pdf.text(15 + column * 180 / count, 40 + line * 5, f"{tag} {WORDS[line % 3]} {'again' * (count < 3)}")
    if title:
        pdf.set_font("Helvetica", size=14)
        pdf.text(25, 25, "The title of it all crosses the gutter on the way")
    pdf.set_font("Helvetica", size=8)
    pdf.text(15, 10, "running head")
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(bytes(pdf.output())))
    writer.pages[0].rotate(rotation)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


@pytest.mark.parametrize("order", ["columns", "rows", "right first"])
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("title", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180])
def test_columns_are_read_one_after_the_other(order: str, count: int, title: bool, rotation: int):
    text = parse(make_columns(order, count, title=title, rotation=rotation), "a.pdf").text
    tags = re.findall(r"\b[ABC]\d\d\b", text)
    assert tags == sorted(tags)
    assert len(tags) == count * LINES
    lines = [line for line in text.split("\n") if line]
    assert lines[0] == "running head"
    assert lines[-1] == "page foot"
    assert not title or lines[1].startswith("The title")
    assert all(re.match(r"[ABC]\d\d ", line) for line in lines[1 + title : -1])


def test_offsets_are_those_of_the_text_in_reading_order():
    parsed = parse(make_columns("rows", 2), "a.pdf")
    first, second = (locate(parsed, at, at + 3)[0][1][0] for at in (parsed.text.index("A05"), parsed.text.index("B05")))
    assert first[1] == pytest.approx(second[1], abs=0.001)
    assert first[0] < 0.2 < 0.5 < second[0]


def test_a_table_without_rules_is_read_row_by_row():
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=9)
    for row in range(20):
        pdf.text(20, 30 + row * 6, f"option number {row} " + "x" * (row % 7))
        pdf.text(110, 30 + row * 6, f"sets the thing {row} " + "of the long name " * (row % 3))
    lines = parse(bytes(pdf.output()), "a.pdf").text.split("\n")
    assert len(lines) == 20
    assert all(re.match(rf"option number {row} x* ?sets the thing {row}\b", line) for row, line in enumerate(lines))


@pytest.mark.parametrize("by_rows", [False, True])
def test_columns_of_three_lines_are_read_one_after_the_other(by_rows: bool):
    columns = [
        ["The harbour master reads every", "paper of the crew before a ship", "may leave the quay."],
        ["Pilots board at the outer buoy", "and stay on the bridge until the", "lines are made fast."],
    ]
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=11)
    places = [(column, line) for column in range(2) for line in range(3)]
    for column, line in sorted(places, key=lambda at: at[::-1] if by_rows else at):
        pdf.text(20 + column * 90, 40 + line * 6, columns[column][line])
    text = parse(bytes(pdf.output()), "a.pdf").text
    assert text.split() == " ".join([*columns[0], *columns[1]]).split()


def test_three_rows_of_a_table_without_rules_are_read_row_by_row():
    rows = [
        ("Pumps and valves of the plant", "delivered in March by the yard"),
        ("Filters of the second stage", "delivered in May by the agent"),
        ("Hoses for the inner harbour", "delivered in June by the yard"),
    ]
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=11)
    for line, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            pdf.text(20 + column * 90, 40 + line * 6, cell)
    lines = parse(bytes(pdf.output()), "a.pdf").text.split("\n")
    assert [re.sub(r"\s+", " ", line) for line in lines] == [" ".join(cells) for cells in rows]


def test_text_turned_by_a_quarter_keeps_its_lines():
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=11)
    with pdf.rotation(90, x=100, y=150):
        for line in (2, 0, 1):
            pdf.text(40, 120 + 8 * line, f"line {line} of a table on its side")
    assert parse(bytes(pdf.output()), "a.pdf").text.split("\n") == [
        f"line {line} of a table on its side" for line in range(3)
    ]


@pytest.mark.skipif(not FONT.exists(), reason="needs a font with Hebrew and Arabic")
@pytest.mark.parametrize(
    "line",
    [
        "שלום עולם, זהו משפט 123 בעברית.",
        "مرحبا بالعالم هذه جملة عربية",
        "English with שלום עליכם inside.",
        "המחיר הוא 12.50 שקל",
    ],
)
def test_hebrew_and_arabic_are_in_the_order_in_which_they_are_spoken(line: str):
    pdf = FPDF()
    pdf.add_page()
    pdf.add_font("DejaVu", fname=FONT)
    pdf.set_font("DejaVu", size=14)
    pdf.cell(text=displayed(line))
    parsed = parse(bytes(pdf.output()), "a.pdf")
    assert parsed.text == line
    left = [locate(parsed, match.start(), match.end())[0][1][0][0] for match in re.finditer(r"\S+", line)]
    assert line.startswith("English") or left == sorted(left, reverse=True)


def displayed(line: str) -> str:
    """`line` from left to right as a page shows it."""
    if line.startswith("English"):
        return re.sub(r"[א-ת][א-ת ]*[א-ת]", lambda run: run.group()[::-1], line)
    return re.sub(r"[\d.]*\d", lambda number: number.group()[::-1], line[::-1])


def characters(text: str, boxes: list[tuple[float, float, float, float]]) -> Characters:
    codes = np.array([ord(char) for char in text], np.uint32)
    return Characters(codes, np.array(boxes, np.float32).reshape(-1, 4), PageFrame(0, 0, 600, 800, 0))


def test_accents_stay_behind_the_letters_they_belong_to():
    text = "שָׁ ב"
    boxes = [(50, 0, 60, 10), (53, 8, 55, 10), (58, 0, 60, 3), (40, 0, 50, 10), (30, 0, 40, 10)]
    order = logical_order(np.array([ord(char) for char in text], np.uint32), np.array(boxes, np.float32), np.zeros(5))
    assert order is not None
    assert order.tolist() == [0, 1, 2, 3, 4]


def test_boxes_without_sense_lose_no_character():
    nonsense = [(0, 0, 0, 0), (1e6, -1e6, 1e6, 1e6), (5, 5, 4, 4), (1, 1, 2, 2), (0, 0, 1e6, 1e6)] * 4
    page = page_text(characters("abcdefghijklmnopqrst", nonsense))
    assert sorted(page.text.replace("\n", "")) == list("abcdefghijklmnopqrst")
    assert len(page.boxes.boxes) == len(page.text)
