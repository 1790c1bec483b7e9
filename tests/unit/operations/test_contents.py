"""What lies in blobs and passages, compared with what the record says of it, and mended."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import delete, select, update

from lumikb.kit.errors import UnavailableError
from lumikb.kit.ids import new_id
from lumikb.knowledge import repository, version_repository
from lumikb.knowledge.derived import clear_job
from lumikb.knowledge.models import Document, DocumentStatus
from lumikb.operations.contents import ContentCheck
from lumikb.operations.findings import Finding
from lumikb.operations.renewal import Renewal
from lumikb.store.blobs.port import StoredBlob, blob_path
from lumikb.store.jobs.models import JobStatus
from lumikb.store.jobs.repository import end_job, get_job
from lumikb.store.record.engine import Record, UnitOfWork
from lumikb.store.record.tables.knowledge import chunks, document_versions

from .conftest import TEXT, Ground, make_ground

pytestmark = pytest.mark.thorough


@dataclass
class House(Ground):
    check: ContentCheck

    def text_of(self, document: Document) -> str:
        statement = select(document_versions.c.parsed_sha256).where(
            document_versions.c.id == document.latest_version_id
        )
        return self.record.read(lambda read: read.execute(statement).scalar_one())

    def file(self, sha256: str) -> Path:
        return self.root / blob_path(sha256)

    def look(self, *, repair: bool = False, quick: bool = False) -> list[Finding]:
        rows = self.record.read(
            lambda read: read.execute(select(document_versions.c.sha256, document_versions.c.parsed_sha256)).all()
        )
        needed = {sha256 for row in rows for sha256 in row if sha256}
        return list(self.check.look(self.actor, needed, quick=quick, repair=repair))

    def seen(self, *, repair: bool = False, quick: bool = False) -> set[tuple[str, str, bool, bool]]:
        return {(found.kind, found.id, found.repaired, found.waits) for found in self.look(repair=repair, quick=quick)}


@pytest.fixture
def house(record: Record, tmp_path: Path) -> House:
    ground = make_ground(record, tmp_path, upload_bytes_max=10_000, undo_seconds=3600)
    renewal = Renewal(record, ground.blobs, ground.documents)
    return House(**vars(ground), check=ContentCheck(record, ground.blobs, renewal, lambda: False))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def alter(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-3] + bytes([data[-3] ^ 1]) + data[-2:])


DAMAGES: list[tuple[Callable[[Path], None], str]] = [
    (truncate, "blob.damaged"),
    (alter, "blob.damaged"),
    (Path.unlink, "blob.missing"),
]


def test_sound_documents_give_nothing(house: House) -> None:
    house.add("a.txt")
    house.upload("waiting.txt", "This one is not processed yet.")
    assert house.look() == house.look(repair=True) == house.look(quick=True) == []


@pytest.mark.parametrize(("damage", "kind"), DAMAGES)
def test_a_text_that_is_not_what_it_was_is_made_anew(house: House, damage: Callable[[Path], None], kind: str) -> None:
    document, other = house.add("a.txt"), house.add("b.txt", TEXT.upper())
    text = house.text_of(document)
    damage(house.file(text))
    assert house.seen(quick=True) == ({(kind, document.id, False, False)} if damage is Path.unlink else set())
    assert house.seen() == {(kind, document.id, False, False)}
    (found,) = house.look(repair=True)
    assert (found.kind, found.id, found.repaired, found.waits) == (kind, document.id, True, True)
    assert "a.txt" in found.message
    assert text[:12] in found.message
    # It is enqueued once, and what readers saw is there.
    queued = house.find(document)
    assert queued.job_id != document.job_id
    assert queued.status is DocumentStatus.READY
    assert house.seen(repair=True) == {(kind, document.id, False, True)}
    assert house.find(document).job_id == queued.job_id
    assert house.find(other).job_id == other.job_id
    house.process(queued)
    assert house.text_of(document) == text
    assert house.look() == []


def test_a_damaged_text_is_cleared_away_when_another_takes_its_place(house: House) -> None:
    document = house.add("a.txt")
    text = house.text_of(document)
    truncate(house.file(text))
    house.look(repair=True)
    queued = house.find(document)
    job = house.record.read(lambda read: get_job(read, queued.job_id or ""))
    house.record.write(lambda unit: repository.update_version(unit, document.latest_version_id, parsed_sha256="0" * 64))
    house.record.write(lambda unit: end_job(unit, job.id, JobStatus.COMPLETED))
    clear_job(house.record, house.blobs, job)
    assert not house.blobs.exists(text)


@pytest.mark.parametrize(("damage", "kind"), DAMAGES)
def test_an_original_that_is_not_what_it_was_comes_back_with_the_same_file(
    house: House, damage: Callable[[Path], None], kind: str
) -> None:
    document = house.add("a.txt")
    damage(house.file(document.sha256))
    (found,) = house.look(repair=True)
    assert (found.kind, found.id, found.repaired, found.waits) == (kind, document.id, False, False)
    assert "Upload the same file again" in found.message
    assert house.find(document).job_id == document.job_id
    assert house.upload("again.txt").id == document.id
    assert house.look() == []


def test_without_a_sound_original_nothing_is_processed(house: House) -> None:
    document = house.add("a.txt")
    alter(house.file(document.sha256))
    truncate(house.file(house.text_of(document)))
    damaged = ("blob.damaged", document.id, False, False)
    assert [(found.kind, found.id, found.repaired, found.waits) for found in house.look(repair=True)] == [damaged] * 2
    house.file(house.text_of(document)).unlink()
    # A quick look does not read the original; a repair that relies on it does.
    assert house.seen(quick=True, repair=True) == {("blob.missing", document.id, False, False)}
    assert house.find(document).job_id == document.job_id
    house.upload("a.txt")
    assert house.seen(repair=True) == {("blob.missing", document.id, True, True)}


@pytest.mark.parametrize(
    "values",
    [
        {"text": "The mill was built in 1902."},
        {"char_start": 1},
        {"char_end": 26},
        {"char_start": 1, "char_end": 28},
        {"text": "The mill", "char_end": 8},
        {"text_sha256": "0" * 64},
        {"page_number": 2},
        {"section_header": "Mills"},
        None,
    ],
)
def test_passages_that_are_not_in_the_text_are_made_anew(house: House, values: dict[str, object] | None) -> None:
    document = house.add("a.txt")
    house.add("b.txt", TEXT.upper())
    first = (chunks.c.document_id == document.id) & (chunks.c.ordinal == 0)
    change = delete(chunks).where(first) if values is None else update(chunks).where(first).values(values)
    house.record.write(lambda unit: unit.connection.execute(change))
    assert house.look(quick=True) == []
    (found,) = house.look()
    assert (found.kind, found.id, found.repaired, found.waits) == ("passages.differ", document.id, False, False)
    assert "1 passage of a.txt" in found.message
    assert house.seen(repair=True) == {("passages.differ", document.id, True, True)}
    assert house.seen(repair=True) == {("passages.differ", document.id, False, True)}
    queued = house.find(document)
    assert queued.status is DocumentStatus.READY
    house.process(queued)
    assert house.look() == []


def test_a_passage_too_many_is_made_anew(house: House) -> None:
    document = house.add("a.txt")

    def repeat(unit: UnitOfWork) -> None:
        row = unit.connection.execute(select(chunks).where(chunks.c.ordinal == 0)).one()._asdict()
        del row["key"]
        unit.connection.execute(chunks.insert().values(row | {"chunk_id": new_id(), "ordinal": 3}))

    house.record.write(repeat)
    assert house.seen(repair=True) == {("passages.differ", document.id, True, True)}
    house.process(house.find(document))
    assert house.look() == []


def packed(*components: float) -> bytes:
    return np.array([*components, *[0.0] * (384 - len(components))], "<f2").tobytes()


@pytest.mark.parametrize(
    ("embedding", "quick"),
    [
        (b"\0", True),
        (b"", True),
        (packed(1.0) + b"\0\0", True),
        (packed(), False),
        (packed(0.5), False),
        (packed(1.0, 0.5), False),
        (packed(float("nan"), 1.0), False),
        (packed(float("inf")), False),
    ],
)
def test_an_embedding_that_is_none_is_named_and_made_anew(house: House, embedding: bytes, quick: bool) -> None:
    document = house.add("a.txt")
    house.add("b.txt", TEXT.upper())
    first = (chunks.c.document_id == document.id) & (chunks.c.ordinal == 0)
    house.record.write(lambda unit: unit.connection.execute(update(chunks).where(first).values(embedding=embedding)))
    assert house.seen(quick=True) == ({("embedding.damaged", document.id, False, False)} if quick else set())
    (found,) = house.look()
    assert (found.kind, found.id, found.repaired, found.waits) == ("embedding.damaged", document.id, False, False)
    assert "1 passage of a.txt" in found.message
    assert house.seen(repair=True, quick=quick) == {("embedding.damaged", document.id, True, True)}
    house.process(house.find(document))
    assert house.look() == []


def test_the_last_failure_is_told(house: House) -> None:
    document = house.add("a.txt")
    truncate(house.file(house.text_of(document)))
    house.record.write(lambda unit: repository.update_document(unit, document.id, error_code="ENCRYPTED"))
    (found,) = house.look()
    assert "ENCRYPTED" in found.message


def test_the_text_of_an_earlier_version_is_named_only(house: House) -> None:
    document = house.add("a.txt")
    blob = house.blobs.put_bytes(b"The next version.")

    def add_version(unit: UnitOfWork) -> None:
        version_id = version_repository.create_version(
            unit, document, "a.txt", StoredBlob(blob.sha256, blob.size_bytes, b""), "text/plain", house.actor.user_id
        )
        repository.update_document(unit, document.id, latest_version_id=version_id)

    truncate(house.file(house.text_of(document)))
    house.record.write(add_version)
    assert house.seen(repair=True) == {("blob.damaged", document.id, False, False)}
    assert house.find(document).job_id == document.job_id


def test_a_deleted_document_is_named_and_not_processed(house: House) -> None:
    document = house.add("a.txt")
    truncate(house.file(house.text_of(document)))
    house.record.write(lambda unit: house.documents.delete(unit, house.actor, document.id))
    (found,) = house.look(repair=True)
    assert (found.kind, found.id, found.repaired) == ("blob.damaged", document.id, False)
    assert "deleted" in found.message


@pytest.mark.parametrize("quick", [True, False])
def test_a_server_that_goes_down_does_not_read_to_the_end(house: House, quick: bool) -> None:
    house.add("a.txt")
    renewal = Renewal(house.record, house.blobs, house.documents)
    house.check = ContentCheck(house.record, house.blobs, renewal, lambda: True)
    with pytest.raises(UnavailableError):
        house.look(quick=quick)
