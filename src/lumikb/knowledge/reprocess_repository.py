"""SQL of a reprocessing: the chunk sets that wait for the switch, the switch, and what is erased after it.

A set waits for the very set that it was made to replace. A document that was given another one meanwhile (a new
version became READY) is not switched, but made again before the switch.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, delete, exists, func, insert, select, update

from lumikb.compute.extract.models import Extracted
from lumikb.kit import clock
from lumikb.knowledge.models import DocumentStatus, KbSettings
from lumikb.knowledge.repository import filtered_by, insert_chunks
from lumikb.knowledge.settings_repository import made_otherwise
from lumikb.store.jobs.models import OPEN
from lumikb.store.record.engine import UnitOfWork
from lumikb.store.record.rows import as_dict
from lumikb.store.record.tables.knowledge import chunk_sets, chunks, document_versions, documents
from lumikb.store.record.tables.work import jobs

# Of the sets that are erased in one unit of work, so that none holds the write lock for long.
_CHUNKS_PER_ERASURE = 2_000
_SETS_PER_ERASURE = 200
# A job that has ended clears away after it.
ORPHANED_AFTER = timedelta(minutes=10)

_current = chunk_sets.alias("current_sets")
_waiting = chunk_sets.alias("waiting_sets")


@dataclass(frozen=True)
class Outdated:
    """A document whose chunk set was made with other settings, and the version that this set is of.

    `read_in` are the languages its text was recognised in, if it was.
    """

    document_id: str
    name: str
    set_id: str
    version_id: str
    is_newest: bool
    sha256: str
    filename: str
    mime_type: str
    parsed_sha256: str | None
    read_in: str


@dataclass(frozen=True)
class Switched:
    """Keys of the chunks that answered until the switch, and of those that answer since."""

    removed: list[int]
    added: list[int]
    documents: int


def outdated(connection: Connection, kb_id: str, job_id: str, target: KbSettings, limit: int) -> list[Outdated]:
    """Documents that the job has yet to make a set for."""
    version, read_in = document_versions.c, chunk_sets.c.params["ocr_languages"].as_string()
    statement = (
        select(
            documents.c.id.label("document_id"),
            documents.c.name,
            chunk_sets.c.id.label("set_id"),
            version.id.label("version_id"),
            (version.id == documents.c.latest_version_id).label("is_newest"),
            version.sha256,
            version.filename,
            version.mime_type,
            version.parsed_sha256,
            func.coalesce(read_in, "").label("read_in"),
        )
        .select_from(documents)
        .join(chunk_sets, chunk_sets.c.id == documents.c.current_chunk_set_id)
        .join(document_versions, document_versions.c.id == chunk_sets.c.version_id)
        .where(documents.c.kb_id == kb_id, made_otherwise(target))
        .where(~exists().where(_waiting.c.job_id == job_id, _waiting.c.replaces_id == chunk_sets.c.id))
        .order_by(documents.c.id)
        .limit(limit)
    )
    return [Outdated(**as_dict(row)) for row in connection.execute(statement)]


def count_waiting(connection: Connection, job_id: str) -> int:
    """Documents whose new set waits for the switch."""
    return connection.execute(_count(_waits(job_id))).scalar_one()


def count_kept(connection: Connection, job_id: str, target: KbSettings) -> int:
    """Those of them whose text was not recognised anew, though it was to be."""
    return connection.execute(_count(_waits(job_id)).where(made_otherwise(target))).scalar_one()


def still_answers(unit: UnitOfWork, document: Outdated) -> bool:
    """Whether the document is there and its readers see the same set; nobody changes that until the commit."""
    statement = select(documents.c.id).where(
        documents.c.id == document.document_id, documents.c.current_chunk_set_id == document.set_id
    )
    return unit.connection.execute(statement.with_for_update()).first() is not None


def create_waiting_set(
    unit: UnitOfWork, job_id: str, replaces_id: str, values: dict[str, Any], rows: list[dict[str, Any]]
) -> None:
    """Store a set beside the one it is to replace; nobody reads it until the switch."""
    made = {"created_at": clock.now(), "chunk_count": len(rows), "job_id": job_id, "replaces_id": replaces_id}
    unit.connection.execute(insert(chunk_sets).values(**made, **values))
    insert_chunks(unit, values["id"], rows)


def copy_version(unit: UnitOfWork, version_id: str, **values: Any) -> None:
    """The next version of the same document, of the same file."""
    former = unit.connection.execute(select(document_versions).where(document_versions.c.id == version_id)).one()
    number = select(func.max(document_versions.c.number) + 1).where(
        document_versions.c.document_id == former.document_id
    )
    copied = as_dict(former) | values | {"number": unit.connection.execute(number).scalar_one()}
    copied |= {"status": DocumentStatus.PENDING, "created_at": clock.now()}
    unit.connection.execute(insert(document_versions).values(**copied))


def switch(unit: UnitOfWork, kb_id: str, job_id: str) -> Switched:
    """Let the waiting sets answer, and mark those that they replace; the caller holds the lock of the knowledge base.

    Three statements for however many documents, and one more for each whose text was recognised anew.
    """
    connection = unit.connection
    ready = _ready(job_id).subquery()
    removed, added = (
        list(
            connection.execute(
                select(chunks.c.key).join(ready, side == chunks.c.chunk_set_id).order_by(chunks.c.key)
            ).scalars()
        )
        for side in (ready.c.replaces_id, ready.c.id)
    )
    _renew_versions(unit, job_id)
    replaced = list(connection.execute(select(ready.c.replaces_id)).scalars())
    successor = select(_waiting.c.id).where(
        _waiting.c.job_id == job_id, _waiting.c.replaces_id == documents.c.current_chunk_set_id
    )
    connection.execute(
        update(documents)
        .where(documents.c.kb_id == kb_id, successor.exists())
        .values(current_chunk_set_id=successor.scalar_subquery(), updated_at=clock.now())
    )
    _mark_replaced(unit, kb_id, job_id)
    return Switched(removed, added, len(replaced))


def _renew_versions(unit: UnitOfWork, job_id: str) -> None:
    """Make the versions of texts that were recognised anew the newest ones, with their warnings and what they tell."""
    renewed = _ready(job_id).where(_waiting.c.version_id != _current.c.version_id).subquery()
    for row in unit.connection.execute(
        select(
            renewed.c.document_id,
            renewed.c.version_id,
            renewed.c.former_id,
            renewed.c.params,
            document_versions.c.extracted,
        ).join(document_versions, document_versions.c.id == renewed.c.version_id)
    ).all():
        extracted = msgspec.convert(row.extracted, Extracted)
        unit.connection.execute(
            update(documents)
            .where(documents.c.id == row.document_id, documents.c.latest_version_id == row.former_id)
            .values(
                latest_version_id=row.version_id,
                warnings=row.params.get("warnings", []),
                **filtered_by(extracted),
            )
        )
        unit.connection.execute(
            update(document_versions)
            .where(document_versions.c.id == row.version_id)
            .values(status=DocumentStatus.READY)
        )


def _mark_replaced(unit: UnitOfWork, kb_id: str, job_id: str) -> None:
    """The sets of the same version that answered before become the job's to erase; those that answer are free of it."""
    answering = select(documents.c.current_chunk_set_id).where(documents.c.kb_id == kb_id)
    replaced = (
        select(_current.c.id)
        .join(_waiting, (_waiting.c.replaces_id == _current.c.id) & (_waiting.c.version_id == _current.c.version_id))
        .where(_waiting.c.job_id == job_id, _waiting.c.id.in_(answering))
    )
    unit.connection.execute(
        update(chunk_sets).where(chunk_sets.c.id.in_(replaced)).values(job_id=job_id, replaces_id=None)
    )
    unit.connection.execute(
        update(chunk_sets)
        .where(chunk_sets.c.job_id == job_id, chunk_sets.c.id.in_(answering))
        .values(job_id=None, replaces_id=None)
    )


def erase_sets(unit: UnitOfWork, job_id: str) -> set[str] | None:
    """Erase some of the sets that an ended job has left; gives the texts that went with them, None when none is left.

    With a set that was never switched to goes the version that was made for it.
    """
    left = unit.connection.execute(
        select(chunk_sets.c.id, chunk_sets.c.version_id, chunk_sets.c.replaces_id, chunk_sets.c.chunk_count)
        .where(chunk_sets.c.job_id == job_id)
        .limit(_SETS_PER_ERASURE)
    ).all()
    if not left:
        return None
    chosen, size = [left[0]], left[0].chunk_count
    for row in left[1:]:
        size += row.chunk_count
        if size > _CHUNKS_PER_ERASURE:
            break
        chosen.append(row)
    texts: set[str] = set()
    for row in chosen:
        replaced = select(chunk_sets.c.version_id).where(chunk_sets.c.id == row.replaces_id).scalar_subquery()
        made = (document_versions.c.id == row.version_id) & (document_versions.c.id != replaced)
        texts |= set(unit.connection.execute(select(document_versions.c.parsed_sha256).where(made)).scalars())
        unit.connection.execute(delete(document_versions).where(made))
    unit.connection.execute(delete(chunk_sets).where(chunk_sets.c.id.in_([row.id for row in chosen])))
    return texts


def orphaned_sets(connection: Connection) -> dict[str, set[str]]:
    """Sets that a reprocessing has left which ended some time ago, by its job's id."""
    at_work = jobs.c.status.in_(OPEN) | (jobs.c.finished_at > clock.now() - ORPHANED_AFTER)
    open_job = exists().where(jobs.c.id == chunk_sets.c.job_id, at_work)
    rows = connection.execute(
        select(chunk_sets.c.job_id, chunk_sets.c.id).where(chunk_sets.c.job_id.is_not(None), ~open_job)
    )
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row.job_id, set()).add(row.id)
    return found


def _waits(job_id: str) -> ColumnElement[bool]:
    return (
        (chunk_sets.c.job_id == job_id)
        & (chunk_sets.c.document_id == documents.c.id)
        & (chunk_sets.c.replaces_id == documents.c.current_chunk_set_id)
    )


def _count(condition: ColumnElement[bool]) -> Select[tuple[int]]:
    return select(func.count()).select_from(documents.join(chunk_sets, condition))


def _ready(job_id: str) -> Select[Any]:
    """The waiting sets, each with the version of the set that it is to replace."""
    return (
        select(_waiting, _current.c.version_id.label("former_id"))
        .join(
            documents,
            (documents.c.id == _waiting.c.document_id) & (documents.c.current_chunk_set_id == _waiting.c.replaces_id),
        )
        .join(_current, _current.c.id == _waiting.c.replaces_id)
        .where(_waiting.c.job_id == job_id)
    )
