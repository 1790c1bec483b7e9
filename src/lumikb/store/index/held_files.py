"""Files that another part of the process has mapped into memory."""

import json
import os
import struct
import zlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

# How tantivy ends a file: a footer in JSON with the CRC-32 of what stands before it, its length, and this number.
_FOOTER = struct.Struct("<II")
_FOOTER_MAGIC = 1337
_READ_BYTES = 1 << 20

# Inode, size and time of the last change of content.
Stamp = tuple[int, int, int]


class HeldFiles:
    """Files of an index that never change, and whether somebody changed them.

    Reading a mapped file that was truncated ends the process (SIGBUS), so it must be known before. The files are held
    open: one that was moved or deleted is still the one that is mapped, and not a change.
    """

    def __init__(self, paths: Iterable[Path], checked: "HeldFiles | None" = None) -> None:
        """Hold the files; those that `checked` did not hold are compared with their checksums (see `unsound`)."""
        self._stamps: dict[int, Stamp] = {}
        self._names: dict[int, str] = {}
        known: set[Stamp] = set() if checked is None else set(checked._stamps.values())
        # Names of those whose checksum is another.
        self.unsound: list[str] = []
        for path in paths:
            with suppress(FileNotFoundError):  # merged away by another process: out of everybody's reach
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                stamp = self._stamps[descriptor] = _stamp(descriptor)
                self._names[descriptor] = path.name
                if stamp not in known and not _has_its_checksum(descriptor, stamp[1]):
                    self.unsound.append(path.name)

    def unchanged(self) -> bool:
        """Whether all are as they were: some .5 µs a file."""
        return all(_stamp(descriptor) == stamp for descriptor, stamp in self._stamps.items())

    def changed(self) -> list[str]:
        """Names of those that are not as they were."""
        return [self._names[descriptor] for descriptor, stamp in self._stamps.items() if _stamp(descriptor) != stamp]

    def __del__(self) -> None:
        # Not by a call: a search in another thread may still be asking.
        for descriptor in self._stamps:
            os.close(descriptor)


def _stamp(descriptor: int) -> Stamp:
    status = os.fstat(descriptor)
    return status.st_ino, status.st_size, status.st_mtime_ns


def _has_its_checksum(descriptor: int, size: int) -> bool:
    """Some 3 GB a second."""
    if size < _FOOTER.size:
        return False
    length, magic = _FOOTER.unpack(os.pread(descriptor, _FOOTER.size, size - _FOOTER.size))
    content_bytes = size - _FOOTER.size - length
    if magic != _FOOTER_MAGIC or content_bytes < 0:
        return False
    try:
        expected = json.loads(os.pread(descriptor, length, content_bytes))["crc"]
    except (ValueError, KeyError, TypeError):
        return False
    found, at = 0, 0
    while at < content_bytes and (piece := os.pread(descriptor, min(_READ_BYTES, content_bytes - at), at)):
        found = zlib.crc32(piece, found)
        at += len(piece)
    return found == expected
