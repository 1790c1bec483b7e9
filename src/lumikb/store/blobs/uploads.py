"""The port of direct uploads: where a client's bytes rest until they are known, and become a blob."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from lumikb.store.blobs.port import HEAD_BYTES, StoredBlob

_UPLOAD_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_upload_id(name: str) -> bool:
    """Whether `name` is a UUID as we write them: no other ever becomes part of a path, and nothing else is swept."""
    return _UPLOAD_ID.fullmatch(name) is not None


@dataclass(frozen=True)
class UploadPart:
    """An address that takes the bytes `[start, end)` of the file by PUT, and nothing else."""

    url: str
    start: int
    end: int


@dataclass(frozen=True)
class UploadTicket:
    """Where the bytes go. `handle` is the store's own word for the upload; no `parts`: this server takes the bytes."""

    handle: str
    parts: tuple[UploadPart, ...]


class UploadStore(Protocol):
    """Takes the bytes of uploads, each under an id of ours, and makes blobs of them.

    The order is `begin`, bytes from the client, `seal`, `measure`, `place`, `discard`; each may be repeated, also by
    another process after a crash. What was sealed is changed by nobody, so what `measure` saw is what `place` stores.
    Methods block and may be called from any thread; each may raise `BlobStoreUnavailableError`.
    """

    def open(self) -> None:
        """Prepare the store; may be repeated."""
        ...

    def close(self) -> None:
        """Let go of connections; may be repeated."""
        ...

    def begin(self, upload_id: str, size_bytes: int, seconds: int) -> UploadTicket:
        """Make room for `size_bytes` bytes; the addresses of the ticket hold for so many seconds."""
        ...

    def seal(self, upload_id: str, handle: str, size_bytes: int) -> None:
        """Take no more bytes. Raises `UploadIncompleteError`, `UploadMismatchError` and `UploadGoneError`."""
        ...

    def measure(self, upload_id: str) -> StoredBlob:
        """What a sealed upload holds, read piece by piece; raises `UploadGoneError`."""
        ...

    def place(self, upload_id: str, blob: StoredBlob) -> None:
        """Make a sealed upload the blob that `measure` gave; raises `UploadGoneError`."""
        ...

    def discard(self, upload_id: str, handle: str) -> None:
        """Remove what is left of the upload."""
        ...

    def list(self, *, older_than_seconds: float) -> Iterator[tuple[str, str]]:
        """Id and handle of all that lies here and was not written to for so long."""
        ...


def describe(pieces: Iterable[bytes]) -> StoredBlob:
    """Hash, length and head of a stream."""
    total, head, size_bytes = hashlib.sha256(), b"", 0
    for piece in pieces:
        total.update(piece)
        size_bytes += len(piece)
        if len(head) < HEAD_BYTES:
            head += piece[: HEAD_BYTES - len(head)]
    return StoredBlob(total.hexdigest(), size_bytes, head)
