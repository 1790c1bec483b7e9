import pytest
from support.books import make_epub, make_mail, make_odf, make_tar
from support.documents import MP3, PNG, make_docx, make_html, make_ole, make_pdf, make_pptx, make_xlsx, make_zip

from lumikb.compute.parse.errors import (
    EmptyFileError,
    EncryptedError,
    MimeTypeMismatchError,
    ParseError,
    UnsupportedFormatError,
)
from lumikb.compute.parse.formats import Format, detect_format

HEAD_BYTES = 65_536
SAMPLES = {
    Format.PDF: make_pdf(["page"]),
    Format.DOCX: make_docx([("Normal", "text")]),
    Format.PPTX: make_pptx([("Title", "body", "")]),
    Format.XLSX: make_xlsx({"Sheet": [["a", "b"]]}),
    Format.HTML: make_html("<p>text</p>"),
    Format.MARKDOWN: b"# Title\n",
    Format.TEXT: b"text\n",
    Format.CSV: b"a,b\n1,2\n",
    Format.RTF: rb"{\rtf1 text}",
    Format.ODT: make_odf("text", "<text:p>text</text:p>"),
    Format.ODS: make_odf("spreadsheet", ""),
    Format.ODP: make_odf("presentation", ""),
    Format.EPUB: make_epub({"a.xhtml": "<p>text</p>"}),
    Format.MAIL: make_mail("text"),
    Format.JSON: b'{"a": 1}',
    Format.JSON_LINES: b'{"a": 1}\n{"a": 2}\n',
    Format.SOURCE: b"def run():\n    pass\n",
    Format.ZIP: make_zip({"word/readme.txt": b"hello"}),
    Format.TAR: make_tar({"readme.txt": b"hello"}),
    Format.GZIP: make_tar({"readme.txt": b"hello"}, mode="w:gz"),
    Format.PNG: PNG,
    Format.JPEG: b"\xff\xd8\xff\xe0" + bytes(64),
    Format.GIF: b"GIF89a" + bytes(64),
    Format.TIFF: b"MM\x00*" + bytes(64),
    Format.WEBP: b"RIFF\x40\x00\x00\x00WEBPVP8 " + bytes(64),
    Format.BMP: b"BM\x40\x00\x00\x00" + bytes(4) + b"\x36\x00\x00\x00\x28" + bytes(64),
}


@pytest.mark.parametrize("kind", list(Format))
def test_each_format_is_found_on_the_whole_file_and_on_its_head(kind: Format):
    name = f"Report.v2{kind.extensions[0].upper()}"
    assert detect_format(SAMPLES[kind], name) is kind
    assert detect_format(SAMPLES[kind][:HEAD_BYTES], name) is kind
    assert detect_format(SAMPLES[kind][:1024], name) is kind


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (PNG, "a.docx"),
        (PNG, "a.jpg"),
        (b"text", "a.png"),
        (b"BM is the start of this text, too.", "a.bmp"),
        (PNG, "a.txt"),
        (SAMPLES[Format.PDF], "a.docx"),
        (SAMPLES[Format.PDF], "a.txt"),
        (SAMPLES[Format.XLSX], "a.docx"),
        (SAMPLES[Format.DOCX], "a.pdf"),
        (make_zip({"readme.txt": b"hello"}), "a.docx"),
        (make_zip({"readme.txt": b"hello"}), "a.txt"),
        (b"MZ\x90\x00" + bytes(100), "a.docx"),
        (b"just text", "a.pdf"),
        (b"just text", "a.xlsx"),
        (bytes(range(256)) * 4, "a.txt"),
        (b"\xff\xfe" + bytes(range(1, 255)) * 4, "a.txt"),
        (make_ole("WordDocument"), "a.docx"),
        (SAMPLES[Format.DOCX], "a.zip"),
        (SAMPLES[Format.ODT], "a.docx"),
        (SAMPLES[Format.ODT], "a.ods"),
        (SAMPLES[Format.EPUB], "a.zip"),
        (SAMPLES[Format.ZIP], "a.epub"),
        (SAMPLES[Format.RTF], "a.txt"),
        (SAMPLES[Format.TAR], "a.zip"),
        (SAMPLES[Format.GZIP], "a.txt"),
        (b"just text", "a.eml"),
        (b"just text", "a.rtf"),
        (b"Note: one field is no message\n\ntext", "a.eml"),
        (PNG, "a.py"),
        (PNG, "a.json"),
    ],
)
def test_content_that_is_not_what_the_name_says_is_a_mismatch(data: bytes, name: str):
    with pytest.raises(MimeTypeMismatchError):
        detect_format(data, name)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (make_ole("WordDocument"), "a.doc"),
        (b"RIFF\x40\x00\x00\x00WAVEfmt " + bytes(64), "noextension"),
        (MP3, "noextension"),
        (make_ole("WordDocument"), "noextension"),
        (b"text", "a.exe"),
    ],
)
def test_files_that_nothing_reads_are_unsupported(data: bytes, name: str):
    with pytest.raises(UnsupportedFormatError):
        detect_format(data, name)


@pytest.mark.parametrize("data", [make_ole("EncryptionInfo", "EncryptedPackage"), make_ole()])
def test_an_office_file_behind_a_password_is_encrypted_even_when_its_directory_is_cut_off(data: bytes):
    with pytest.raises(EncryptedError) as caught:
        detect_format(data, "a.docx")
    assert "Retry with it" in caught.value.message


def test_a_file_without_bytes_is_empty():
    with pytest.raises(EmptyFileError):
        detect_format(b"", "a.pdf")


def test_a_name_without_extension_leaves_it_to_the_content():
    assert detect_format(SAMPLES[Format.PDF], "report") is Format.PDF
    assert detect_format(SAMPLES[Format.DOCX], "report") is Format.DOCX
    assert detect_format(SAMPLES[Format.HTML], "report") is Format.HTML
    assert detect_format(b"some words", "README") is Format.TEXT
    for kind in (Format.RTF, Format.ODP, Format.EPUB, Format.MAIL, Format.TAR):
        assert detect_format(SAMPLES[kind], "report") is kind
    assert detect_format(make_zip({"readme.txt": b"hello"}), "papers") is Format.ZIP


def test_an_archive_of_documents_is_told_from_a_document():
    stored = make_zip({"a.docx": SAMPLES[Format.DOCX], "word/a.txt": b"text"}, compression=0)
    assert detect_format(stored, "a.zip") is Format.ZIP
    assert detect_format(stored, "papers") is Format.ZIP
    assert detect_format(make_zip({"META-INF/container.xml": b"<container/>", "a.opf": b""}), "a.epub") is Format.EPUB
    assert detect_format(make_zip({"content.xml": b"<a/>", "META-INF/manifest.xml": b"<a/>"}), "a.odt") is Format.ODT


def test_a_message_is_a_text_under_the_name_of_one():
    assert detect_format(SAMPLES[Format.MAIL], "a.txt") is Format.TEXT
    assert detect_format(b"From ann Mon\nReceived: x\n by y\nDate: now\n\nHi", "a.eml") is Format.MAIL
    assert detect_format(b"BM is the start of this text, too.", "README") is Format.TEXT
    assert detect_format(PNG, "noextension") is Format.PNG


def test_utf16_is_text_with_and_without_byte_order_mark():
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32"):
        assert detect_format("Grüße aus Köln, with words\n".encode(encoding), "a.txt") is Format.TEXT


def test_a_pdf_header_after_leading_junk_is_accepted_under_its_own_name_only():
    data = b"junk\n" + SAMPLES[Format.PDF]
    assert detect_format(data, "a.pdf") is Format.PDF
    assert detect_format(b"About the bytes %PDF- in files", "a.txt") is Format.TEXT


def test_a_workbook_stored_inside_a_presentation_does_not_hide_it():
    inner = make_zip({"xl/workbook.xml": b"<workbook/>"}, compression=0)
    data = make_zip({"ppt/presentation.xml": b"<p/>", "ppt/embeddings/a.xlsx": inner}, compression=0)
    assert detect_format(data, "a.pptx") is Format.PPTX


def test_every_refusal_is_a_sentence():
    for data, name in ((PNG, "a.docx"), (b"", "a.txt"), (PNG, "a.gif"), (make_ole(), "a.xlsx")):
        with pytest.raises(ParseError) as caught:
            detect_format(data, name)
        assert caught.value.message.endswith(".")
