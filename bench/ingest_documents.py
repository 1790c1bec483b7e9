"""Files for `bench.ingest`, the same ones at every run: reports as PDF, DOCX and PPTX, and sheets of numbers."""

import random
import re
from pathlib import Path

import docx
import openpyxl
import pptx
from fpdf import FPDF

WORDS = re.findall(
    r"\w+",
    """water energy system method result theory paper market school report engine carbon signal matrix vessel garden
    doctor summer window winter planet letter supply demand design record memory copper silver bridge island animal
    contract delivery temperature agreement maintenance responsibility measurement the of and to in is that for with on
    as by at from this be are or an it""",
)


def make_documents(folder: Path, pages: int, seed: int = 7) -> None:
    """Files of about `pages` pages each kind: half of the PDF's in one column, the rest in two or with ruled tables."""
    source = random.Random(seed)
    _write_prose(folder / "prose.pdf", pages // 2, source)
    _write_columns(folder / "columns.pdf", pages // 4, source)
    _write_tables(folder / "tables.pdf", pages // 4, source)
    _write_word(folder / "report.docx", pages, source)
    _write_slides(folder / "slides.pptx", pages, source)
    _write_sheets(folder / "sheets.xlsx", pages, source)


def _sentence(source: random.Random) -> str:
    return " ".join(source.choices(WORDS, k=source.randint(8, 22))).capitalize() + "."


def _paragraph(source: random.Random, sentences: int = 6) -> str:
    return " ".join(_sentence(source) for _ in range(sentences))


def _title(source: random.Random) -> str:
    return " ".join(source.choices(WORDS, k=3)).capitalize()


def _new_page(pdf: FPDF, number: int, source: random.Random) -> None:
    pdf.add_page()
    pdf.set_font("Times", "B", 15)
    pdf.cell(0, 10, f"{number} {_title(source)}", new_x="LMARGIN", new_y="NEXT")
    pdf.set_font("Times", size=11)


def _write_prose(path: Path, pages: int, source: random.Random) -> None:
    pdf = FPDF()
    pdf.set_auto_page_break(False)
    for number in range(1, pages + 1):
        _new_page(pdf, number, source)
        for _ in range(6):
            pdf.multi_cell(0, 5, _paragraph(source, 5), new_x="LMARGIN", new_y="NEXT")
            pdf.ln(3)
    pdf.output(str(path))


def _write_columns(path: Path, pages: int, source: random.Random) -> None:
    pdf = FPDF()
    pdf.set_auto_page_break(False)
    for number in range(1, pages + 1):
        _new_page(pdf, number, source)
        for column in (0, 1):
            pdf.set_xy(10 + column * 98, 25)
            for _ in range(6):
                pdf.multi_cell(92, 5, _paragraph(source, 4), new_x="LEFT", new_y="NEXT")
                pdf.set_xy(10 + column * 98, pdf.get_y() + 3)
    pdf.output(str(path))


def _write_tables(path: Path, pages: int, source: random.Random) -> None:
    pdf = FPDF()
    pdf.set_auto_page_break(False)
    for number in range(1, pages + 1):
        _new_page(pdf, number, source)
        pdf.multi_cell(0, 5, _paragraph(source, 5), new_x="LMARGIN", new_y="NEXT")
        with pdf.table() as table:
            for _ in range(18):
                table.row(
                    [_title(source), _title(source), f"{source.uniform(0, 1000):.2f}", str(source.randint(0, 99))]
                )
    pdf.output(str(path))


def _write_word(path: Path, pages: int, source: random.Random) -> None:
    document = docx.Document()
    for number in range(1, pages + 1):
        document.add_heading(f"{number} {_title(source)}", 1)
        for _ in range(6):
            document.add_paragraph(_paragraph(source, 5))
        if number % 10 == 0:
            table = document.add_table(8, 4)
            for row in table.rows:
                for cell in row.cells:
                    cell.text = _title(source)
    document.save(str(path))


def _write_slides(path: Path, pages: int, source: random.Random) -> None:
    presentation = pptx.Presentation()
    for _ in range(pages):
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text = _title(source)  # pyright: ignore[reportOptionalMemberAccess]
        slide.placeholders[1].text_frame.text = "\n".join(_sentence(source) for _ in range(6))  # pyright: ignore
        slide.notes_slide.notes_text_frame.text = _paragraph(source, 3)  # pyright: ignore[reportOptionalMemberAccess]
    presentation.save(str(path))


def _write_sheets(path: Path, pages: int, source: random.Random) -> None:
    book = openpyxl.Workbook(write_only=True)
    for number in range(max(1, pages // 50)):
        sheet = book.create_sheet(f"Sheet {number + 1}")
        sheet.append([_title(source) for _ in range(8)])
        for _ in range(50 * 40):
            sheet.append(
                [_title(source), *(round(source.uniform(0, 10_000), 2) for _ in range(6)), source.choice(WORDS)]
            )
    book.save(str(path))
