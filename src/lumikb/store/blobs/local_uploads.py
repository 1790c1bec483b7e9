"""Direct uploads to this server, as files of a local directory that can be gone on with."""

import contextlib
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio.to_thread

from lumikb.store.blobs.errors import (
    BlobStoreUnavailableError,
    UploadGoneError,
    UploadIncompleteError,
    UploadMismatchError,
    UploadOvertakenError,
)
from lumikb.store.blobs.port import STREAM_CHUNK_BYTES_MAX, BlobStore, StoredBlob
from lumikb.store.blobs.spool import os_errors_translated
from lumikb.store.blobs.uploads import UploadTicket, describe, is_upload_id

SEALED = ".sealed"
# As for spool files: gather before hopping to a thread. A process that dies loses no more than this.
_WRITE_BYTES = 1 << 20


class LocalUploads:
    """`UploadStore` on a directory, a file for each upload; a sealed one has another name, which no writer opens.

    `directory` must lie on the file system of a local blob store, which then moves the file to its place.
    """

    def __init__(self, directory: Path, blobs: BlobStore) -> None:
        self._directory = directory
        self._blobs = blobs
        self._writers: dict[str, _Writer] = {}
        self._lock = threading.Lock()

    def open(self) -> None:
        """Make the directory."""
        with os_errors_translated():
            self._directory.mkdir(parents=True, exist_ok=True)

    def close(self) -> None:
        """Nothing is held open."""

    def begin(self, upload_id: str, size_bytes: int, seconds: int) -> UploadTicket:
        """See the port."""
        with os_errors_translated():
            self._path(upload_id).touch(mode=0o600)
        return UploadTicket("", ())

    def received(self, upload_id: str) -> int:
        """How many bytes are there; raises `UploadGoneError`."""
        with os_errors_translated():
            for path in (self._path(upload_id), self._path(upload_id, SEALED)):
                with contextlib.suppress(FileNotFoundError):
                    return path.stat().st_size
        raise UploadGoneError

    async def write(self, upload_id: str, start: int, chunks: AsyncIterator[bytes], *, end: int) -> int:
        """Write what arrives for `[start, end)`, over what was there from `start` on; gives how many bytes are there.

        What arrived before `chunks` breaks off is kept, unless it was too much (`UploadMismatchError`). Raises
        `UploadIncompleteError` when `start` lies behind what is there, `UploadOvertakenError` when another writer
        comes, `UploadGoneError` when the upload is sealed or gone.
        """
        writer = await anyio.to_thread.run_sync(self._begin_writing, upload_id, start)
        pending = bytearray()
        try:
            position = start
            async for chunk in chunks:
                position += len(chunk)
                if position > end:
                    pending.clear()
                    await anyio.to_thread.run_sync(writer.forget_all)
                    raise UploadMismatchError("More bytes came than were announced. Send the file again.", size=end)
                pending += chunk
                if len(pending) >= _WRITE_BYTES:
                    full, pending = pending, bytearray()
                    await anyio.to_thread.run_sync(writer.write, full)
            full, pending = pending, bytearray()
            await anyio.to_thread.run_sync(writer.write, full)
            await anyio.to_thread.run_sync(writer.sync)
            return position
        finally:
            # On the loop on purpose: after a cancellation nothing can be awaited, and this is a megabyte at most.
            writer.close(pending)
            with self._lock:
                if self._writers.get(upload_id) is writer:
                    del self._writers[upload_id]

    def seal(self, upload_id: str, handle: str, size_bytes: int) -> None:
        """See the port."""
        path, sealed = self._path(upload_id), self._path(upload_id, SEALED)
        with self._lock, os_errors_translated():
            try:
                received = path.stat().st_size
                if received < size_bytes:
                    raise UploadIncompleteError(received_bytes=received, size_bytes=size_bytes)
                self._stop_writer(upload_id)
                with path.open("rb") as file:
                    os.fsync(file.fileno())
                path.rename(sealed)
            except FileNotFoundError as exc:
                if not sealed.exists():
                    raise UploadGoneError from exc

    def measure(self, upload_id: str) -> StoredBlob:
        """See the port."""
        with os_errors_translated():
            try:
                with self._path(upload_id, SEALED).open("rb") as file:
                    return describe(iter(lambda: file.read(STREAM_CHUNK_BYTES_MAX), b""))
            except FileNotFoundError as exc:
                raise UploadGoneError from exc

    def place(self, upload_id: str, blob: StoredBlob) -> None:
        """See the port: a local store moves the file, another copies it."""
        try:
            self._blobs.take_file(self._path(upload_id, SEALED), blob)
        except (UploadGoneError, BlobStoreUnavailableError):
            if not self._blobs.exists(blob.sha256):  # or the same request at the same time has placed it
                raise

    def discard(self, upload_id: str, handle: str) -> None:
        """See the port."""
        with self._lock, os_errors_translated():
            self._stop_writer(upload_id)
            self._path(upload_id).unlink(missing_ok=True)
            self._path(upload_id, SEALED).unlink(missing_ok=True)

    def list(self, *, older_than_seconds: float) -> Iterator[tuple[str, str]]:
        """See the port."""
        oldest = time.time() - older_than_seconds
        with os_errors_translated():
            for path in self._directory.iterdir():
                name = path.name.removesuffix(SEALED)
                with contextlib.suppress(FileNotFoundError):
                    if is_upload_id(name) and path.stat().st_mtime <= oldest:
                        yield name, ""

    def _begin_writing(self, upload_id: str, start: int) -> "_Writer":
        with self._lock, os_errors_translated():
            # A client that goes on after a broken connection comes before the server has noticed the break.
            self._stop_writer(upload_id)
            try:
                writer = _Writer(self._path(upload_id), start)
            except FileNotFoundError as exc:
                raise UploadGoneError from exc
            self._writers[upload_id] = writer
            return writer

    def _stop_writer(self, upload_id: str) -> None:
        writer = self._writers.pop(upload_id, None)
        if writer is not None:
            writer.stop()

    def _path(self, upload_id: str, suffix: str = "") -> Path:
        if not is_upload_id(upload_id):
            raise UploadGoneError
        return self._directory / (upload_id + suffix)


class _Writer:
    """The one request that writes to a file; after `stop` it writes nothing more."""

    def __init__(self, path: Path, start: int) -> None:
        self._lock = threading.Lock()
        self._stopped = False
        self._file = path.open("r+b", buffering=0)
        received = self._file.seek(0, os.SEEK_END)
        if start > received:
            self._file.close()
            raise UploadIncompleteError(received_bytes=received)
        self._file.truncate(start)
        self._file.seek(start)

    def write(self, data: bytes | bytearray) -> None:
        with self._lock, os_errors_translated():
            if self._stopped:
                raise UploadOvertakenError
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]

    def sync(self) -> None:
        with self._lock, os_errors_translated():
            if not self._stopped:
                os.fsync(self._file.fileno())

    def forget_all(self) -> None:
        with self._lock, os_errors_translated():
            if not self._stopped:
                self._file.truncate(0)

    def stop(self) -> None:
        with self._lock:
            self._stopped = True

    def close(self, pending: bytearray) -> None:
        with contextlib.suppress(UploadOvertakenError, BlobStoreUnavailableError):
            try:
                self.write(pending)
            finally:
                self._file.close()
