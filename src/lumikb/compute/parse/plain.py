"""Plain text: the source itself, decoded."""

import codecs

from lumikb.compute.parse.charset import decode_as, encoding_name, guess_encoding
from lumikb.compute.parse.formats import wide_encoding
from lumikb.compute.parse.models import ParsedText
from lumikb.compute.parse.text import TextBuilder, check_length, storable

ENCODING_GUESSED = "ENCODING_GUESSED"


def decode(data: bytes, text_chars_max: int) -> tuple[str, list[str]]:
    """The characters of `data` without its byte order mark, NULs as U+FFFD, and warnings about its encoding.

    By byte order mark, as UTF-8, by the pattern of UTF-16, else as what it looks like, with the warning
    `ENCODING_GUESSED: windows-1252`, which names it. Line ends stay as they are.
    """
    warnings: list[str] = []
    encoding = wide_encoding(data)
    if encoding is not None:
        text = data.decode(encoding, errors="replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            codec = guess_encoding(data)
            text = decode_as(data.removeprefix(codecs.BOM_UTF8), codec)
            warnings.append(f"{ENCODING_GUESSED}: {encoding_name(codec)}")
    check_length(len(text), text_chars_max)
    return storable(text), warnings


def parse_plain(data: bytes, text_chars_max: int) -> ParsedText:
    """The decoded source as it stands."""
    text, warnings = decode(data, text_chars_max)
    builder = TextBuilder(text_chars_max)
    builder.append(text)
    return builder.build(warnings=warnings)
