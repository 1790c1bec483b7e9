from datetime import date, datetime

import pytest
from support.documents import (
    add_part,
    make_docx,
    make_pptx,
    make_xlsx,
    make_zip,
    make_zip_bomb,
    replace_in_zip,
)

from lumikb.compute.parse.errors import ArchiveLimitError, CorruptedError, EncryptedError, OutputLimitError
from lumikb.compute.parse.models import ParsedText
from lumikb.compute.parse.parse import parse
from lumikb.compute.parse.xlsx import column_of

DOCX = make_docx([("Heading 1", "Intro"), ("Normal", "Some text.")])
PPTX = make_pptx([("Title", "Body", "Notes")])
XLSX = make_xlsx({"Sheet": [["Name", "Size"], ["Pen", 1]]})
SAMPLES = [(DOCX, "a.docx"), (PPTX, "a.pptx"), (XLSX, "a.xlsx")]


def docx_of(xml: str) -> ParsedText:
    return parse(make_docx(body_xml=xml), "a.docx")


def run(text: str) -> str:
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def test_docx_has_headings_lists_and_tables_in_reading_order():
    blocks = [
        ("Title", "The *Guide*"),
        ("Heading 1", "First part"),
        ("Normal", "Costs are < 5 & > 3, List<int>."),
        ("Heading 2", "Details"),
        ("List Bullet", "one"),
        ("List Number", "two"),
    ]
    table = [["Name", "Age"], ["Bob", "42"]]
    parsed = parse(make_docx(blocks, table=table, title="Guide", author="Ann"), "a.docx")
    assert parsed.text == (
        "The *Guide*\n\nFirst part\n\nCosts are < 5 & > 3, List<int>.\n\nDetails\n\n- one\n1. two\n\n"
        "Name | Age\nBob | 42"
    )
    assert all(parsed.text[heading.start : heading.end] == heading.title for heading in parsed.headings)
    assert parsed.heading_path_at(parsed.text.index("Bob")) == ["First part", "Details"]
    assert (parsed.title, parsed.metadata["author"]) == ("Guide", "Ann")
    assert (parsed.pages, parsed.page_count) == ([], None)


def test_docx_pages_are_where_word_last_broke_them():
    parsed = docx_of(
        run("On one.")
        + "<w:p><w:r><w:t>Starts on one,</w:t><w:lastRenderedPageBreak/><w:t> ends on two.</w:t></w:r></w:p>"
        + "<w:p><w:r><w:lastRenderedPageBreak/></w:r></w:p>"
        + run("On three.")
    )
    assert [parsed.page_at(parsed.text.index(text)) for text in ("On one", "Starts", "ends on", "On three")] == [
        1,
        1,
        2,
        3,
    ]
    assert parsed.page_count == 3


def test_docx_tabs_breaks_and_tracked_changes():
    parsed = docx_of(
        "<w:p><w:pPr><w:tabs><w:tab w:val='left'/></w:tabs></w:pPr><w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/>"
        "<w:t>c</w:t></w:r><w:del><w:r><w:delText>gone</w:delText></w:r></w:del>"
        "<w:ins><w:r><w:t>new</w:t></w:r></w:ins></w:p>"
    )
    assert parsed.text == "a\tb\ncnew"


def test_docx_layout_tables_keep_headings_and_nested_tables_their_text():
    heading = "<w:p><w:pPr><w:outlineLvl w:val='0'/></w:pPr><w:r><w:t>Framed</w:t></w:r></w:p>"
    inner = f"<w:tbl><w:tr><w:tc>{run('in')}</w:tc><w:tc>{run('side')}</w:tc></w:tr></w:tbl>"
    parsed = docx_of(
        f"<w:tbl><w:tr><w:tc>{heading}{run('text')}</w:tc></w:tr></w:tbl>"
        f"<w:tbl><w:tr><w:tc>{inner}<w:p/></w:tc><w:tc>{run('out')}</w:tc></w:tr></w:tbl>"
    )
    assert parsed.text == "Framed\n\ntext\n\nin | side | out"
    assert [heading.title for heading in parsed.headings] == ["Framed"]


def test_docx_nested_ten_thousand_deep_is_read():
    depth = 10_000
    parsed = docx_of("<w:sdt><w:sdtContent>" * depth + run("deep down") + "</w:sdtContent></w:sdt>" * depth)
    assert parsed.text == "deep down"


@pytest.mark.thorough
@pytest.mark.timeout(30)
def test_docx_with_very_many_paragraphs_takes_seconds():
    parsed = docx_of("".join(run(f"Paragraph {number}.") for number in range(100_000)))
    assert parsed.text.count("\n\n") == 99_999


@pytest.mark.thorough
@pytest.mark.timeout(30)
def test_a_note_of_very_many_runs_takes_seconds():
    runs = "<w:r><w:t>five words of a note </w:t></w:r>" * 100_000
    data = make_docx(body_xml="<w:p><w:r><w:t>Text</w:t><w:footnoteReference w:id='7'/></w:r></w:p>")
    notes = f"<w:footnotes xmlns:w='urn:w'><w:footnote w:id='7'><w:p>{runs}</w:p></w:footnote></w:footnotes>"
    data = add_part(data, "word/document.xml", "footnotes", "word/footnotes.xml", notes)
    text = parse(data, "a.docx").text
    assert text.startswith("Text\n\nfive words of a note five")
    assert len(text) > 2_000_000


def test_an_entry_placed_before_the_start_of_the_file_is_corrupted():
    data = bytearray(XLSX)
    end = data.rindex(b"PK\x05\x06")
    # The directory's size is what the start of the file is reckoned from.
    data[end + 16 : end + 20] = (int.from_bytes(data[end + 16 : end + 20], "little") + 70_000).to_bytes(4, "little")
    with pytest.raises(CorruptedError):
        parse(bytes(data), "a.xlsx")


def test_docx_with_text_that_is_not_read_is_corrupted_rather_than_empty():
    with pytest.raises(CorruptedError):
        docx_of(f"<mc:Fallback xmlns:mc='urn:mc'>{run('only here')}</mc:Fallback>")


def test_docx_with_a_document_type_declaration_is_refused():
    entity = b'<!DOCTYPE a [<!ENTITY x "ha">]><w:document '
    data = replace_in_zip(DOCX, "word/document.xml", b"<w:document ", entity)
    with pytest.raises(CorruptedError):
        parse(data, "a.docx")


def test_pptx_slides_are_pages_with_titles_and_notes():
    slides = [("First", "Point one\nPoint two", "Say hello"), ("", "Untitled body", ""), ("Third", "", "")]
    parsed = parse(make_pptx(slides, table=[["H1", "H2"], ["v1", "v2"]]), "a.pptx")
    assert parsed.text == (
        "First\n\nPoint one\nPoint two\n\nNotes: Say hello\n\nUntitled body\n\nThird\n\nH1 | H2\nv1 | v2"
    )
    assert [parsed.page_at(parsed.text.index(text)) for text in ("First", "Say hello", "Untitled", "Third", "v1")] == [
        1,
        1,
        2,
        3,
        4,
    ]
    assert parsed.heading_path_at(parsed.text.index("Untitled")) == ["Slide 2"]
    assert parsed.page_count == 4


def test_xlsx_rows_name_their_columns_and_show_values_as_the_sheet_does():
    sheets = {
        "Costs": [
            ["Report"],
            ["Item", "Price", "Share", "When", "At", "Paid"],
            ["Pen", 0.1 + 0.2, 0.25, date(2024, 3, 1), datetime(2024, 3, 1, 8, 30), True],
            ["Ink|x", None, None, None, None, False],
        ],
        "Empty": [],
        "Other": [[1, 2]],
    }
    parsed = parse(make_xlsx(sheets, formats={"C3": "0%"}), "a.xlsx")
    assert parsed.text == (
        "Costs\n\nReport\nItem; Price; Share; When; At; Paid\n"
        "Item: Pen; Price: 0.3; Share: 25%; When: 2024-03-01; At: 2024-03-01 08:30:00; Paid: TRUE\n"
        "Item: Ink|x; Paid: FALSE\n\nOther\n\n1; 2"
    )
    assert [heading.title for heading in parsed.headings] == ["Costs", "Other"]


def test_an_xlsx_formula_that_nobody_computed_is_shown_as_it_stands():
    parsed = parse(make_xlsx({"Sums": [["Item", "Sum"], ["Pens", "=B7*2"]]}), "a.xlsx")
    assert "Item: Pens; Sum: =B7*2" in parsed.text


def test_xlsx_columns_follow_the_references():
    assert [column_of(reference, 7) for reference in ("A1", "Z9", "AA1", "XFD1", "ZZZ1", "", "1")] == [
        0,
        25,
        26,
        16_383,
        7,
        7,
        7,
    ]


@pytest.mark.parametrize(
    ("data", "name"), [(make_docx(), "a.docx"), (make_pptx([("", "", "")]), "a.pptx"), (make_xlsx({"S": []}), "a.xlsx")]
)
def test_a_blank_document_is_empty_text_with_a_warning(data: bytes, name: str):
    parsed = parse(data, name)
    assert (parsed.text, parsed.warnings) == ("", ["NO_TEXT"])


@pytest.mark.parametrize(("data", "name"), SAMPLES)
@pytest.mark.parametrize("part", [0.3, 0.7, 0.99])
def test_a_truncated_file_is_corrupted(data: bytes, name: str, part: float):
    with pytest.raises(CorruptedError):
        parse(data[: int(len(data) * part)], name)


@pytest.mark.parametrize(("data", "name"), SAMPLES)
def test_damaged_xml_is_corrupted(data: bytes, name: str):
    part = {"a.docx": "word/document.xml", "a.pptx": "ppt/presentation.xml", "a.xlsx": "xl/workbook.xml"}[name]
    with pytest.raises(CorruptedError):
        parse(replace_in_zip(data, part, b"</", b"<"), name)


def test_a_package_without_main_part_is_corrupted():
    with pytest.raises(CorruptedError):
        parse(make_zip({"[Content_Types].xml": b"<Types/>", "word/styles.xml": b"<styles/>"}), "a.docx")


def test_locked_zip_entries_are_encrypted():
    data = bytearray(make_zip({"word/document.xml": b"<document/>"}))
    central = data.index(b"PK\x01\x02")
    data[central + 8] |= 1
    with pytest.raises(EncryptedError):
        parse(bytes(data), "a.docx")


def test_a_zip_bomb_is_refused_before_it_is_unpacked():
    with pytest.raises(ArchiveLimitError):
        parse(make_zip_bomb(DOCX, megabytes=64), "a.docx")


@pytest.mark.parametrize(("data", "name"), SAMPLES)
def test_text_over_the_bound_is_refused(data: bytes, name: str):
    with pytest.raises(OutputLimitError):
        parse(data, name, text_chars_max=5)
