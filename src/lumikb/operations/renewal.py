"""Processing a document anew because what the record or the blob store holds of it is not what it was."""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from lumikb.identity.models import Actor
from lumikb.knowledge import repository
from lumikb.knowledge.service import DocumentService
from lumikb.store.blobs.errors import BlobNotFoundError
from lumikb.store.blobs.port import BlobStore
from lumikb.store.jobs.models import OPEN
from lumikb.store.jobs.repository import note_blob
from lumikb.store.record.engine import Record, UnitOfWork
from lumikb.store.record.tables.work import jobs

MISSING, DAMAGED = "missing", "damaged"


@dataclass(frozen=True)
class Way:
    """How a document comes to be sound again."""

    sentence: str
    repaired: bool = False
    waits: bool = False


class Renewal:
    """Says how documents come to be sound again, and with `repair` sets them on that way. Blocks."""

    def __init__(self, record: Record, blobs: BlobStore, documents_: DocumentService) -> None:
        self._record = record
        self._blobs = blobs
        self._documents = documents_

    def condition(self, sha256: str, *, quick: bool = False) -> str | None:
        """What is wrong with a blob that the record needs, or None; `quick` asks for its presence only."""
        try:
            if self._blobs.exists(sha256) if quick else self._blobs.measure(sha256).sha256 == sha256:
                return None
        except BlobNotFoundError:
            pass
        else:
            if not quick:
                return DAMAGED
        return MISSING if self._record.write(lambda unit: self._lacks(unit, sha256)) else None

    def process_again(
        self,
        actor: Actor,
        document_id: str,
        *,
        repair: bool,
        parsed_sha256: str | None = None,
        passages_lost: bool = False,
    ) -> Way:
        """Enqueue the document's newest version, if its original is sound; its present passages answer until then.

        `parsed_sha256` is the text that may be replaced by another. With `passages_lost` there are no present passages,
        whatever the record says.
        """
        document = self._record.read(lambda read: repository.find_document(read, document_id))
        if document is None:
            return Way("The document is deleted: restore it first, if it is to be kept.")
        if self._record.read(lambda read: _is_worked_on(read, document_id)):
            return Way("It waits to be processed.", waits=True)
        condition = self.condition(document.sha256)
        if condition is not None:
            return Way(f"Its original is {condition} too: upload the same file again, then repair.")
        if not repair:
            failed = f" The last attempt ended with {document.error_code}." if document.error_code else ""
            return Way(f"A repair processes it anew from its original.{failed}")

        def enqueue(unit: UnitOfWork) -> None:
            if passages_lost:
                repository.update_document(unit, document_id, current_chunk_set_id=None)
            queued = self._documents.process_again(unit, actor, document_id)
            if parsed_sha256 is not None and queued.job_id is not None:
                # A parser that is newer gives another text: the job then clears the former one away.
                note_blob(unit, queued.job_id, parsed_sha256)

        self._record.write(enqueue)
        return Way("It is processed anew from its original.", repaired=True, waits=True)

    def _lacks(self, unit: UnitOfWork, sha256: str) -> bool:
        """Whether a blob is missing that the record needs: under its lock, for a purge erases one before it commits."""
        repository.lock_blob(unit, sha256)
        return repository.is_referenced(unit.connection, sha256) and not self._blobs.exists(sha256)


def _is_worked_on(connection: Connection, document_id: str) -> bool:
    statement = select(jobs.c.id).where(jobs.c.document_id == document_id, jobs.c.status.in_(OPEN)).limit(1)
    return connection.execute(statement).first() is not None
