import io
from collections.abc import Callable

import docx
import pytest
from support.documents import add_part, make_docx, replace_in_zip

from lumikb.compute.parse.errors import CorruptedError
from lumikb.compute.parse.models import ParsedText
from lumikb.compute.parse.parse import parse

BREAK = "<w:r><w:br w:type='page'/></w:r>"
MARK = "<w:r><w:lastRenderedPageBreak/></w:r>"
PAGE_FIELD = (
    "<w:r><w:fldChar w:fldCharType='begin'/></w:r><w:r><w:instrText> PAGE \\* MERGEFORMAT</w:instrText></w:r>"
    "<w:r><w:fldChar w:fldCharType='separate'/></w:r><w:r><w:t>3</w:t></w:r><w:r><w:fldChar w:fldCharType='end'/></w:r>"
)


def words(text: str) -> str:
    return f"<w:r><w:t xml:space='preserve'>{text}</w:t></w:r>"


def parse_body(*paragraphs: str) -> ParsedText:
    return parse(make_docx(body_xml="".join(f"<w:p>{content}</w:p>" for content in paragraphs)), "a.docx")


def pages_of(parsed: ParsedText, *texts: str) -> list[int | None]:
    return [parsed.page_at(parsed.text.index(text)) for text in texts]


def parse_with_margins(fill: Callable[[docx.document.Document], None], footer_xml: str = "") -> ParsedText:
    document = docx.Document()
    fill(document)
    out = io.BytesIO()
    document.save(out)
    data = out.getvalue()
    if footer_xml:
        data = replace_in_zip(data, "word/footer1.xml", b"<w:t>FOOTER</w:t>", f"<w:t/></w:r>{footer_xml}<w:r>".encode())
    return parse(data, "a.docx")


def test_breaks_that_the_author_set_part_short_pages():
    parsed = parse_body(words("First."), BREAK, words("Second,") + BREAK + words("third."), words("Still third."))
    assert pages_of(parsed, "First", "Second", "third", "Still") == [1, 2, 3, 3]
    assert parsed.page_count == 3


def test_a_paragraph_that_begins_a_page_parts_pages_unless_it_is_switched_off():
    parsed = parse_body(
        words("First."),
        "<w:pPr><w:pageBreakBefore/></w:pPr>" + words("Second."),
        "<w:pPr><w:pageBreakBefore w:val='0'/></w:pPr>" + words("Still second."),
    )
    assert pages_of(parsed, "First", "Second", "Still") == [1, 2, 2]


def test_a_break_and_the_programs_mark_behind_it_are_one():
    parsed = parse_body(words("First."), BREAK, MARK + words("Second."), words("Flows") + MARK + words(" to third."))
    assert pages_of(parsed, "First", "Second", "Flows", "to third") == [1, 2, 2, 3]
    assert parsed.page_count == 3


@pytest.mark.parametrize(
    "body",
    [
        [words("Cover."), BREAK, *[words("A long text that runs over pages. " * 20)] * 10],
        [words("Cover.") + "<w:pPr><w:sectPr/></w:pPr>", words("Second."), BREAK, words("Third.")],
        [words("No break at all.")],
    ],
    ids=["a text longer than a page", "a section that may begin a page", "no break"],
)
def test_a_file_that_does_not_tell_its_pages_has_none(body: list[str]):
    parsed = parse_body(*body)
    assert (parsed.pages, parsed.page_count) == ([], None)


def test_headers_and_footers_stand_once_before_the_text():
    def fill(document: docx.document.Document) -> None:
        document.add_heading("Report", 1)
        document.add_section().header.is_linked_to_previous = False
        for section in document.sections:
            section.header.paragraphs[0].text = "ACME Corporation"
        document.sections[0].footer.paragraphs[0].text = "Confidential"

    parsed = parse_with_margins(fill)
    assert parsed.text == "ACME Corporation\n\nConfidential\n\nReport"
    assert parsed.heading_path_at(0) == []


@pytest.mark.parametrize(
    ("footer", "read"),
    [
        (words("Page ") + PAGE_FIELD, "Text"),
        (words("Page ") + "<w:fldSimple w:instr='PAGE'>" + words("3") + "</w:fldSimple>" + words(" of 7"), "Text"),
        (words("Version 2") + "<w:r><w:tab/></w:r>" + words("Page ") + PAGE_FIELD, "Version 2\n\nText"),
        (words("Internal use only, page ") + PAGE_FIELD, "Internal use only, page 3\n\nText"),
        ("<w:r><w:tab/></w:r>", "Text"),
    ],
    ids=["field", "simple field", "beside a number", "within words", "empty"],
)
def test_of_a_footer_the_page_number_is_left_out(footer: str, read: str):
    def fill(document: docx.document.Document) -> None:
        document.add_paragraph("Text")
        document.sections[0].footer.paragraphs[0].text = "FOOTER"

    assert parse_with_margins(fill, footer).text == read


def test_a_body_that_could_not_be_read_is_not_hidden_by_its_header():
    document = docx.Document()
    document.sections[0].header.paragraphs[0].text = "Letterhead"
    out = io.BytesIO()
    document.save(out)
    unread = b"<w:moveFrom><w:p><w:r><w:t>lost</w:t></w:r></w:p></w:moveFrom><w:sectPr"
    data = replace_in_zip(out.getvalue(), "word/document.xml", b"<w:sectPr", unread)
    with pytest.raises(CorruptedError):
        parse(data, "a.docx")


def hidden(content: str, properties: str = "<w:b/><w:vanish/>") -> str:
    return f"<w:r><w:rPr>{properties}</w:rPr>{content}</w:r>"


def t(text: str) -> str:
    return f"<w:t xml:space='preserve'>{text}</w:t>"


def test_hidden_text_is_left_out_with_all_that_is_within_it():
    parsed = parse_body(
        words("Shown") + hidden(t(" secret") + "<w:tab/><w:br/><w:footnoteReference w:id='1'/>") + words(" here."),
        hidden(f"<w:pict><w:p>{words('In a hidden box.')}</w:p></w:pict>{t('after')}") + words("Below."),
        hidden("<w:br w:type='page'/>") + words("Still on the first page."),
    )
    assert parsed.text == "Shown here.\n\nBelow.\n\nStill on the first page."
    assert parsed.pages == []


@pytest.mark.parametrize("value", ["0", "false", "off"])
def test_a_run_whose_hiding_is_switched_off_is_read(value: str):
    assert parse_body(hidden(t("Shown."), f"<w:vanish w:val='{value}'/>")).text == "Shown."


def test_a_hidden_paragraph_mark_hides_no_run():
    mark = "<w:rPr><w:vanish/><w:specVanish/></w:rPr>"
    box = f"<w:r><w:pict><w:p><w:pPr>{mark}</w:pPr>{words('In a box.')}</w:p></w:pict></w:r>"
    control = f"<w:sdt><w:sdtPr>{mark}</w:sdtPr><w:sdtContent>{words(' In a control.')}</w:sdtContent></w:sdt>"
    parsed = parse_body(f"<w:pPr>{mark}</w:pPr>" + words("Run-in."), box + words("Text.") + control)
    assert parsed.text == "Run-in.\n\nIn a box.\n\nText. In a control."


def test_hidden_text_of_headers_is_left_out():
    def fill(document: docx.document.Document) -> None:
        document.add_paragraph("Text")
        paragraph = document.sections[0].header.paragraphs[0]
        paragraph.add_run("Letterhead")
        paragraph.add_run(" draft 3").font.hidden = True

    assert parse_with_margins(fill).text == "Letterhead\n\nText"


def test_hidden_text_of_notes_is_left_out():
    note = f"<w:footnote w:id='7'><w:p>{words('A note')}{hidden(t(' and a secret'))}</w:p></w:footnote>"
    data = make_docx(body_xml=f"<w:p>{words('Text')}<w:r><w:footnoteReference w:id='7'/></w:r></w:p>")
    notes = f"<w:footnotes xmlns:w='urn:w'>{note}</w:footnotes>"
    data = add_part(data, "word/document.xml", "footnotes", "word/footnotes.xml", notes)
    assert parse(data, "a.docx").text == "Text\n\nA note"


def test_a_document_of_hidden_text_only_is_empty_and_not_damaged():
    parsed = parse_body(hidden(t("Secret.")), hidden(t("More.")))
    assert (parsed.text, parsed.warnings) == ("", ["NO_TEXT"])
