"""Uploads that meet each other, the sweep, another process, and a job engine that is down."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from lumikb.identity.models import Actor, Level
from lumikb.kit import clock
from lumikb.kit.errors import UnavailableError
from lumikb.kit.ids import new_id
from lumikb.kit.sealing import Sealer
from lumikb.knowledge import derived, upload_repository, upload_service
from lumikb.knowledge.base_service import KnowledgeBaseService
from lumikb.knowledge.errors import DocumentNotFoundError, TooManyUploadsError
from lumikb.knowledge.models import NewDocument, Upload
from lumikb.knowledge.service import DocumentService
from lumikb.knowledge.upload_service import UploadService
from lumikb.store.blobs.arrivals import Arrivals
from lumikb.store.blobs.errors import UploadGoneError
from lumikb.store.blobs.local import LocalBlobStore
from lumikb.store.blobs.local_uploads import LocalUploads
from lumikb.store.record.engine import Record
from lumikb.store.record.tables.identity import users
from lumikb.store.record.tables.knowledge import documents
from lumikb.store.record.tables.work import jobs, outbox

DATA = b"The weir holds the water of the upper pond."
SHA256 = hashlib.sha256(DATA).hexdigest()


class Process:
    """The parts of one process on a record and a directory that others may work on, too."""

    def __init__(self, record: Record, path: Path, **options: Any) -> None:
        self.record = record
        self.blobs = LocalBlobStore(path / "blobs", path / "incoming")
        self.blobs.open()
        self.store = LocalUploads(path / "uploads", self.blobs)
        self.store.open()
        self.bases = KnowledgeBaseService(kb_create_level=2, undo_seconds=0)
        given: dict[str, Any] = {"upload_bytes_max": 1000, "undo_seconds": 0}
        self.documents = DocumentService(
            record, self.blobs, self.bases, Sealer("s" * 40, "test"), Arrivals(None), **given
        )
        options = {"open_seconds": 600, "check_jobs": lambda: None} | options
        self.uploads = UploadService(
            record, self.blobs, self.store, self.bases, self.documents, upload_bytes_max=1000, **options
        )

    async def begin(self, actor: Actor, kb_id: str) -> Upload:
        new = NewDocument("weir.txt")
        upload, _ = await self.uploads.begin(actor, new, len(DATA), None, kb_id=kb_id, collection=None)
        return upload

    async def send(self, actor: Actor, kb_id: str) -> Upload:
        upload = await self.begin(actor, kb_id)

        async def body() -> AsyncIterator[bytes]:
            yield DATA

        await self.store.write(upload.id, 0, body(), end=len(DATA))
        return upload

    def expire(self, upload: Upload) -> None:
        past = clock.now() - timedelta(seconds=1)
        self.record.write(lambda unit: upload_repository.update_upload(unit, upload.id, expires_at=past))

    def left(self) -> set[str]:
        return {upload_id for upload_id, _ in self.store.list(older_than_seconds=-60)}


@pytest.fixture
def make_process(record: Record, tmp_path: Path) -> Callable[..., Process]:
    return lambda **options: Process(record, tmp_path, **options)


@pytest.fixture
def process(make_process: Callable[..., Process]) -> Process:
    return make_process()


@pytest.fixture
def actor(record: Record) -> Actor:
    moment, user_id = clock.now(), new_id()
    flags = ("is_superuser", "is_active", "is_verified", "onboarding_completed")
    values = {"id": user_id, "email": "a@b.c", "password_hash": "", "permission_level": 3}
    values |= {"created_at": moment, "updated_at": moment, **dict.fromkeys(flags, True)}
    record.write(lambda unit: unit.connection.execute(insert(users).values(values)))
    return Actor(user_id, "a@b.c", Level.ADMINISTRATOR, is_superuser=True)


@pytest.fixture
def kb_id(process: Process, actor: Actor) -> str:
    return process.record.write(lambda unit: process.bases.create(unit, actor, "Weirs", "")).id


def count(record: Record, table: Any) -> int:
    return len(record.read(lambda connection: connection.execute(select(table)).all()))


def test_a_completed_upload_is_told_and_enqueued_as_any_upload_is(process: Process, actor: Actor, kb_id: str) -> None:
    async def work() -> None:
        upload = await process.send(actor, kb_id)
        accepted = await process.uploads.complete(actor, upload.id)
        assert (accepted.document.id, accepted.document.sha256) == (upload.id, SHA256)

    asyncio.run(work())
    assert (count(process.record, jobs), count(process.record, outbox)) == (1, 1)
    assert process.left() == set()


def test_two_processes_that_complete_at_once_make_one_document(
    make_process: Callable[..., Process], process: Process, actor: Actor, kb_id: str
) -> None:
    async def work() -> None:
        for _ in range(5):
            upload = await process.send(actor, kb_id)
            both = [one.uploads.complete(actor, upload.id) for one in (process, make_process(), process)]
            accepted = await asyncio.gather(*both)
            assert len({one.document.id for one in accepted}) == 1

    asyncio.run(work())
    assert count(process.record, documents) == 1
    assert process.blobs.read(SHA256) == DATA


def test_without_a_job_engine_nothing_is_completed_and_nothing_lost(
    make_process: Callable[..., Process], process: Process, actor: Actor, kb_id: str
) -> None:
    def down() -> None:
        raise UnavailableError("The job engine is down.", service="jobs")

    async def work() -> None:
        upload = await process.send(actor, kb_id)
        with pytest.raises(UnavailableError):
            await make_process(check_jobs=down).uploads.complete(actor, upload.id)
        assert count(process.record, documents) == 0
        assert (await process.uploads.complete(actor, upload.id)).document.id == upload.id

    asyncio.run(work())


def test_the_sweep_erases_what_expired_and_nothing_else(process: Process, actor: Actor, kb_id: str) -> None:
    async def work() -> None:
        done = await process.send(actor, kb_id)
        await process.uploads.complete(actor, done.id)
        under_way, abandoned = await process.send(actor, kb_id), await process.send(actor, kb_id)
        process.expire(abandoned)
        assert list(process.uploads.abandoned()) == [abandoned.id]
        assert process.uploads.sweep() == 1
        assert process.uploads.sweep() == 0
        assert process.left() == {under_way.id}
        with pytest.raises(DocumentNotFoundError):
            await process.uploads.complete(actor, abandoned.id)
        assert (await process.uploads.complete(actor, under_way.id)).duplicate

    asyncio.run(work())
    assert process.blobs.read(SHA256) == DATA
    assert count(process.record, documents) == 1


def test_a_blob_that_a_crash_left_goes_with_its_upload_and_not_before(
    process: Process, actor: Actor, kb_id: str
) -> None:
    """The process died after the bytes were placed and before they were a document's."""
    upload = asyncio.run(process.send(actor, kb_id))
    process.store.seal(upload.id, "", len(DATA))
    blob = process.store.measure(upload.id)
    process.record.write(lambda unit: upload_repository.update_upload(unit, upload.id, blob_sha256=blob.sha256))
    process.store.place(upload.id, blob)
    assert not process.record.write(lambda unit: derived.erase_unreferenced(unit, process.blobs, SHA256))
    process.expire(upload)
    assert process.uploads.sweep() == 1
    assert list(process.blobs.list()) == []


def test_an_upload_that_expired_is_not_completed(process: Process, actor: Actor, kb_id: str) -> None:
    upload = asyncio.run(process.send(actor, kb_id))
    process.expire(upload)
    with pytest.raises(UploadGoneError):
        asyncio.run(process.uploads.complete(actor, upload.id))


def test_uploads_of_one_user_are_bounded(
    process: Process, actor: Actor, kb_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_service, "UPLOADS_OPEN_MAX", 2)
    for _ in range(2):
        asyncio.run(process.begin(actor, kb_id))
    with pytest.raises(TooManyUploadsError):
        asyncio.run(process.begin(actor, kb_id))
    assert len(process.left()) == 2
