"""Messages between the pool and a parser's process: msgpack, each behind its length in four bytes, big end first."""

import os
import struct
from typing import Any

import msgspec

from lumikb.compute.parse import errors
from lumikb.compute.parse.errors import MemoryLimitError, ParseError
from lumikb.compute.parse.models import ParsedText
from lumikb.compute.parse.ocr_options import OcrOptions

LENGTH = struct.Struct(">I")
REQUEST_BYTES_MAX = 65_536
MAP_BYTES_MAX = 64 << 20
"""Room in a reply for pages, headings and metadata beside the text: a million headings."""
BOX_BYTES_MAX = 4
"""Room in a reply for the boxes of a character; on average they take about 2.3 bytes."""


class Arguments(msgspec.Struct, frozen=True):
    """What the pool passes on the command line, as JSON. `lifeline` is the read end of a pipe the parent holds open."""

    seconds_max: float
    ocr_seconds_max: float
    memory_bytes_max: int
    text_chars_max: int
    idle_seconds_max: float
    lifeline: int
    ocr_data_dir: str = OcrOptions.data_dir


class ParseRequest(msgspec.Struct, frozen=True):
    """Read the file at `path` (as the file system spells it), which was uploaded as `filename`."""

    path: bytes
    filename: str
    password: str | None = None
    ocr_languages: str = OcrOptions.languages


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The parsers are loaded; sent once."""


class Taken(msgspec.Struct, frozen=True, tag="taken"):
    """The request was read: from here on, the end of the process is the document's doing."""


class PageRecognition(msgspec.Struct, frozen=True, tag="page_recognition"):
    """OCR begins to read a page of the document: from now on it may take the time of a document anew."""


class ParseSuccess(msgspec.Struct, frozen=True, tag="success"):
    """The document's text."""

    parsed: ParsedText


class ParseFailure(msgspec.Struct, frozen=True, tag="failure"):
    """A `ParseError` by its class name. `traceback` is for the log, of an error that nobody foresaw."""

    error: str
    message: str
    details: dict[str, Any] = {}
    traceback: str = ""


Reply = Ready | Taken | PageRecognition | ParseSuccess | ParseFailure

_ERRORS = {
    name: value for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, ParseError)
}


def write_message(fd: int, message: msgspec.Struct, bytes_max: int) -> bool:
    """Write `message` to a blocking `fd`; False, with nothing written, when it is longer than `bytes_max`."""
    body = msgspec.msgpack.encode(message)
    if len(body) > bytes_max:
        return False
    for piece in (LENGTH.pack(len(body)), body):
        rest = memoryview(piece)
        while rest:
            rest = rest[os.write(fd, rest) :]
    return True


def reply_bytes_max(text_chars_max: int) -> int:
    """The longest reply: at most four bytes a character in UTF-8, its box, and the map; the length has 32 bits."""
    return min((4 + BOX_BYTES_MAX) * text_chars_max + MAP_BYTES_MAX, (1 << 32) - 1)


def to_failure(error: ParseError) -> ParseFailure:
    """What `to_error` makes an equal error of."""
    return ParseFailure(type(error).__name__, error.message, error.details)


def to_error(failure: ParseFailure) -> ParseError:
    """The error that the process raised, of the same class."""
    return _ERRORS.get(failure.error, ParseError)(failure.message, **failure.details)


def memory_limit_error() -> MemoryLimitError:
    """The same sentence whether the bound was met in Python or in native code."""
    return MemoryLimitError("Reading this file takes more memory than is allowed. Split it into parts.")
