"""Direct uploads to S3 by its own signatures: multipart uploads whose parts the client fills.

Also a small file is a multipart upload, of one part: until we complete it there is no object that its address could
read or replace, and once we have, its address does nothing any more.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import obstore

from lumikb.kit import clock
from lumikb.store.blobs.errors import BlobNotFoundError, UploadGoneError, UploadIncompleteError, UploadMismatchError
from lumikb.store.blobs.port import StoredBlob, blob_path
from lumikb.store.blobs.s3 import UPLOADS_FOLDER, S3BlobStore, vendor_errors_translated
from lumikb.store.blobs.s3_requests import NoSuchUploadError, S3Requests, StoredPart
from lumikb.store.blobs.uploads import UploadPart, UploadTicket, describe, is_upload_id

# What a client sends in one PUT; a larger file has several parts, at most as many as S3 takes.
UPLOAD_PART_BYTES = 64 << 20
PARTS_MAX = 10_000
# What the server copies at once within itself; S3 takes up to 5 GB.
_COPY_BYTES = 512 << 20


class S3Uploads:
    """`UploadStore` on S3: objects `<prefix>/uploads/<id>`, and the multipart uploads that become them."""

    def __init__(self, store: S3BlobStore, requests: S3Requests) -> None:
        self._blobs = store
        self._requests = requests

    def open(self) -> None:
        """The blob store is open already; connections are made on use."""

    def close(self) -> None:
        """Connections are the blob store's."""

    def begin(self, upload_id: str, size_bytes: int, seconds: int) -> UploadTicket:
        """See the port; each address takes exactly its part's length."""
        path = _path(upload_id)
        handle = self._requests.create_multipart(path)
        step = max(UPLOAD_PART_BYTES, -(-size_bytes // PARTS_MAX))
        parts = [
            UploadPart(
                self._requests.presign(
                    "PUT",
                    path,
                    {"partNumber": str(number), "uploadId": handle},
                    {"content-length": str(min(start + step, size_bytes) - start)},
                    seconds=seconds,
                ),
                start,
                min(start + step, size_bytes),
            )
            for number, start in enumerate(range(0, size_bytes, step), start=1)
        ]
        return UploadTicket(handle, tuple(parts))

    def seal(self, upload_id: str, handle: str, size_bytes: int) -> None:
        """See the port: completes the multipart upload."""
        path = _path(upload_id)
        if self._exists(path):
            return
        try:
            parts = self._requests.list_parts(path, handle)
            _check_parts(parts, size_bytes)
            self._requests.complete_multipart(path, handle, parts)
        except NoSuchUploadError as exc:
            if not self._exists(path):  # another process completed it between the two looks
                raise UploadGoneError from exc

    def measure(self, upload_id: str) -> StoredBlob:
        """See the port."""
        with vendor_errors_translated(UploadGoneError):
            return describe(self._blobs.pieces(_path(upload_id)))

    def place(self, upload_id: str, blob: StoredBlob) -> None:
        """See the port: the server copies within itself."""
        with suppress(BlobNotFoundError):
            if self._blobs.measure(blob.sha256) == blob:  # which may have been damaged since it was stored
                return
        source, path = _path(upload_id), blob_path(blob.sha256)
        handle = self._requests.create_multipart(path)
        try:
            parts = [
                self._requests.copy_part(source, start, min(start + _COPY_BYTES, blob.size_bytes), path, handle, number)
                for number, start in enumerate(range(0, blob.size_bytes, _COPY_BYTES), start=1)
            ]
            self._requests.complete_multipart(path, handle, parts)
        except BaseException:
            self._requests.abort_multipart(path, handle)
            raise

    def discard(self, upload_id: str, handle: str) -> None:
        """See the port."""
        path = _path(upload_id)
        if handle:
            self._requests.abort_multipart(path, handle)
        # S3 answers the delete of a missing key with success; servers that answer 404 mean the same.
        with suppress(UploadGoneError), vendor_errors_translated(UploadGoneError):
            obstore.delete(self._blobs.client, path)

    def list(self, *, older_than_seconds: float) -> Iterator[tuple[str, str]]:
        """See the port."""
        newest = clock.now() - timedelta(seconds=older_than_seconds)
        for upload in self._requests.open_multiparts(f"{UPLOADS_FOLDER}/"):
            upload_id = upload.path.removeprefix(f"{UPLOADS_FOLDER}/")
            if is_upload_id(upload_id) and upload.begun_at <= newest:
                yield upload_id, upload.upload_id
        for page in self._blobs.pages(UPLOADS_FOLDER):
            for item in page:
                upload_id = item["path"].removeprefix(f"{UPLOADS_FOLDER}/")
                if is_upload_id(upload_id) and item["last_modified"] <= newest:
                    yield upload_id, ""

    def _exists(self, path: str) -> bool:
        try:
            with vendor_errors_translated(UploadGoneError):
                obstore.head(self._blobs.client, path)
        except UploadGoneError:
            return False
        return True


def _path(upload_id: str) -> str:
    if not is_upload_id(upload_id):
        raise UploadGoneError
    return f"{UPLOADS_FOLDER}/{upload_id}"


def _check_parts(parts: list[StoredPart], size_bytes: int) -> None:
    step = max(UPLOAD_PART_BYTES, -(-size_bytes // PARTS_MAX))
    missing = sorted(set(range(1, -(-size_bytes // step) + 1)) - {part.number for part in parts})
    received = sum(part.size_bytes for part in parts)
    if missing:
        raise UploadIncompleteError(received_bytes=received, size_bytes=size_bytes, missing_parts=missing)
    if received != size_bytes:  # a server that does not hold its clients to the signed length
        raise UploadMismatchError(
            "The file is not as long as was announced.", size_bytes=size_bytes, received_bytes=received
        )
