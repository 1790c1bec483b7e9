"""Blobs as files of a local directory."""

import os
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO

import anyio.to_thread

from lumikb.store.blobs.errors import BlobNotFoundError, BlobTooLargeError, UploadGoneError
from lumikb.store.blobs.intact import ensure_intact, intact
from lumikb.store.blobs.port import (
    STREAM_CHUNK_BYTES_MAX,
    StoredBlob,
    blob_path,
    ensure_misplaced,
    is_blob_path,
)
from lumikb.store.blobs.spool import os_errors_translated, spooled, spooled_bytes, sweep
from lumikb.store.blobs.uploads import describe


class LocalBlobStore:
    """`BlobStore` on a directory tree `aa/bb/<sha256>`. `incoming` must lie on the same file system as `root`."""

    def __init__(self, root: Path, incoming: Path) -> None:
        self._root = root
        self._incoming = incoming

    def open(self) -> None:
        """Make the directories."""
        with os_errors_translated():
            self._root.mkdir(parents=True, exist_ok=True)
            self._incoming.mkdir(parents=True, exist_ok=True)

    def close(self) -> None:
        """Nothing is held open."""

    def check(self) -> None:
        """Write and remove an empty file."""
        with spooled_bytes(b"", self._incoming), os_errors_translated():
            next(self._root.iterdir(), None)

    async def put(
        self, chunks: AsyncIterator[bytes], *, size_bytes_max: int, announce: Callable[[StoredBlob], None] | None = None
    ) -> StoredBlob:
        """See the port."""
        async with spooled(chunks, self._incoming, size_bytes_max) as (path, blob):
            if announce is not None:
                announce(blob)
            await anyio.to_thread.run_sync(self._place, path, blob.sha256)
        return blob

    def put_bytes(self, data: bytes) -> StoredBlob:
        """See the port."""
        with spooled_bytes(data, self._incoming) as (path, blob):
            self._place(path, blob.sha256)
        return blob

    def take_file(self, path: Path, blob: StoredBlob) -> None:
        """See the port: the file is moved."""
        if not path.exists():
            raise UploadGoneError
        self._place(path, blob.sha256)

    def read(self, sha256: str, *, size_bytes_max: int | None = None) -> bytes:
        """See the port."""
        with self._file(sha256) as file, os_errors_translated():
            if size_bytes_max is not None and os.fstat(file.fileno()).st_size > size_bytes_max:
                raise BlobTooLargeError(size_bytes_max)
            return intact(file.read(), sha256)

    def local_copy(self, sha256: str) -> AbstractContextManager[Path]:
        """The store's own file: nothing is copied."""
        return self._own_file(sha256)

    async def stream(self, sha256: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """See the port."""
        if start < 0 or (end is not None and end < start):
            raise ValueError("a range starts at 0 or later and does not end before it starts")
        file = await anyio.to_thread.run_sync(self._file, sha256)
        try:
            position = start
            while end is None or position < end:
                wanted = STREAM_CHUNK_BYTES_MAX if end is None else min(STREAM_CHUNK_BYTES_MAX, end - position)
                chunk = await anyio.to_thread.run_sync(_read_at, file, position, wanted)
                if not chunk:
                    break
                position += len(chunk)
                yield chunk
        finally:
            file.close()

    def size(self, sha256: str) -> int:
        """See the port."""
        path = self._root / blob_path(sha256)
        with os_errors_translated():
            try:
                return path.stat().st_size
            except FileNotFoundError as exc:
                raise BlobNotFoundError(sha256) from exc

    def exists(self, sha256: str) -> bool:
        """See the port."""
        path = self._root / blob_path(sha256)
        with os_errors_translated():
            return path.exists()

    def measure(self, sha256: str) -> StoredBlob:
        """See the port."""
        with self._file(sha256) as file, os_errors_translated():
            return describe(iter(lambda: file.read(STREAM_CHUNK_BYTES_MAX), b""))

    def delete(self, sha256: str) -> None:
        """See the port."""
        path = self._root / blob_path(sha256)
        with os_errors_translated():
            path.unlink(missing_ok=True)

    def list(self, *, older_than_seconds: float = 0.0) -> Iterator[str]:
        """See the port."""
        with os_errors_translated():
            for path in self._root.glob("??/??/*"):
                if is_blob_path(path.relative_to(self._root).as_posix()) and _is_old(path, older_than_seconds):
                    yield path.name

    def list_strays(self) -> Iterator[str]:
        """See the port."""
        for directory, _, names in os.walk(self._root):
            for name in names:
                relative = Path(directory, name).relative_to(self._root).as_posix()
                if not is_blob_path(relative):
                    yield relative

    def delete_misplaced(self, relative: str) -> None:
        """See the port."""
        ensure_misplaced(relative)
        with os_errors_translated():
            (self._root / relative).unlink(missing_ok=True)

    def sweep_incoming(self, older_than_seconds: float) -> int:
        """See the port."""
        return sweep(self._incoming, older_than_seconds)

    def _place(self, spool: Path, sha256: str) -> None:
        path = self._root / blob_path(sha256)
        with os_errors_translated():
            for directory in (path.parent.parent, path.parent):
                if not directory.exists():
                    directory.mkdir(exist_ok=True)
                    _sync_directory(directory.parent)
            # Atomic, and the same bytes whoever wins a race; a damaged file of that name is replaced.
            spool.replace(path)
            _sync_directory(path.parent)

    def _file(self, sha256: str) -> IO[bytes]:
        path = self._root / blob_path(sha256)
        with os_errors_translated():
            try:
                return path.open("rb")
            except FileNotFoundError as exc:
                raise BlobNotFoundError(sha256) from exc

    @contextmanager
    def _own_file(self, sha256: str) -> Generator[Path]:
        path = self._root / blob_path(sha256)
        if not self.exists(sha256):
            raise BlobNotFoundError(sha256)
        with os_errors_translated():
            ensure_intact(path, sha256)
        yield path


def _is_old(path: Path, seconds: float) -> bool:
    if seconds <= 0:
        return True
    try:
        return path.stat().st_mtime <= time.time() - seconds
    except FileNotFoundError:  # erased since the directory was read
        return False


def _read_at(file: IO[bytes], position: int, size_bytes: int) -> bytes:
    with os_errors_translated():
        return os.pread(file.fileno(), size_bytes, position)


def _sync_directory(path: Path) -> None:
    # A rename is durable once its directory is (POSIX fsync; rename(2) alone promises only atomicity).
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
