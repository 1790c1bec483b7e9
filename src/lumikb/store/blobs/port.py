"""The port of the blob store: bytes under the SHA-256 of their content."""

import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

HEAD_BYTES = 65_536
STREAM_CHUNK_BYTES_MAX = 1 << 20

_ADDRESS = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class StoredBlob:
    """A blob that is in the store. `sha256` is lower-case hex; `head` holds its first `HEAD_BYTES` bytes."""

    sha256: str
    size_bytes: int
    head: bytes


def is_address(name: str) -> bool:
    """Whether this is a blob's address: a SHA-256 in lower-case hexadecimal digits."""
    return _ADDRESS.fullmatch(name) is not None


def blob_path(sha256: str) -> str:
    """Relative path of a blob, `aa/bb/<sha256>`, in every adapter, so that stores can be copied into each other.

    Anything but 64 lower-case hex digits raises `ValueError`: an address never reaches a file system unchecked.
    """
    if not is_address(sha256):
        raise ValueError("a blob's address is 64 lower-case hex digits")
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"


def is_blob_path(relative: str) -> bool:
    """Whether `relative` is what `blob_path` makes of its last part."""
    name = relative.rpartition("/")[2]
    return is_address(name) and blob_path(name) == relative


def is_misplaced(relative: str) -> bool:
    """Whether `relative` is called like a blob and lies elsewhere than `blob_path` says, so that nobody finds it."""
    name = relative.rpartition("/")[2]
    return is_address(name) and blob_path(name) != relative


def ensure_misplaced(relative: str) -> None:
    """Raise `ValueError` for a path that `is_misplaced` does not hold of, or that leads out of the store."""
    if not is_misplaced(relative) or {"", ".."} & set(relative.split("/")):
        raise ValueError("only what is called like a blob and lies in the wrong place is removed by its path")


class BlobStore(Protocol):
    """Content-addressed store: a blob never changes, the same bytes are stored once, whoever puts them.

    Every method may raise `BlobStoreUnavailableError`, and no error of a vendor; an address that is not 64 lower-case
    hex digits raises `ValueError`. `put` and `stream` are for the event loop and keep file and network work off it;
    the others block and may be called from any thread. Constructors do no I/O: call `open` first.
    """

    def open(self) -> None:
        """Prepare the store; may be repeated."""
        ...

    def close(self) -> None:
        """Let go of connections; may be repeated."""
        ...

    def check(self) -> None:
        """Return when the store can be read and written, else raise `BlobStoreUnavailableError`."""
        ...

    async def put(
        self, chunks: AsyncIterator[bytes], *, size_bytes_max: int, announce: Callable[[StoredBlob], None] | None = None
    ) -> StoredBlob:
        """Store a stream; its bytes are on disk (or acknowledged by the server) when this returns.

        `announce` is called with the blob that will be given, before it can be seen in the store.

        The stream is spooled to a file while it is hashed, never held in memory. More than `size_bytes_max` bytes
        raise `BlobTooLargeError`; that, an error of `chunks` (passed on as it is) and cancellation leave nothing
        behind. A crash may leave a spool file for `sweep_incoming`. What lies at the blob's address already is
        replaced, for it may have been damaged there.
        """
        ...

    def put_bytes(self, data: bytes) -> StoredBlob:
        """Store bytes that are already in memory, with the guarantees of `put`."""
        ...

    def take_file(self, path: Path, blob: StoredBlob) -> None:
        """Store a file of this machine that nobody writes to any more, with the guarantees of `put`.

        `blob` tells what it holds. The file may be moved or left; one that is missing raises `UploadGoneError`.
        """
        ...

    def read(self, sha256: str, *, size_bytes_max: int | None = None) -> bytes:
        """The whole blob. Raises `BlobNotFoundError`, or `BlobTooLargeError` before reading past the limit.

        Raises `BlobDamagedError` when the bytes are not those that were stored, as `local_copy` does; `stream` does not
        look.
        """
        ...

    def local_copy(self, sha256: str) -> AbstractContextManager[Path]:
        """A file with the blob's bytes, to be read only, for the length of the `with` block.

        Raises `BlobNotFoundError` or `BlobDamagedError` on entering. The file may be the store's own: never write to
        it, move or delete it.
        """
        ...

    def stream(self, sha256: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from `start` up to and without `end`, in chunks of at most `STREAM_CHUNK_BYTES_MAX`.

        `end` past the blob's end, or None, means its end; a start past it gives nothing. A negative or reversed range
        raises `ValueError`, a missing blob `BlobNotFoundError`, both when the first chunk is asked for.
        """
        ...

    def size(self, sha256: str) -> int:
        """Length in bytes. Raises `BlobNotFoundError`."""
        ...

    def exists(self, sha256: str) -> bool:
        """Whether the blob is in the store."""
        ...

    def measure(self, sha256: str) -> StoredBlob:
        """What lies at this address in truth, read piece by piece: a sound blob has the `sha256` that was asked for.

        Raises `BlobNotFoundError`.
        """
        ...

    def delete(self, sha256: str) -> None:
        """Remove the blob; removing one that is missing is no error."""
        ...

    def list(self, *, older_than_seconds: float = 0.0) -> Iterator[str]:
        """All addresses, or those stored longer ago, in no given order, read lazily; foreign files are passed over."""
        ...

    def list_strays(self) -> Iterator[str]:
        """Relative paths of all that lies in the store and is no blob in its place, in no given order, read lazily.

        That is what `is_misplaced`, and files of others.
        """
        ...

    def delete_misplaced(self, relative: str) -> None:
        """Remove what `list_strays` gave and `is_misplaced`; any other path raises `ValueError`."""
        ...

    def sweep_incoming(self, older_than_seconds: float) -> int:
        """Remove what a crash left of puts (spool files, parts), begun longer ago than this; returns how many."""
        ...
