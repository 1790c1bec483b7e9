"""Real files made in memory, well-formed and hostile."""

import io
import zipfile
import zlib
from collections.abc import Sequence
from typing import Any

import docx
import openpyxl
import pptx
import pypdf
from fpdf import FPDF
from pptx.util import Inches

PARAGRAPH_MARK = "REPLACED-BY-XML"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
MP3 = b"ID3\x04" + bytes(64)


def make_pdf(
    pages: Sequence[str],
    *,
    outline: Sequence[tuple[str, int, int]] = (),
    title: str = "",
    author: str = "",
    encrypted: bool = False,
    password: str = "secret",
) -> bytes:
    """One page for each text; `outline` holds (title, page from 1, level from 0); encrypted asks for the password."""
    pdf = FPDF()
    pdf.set_font("Helvetica", size=11)
    pdf.set_title(title)
    pdf.set_author(author)
    for text in pages:
        pdf.add_page()
        if text:
            pdf.multi_cell(0, text=text, new_x="LMARGIN", new_y="NEXT")
    data = bytes(pdf.output())
    if not outline and not encrypted:
        return data
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(data))
    parents: list[Any] = [None]
    for name, page, level in outline:
        parents[level + 1 :] = [writer.add_outline_item(title=name, page_number=page - 1, parent=parents[level])]
    if encrypted:
        writer.encrypt(password, algorithm="AES-256")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def make_flate_bomb(*, megabytes: int, pages: int = 1) -> bytes:
    """A PDF whose content unpacks to `megabytes` of text operators, shown anew on each of its `pages`."""
    operator = b"BT /F1 9 Tf 10 10 Td (hello) Tj ET\n"
    packer = zlib.compressobj(9)
    block = operator * ((1 << 20) // len(operator))
    stream = b"".join(packer.compress(block) for _ in range(megabytes)) + packer.flush()
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[%b]/Count %d>>" % (b"3 0 R " * pages, pages),
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d/Filter/FlateDecode>>stream\n%b\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    out = b"%PDF-1.4\n"
    offsets: list[int] = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"trailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % len(out)
    return out + b"xref\n0 6\n0000000000 65535 f \n" + table + trailer


def make_docx(
    blocks: Sequence[tuple[str, str]] = (),
    *,
    table: Sequence[Sequence[str]] = (),
    title: str = "",
    author: str = "",
    body_xml: str | None = None,
) -> bytes:
    """Paragraphs as (style name, text), then a table; `body_xml` adds raw WordprocessingML as the last paragraph."""
    document = docx.Document()
    document.core_properties.title = title
    document.core_properties.author = author
    for style, text in blocks:
        document.add_paragraph(text, style=style)
    if table:
        grid = document.add_table(len(table), len(table[0]))
        for row, texts in zip(grid.rows, table, strict=True):
            for cell, text in zip(row.cells, texts, strict=True):
                cell.text = text
    if body_xml is not None:
        document.add_paragraph(PARAGRAPH_MARK)
    data = _saved(document)
    if body_xml is None:
        return data
    marked = f"<w:p><w:r><w:t>{PARAGRAPH_MARK}</w:t></w:r></w:p>"
    return replace_in_zip(data, "word/document.xml", marked.encode(), body_xml.encode())


def make_pptx(slides: Sequence[tuple[str, str, str]], *, table: Sequence[Sequence[str]] = ()) -> bytes:
    """Slides as (title, body, notes), each of which may be empty; then a slide with a table."""
    presentation = pptx.Presentation()
    for title, body, notes in slides:
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = body
        if notes:
            slide.notes_slide.notes_text_frame.text = notes
    if table:
        slide = presentation.slides.add_slide(presentation.slide_layouts[6])
        size = (Inches(0), Inches(0), Inches(5), Inches(2))
        grid = slide.shapes.add_table(len(table), len(table[0]), *size).table
        for row, texts in enumerate(table):
            for column, text in enumerate(texts):
                grid.cell(row, column).text = text
    return _saved(presentation)


def make_xlsx(sheets: dict[str, Sequence[Sequence[Any]]], *, formats: dict[str, str] | None = None) -> bytes:
    """Sheets by name as rows; `formats` sets number formats by cell of the first sheet, such as {"B2": "0%"}."""
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.worksheets[0])
    for name, rows in sheets.items():
        sheet = workbook.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    for cell, code in (formats or {}).items():
        workbook.worksheets[0][cell].number_format = code
    return _saved(workbook)


def make_html(body: str, *, title: str = "", head: str = "") -> bytes:
    """A page in UTF-8."""
    return f"<!DOCTYPE html><html><head><title>{title}</title>{head}</head><body>{body}</body></html>".encode()


def make_zip(entries: dict[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP archive of `entries` by name."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return out.getvalue()


def replace_in_zip(data: bytes, name: str, old: bytes, new: bytes) -> bytes:
    """`data` with `old` replaced by `new` in the entry `name`, which must hold it."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = {entry: archive.read(entry) for entry in archive.namelist()}
    assert old in entries[name]
    entries[name] = entries[name].replace(old, new)
    return make_zip(entries)


def add_part(data: bytes, owner: str, kind: str, name: str, xml: str, *, link: str = "rIdAdded") -> bytes:
    """An Office file with one more part, `name`, that `owner` links to by `kind` with the id `link`."""
    folder, _, file = owner.rpartition("/")
    target = f"<Relationship Id='{link}' Type='http://office/relationships/{kind}' Target='/{name}'/></Relationships>"
    out = io.BytesIO(replace_in_zip(data, f"{folder}/_rels/{file}.rels", b"</Relationships>", target.encode()))
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, xml)
    return out.getvalue()


def make_zip_bomb(data: bytes, *, megabytes: int) -> bytes:
    """An Office file with one more entry that unpacks to `megabytes` of zeros."""
    out = io.BytesIO(data)
    with (
        zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("word/media/image1.bmp", "w") as entry,
    ):
        for _ in range(megabytes):
            entry.write(bytes(1 << 20))
    return out.getvalue()


def make_ole(*streams: str) -> bytes:
    """The start of an OLE container whose directory names `streams`, as old and as encrypted Office files are."""
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + b"".join(name.encode("utf-16-le") for name in streams)


def _saved(document: Any) -> bytes:
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()
