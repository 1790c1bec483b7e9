"""Plain text: the source itself, decoded, with one kind of newline."""

from lumikb.compute.parse.formats import wide_encoding
from lumikb.compute.parse.models import ParsedText
from lumikb.compute.parse.text import TextBuilder, check_length, clean

ENCODING_GUESSED = "ENCODING_GUESSED"

# Five bytes mean nothing in Windows-1252; the web's decoder gives the control character of that number
# (https://encoding.spec.whatwg.org/#legacy-single-byte-encodings).
_CP1252_HOLES = {0xDC00 + byte: byte for byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D)}


def decode(data: bytes, text_chars_max: int) -> tuple[str, list[str]]:
    """The text of `data` with `\\n` for every newline and without a byte order mark, and warnings about its encoding.

    By byte order mark, as UTF-8, by the pattern of UTF-16, else as Windows-1252 with the warning `ENCODING_GUESSED`.
    """
    warnings: list[str] = []
    encoding = wide_encoding(data)
    if encoding is not None:
        text = data.decode(encoding, errors="replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("cp1252", errors="surrogateescape").translate(_CP1252_HOLES)
            warnings.append(ENCODING_GUESSED)
    text = clean(text).replace("\r\n", "\n").replace("\r", "\n")
    check_length(len(text), text_chars_max)
    return text, warnings


def parse_plain(data: bytes, text_chars_max: int) -> ParsedText:
    """The decoded source as it stands."""
    text, warnings = decode(data, text_chars_max)
    builder = TextBuilder(text_chars_max)
    builder.append(text)
    return builder.build(warnings=warnings)
