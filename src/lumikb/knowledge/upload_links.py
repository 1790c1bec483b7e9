"""Uploads to this server by a signed link: who holds it sends the bytes of one upload, and can do nothing else."""

import hmac
import re
import time
from collections.abc import AsyncIterator

from lumikb.kit.errors import InvalidInputError
from lumikb.knowledge import upload_repository
from lumikb.knowledge.errors import BadUploadLinkError
from lumikb.knowledge.models import Upload
from lumikb.store.blobs.errors import UploadGoneError, UploadMismatchError
from lumikb.store.blobs.local_uploads import LocalUploads
from lumikb.store.record.engine import Record

_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})")


class UploadLinks:
    """Signs links with a key derived from the server's secret, and takes what is sent to them.

    `store` is None where clients send their bytes to the object store itself.
    """

    def __init__(self, record: Record, store: LocalUploads | None, secret: str) -> None:
        self._record = record
        self._store = store
        # A key of its own: nothing that is signed here can be shown as an access token, nor the other way round.
        self._key = hmac.digest(secret.encode(), b"lumikb upload link", "sha256")

    def query(self, upload: Upload) -> str:
        """What makes the address of an upload a link."""
        expires = int(upload.expires_at.timestamp())
        return f"expires={expires}&signature={self._signature(upload.id, expires)}"

    async def received(self, upload_id: str, expires: int, signature: str) -> tuple[int, int]:
        """How many bytes of the upload are there, and how many it has."""
        store, upload = await self._open(upload_id, expires, signature)
        return store.received(upload_id), upload.size_bytes

    async def receive(
        self, upload_id: str, expires: int, signature: str, content_range: str | None, body: AsyncIterator[bytes]
    ) -> tuple[int, int]:
        """Write what a PUT brings: the whole file, or the stretch that its `Content-Range` names; as `received`."""
        store, upload = await self._open(upload_id, expires, signature)
        start, end = _stretch(content_range, upload.size_bytes)
        return await store.write(upload_id, start, body, end=end), upload.size_bytes

    async def _open(self, upload_id: str, expires: int, signature: str) -> tuple[LocalUploads, Upload]:
        if not hmac.compare_digest(self._signature(upload_id, expires).encode(), signature.encode()):
            raise BadUploadLinkError("This link is not one that the server signed. Take it over as it was given.")
        if expires <= time.time():
            raise UploadGoneError
        upload = await self._record.read_async(lambda read: upload_repository.find_upload(read, upload_id))
        if upload is None or upload.document_id is not None or self._store is None:
            raise UploadGoneError
        return self._store, upload

    def _signature(self, upload_id: str, expires: int) -> str:
        return hmac.digest(self._key, f"{upload_id}\n{expires}".encode(), "sha256").hex()


def _stretch(content_range: str | None, size_bytes: int) -> tuple[int, int]:
    """`[start, end)` of a Content-Range (RFC 9110, 14.4 and 14.5), of the whole file without one."""
    if content_range is None:
        return 0, size_bytes
    found = _RANGE.fullmatch(content_range.strip())
    first, last, total = (int(number) for number in found.groups()) if found else (1, 0, 0)
    if first > last or last >= total:
        raise InvalidInputError("Content-Range is of the form: bytes FIRST-LAST/SIZE.", field="Content-Range")
    if total != size_bytes:
        raise UploadMismatchError("The file is not as long as was announced.", size_bytes=size_bytes, given=total)
    return first, last + 1
