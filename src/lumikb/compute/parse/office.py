"""Office files: opens the package, has its kind read, and never takes a failed reading for an empty document."""

from lumikb.compute.parse.docx import read_docx
from lumikb.compute.parse.formats import Format
from lumikb.compute.parse.models import ParsedText
from lumikb.compute.parse.ooxml import Package
from lumikb.compute.parse.pptx import read_pptx
from lumikb.compute.parse.text import TextBuilder
from lumikb.compute.parse.xlsx import read_xlsx


def parse_office(data: bytes, kind: Format, text_chars_max: int) -> ParsedText:
    """The text of a DOCX, PPTX or XLSX.

    Raises `CorruptedError` also when nothing could be read although the file holds text.
    """
    package = Package(data)
    builder = TextBuilder(text_chars_max)
    page_count: int | None = None
    if kind is Format.DOCX:
        parts, page_count = read_docx(package, builder)
    elif kind is Format.PPTX:
        parts, page_count = read_pptx(package, builder)
    else:
        parts = read_xlsx(package, builder)
    title, metadata = package.properties()
    parsed = builder.build(page_count=page_count, title=title, metadata=metadata)
    if not parsed.text:
        package.check_empty(parts)
    return parsed
