"""Blobs in a bucket of any S3-compatible server."""

import tempfile
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread
import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from lumikb.kit import clock
from lumikb.store.blobs.errors import BlobNotFoundError, BlobStoreUnavailableError, BlobTooLargeError
from lumikb.store.blobs.port import (
    STREAM_CHUNK_BYTES_MAX,
    StoredBlob,
    blob_path,
    ensure_misplaced,
    is_blob_path,
    is_misplaced,
)
from lumikb.store.blobs.spool import os_errors_translated, spooled, spooled_bytes, sweep

if TYPE_CHECKING:
    # These exist in obstore's stubs only.
    from obstore import ObjectMeta
    from obstore.store import ClientConfig, RetryConfig, S3Config

# Parts of this size reach 80 GB with the 10,000 parts that S3 allows; four at once bound the memory of an upload.
_PART_BYTES = 8 << 20
_PARTS_AT_ONCE = 4
_LIST_PAGE = 1_000
_CONNECT_TIMEOUT = timedelta(seconds=5)
_REQUEST_TIMEOUT = timedelta(seconds=120)
_RETRY: "RetryConfig" = {"max_retries": 3, "retry_timeout": timedelta(seconds=30)}


@dataclass(frozen=True)
class S3Location:
    """Where the blobs lie. Empty `endpoint`: AWS; empty keys: the credentials that the machine has."""

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = "us-east-1"
    access_key_id: str = ""
    secret_access_key: str = field(default="", repr=False)


class S3BlobStore:
    """`BlobStore` on S3: objects `<prefix>/aa/bb/<sha256>`. Streams are spooled to `incoming` on this machine first."""

    def __init__(self, location: S3Location, incoming: Path) -> None:
        self._location = location
        self._incoming = incoming
        self._opened: S3Store | None = None

    def open(self) -> None:
        """Make the client, which connects lazily, and the spool directory."""
        with os_errors_translated():
            self._incoming.mkdir(parents=True, exist_ok=True)
        if self._opened is None:
            with _vendor_errors_translated():
                self._opened = _client(self._location)

    def close(self) -> None:
        """Drop the client and its connections."""
        self._opened = None

    def check(self) -> None:
        """List one page under a prefix that holds few blobs: proves address, bucket and keys."""
        with _vendor_errors_translated():
            next(self._pages("00/00", 1), None)

    async def put(
        self, chunks: AsyncIterator[bytes], *, size_bytes_max: int, announce: Callable[[StoredBlob], None] | None = None
    ) -> StoredBlob:
        """See the port."""
        async with spooled(chunks, self._incoming, size_bytes_max) as (path, blob):
            if announce is not None:
                announce(blob)
            await anyio.to_thread.run_sync(self._upload, path, blob)
        return blob

    def put_bytes(self, data: bytes) -> StoredBlob:
        """See the port."""
        with spooled_bytes(data, self._incoming) as (path, blob):
            self._upload(path, blob)
        return blob

    def read(self, sha256: str, *, size_bytes_max: int | None = None) -> bytes:
        """See the port."""
        path = blob_path(sha256)
        with _vendor_errors_translated(sha256):
            result = obstore.get(self._store, path)
            if size_bytes_max is not None and result.meta["size"] > size_bytes_max:
                raise BlobTooLargeError(size_bytes_max)
            return bytes(result.bytes())

    def local_copy(self, sha256: str) -> AbstractContextManager[Path]:
        """A temporary file, removed after the block."""
        return self._temporary_copy(sha256)

    async def stream(self, sha256: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """See the port. The range is asked for in bounded parts, so a slow reader holds no connection open."""
        if start < 0 or (end is not None and end < start):
            raise ValueError("a range starts at 0 or later and does not end before it starts")
        size_bytes = await anyio.to_thread.run_sync(self.size, sha256)
        end = size_bytes if end is None else min(end, size_bytes)
        path = blob_path(sha256)
        for position in range(start, end, _PART_BYTES):
            with _vendor_errors_translated(sha256):
                part = memoryview(
                    await obstore.get_range_async(
                        self._store, path, start=position, end=min(position + _PART_BYTES, end)
                    )
                )
            for at in range(0, len(part), STREAM_CHUNK_BYTES_MAX):
                yield bytes(part[at : at + STREAM_CHUNK_BYTES_MAX])

    def size(self, sha256: str) -> int:
        """See the port."""
        path = blob_path(sha256)
        with _vendor_errors_translated(sha256):
            return obstore.head(self._store, path)["size"]

    def exists(self, sha256: str) -> bool:
        """See the port."""
        try:
            self.size(sha256)
        except BlobNotFoundError:
            return False
        return True

    def delete(self, sha256: str) -> None:
        """See the port."""
        path = blob_path(sha256)
        # S3 answers the delete of a missing key with success; servers that answer 404 mean the same.
        try:
            with _vendor_errors_translated(sha256):
                obstore.delete(self._store, path)
        except BlobNotFoundError:
            return

    def list(self, *, older_than_seconds: float = 0.0) -> Iterator[str]:
        """See the port."""
        newest = clock.now() - timedelta(seconds=older_than_seconds) if older_than_seconds else None
        with _vendor_errors_translated():
            for page in self._pages(None, _LIST_PAGE):
                for item in page:
                    if is_blob_path(item["path"]) and (newest is None or item["last_modified"] <= newest):
                        yield item["path"].rpartition("/")[2]

    def list_misplaced(self) -> Iterator[str]:
        """See the port."""
        with _vendor_errors_translated():
            for page in self._pages(None, _LIST_PAGE):
                yield from (item["path"] for item in page if is_misplaced(item["path"]))

    def delete_misplaced(self, relative: str) -> None:
        """See the port."""
        ensure_misplaced(relative)
        with _vendor_errors_translated():
            obstore.delete(self._store, relative)

    def sweep_incoming(self, older_than_seconds: float) -> int:
        """See the port."""
        return sweep(self._incoming, older_than_seconds)

    @property
    def _store(self) -> S3Store:
        if self._opened is None:
            raise BlobStoreUnavailableError("The file store is closed.")
        return self._opened

    def _pages(self, prefix: str | None, page_size: int) -> "Iterator[Sequence[ObjectMeta]]":
        # The stub's other overloads return Arrow tables, of a package that is not installed.
        return obstore.list(self._store, prefix, chunk_size=page_size)  # pyright: ignore[reportUnknownMemberType]

    def _upload(self, spool: Path, blob: StoredBlob) -> None:
        # The bytes are the name: an object that is there is the same one, and its upload is saved.
        if self.exists(blob.sha256):
            return
        with _vendor_errors_translated(), os_errors_translated():
            obstore.put(
                self._store,
                blob_path(blob.sha256),
                spool,
                use_multipart=blob.size_bytes > _PART_BYTES,
                chunk_size=_PART_BYTES,
                max_concurrency=_PARTS_AT_ONCE,
            )

    @contextmanager
    def _temporary_copy(self, sha256: str) -> Generator[Path]:
        path = blob_path(sha256)
        with os_errors_translated():
            directory = tempfile.TemporaryDirectory(prefix="blob-", ignore_cleanup_errors=True)
        with directory as name:
            copy = Path(name) / sha256
            with _vendor_errors_translated(sha256):
                pieces = obstore.get(self._store, path).stream(min_chunk_size=STREAM_CHUNK_BYTES_MAX)
                with os_errors_translated(), copy.open("wb") as file:
                    for piece in pieces:
                        file.write(piece)
            yield copy


def _client(location: S3Location) -> S3Store:
    config: S3Config = {"region": location.region}
    client: ClientConfig = {"connect_timeout": _CONNECT_TIMEOUT, "timeout": _REQUEST_TIMEOUT}
    if location.endpoint:
        config["endpoint"] = location.endpoint
        client["allow_http"] = location.endpoint.startswith("http://")
    if location.access_key_id:
        config["access_key_id"] = location.access_key_id
        config["secret_access_key"] = location.secret_access_key
    return S3Store(
        location.bucket,
        prefix=location.prefix or None,
        config=config,
        client_options=client,
        retry_config=_RETRY,
    )


@contextmanager
def _vendor_errors_translated(sha256: str | None = None) -> Generator[None]:
    """Errors of obstore leave as this slice's; its message stays out, for it names hosts and keys."""
    try:
        yield
    except FileNotFoundError as exc:
        if sha256 is not None:
            raise BlobNotFoundError(sha256) from exc
        raise BlobStoreUnavailableError("The bucket is missing.") from exc
    except BaseError as exc:
        raise BlobStoreUnavailableError(f"The object store cannot be used ({type(exc).__name__}).") from exc
