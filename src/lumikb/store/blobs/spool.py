"""Spool files: where a stream rests until its hash, and so its address, is known."""

import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO

import anyio.to_thread

from lumikb.store.blobs.errors import BlobStoreUnavailableError, BlobTooLargeError
from lumikb.store.blobs.port import HEAD_BYTES, StoredBlob

# A hop to a thread costs some 100 µs, a network chunk is often 16-64 KiB: gather before hopping.
_WRITE_BYTES = 1 << 20


@contextmanager
def os_errors_translated() -> Generator[None]:
    """Errors of the file system leave as `BlobStoreUnavailableError`, without paths."""
    try:
        yield
    except OSError as exc:
        reason = os.strerror(exc.errno) if exc.errno else type(exc).__name__
        raise BlobStoreUnavailableError(f"The file store cannot be used: {reason}.") from exc


@asynccontextmanager
async def spooled(
    chunks: AsyncIterator[bytes], incoming: Path, size_bytes_max: int
) -> AsyncGenerator[tuple[Path, StoredBlob]]:
    """The stream as a file in `incoming`, fsynced, with its hash; the file is gone after the block unless moved."""
    spool = await anyio.to_thread.run_sync(_Spool, incoming)
    try:
        pending, size_bytes = bytearray(), 0
        async for chunk in chunks:
            size_bytes += len(chunk)
            if size_bytes > size_bytes_max:
                raise BlobTooLargeError(size_bytes_max)
            pending += chunk
            if len(pending) >= _WRITE_BYTES:
                await anyio.to_thread.run_sync(spool.write, pending)
                pending = bytearray()
        blob = await anyio.to_thread.run_sync(spool.finish, pending)
        yield spool.path, blob
    finally:
        # On the loop on purpose: after a cancellation nothing can be awaited, and this is one close and one unlink.
        spool.discard()


@contextmanager
def spooled_bytes(data: bytes, incoming: Path) -> Generator[tuple[Path, StoredBlob]]:
    """`spooled` for bytes in memory."""
    spool = _Spool(incoming)
    try:
        blob = spool.finish(data)
        yield spool.path, blob
    finally:
        spool.discard()


def sweep(incoming: Path, older_than_seconds: float) -> int:
    """Remove the files of `incoming` that were last written longer ago than this; returns how many."""
    oldest = time.time() - older_than_seconds
    removed = 0
    with os_errors_translated():
        for path in incoming.iterdir():
            # A spool file may be moved to its place, or swept by another process, between two lines of this loop.
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime <= oldest:
                    path.unlink()
                    removed += 1
    return removed


class _Spool:
    """One file being written and hashed; used by one thread at a time."""

    def __init__(self, incoming: Path) -> None:
        self._hash = hashlib.sha256()
        self._head = b""
        self._size_bytes = 0
        with os_errors_translated():
            descriptor, name = tempfile.mkstemp(suffix=".part", dir=incoming)
            self._file: IO[bytes] = os.fdopen(descriptor, "wb")
        self.path = Path(name)

    def write(self, data: bytes | bytearray) -> None:
        if len(self._head) < HEAD_BYTES:
            self._head += bytes(data[: HEAD_BYTES - len(self._head)])
        self._hash.update(data)
        self._size_bytes += len(data)
        with os_errors_translated():
            self._file.write(data)

    def finish(self, data: bytes | bytearray) -> StoredBlob:
        self.write(data)
        with os_errors_translated():
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        return StoredBlob(self._hash.hexdigest(), self._size_bytes, self._head)

    def discard(self) -> None:
        # Closing flushes what a full disk refused a moment ago, and says so again.
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
