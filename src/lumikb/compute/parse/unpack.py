"""ZIP archives within bounds: what one unpacks to is known before anything is unpacked."""

import io
import lzma
import struct
import zipfile
import zlib
from typing import NoReturn

from lumikb.compute.parse.errors import ArchiveLimitError, CorruptedError

ENTRIES_MAX = 65_535
"""What a ZIP could hold before its 64-bit extension."""
UNPACKED_BYTES_MAX = 1 << 30
# Real documents stay below 100; only data that is made to blow up comes near deflate's own limit of 1032.
EXPANSION_MAX = 200
EXPANSION_FREE_BYTES = 32 << 20

UNPACK_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError),
    *(ValueError, OverflowError, NotImplementedError),
)
"""What `zipfile` raises for damaged data."""

_DIRECTORY_ENTRY = b"PK\x01\x02"


def open_zip(data: bytes) -> zipfile.ZipFile:
    """Raises `CorruptedError` when the directory is damaged, `ArchiveLimitError` beyond `ENTRIES_MAX` entries."""
    # Before the directory is read, which takes a second for 100,000 entries.
    if data.count(_DIRECTORY_ENTRY) > ENTRIES_MAX:
        raise ArchiveLimitError(f"This archive holds more than {ENTRIES_MAX:,} files. Split it into parts.")
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except UNPACK_ERRORS as exc:
        raise_corrupted(exc)


def unpacked_bytes_max(size_bytes: int) -> int:
    """How much a file of `size_bytes` may unpack to."""
    return min(UNPACKED_BYTES_MAX, max(EXPANSION_FREE_BYTES, EXPANSION_MAX * size_bytes))


def check_unpacked(unpacked_bytes: int, allowed: int) -> None:
    """Raises `ArchiveLimitError` when `unpacked_bytes` is more than is `allowed`."""
    if unpacked_bytes > allowed:
        raise ArchiveLimitError(
            "This file unpacks to far more data than a document has. Save it again from the program that made it.",
            unpacked_bytes=unpacked_bytes,
        )


def raise_corrupted(cause: Exception) -> NoReturn:
    """`CorruptedError` with the sentence that is true of every damaged file."""
    raise CorruptedError(
        "This file is damaged or incomplete. Open it in the program that made it, save it again and upload that."
    ) from cause
