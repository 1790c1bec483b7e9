"""Documents and jobs whose rows no reader could make sense of: named, listed all the same, and mended."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select, update

from lumikb.kit.pages import PageRequest
from lumikb.knowledge import repository, version_repository
from lumikb.knowledge.models import Document, DocumentFilter, DocumentStatus
from lumikb.operations.findings import Finding
from lumikb.operations.renewal import Renewal
from lumikb.operations.states import StateCheck
from lumikb.store.jobs.models import JobStatus
from lumikb.store.jobs.repository import end_job, list_jobs
from lumikb.store.record.engine import Record
from lumikb.store.record.tables.knowledge import document_versions, documents
from lumikb.store.record.tables.work import jobs

from .conftest import Ground, make_ground

pytestmark = pytest.mark.thorough

NOBODY = "00000000-0000-7000-8000-000000000000"


@dataclass
class House(Ground):
    check: StateCheck

    def change(self, document: Document, **values: object) -> None:
        statement = update(documents).where(documents.c.id == document.id).values(values)
        self.record.write(lambda unit: unit.connection.execute(statement))

    def look(self, *, repair: bool = False) -> list[Finding]:
        return list(self.check.look(self.actor, repair=repair))

    def seen(self, *, repair: bool = False) -> list[tuple[str, str, bool, bool]]:
        return [(found.kind, found.id, found.repaired, found.waits) for found in self.look(repair=repair)]

    def listed(self) -> list[DocumentStatus]:
        def read_all() -> list[Document]:
            page = PageRequest(1, 10)
            return self.record.read(
                lambda read: repository.list_documents(read, [self.kb_id], DocumentFilter(), page).items
            )

        return [document.status for document in read_all()]


@pytest.fixture
def house(record: Record, tmp_path: Path) -> House:
    ground = make_ground(record, tmp_path, upload_bytes_max=10_000, undo_seconds=3600)
    renewal = Renewal(record, ground.blobs, ground.documents)
    return House(**vars(ground), check=StateCheck(record, ground.documents, renewal))


def test_sound_rows_give_nothing(house: House) -> None:
    house.add("a.txt")
    house.change(house.add("b.txt", "Herons stand in shallow water and wait."), status=DocumentStatus.ARCHIVED)
    house.upload("c.txt", "This one waits to be processed.")
    assert house.look() == house.look(repair=True) == []


@pytest.mark.parametrize("readable", [True, False])
def test_a_status_that_is_none_is_listed_as_failed_and_made_anew(house: House, readable: bool) -> None:
    document = house.add("a.txt")
    house.change(document, status="BROKEN")
    if not readable:
        house.change(document, current_chunk_set_id=None)
    assert house.listed() == [DocumentStatus.FAILED]
    (found,) = house.look()
    assert (found.kind, found.id, found.repaired) == ("document.status", document.id, False)
    assert "BROKEN" in found.message
    assert house.seen(repair=True) == [("document.status", document.id, True, True)]
    assert house.listed() == [DocumentStatus.READY if readable else DocumentStatus.PENDING]
    house.process(house.find(document))
    assert house.look() == []


@pytest.mark.parametrize("pointer", [None, NOBODY])
def test_a_document_that_lost_its_passages_is_made_anew(house: House, pointer: str | None) -> None:
    document = house.add("a.txt")
    house.change(document, current_chunk_set_id=pointer)
    assert house.seen() == [("document.passages", document.id, False, False)]
    assert house.seen(repair=True) == [("document.passages", document.id, True, True)]
    assert house.listed() == [DocumentStatus.PENDING]
    assert house.look() == []
    house.process(house.find(document))
    assert house.look() == []


def test_an_archived_document_that_lost_its_passages_stays_archived(house: House) -> None:
    document = house.add("a.txt")
    house.change(document, current_chunk_set_id=None, status=DocumentStatus.ARCHIVED)
    assert house.seen(repair=True) == [("document.passages", document.id, True, True)]
    assert house.listed() == [DocumentStatus.ARCHIVED]


def test_a_newest_version_that_is_not_there_is_replaced_by_one_that_is(house: House) -> None:
    document = house.add("a.txt")
    house.change(document, latest_version_id=NOBODY)
    assert house.listed() == []
    assert house.seen() == [("document.version", document.id, False, False)]
    assert house.seen(repair=True) == [("document.version", document.id, True, True)]
    assert house.find(document).latest_version_id == document.latest_version_id
    assert house.look() == []


def test_a_document_without_any_version_is_named_only(house: House) -> None:
    document, other = house.add("a.txt"), house.add("b.txt", "Herons stand in shallow water and wait.")
    statement = update(document_versions).where(document_versions.c.document_id == document.id)
    number = {"document_id": other.id, "number": 2}
    house.record.write(lambda unit: unit.connection.execute(statement.values(number)))
    (found,) = house.look(repair=True)
    assert (found.kind, found.id, found.repaired) == ("document.version", document.id, False)
    assert "backup" in found.message


def test_a_job_of_no_status_is_listed_as_failed_and_its_document_is_enqueued_again(house: House) -> None:
    document = house.upload("a.txt")
    statement = update(jobs).where(jobs.c.id == document.job_id).values(status="resting")
    house.record.write(lambda unit: unit.connection.execute(statement))
    (job,) = house.record.read(lambda read: list_jobs(read, PageRequest(1, 10)).items)
    assert job.status is JobStatus.FAILED
    assert house.seen() == [
        ("job.status", document.job_id, False, False),
        ("document.stuck", document.id, False, False),
    ]
    assert [found.repaired for found in house.look(repair=True)] == [True, True]
    assert house.find(document).job_id != document.job_id
    assert house.look() == []


def test_a_version_of_no_status_is_listed_as_failed(house: House) -> None:
    document = house.add("a.txt")
    house.record.write(lambda unit: unit.connection.execute(update(document_versions).values(status="BROKEN")))
    (version,) = house.record.read(lambda read: version_repository.list_versions(read, document))
    assert version.status is DocumentStatus.FAILED


def test_a_document_that_nobody_works_on_is_enqueued_again(house: House) -> None:
    document = house.upload("a.txt")
    house.record.write(lambda unit: end_job(unit, document.job_id or "", JobStatus.CANCELLED))
    assert house.seen() == [("document.stuck", document.id, False, False)]
    assert house.seen(repair=True) == [("document.stuck", document.id, True, True)]
    assert house.record.read(lambda read: read.execute(select(jobs.c.id)).all()) != []
    assert house.look() == []
