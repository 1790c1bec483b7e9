"""Whether bytes are still those that were stored under their hash."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

from lumikb.store.blobs.errors import BlobDamagedError


def intact(data: bytes, sha256: str) -> bytes:
    """The bytes themselves. Raises `BlobDamagedError`."""
    if hashlib.sha256(data).hexdigest() != sha256:
        raise BlobDamagedError(sha256)
    return data


def ensure_intact(path: Path, sha256: str) -> None:
    """Raise `BlobDamagedError` for a file with other bytes. Reads all of it."""
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            raise BlobDamagedError(sha256)


async def intact_stream(chunks: AsyncIterator[bytes], sha256: str) -> AsyncIterator[bytes]:
    """The chunks of a whole blob. Raises `BlobDamagedError` in place of the last one: nobody is given all of it."""
    digest = hashlib.sha256()
    last = b""
    async for chunk in chunks:
        if last:
            yield last
        digest.update(chunk)
        last = chunk
    if digest.hexdigest() != sha256:
        raise BlobDamagedError(sha256)
    if last:
        yield last
