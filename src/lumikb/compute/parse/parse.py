"""One entry for every format: bytes and a file name in, text with its map out."""

from lumikb.compute.parse.csv import parse_csv
from lumikb.compute.parse.formats import Format, detect_format
from lumikb.compute.parse.html import parse_html
from lumikb.compute.parse.image import parse_image
from lumikb.compute.parse.markdown import parse_markdown
from lumikb.compute.parse.models import ParsedText
from lumikb.compute.parse.ocr import OcrOptions
from lumikb.compute.parse.office import parse_office
from lumikb.compute.parse.pdf import parse_pdf
from lumikb.compute.parse.plain import parse_plain

TEXT_CHARS_MAX = 50_000_000
OCR_DEFAULT = OcrOptions()


def parse(
    data: bytes,
    filename: str,
    *,
    text_chars_max: int = TEXT_CHARS_MAX,
    password: str | None = None,
    ocr: OcrOptions = OCR_DEFAULT,
) -> ParsedText:
    """The text of a document with its pages and headings. Every reason why there is none is a `ParseError`.

    `password` opens an encrypted PDF.

    Time and memory are bounded by the process this runs in (`lumikb.store.workers`), as no library bounds them.
    """
    kind = detect_format(data, filename)
    match kind:
        case Format.PDF:
            return parse_pdf(data, text_chars_max, ocr, password)
        case Format.DOCX | Format.PPTX | Format.XLSX:
            return parse_office(data, kind, text_chars_max)
        case Format.HTML:
            return parse_html(data, text_chars_max)
        case Format.MARKDOWN:
            return parse_markdown(data, text_chars_max)
        case Format.CSV:
            return parse_csv(data, text_chars_max)
        case Format.TEXT:
            return parse_plain(data, text_chars_max)
        case Format.PNG | Format.JPEG | Format.GIF | Format.TIFF | Format.WEBP | Format.BMP:
            return parse_image(data, kind, text_chars_max, ocr)
