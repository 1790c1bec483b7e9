"""One entry for every format: bytes and a file name in, text with its map out."""

from lumikb.compute.parse.archive import parse_gzip, parse_tar, parse_zip
from lumikb.compute.parse.container import Budget, ReadMember
from lumikb.compute.parse.csv import parse_csv
from lumikb.compute.parse.epub import parse_epub
from lumikb.compute.parse.errors import EncryptedError
from lumikb.compute.parse.formats import Format, detect_format
from lumikb.compute.parse.html import parse_html
from lumikb.compute.parse.image import parse_image
from lumikb.compute.parse.json import parse_json, parse_json_lines
from lumikb.compute.parse.mail import parse_mail
from lumikb.compute.parse.markdown import parse_markdown
from lumikb.compute.parse.models import ParsedText
from lumikb.compute.parse.ocr_options import OcrOptions
from lumikb.compute.parse.odf import parse_odf
from lumikb.compute.parse.office import parse_office
from lumikb.compute.parse.office_password import decrypt_office
from lumikb.compute.parse.pdf import parse_pdf
from lumikb.compute.parse.plain import parse_plain
from lumikb.compute.parse.rtf import parse_rtf
from lumikb.compute.parse.source import parse_source

TEXT_CHARS_MAX = 50_000_000
OCR_DEFAULT = OcrOptions()

_PARSERS = {
    Format.HTML: parse_html,
    Format.MARKDOWN: parse_markdown,
    Format.TEXT: parse_plain,
    Format.CSV: parse_csv,
    Format.RTF: parse_rtf,
    Format.EPUB: parse_epub,
    Format.JSON: parse_json,
    Format.JSON_LINES: parse_json_lines,
}


def parse(
    data: bytes,
    filename: str,
    *,
    text_chars_max: int = TEXT_CHARS_MAX,
    password: str | None = None,
    ocr: OcrOptions = OCR_DEFAULT,
) -> ParsedText:
    """The text of a document with its pages and headings. Every reason why there is none is a `ParseError`.

    `password` opens an encrypted PDF, Office file, OpenDocument file or ZIP archive, also one in an archive; `ocr` says
    how scans and images are read.

    Time and memory are bounded by the process this runs in (`lumikb.store.workers`), as no library bounds them.
    """
    budget = Budget(len(data))

    def parse_part(part: bytes, name: str) -> ParsedText:
        return _parse(part, name, text_chars_max, budget, read, password, ocr)

    def read(member: bytes, name: str) -> ParsedText:
        with budget.deeper():
            return parse_part(member, name)

    return parse_part(data, filename)


def _parse(
    data: bytes,
    filename: str,
    text_chars_max: int,
    budget: Budget,
    read: ReadMember,
    password: str | None,
    ocr: OcrOptions,
) -> ParsedText:

    try:
        kind = detect_format(data, filename)
    except EncryptedError:
        data = decrypt_office(data, password)
        kind = detect_format(data, filename)
    match kind:
        case Format.PDF:
            return parse_pdf(data, text_chars_max, ocr, password)
        case Format.DOCX | Format.PPTX | Format.XLSX:
            return parse_office(data, kind, text_chars_max)
        case Format.ODT | Format.ODS | Format.ODP:
            return parse_odf(data, kind, text_chars_max, password)
        case Format.SOURCE:
            return parse_source(data, filename, text_chars_max)
        case Format.MAIL:
            return parse_mail(data, text_chars_max, budget, read)
        case Format.ZIP:
            return parse_zip(data, text_chars_max, budget, read, password)
        case Format.TAR:
            return parse_tar(data, text_chars_max, budget, read)
        case Format.GZIP:
            return parse_gzip(data, filename, budget, read)
        case Format.PNG | Format.JPEG | Format.GIF | Format.TIFF | Format.WEBP | Format.BMP:
            return parse_image(data, kind, text_chars_max, ocr)
        case _:
            return _PARSERS[kind](data, text_chars_max)
