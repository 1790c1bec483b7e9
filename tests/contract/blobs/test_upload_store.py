"""What every store of direct uploads does, whatever the client sends and whenever a process dies."""

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator, Callable, Generator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from lumikb.kit import clock
from lumikb.kit.ids import new_id
from lumikb.store.blobs import s3_uploads
from lumikb.store.blobs.errors import (
    UploadGoneError,
    UploadIncompleteError,
    UploadMismatchError,
    UploadOvertakenError,
)
from lumikb.store.blobs.local import LocalBlobStore
from lumikb.store.blobs.local_uploads import LocalUploads
from lumikb.store.blobs.port import BlobStore, blob_path
from lumikb.store.blobs.s3 import S3BlobStore
from lumikb.store.blobs.s3_uploads import S3Uploads
from lumikb.store.blobs.uploads import UploadStore, UploadTicket

DATA = os.urandom(200_000)
SHA256 = hashlib.sha256(DATA).hexdigest()
SECONDS = 600
ID = "01a1fe2a-f488-7abc-8def-0123456789ab"


async def pieces(data: bytes, step: int = 50_000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), step):
        yield data[start : start + step]


def write(uploads: LocalUploads, upload_id: str, data: bytes, start: int = 0, end: int = len(DATA)) -> int:
    return asyncio.run(uploads.write(upload_id, start, pieces(data), end=end))


@pytest.fixture
def uploads(store: BlobStore, tmp_path: Path) -> Generator[UploadStore]:
    opened: UploadStore
    if isinstance(store, S3BlobStore):
        assert store.requests is not None
        opened = S3Uploads(store, store.requests)
    else:
        opened = LocalUploads(tmp_path / "uploads", store)
    opened.open()
    yield opened
    opened.close()


def send(uploads: UploadStore, upload_id: str, ticket: UploadTicket, data: bytes = DATA) -> None:
    """The bytes, as a client sends them."""
    if isinstance(uploads, LocalUploads):
        write(uploads, upload_id, data)
        return
    with httpx.Client(trust_env=False) as client:
        for part in ticket.parts:
            client.put(part.url, content=data[part.start : part.end]).raise_for_status()


def test_an_upload_becomes_the_blob_of_its_bytes(uploads: UploadStore, store: BlobStore) -> None:
    upload_id = new_id()
    ticket = uploads.begin(upload_id, len(DATA), SECONDS)
    send(uploads, upload_id, ticket)
    for _ in range(2):
        uploads.seal(upload_id, ticket.handle, len(DATA))
        blob = uploads.measure(upload_id)
    assert (blob.sha256, blob.size_bytes, blob.head) == (SHA256, len(DATA), DATA[:65_536])
    assert not store.exists(SHA256)
    for _ in range(2):
        uploads.place(upload_id, blob)
    assert store.read(SHA256) == DATA
    for _ in range(2):
        uploads.discard(upload_id, ticket.handle)
    assert list(uploads.list(older_than_seconds=-60)) == []
    assert list(store.list()) == [SHA256]


def test_bytes_that_another_upload_brought_are_placed_once(uploads: UploadStore, store: BlobStore) -> None:
    for _ in range(2):
        upload_id = new_id()
        ticket = uploads.begin(upload_id, len(DATA), SECONDS)
        send(uploads, upload_id, ticket)
        uploads.seal(upload_id, ticket.handle, len(DATA))
        uploads.place(upload_id, uploads.measure(upload_id))
        uploads.discard(upload_id, ticket.handle)
    assert store.read(SHA256) == DATA
    assert list(uploads.list(older_than_seconds=-60)) == []


def test_a_damaged_blob_is_replaced_by_an_upload_of_its_bytes(
    uploads: UploadStore, store: BlobStore, put_foreign: Callable[[str, bytes], None]
) -> None:
    store.put_bytes(DATA)
    put_foreign(blob_path(SHA256), DATA[:-1] + b"!")
    upload_id = new_id()
    ticket = uploads.begin(upload_id, len(DATA), SECONDS)
    send(uploads, upload_id, ticket)
    uploads.seal(upload_id, ticket.handle, len(DATA))
    uploads.place(upload_id, uploads.measure(upload_id))
    assert store.read(SHA256) == DATA


def test_an_upload_that_lacks_bytes_is_not_sealed(uploads: UploadStore) -> None:
    upload_id = new_id()
    ticket = uploads.begin(upload_id, len(DATA), SECONDS)
    if isinstance(uploads, LocalUploads):
        write(uploads, upload_id, DATA[:-1])
    with pytest.raises(UploadIncompleteError) as caught:
        uploads.seal(upload_id, ticket.handle, len(DATA))
    assert caught.value.details["received_bytes"] == (len(DATA) - 1 if isinstance(uploads, LocalUploads) else 0)
    send(uploads, upload_id, ticket)
    uploads.seal(upload_id, ticket.handle, len(DATA))
    assert uploads.measure(upload_id).sha256 == SHA256


def test_what_was_sealed_takes_no_bytes(uploads: UploadStore) -> None:
    upload_id = new_id()
    ticket = uploads.begin(upload_id, len(DATA), SECONDS)
    send(uploads, upload_id, ticket)
    uploads.seal(upload_id, ticket.handle, len(DATA))
    with pytest.raises((UploadGoneError, httpx.HTTPStatusError)):
        send(uploads, upload_id, ticket, bytes(len(DATA)))
    assert uploads.measure(upload_id).sha256 == SHA256


def test_what_is_gone_says_so(uploads: UploadStore) -> None:
    upload_id = new_id()
    ticket = uploads.begin(upload_id, len(DATA), SECONDS)
    uploads.discard(upload_id, ticket.handle)
    with pytest.raises(UploadGoneError):
        uploads.seal(upload_id, ticket.handle, len(DATA))
    with pytest.raises(UploadGoneError):
        uploads.measure(upload_id)
    with pytest.raises((UploadGoneError, httpx.HTTPStatusError)):
        send(uploads, upload_id, ticket)
    assert list(uploads.list(older_than_seconds=-60)) == []


def test_leftovers_of_every_state_are_listed_and_discarded(uploads: UploadStore, store: BlobStore) -> None:
    store.put_bytes(b"a blob is no leftover")
    begun, sealed = new_id(), new_id()
    for upload_id in (begun, sealed):
        ticket = uploads.begin(upload_id, len(DATA), SECONDS)
        send(uploads, upload_id, ticket)
    uploads.seal(sealed, ticket.handle, len(DATA))
    # moto says of every multipart upload that it was begun in 2010.
    assert sealed not in {upload_id for upload_id, _ in uploads.list(older_than_seconds=3600)}
    left = list(uploads.list(older_than_seconds=-60))
    assert {upload_id for upload_id, _ in left} == {begun, sealed}
    for upload_id, handle in left:
        uploads.discard(upload_id, handle)
    assert list(uploads.list(older_than_seconds=-60)) == []
    assert len(list(store.list())) == 1


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "a" * 36, "0" * 64, f"{ID}/x", ID.upper()])
def test_an_id_that_is_none_of_ours_reaches_no_path(uploads: UploadStore, name: str) -> None:
    with pytest.raises(UploadGoneError):
        uploads.begin(name, 1, SECONDS)


# Sent to this server


@pytest.fixture
def local(tmp_path: Path, incoming: Path) -> LocalUploads:
    blobs = LocalBlobStore(tmp_path / "blobs", incoming)
    blobs.open()
    made = LocalUploads(tmp_path / "uploads", blobs)
    made.open()
    return made


def test_a_broken_upload_goes_on_from_what_arrived(local: LocalUploads) -> None:
    upload_id = new_id()
    local.begin(upload_id, len(DATA), SECONDS)

    async def breaks_off() -> AsyncIterator[bytes]:
        yield DATA[:123_456]
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        asyncio.run(local.write(upload_id, 0, breaks_off(), end=len(DATA)))
    assert local.received(upload_id) == 123_456
    assert write(local, upload_id, DATA[123_456:], 123_456) == len(DATA)
    local.seal(upload_id, "", len(DATA))
    assert local.measure(upload_id).sha256 == SHA256


def test_bytes_may_be_sent_again_but_not_left_out(local: LocalUploads) -> None:
    upload_id = new_id()
    local.begin(upload_id, len(DATA), SECONDS)
    write(local, upload_id, DATA[:100], 0)
    with pytest.raises(UploadIncompleteError) as caught:
        write(local, upload_id, DATA[101:], 101)
    assert caught.value.details == {"received_bytes": 100}
    assert write(local, upload_id, DATA[50:], 50) == len(DATA)
    local.seal(upload_id, "", len(DATA))
    assert local.measure(upload_id).sha256 == SHA256


def test_more_bytes_than_announced_are_refused_and_forgotten(local: LocalUploads) -> None:
    upload_id = new_id()
    local.begin(upload_id, len(DATA), SECONDS)
    with pytest.raises(UploadMismatchError):
        write(local, upload_id, DATA + b"x")
    assert local.received(upload_id) == 0


def test_the_newer_of_two_writers_wins(local: LocalUploads) -> None:
    upload_id = new_id()
    local.begin(upload_id, len(DATA), SECONDS)

    async def both() -> None:
        arrived, broken = asyncio.Event(), asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield b"?" * 1000
            arrived.set()
            await broken.wait()
            yield b"?" * 1000

        old = asyncio.ensure_future(local.write(upload_id, 0, slow(), end=len(DATA)))
        await arrived.wait()
        assert await local.write(upload_id, 0, pieces(DATA), end=len(DATA)) == len(DATA)
        broken.set()
        with pytest.raises(UploadOvertakenError):
            await old

    asyncio.run(both())
    local.seal(upload_id, "", len(DATA))
    assert local.measure(upload_id).sha256 == SHA256


def test_foreign_files_are_passed_over(local: LocalUploads, tmp_path: Path) -> None:
    foreign = tmp_path / "uploads" / "notes.txt"
    foreign.write_text("mine")
    os.utime(foreign, (time.time() - 1e6,) * 2)
    assert list(local.list(older_than_seconds=0)) == []


# Sent to S3


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of the smallest size that S3 takes."""
    monkeypatch.setattr(s3_uploads, "UPLOAD_PART_BYTES", 5 << 20)
    monkeypatch.setattr(s3_uploads, "_COPY_BYTES", 6 << 20)


@pytest.mark.parametrize("make_store", ["s3"], indirect=True)
def test_a_large_file_has_parts_that_are_sent_in_any_order(
    small_parts: None, uploads: UploadStore, store: BlobStore
) -> None:
    data, upload_id = os.urandom(13 << 20), new_id()
    ticket = uploads.begin(upload_id, len(data), SECONDS)
    assert [(part.start >> 20, part.end >> 20) for part in ticket.parts] == [(0, 5), (5, 10), (10, 13)]
    with httpx.Client(trust_env=False) as client:
        for part in (ticket.parts[2], ticket.parts[0]):
            client.put(part.url, content=data[part.start : part.end]).raise_for_status()
        with pytest.raises(UploadIncompleteError) as caught:
            uploads.seal(upload_id, ticket.handle, len(data))
        assert caught.value.details["missing_parts"] == [2]
        (_, part, _) = ticket.parts
        client.put(part.url, content=data[part.start : part.end]).raise_for_status()
    uploads.seal(upload_id, ticket.handle, len(data))
    blob = uploads.measure(upload_id)
    assert blob.sha256 == hashlib.sha256(data).hexdigest()
    uploads.place(upload_id, blob)
    assert store.read(blob.sha256) == data


@pytest.mark.parametrize("make_store", ["s3"], indirect=True)
def test_a_part_of_another_length_is_a_mismatch(uploads: UploadStore) -> None:
    upload_id = new_id()
    ticket = uploads.begin(upload_id, len(DATA), SECONDS)
    send(uploads, upload_id, UploadTicket("", ticket.parts), DATA[:-1])
    with pytest.raises(UploadMismatchError):
        uploads.seal(upload_id, ticket.handle, len(DATA))


@pytest.mark.parametrize("make_store", ["s3"], indirect=True)
def test_multipart_uploads_of_blobs_that_a_crash_left_are_swept(
    make_store: Callable[[], BlobStore], store: S3BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store.requests is not None
    found, now = store.requests.open_multiparts, clock.now()
    # moto says of every multipart upload that it was begun in 2010.
    monkeypatch.setattr(store.requests, "open_multiparts", lambda: (replace(one, begun_at=now) for one in found()))
    left = store.requests.create_multipart(f"aa/bb/{'aabb' + 'c' * 60}")
    other = store.requests.create_multipart("reports/2026.csv")
    assert store.sweep_incoming(3600) == 0
    assert store.sweep_incoming(-60) == 1
    assert [upload.upload_id for upload in store.requests.open_multiparts()] == [other]
    assert left != other
