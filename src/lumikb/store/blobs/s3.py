"""Blobs in a bucket of any S3-compatible server."""

import tempfile
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread
import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from lumikb.kit import clock
from lumikb.kit.errors import LumiError
from lumikb.store.blobs.errors import BlobNotFoundError, BlobStoreUnavailableError, BlobTooLargeError, UploadGoneError
from lumikb.store.blobs.intact import ensure_intact, intact
from lumikb.store.blobs.port import (
    STREAM_CHUNK_BYTES_MAX,
    StoredBlob,
    blob_path,
    ensure_misplaced,
    is_blob_path,
)
from lumikb.store.blobs.s3_requests import S3Location, S3Requests
from lumikb.store.blobs.spool import os_errors_translated, spooled, spooled_bytes, sweep
from lumikb.store.blobs.uploads import describe, is_upload_id

if TYPE_CHECKING:
    # These exist in obstore's stubs only.
    from obstore import ObjectMeta
    from obstore.store import ClientConfig, RetryConfig, S3Config

# Parts of this size reach 80 GB with the 10,000 parts that S3 allows; four at once bound the memory of an upload.
PART_BYTES = 8 << 20
# Below the same prefix as the blobs: see `s3_uploads`.
UPLOADS_FOLDER = "uploads"
_PARTS_AT_ONCE = 4
_LIST_PAGE = 1_000
_CONNECT_TIMEOUT = timedelta(seconds=5)
_REQUEST_TIMEOUT = timedelta(seconds=120)
_RETRY: "RetryConfig" = {"max_retries": 3, "retry_timeout": timedelta(seconds=30)}


class S3BlobStore:
    """`BlobStore` on S3: objects `<prefix>/aa/bb/<sha256>`. Streams are spooled to `incoming` on this machine first."""

    def __init__(self, location: S3Location, incoming: Path) -> None:
        self._location = location
        self._incoming = incoming
        self._opened: S3Store | None = None
        # With the credentials that the machine has, obstore alone knows them.
        self.requests = S3Requests(location) if location.access_key_id else None

    def open(self) -> None:
        """Make the client, which connects lazily, and the spool directory."""
        with os_errors_translated():
            self._incoming.mkdir(parents=True, exist_ok=True)
        if self._opened is None:
            with vendor_errors_translated():
                self._opened = _client(self._location)

    def close(self) -> None:
        """Drop the client and its connections."""
        self._opened = None
        if self.requests is not None:
            self.requests.close()

    def check(self) -> None:
        """List one page under a prefix that holds few blobs: proves address, bucket and keys."""
        with vendor_errors_translated():
            next(self.pages("00/00", 1), None)

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

    def take_file(self, path: Path, blob: StoredBlob) -> None:
        """See the port: the file is left."""
        if not path.exists():
            raise UploadGoneError
        self._upload(path, blob)

    def read(self, sha256: str, *, size_bytes_max: int | None = None) -> bytes:
        """See the port."""
        path = blob_path(sha256)
        with vendor_errors_translated(lambda: BlobNotFoundError(sha256)):
            result = obstore.get(self.client, path)
            if size_bytes_max is not None and result.meta["size"] > size_bytes_max:
                raise BlobTooLargeError(size_bytes_max)
            return intact(bytes(result.bytes()), sha256)

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
        for position in range(start, end, PART_BYTES):
            with vendor_errors_translated(lambda: BlobNotFoundError(sha256)):
                part = memoryview(
                    await obstore.get_range_async(
                        self.client, path, start=position, end=min(position + PART_BYTES, end)
                    )
                )
            for at in range(0, len(part), STREAM_CHUNK_BYTES_MAX):
                yield bytes(part[at : at + STREAM_CHUNK_BYTES_MAX])

    def size(self, sha256: str) -> int:
        """See the port."""
        path = blob_path(sha256)
        with vendor_errors_translated(lambda: BlobNotFoundError(sha256)):
            return obstore.head(self.client, path)["size"]

    def exists(self, sha256: str) -> bool:
        """See the port."""
        try:
            self.size(sha256)
        except BlobNotFoundError:
            return False
        return True

    def measure(self, sha256: str) -> StoredBlob:
        """See the port."""
        with vendor_errors_translated(lambda: BlobNotFoundError(sha256)):
            return describe(self.pieces(blob_path(sha256)))

    def delete(self, sha256: str) -> None:
        """See the port."""
        path = blob_path(sha256)
        # S3 answers the delete of a missing key with success; servers that answer 404 mean the same.
        try:
            with vendor_errors_translated(lambda: BlobNotFoundError(sha256)):
                obstore.delete(self.client, path)
        except BlobNotFoundError:
            return

    def list(self, *, older_than_seconds: float = 0.0) -> Iterator[str]:
        """See the port."""
        newest = clock.now() - timedelta(seconds=older_than_seconds) if older_than_seconds else None
        with vendor_errors_translated():
            for page in self.pages(None):
                for item in page:
                    if is_blob_path(item["path"]) and (newest is None or item["last_modified"] <= newest):
                        yield item["path"].rpartition("/")[2]

    def list_strays(self) -> Iterator[str]:
        """See the port."""
        with vendor_errors_translated():
            for page in self.pages(None, _LIST_PAGE):
                for path in (item["path"] for item in page):
                    if not is_blob_path(path) and not is_upload_id(path.removeprefix(f"{UPLOADS_FOLDER}/")):
                        yield path

    def delete_misplaced(self, relative: str) -> None:
        """See the port."""
        ensure_misplaced(relative)
        with vendor_errors_translated():
            obstore.delete(self.client, relative)

    def sweep_incoming(self, older_than_seconds: float) -> int:
        """See the port."""
        removed = sweep(self._incoming, older_than_seconds)
        if self.requests is None:
            return removed
        newest = clock.now() - timedelta(seconds=older_than_seconds)
        for upload in self.requests.open_multiparts():
            if is_blob_path(upload.path) and upload.begun_at <= newest:
                self.requests.abort_multipart(upload.path, upload.upload_id)
                removed += 1
        return removed

    @property
    def client(self) -> S3Store:
        """What speaks to the bucket; raises `BlobStoreUnavailableError` when the store is closed."""
        if self._opened is None:
            raise BlobStoreUnavailableError("The file store is closed.")
        return self._opened

    def pages(self, prefix: str | None, page_size: int = _LIST_PAGE) -> "Iterator[Sequence[ObjectMeta]]":
        """The objects below a prefix."""
        # The stub's other overloads return Arrow tables, of a package that is not installed.
        return obstore.list(self.client, prefix, chunk_size=page_size)  # pyright: ignore[reportUnknownMemberType]

    def pieces(self, path: str) -> Iterator[bytes]:
        """An object in bounded ranges, so that no request lasts as long as it is large; errors are the vendor's."""
        size_bytes = obstore.head(self.client, path)["size"]
        for start in range(0, size_bytes, PART_BYTES):
            yield bytes(obstore.get_range(self.client, path, start=start, end=min(start + PART_BYTES, size_bytes)))

    def _upload(self, spool: Path, blob: StoredBlob) -> None:
        # Also over an object of that name: whether it is sound only reading it would tell, which costs as much.
        with vendor_errors_translated(), os_errors_translated():
            obstore.put(
                self.client,
                blob_path(blob.sha256),
                spool,
                use_multipart=blob.size_bytes > PART_BYTES,
                chunk_size=PART_BYTES,
                max_concurrency=_PARTS_AT_ONCE,
            )

    @contextmanager
    def _temporary_copy(self, sha256: str) -> Generator[Path]:
        path = blob_path(sha256)
        with os_errors_translated():
            directory = tempfile.TemporaryDirectory(prefix="blob-", ignore_cleanup_errors=True)
        with directory as name:
            copy = Path(name) / sha256
            with vendor_errors_translated(lambda: BlobNotFoundError(sha256)):
                pieces = obstore.get(self.client, path).stream(min_chunk_size=STREAM_CHUNK_BYTES_MAX)
                with os_errors_translated(), copy.open("wb") as file:
                    for piece in pieces:
                        file.write(piece)
            with os_errors_translated():
                ensure_intact(copy, sha256)
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


def _no_bucket() -> LumiError:
    return BlobStoreUnavailableError("The bucket is missing.")


@contextmanager
def vendor_errors_translated(missing: Callable[[], LumiError] = _no_bucket) -> Generator[None]:
    """Errors of obstore leave as this slice's, an object that is not there as `missing`.

    Its message stays out, for it names hosts and keys.
    """
    try:
        yield
    except FileNotFoundError as exc:
        raise missing() from exc
    except BaseError as exc:
        raise BlobStoreUnavailableError(f"The object store cannot be used ({type(exc).__name__}).") from exc
