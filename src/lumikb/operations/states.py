"""What rows of documents and jobs say of their state: words that are none, and pointers that lead nowhere."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, exists, select

from lumikb.identity.models import Actor
from lumikb.knowledge import repository
from lumikb.knowledge.models import DocumentStatus
from lumikb.knowledge.service import DocumentService
from lumikb.operations.findings import Finding
from lumikb.operations.renewal import Renewal
from lumikb.store.jobs.models import OPEN, JobStatus
from lumikb.store.jobs.repository import end_unknown
from lumikb.store.record.engine import Record, UnitOfWork
from lumikb.store.record.tables.knowledge import chunk_sets, document_versions, documents
from lumikb.store.record.tables.work import jobs

_PRESENT = documents.c.deleted_at.is_(None)
_HAS_VERSION = exists().where(
    document_versions.c.id == documents.c.latest_version_id, document_versions.c.document_id == documents.c.id
)


@dataclass(frozen=True)
class _State:
    """A document as its row has it, and its newest version in truth."""

    document_id: str
    name: str
    status: str
    newest_version_id: str | None = None


class StateCheck:
    """Finds what no reader of documents or jobs could make sense of. Blocks; safe beside all other work."""

    def __init__(self, record: Record, documents_: DocumentService, renewal: Renewal) -> None:
        self._record = record
        self._documents = documents_
        self._renewal = renewal

    def look(self, actor: Actor, *, repair: bool) -> Iterator[Finding]:
        """Jobs first: a document whose job is none is stuck. Then what makes a document readable, last who waits."""
        yield from self._jobs(repair)
        yield from self._versions(actor, repair)
        for state in self._record.read(_of_unknown_status):
            way = self._renewal.process_again(actor, state.document_id, repair=repair)
            message = f"{state.name} has a status that is none ({state.status!r}). {way.sentence}"
            yield Finding("document.status", state.document_id, message, way.repaired, way.waits)
        for state in self._record.read(_without_passages):
            way = self._renewal.process_again(actor, state.document_id, repair=repair, passages_lost=True)
            message = f"{state.name} is {state.status}, and its passages are gone. {way.sentence}"
            yield Finding("document.passages", state.document_id, message, way.repaired, way.waits)
        yield from self._stuck(actor, repair)

    def _jobs(self, repair: bool) -> Iterator[Finding]:
        unknown = self._record.read(_jobs_of_unknown_status)
        if unknown and repair:
            self._record.write(end_unknown)
        for job_id, status in unknown:
            message = f"The job has a status that is none ({status!r}): nobody works on it. A repair ends it as failed."
            yield Finding("job.status", job_id, message, repaired=repair)

    def _versions(self, actor: Actor, repair: bool) -> Iterator[Finding]:
        for state in self._record.read(_without_version):
            newest = state.newest_version_id
            if newest is None:
                message = f"{state.name} has no version, and nobody sees it: restore the record from a backup."
                yield Finding("document.version", state.document_id, message)
                continue

            def point(unit: UnitOfWork, document_id: str = state.document_id, newest: str = newest) -> None:
                repository.update_document(unit, document_id, latest_version_id=newest)
                self._documents.process_again(unit, actor, document_id)

            if repair:
                self._record.write(point)
            message = (
                f"{state.name} names a newest version that is not there, and nobody sees it. "
                "A repair takes the newest that is there, and processes it anew."
            )
            yield Finding("document.version", state.document_id, message, repaired=repair, waits=repair)

    def _stuck(self, actor: Actor, repair: bool) -> Iterator[Finding]:
        for document_id, name in self._record.read(_stuck):
            if repair:
                self._record.write(lambda unit, one=document_id: self._documents.process_again(unit, actor, one))
            message = f"{name} waits to be processed, but no job is working on it."
            yield Finding("document.stuck", document_id, message, repaired=repair, waits=repair)


def _jobs_of_unknown_status(connection: Connection) -> list[tuple[str, str]]:
    rows = connection.execute(select(jobs.c.id, jobs.c.status).where(jobs.c.status.not_in(list(JobStatus))))
    return [(row.id, row.status) for row in rows]


def _without_version(connection: Connection) -> list[_State]:
    newest = (
        select(document_versions.c.id)
        .where(document_versions.c.document_id == documents.c.id)
        .order_by(document_versions.c.number.desc())
        .limit(1)
        .scalar_subquery()
    )
    statement = select(documents.c.id, documents.c.name, documents.c.status, newest).where(_PRESENT, ~_HAS_VERSION)
    return [_State(*row) for row in connection.execute(statement)]


def _of_unknown_status(connection: Connection) -> list[_State]:
    statement = select(documents.c.id, documents.c.name, documents.c.status).where(
        _PRESENT, _HAS_VERSION, documents.c.status.not_in(list(DocumentStatus))
    )
    return [_State(*row) for row in connection.execute(statement)]


def _without_passages(connection: Connection) -> list[_State]:
    """Documents that claim to be readable, or to have passages, and have no set of them."""
    own = exists().where(
        chunk_sets.c.id == documents.c.current_chunk_set_id, chunk_sets.c.document_id == documents.c.id
    )
    claims = documents.c.current_chunk_set_id.is_not(None) | documents.c.status.in_(
        [DocumentStatus.READY, DocumentStatus.ARCHIVED]
    )
    statement = select(documents.c.id, documents.c.name, documents.c.status).where(_PRESENT, _HAS_VERSION, claims, ~own)
    return [_State(*row) for row in connection.execute(statement)]


def _stuck(connection: Connection) -> list[tuple[str, str]]:
    waiting = documents.c.status.in_([DocumentStatus.PENDING, DocumentStatus.PROCESSING])
    open_job = select(jobs.c.id).where(jobs.c.document_id == documents.c.id, jobs.c.status.in_(OPEN)).exists()
    statement = select(documents.c.id, documents.c.name).where(waiting, _PRESENT, _HAS_VERSION, ~open_job)
    return [(row.id, row.name) for row in connection.execute(statement)]
