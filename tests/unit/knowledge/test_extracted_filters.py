"""Filters look at what was extracted from the version that answers, on both databases."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import insert

from lumikb.compute.extract.models import Extracted
from lumikb.kit import clock
from lumikb.kit.ids import new_id
from lumikb.kit.pages import PageRequest
from lumikb.knowledge import repository, version_repository
from lumikb.knowledge.models import Document, DocumentFilter, NewDocument
from lumikb.retrieval.models import Filters
from lumikb.retrieval.repository import matching_document_ids
from lumikb.store.blobs.port import StoredBlob
from lumikb.store.record.engine import Record, UnitOfWork
from lumikb.store.record.tables.identity import users
from lumikb.store.record.tables.knowledge import knowledge_bases

BLOB = StoredBlob(sha256="a" * 64, size_bytes=1, head=b"a")
DATE = datetime(2019, 6, 1, tzinfo=UTC)
GERMAN = Extracted(language="de", author="Anna Weiß", date=DATE)
ENGLISH = Extracted(language="en", author="Åsa Lindqvist")


@pytest.fixture
def kb_id(record: Record) -> str:
    moment, user_id, made = clock.now(), new_id(), new_id()

    def make(unit: UnitOfWork) -> None:
        user = dict.fromkeys((column.name for column in users.c if not column.nullable), False)
        user |= {"id": user_id, "email": "a@b", "password_hash": "", "created_at": moment, "updated_at": moment}
        unit.connection.execute(insert(users).values({name: user[name] for name in user if name in users.c}))
        kb = {"name": "KB", "active_name": "kb", "description": "", "status": "active", "settings": {}}
        kb |= {"id": made, "owner_id": user_id, "created_at": moment, "updated_at": moment}
        unit.connection.execute(insert(knowledge_bases).values(kb))

    record.write(make)
    return made


def create(unit: UnitOfWork, kb_id: str, new: NewDocument) -> Document:
    owner = unit.connection.execute(users.select()).one().id
    return find(unit, repository.create_document(unit, kb_id, new, BLOB, "text/plain", owner))


def find(unit: UnitOfWork, document_id: str) -> Document:
    document = repository.find_document(unit.connection, document_id)
    assert document is not None
    return document


def publish(unit: UnitOfWork, document: Document, extracted: Extracted) -> Document:
    chunk_set = {
        "id": new_id(),
        "version_id": document.latest_version_id,
        "document_id": document.id,
        "model_id": "m",
        "model_tier": "fp32",
        "params": {},
    }
    repository.create_chunk_set(unit, chunk_set, [])
    repository.update_document(unit, document.id, current_chunk_set_id=chunk_set["id"])
    repository.show_extracted(unit, document, extracted)
    return find(unit, document.id)


def found_by_both(record: Record, kb_id: str, **wanted: object) -> set[str]:
    """Names of the documents that the list gives; the search's allow list must hold the same ones."""
    listed = record.read(
        lambda read: repository.list_documents(read, [kb_id], DocumentFilter(**wanted), PageRequest(limit=100))  # type: ignore[arg-type]
    )
    allowed = record.read(lambda read: matching_document_ids(read, [kb_id], Filters(**wanted)))  # type: ignore[arg-type]
    assert {document.id for document in listed.items} == set(allowed)
    assert listed.total == len(allowed)
    return {document.name for document in listed.items}


def test_filters_find_what_was_extracted(record: Record, kb_id: str) -> None:
    def make(unit: UnitOfWork) -> None:
        publish(unit, create(unit, kb_id, NewDocument("german")), GERMAN)
        publish(
            unit, create(unit, kb_id, NewDocument("english", document_date=datetime(1850, 1, 1, tzinfo=UTC))), ENGLISH
        )
        create(unit, kb_id, NewDocument("waiting"))

    record.write(make)
    assert found_by_both(record, kb_id) == {"german", "english", "waiting"}
    assert found_by_both(record, kb_id, language="de") == {"german"}
    assert found_by_both(record, kb_id, author="WEISS") == {"german"}
    assert found_by_both(record, kb_id, author="åsa") == {"english"}
    assert found_by_both(record, kb_id, author="_") == set()
    assert found_by_both(record, kb_id, language="en", author="anna") == set()
    assert found_by_both(record, kb_id, date_from=DATE, date_to=DATE) == {"german"}
    assert found_by_both(record, kb_id, date_to=DATE) == {"german", "english"}


def test_what_a_user_says_of_the_date_stays_when_a_version_is_published(record: Record, kb_id: str) -> None:
    given = datetime(1850, 1, 1, tzinfo=UTC)
    with record.writing() as unit:
        document = publish(unit, create(unit, kb_id, NewDocument("german", document_date=given)), GERMAN)
        assert (document.own_date, document.extracted, document.current_version) == (given, GERMAN, 1)
        repository.update_document(unit, document.id, document_date=None)
        assert find(unit, document.id).own_date == DATE


def test_a_version_shows_when_it_is_published_and_not_before(record: Record, kb_id: str) -> None:
    with record.writing() as unit:
        first = publish(unit, create(unit, kb_id, NewDocument("mill")), GERMAN)
        version_id = version_repository.create_version(unit, first, "mill", BLOB, "text/plain", first.created_by)
        repository.update_document(unit, first.id, latest_version_id=version_id)
        waiting = find(unit, first.id)
        assert (waiting.version, waiting.current_version, waiting.extracted) == (2, 1, GERMAN)
    assert found_by_both(record, kb_id, language="de") == {"mill"}
    with record.writing() as unit:
        second = publish(unit, waiting, Extracted())
        assert (second.current_version, second.extracted, second.own_date) == (2, Extracted(), None)
    assert found_by_both(record, kb_id, language="de") == set()
    assert found_by_both(record, kb_id, author="anna") == set()


def test_a_long_name_is_kept_within_its_column(record: Record, kb_id: str) -> None:
    with record.writing() as unit:
        long = Extracted(author="ß" * 300)
        assert publish(unit, create(unit, kb_id, NewDocument("a")), long).extracted == long
