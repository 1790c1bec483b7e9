"""Blobs that nobody needs, told from those that somebody is about to need."""

import asyncio
import hashlib
import os
import time
from collections.abc import Generator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import update

from lumikb.kit import clock
from lumikb.knowledge import repository
from lumikb.knowledge.derived import erase_unreferenced
from lumikb.knowledge.models import NewDocument
from lumikb.knowledge.upload_service import UploadService
from lumikb.operations.verify import FOREIGN_TOLD_MAX, SPOOL_SECONDS_MAX, Verifier
from lumikb.store.blobs.local_uploads import LocalUploads
from lumikb.store.blobs.port import blob_path
from lumikb.store.index.follower import LocalIndex
from lumikb.store.jobs.models import JobStatus
from lumikb.store.jobs.repository import begin_attempt, create_job, end_job, note_blob
from lumikb.store.record.engine import Record, UnitOfWork, sqlite_url
from lumikb.store.record.migrate import migrate
from lumikb.store.record.tables.work import jobs

from .conftest import Ground, make_ground, sent


@dataclass
class House(Ground):
    index: LocalIndex
    uploads: UploadService

    def orphans(self, *, repair: bool = False, alone: bool = True) -> list[str]:
        found = self.verifier(alone=alone).verify(self.actor, repair=repair).findings
        return [finding.id for finding in found if "blob" in finding.kind]

    def verifier(self, *, alone: bool = True) -> Verifier:
        return Verifier(
            self.record,
            self.blobs,
            self.index,
            self.documents,
            self.uploads,
            self.arrivals,
            alone=alone,
            stopping=lambda: False,
        )

    def begin_job(self) -> str:
        def begin(unit: UnitOfWork) -> str:
            job_id = create_job(unit, "document.ingest", created_by=self.actor.user_id)
            begin_attempt(unit, job_id)
            return job_id

        return self.record.write(begin)


@pytest.fixture
def house(tmp_path: Path) -> Generator[House]:
    record = Record(sqlite_url(tmp_path / "record.sqlite3"), readers=2)
    record.open()
    migrate(record)
    ground = make_ground(record, tmp_path, upload_bytes_max=1000, undo_seconds=0)
    index = LocalIndex(record, tmp_path / "index")
    index.open()
    store = LocalUploads(tmp_path / "uploads", ground.blobs)
    store.open()
    uploads = UploadService(
        record,
        ground.blobs,
        store,
        ground.bases,
        ground.documents,
        upload_bytes_max=1000,
        open_seconds=600,
        check_jobs=lambda: None,
    )
    yield House(**vars(ground), index=index, uploads=uploads)
    index.close()
    record.close()


def test_an_orphan_is_named_and_erased_while_jobs_are_open(house: House) -> None:
    house.begin_job()
    orphan = house.blobs.put_bytes(b"nobody's").sha256
    assert house.orphans() == [orphan]
    assert house.orphans(repair=True) == [orphan]
    assert house.orphans() == []
    assert not house.blobs.exists(orphan)


def test_what_a_job_hands_from_step_to_step_is_no_orphan_until_it_is_cleared_away(house: House) -> None:
    job_id = house.begin_job()
    kept = house.blobs.put_bytes(b"chunks of a job").sha256
    house.record.write(lambda unit: note_blob(unit, job_id, kept))
    assert house.orphans(repair=True) == []
    # Not even when somebody else holds it for useless.
    assert house.record.write(lambda unit: erase_unreferenced(unit, house.blobs, kept)) is False
    house.record.write(lambda unit: end_job(unit, job_id, JobStatus.COMPLETED))
    assert house.orphans(repair=True) == []
    earlier = clock.now() - timedelta(minutes=5)
    house.record.write(lambda unit: unit.connection.execute(update(jobs).values(finished_at=earlier)))
    assert house.orphans() == [kept]


def test_an_upload_that_is_not_accepted_yet_is_no_orphan(house: House) -> None:
    async def upload() -> None:
        blob = await house.documents.store(house.actor, house.kb_id, sent(b"An upload on its way."))
        assert await asyncio.to_thread(house.orphans, repair=True) == []
        accepted = await house.documents.accept(house.actor, house.kb_id, NewDocument("a.txt"), blob)
        assert accepted.document.sha256 == blob.sha256

    asyncio.run(upload())
    assert house.orphans(repair=True) == []


async def cut_off(house: House) -> str:
    blob = await house.documents.store(house.actor, house.kb_id, sent(b"Half an upload."))
    return blob.sha256


def test_an_upload_that_broke_off_is_an_orphan(house: House) -> None:
    assert house.orphans() == []
    left = asyncio.run(cut_off(house))
    assert house.orphans() == [left]


def test_the_next_process_erases_what_was_cut_off_and_nothing_else(house: House) -> None:
    async def upload() -> str:
        blob = await house.documents.store(house.actor, house.kb_id, sent(b"An upload."))
        return (await house.documents.accept(house.actor, house.kb_id, NewDocument("a.txt"), blob)).document.sha256

    unknown = house.blobs.put_bytes(b"of a record that is not this one").sha256
    accepted, left = asyncio.run(upload()), asyncio.run(cut_off(house))
    foreign = house.root.parent / "arriving" / ".DS_Store"
    foreign.touch()

    assert house.verifier().erase_leftovers(0) == 1

    assert not house.blobs.exists(left)
    assert house.blobs.exists(unknown)
    assert house.blobs.exists(accepted)
    assert list(house.arrivals.cut_off(0)) == []
    assert foreign.exists()


def test_a_record_that_knows_little_is_not_believed(house: House) -> None:
    unknown = [house.blobs.put_bytes(b"%d" % number).sha256 for number in range(5)]

    assert sorted(house.orphans(repair=True)) == sorted(unknown)

    assert all(map(house.blobs.exists, unknown))


def test_beside_other_processes_only_what_is_older_than_any_upload_is_an_orphan(house: House) -> None:
    orphan = house.blobs.put_bytes(b"nobody's").sha256
    assert house.orphans(alone=False) == []
    os.utime(house.root / blob_path(orphan), (time.time() - SPOOL_SECONDS_MAX - 1,) * 2)
    assert house.orphans(alone=False) == [orphan]


def test_what_lies_in_the_wrong_folder_is_named_and_erased_unless_it_is_missing(house: House) -> None:
    def misplace(data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        path = house.root / "00" / "11" / sha256
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path.relative_to(house.root).as_posix()

    async def upload() -> None:
        blob = await house.documents.store(house.actor, house.kb_id, sent(b"A document."))
        await house.documents.accept(house.actor, house.kb_id, NewDocument("a.txt"), blob)

    orphan, copy = misplace(b"nobody's"), misplace(b"A document.")
    asyncio.run(upload())
    assert sorted(house.orphans()) == sorted([orphan, copy])
    (house.root / blob_path(Path(copy).name)).unlink()
    assert orphan in house.orphans(repair=True)
    assert not (house.root / orphan).exists()
    assert (house.root / copy).exists()
    assert copy in house.orphans()


def test_files_that_are_no_blobs_are_named_and_never_erased(house: House) -> None:
    sha256 = house.blobs.put_bytes(b"nobody's").sha256
    house.orphans(repair=True)
    names = [".DS_Store", "00/notes.txt", blob_path(sha256) + ".part", os.fsdecode(b"00/not-\xff-utf-8")]
    for name in names:
        (house.root / name).parent.mkdir(parents=True, exist_ok=True)
        (house.root / name).write_bytes(b"somebody's")
    found = house.verifier().verify(house.actor, repair=True)
    assert {finding.kind for finding in found.findings} == {"blob.foreign"}
    assert sorted(finding.id for finding in found.findings) == sorted(
        [*names[:3], "00/not-\N{REPLACEMENT CHARACTER}-utf-8"]
    )
    assert not any(finding.repaired for finding in found.findings)
    assert msgspec.json.encode(found)
    assert all((house.root / name).exists() for name in names)
    for number in range(FOREIGN_TOLD_MAX):
        (house.root / f"{number}.txt").touch()
    findings = house.verifier().verify(house.actor, repair=False).findings
    assert len(findings) == FOREIGN_TOLD_MAX + 1
    assert "24" in findings[-1].message


def test_only_what_a_second_look_does_not_find_again_is_repaired(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    document = house.add("a.txt")
    # An index that nothing mends: its rebuild builds nothing.
    keys = house.record.read(lambda read: repository.chunk_keys_of(read, document))
    house.index.catch_up()
    house.index.rebuild()
    held = house.index.indexed_keys
    monkeypatch.setattr(house.index, "indexed_keys", lambda: held()[held() != keys[0]])
    for _ in range(2):
        (found,) = house.verifier().verify(house.actor, repair=True).findings
        assert (found.kind, found.id, found.repaired) == ("index.missing", str(keys[0]), False)
    monkeypatch.undo()
    assert house.verifier().verify(house.actor, repair=True).findings == []
