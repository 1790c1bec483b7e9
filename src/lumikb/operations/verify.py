"""Comparing the record with the index and the blob store, and mending what can be mended.

The record is the truth: an index is rebuilt from it, a blob that nothing refers to is erased, a document that nobody
works on is enqueued again. A blob that the record needs and the store lacks can only be named.
"""

from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from lumikb.audit.repository import append_event
from lumikb.identity.models import Actor
from lumikb.knowledge import repository
from lumikb.knowledge.derived import erase_unreferenced
from lumikb.knowledge.models import DocumentStatus
from lumikb.knowledge.reprocess import erase_left_sets
from lumikb.knowledge.reprocess_repository import orphaned_sets
from lumikb.knowledge.service import DocumentService
from lumikb.store.blobs.port import BlobStore
from lumikb.store.index.errors import IndexDamagedError
from lumikb.store.index.follower import LocalIndex
from lumikb.store.jobs.models import OPEN
from lumikb.store.jobs.repository import blobs_of_open_jobs, count_open_jobs
from lumikb.store.record.changes import alive
from lumikb.store.record.engine import Record, UnitOfWork
from lumikb.store.record.tables.knowledge import chunks, document_versions, documents
from lumikb.store.record.tables.work import jobs

Keys = NDArray[np.int64]

# Spool files that a crash left are removed when they were not written to for so long.
SPOOL_SECONDS_MAX = 3600.0


class Finding(msgspec.Struct):
    """One difference: what kind, the id it concerns, a sentence, and whether it has been mended."""

    kind: str
    id: str
    message: str
    repaired: bool = False


class VerifyBody(msgspec.Struct):
    """All differences, and how much was compared."""

    findings: list[Finding]
    checked: dict[str, int]


class Verifier:
    """Compares and mends. Blocks; safe beside running ingests and searches."""

    def __init__(self, record: Record, blobs: BlobStore, index: LocalIndex, documents_: DocumentService) -> None:
        self._record = record
        self._blobs = blobs
        self._index = index
        self._documents = documents_

    def verify(self, actor: Actor, *, repair: bool) -> VerifyBody:
        """Look at documents, blobs and index; with `repair` mend what can be mended."""
        needed = self._record.read(_needed_blobs)
        findings = [*self._stuck_documents(actor, repair), *self._blobs_missing(needed)]
        findings += self._sets_orphaned(repair)
        findings += self._blobs_orphaned(needed, repair)
        live = self._record.read(_live_keys)
        findings += self._index_differences(live, repair)
        if repair:
            self._blobs.sweep_incoming(SPOOL_SECONDS_MAX)
            mended = [finding.kind for finding in findings if finding.repaired]
            self._record.write(
                lambda unit: append_event(unit, "record.repaired", actor_id=actor.user_id, mended=len(mended))
            )
        return VerifyBody(findings, {"blobs": len(needed), "chunks": int(live.size)})

    def erase_leftovers(self, older_than_seconds: float) -> int:
        """Erase what uploads left that a death of the process cut off before they were accepted; gives how many.

        For a process that works alone on its store, of what is older than itself.
        """
        needed = self._record.read(_needed_blobs).keys() | self._record.read(blobs_of_open_jobs)
        left = [sha for sha in self._blobs.list(older_than_seconds=older_than_seconds) if sha not in needed]
        for sha256 in left:
            self._record.write(lambda unit, sha256=sha256: erase_unreferenced(unit, self._blobs, sha256))
        return len(left) + self._blobs.sweep_incoming(older_than_seconds)

    def rebuild_index(self, actor: Actor) -> int:
        """Build the index anew while searches go on; gives its number of rows."""
        self._index.rebuild()
        self._record.write(lambda unit: append_event(unit, "index.rebuilt", actor_id=actor.user_id))
        return int(self._index.indexed_keys().size)

    def _stuck_documents(self, actor: Actor, repair: bool) -> Iterator[Finding]:
        for document_id, name in self._record.read(_stuck):
            if repair:
                self._requeue(actor, document_id)
            message = f"{name} waits to be processed, but no job is working on it."
            yield Finding("document.stuck", document_id, message, repaired=repair)

    def _requeue(self, actor: Actor, document_id: str) -> None:
        def requeue(unit: UnitOfWork) -> None:
            repository.update_document(unit, document_id, status=DocumentStatus.FAILED)
            self._documents.retry(unit, actor, document_id)

        self._record.write(requeue)

    def _blobs_missing(self, needed: dict[str, str]) -> Iterator[Finding]:
        for sha256, document_id in needed.items():
            if not self._blobs.exists(sha256):
                message = f"The store lacks the blob {sha256[:12]}. Restore it from a backup, or upload the file again."
                yield Finding("blob.missing", document_id, message)

    def _blobs_orphaned(self, needed: dict[str, str], repair: bool) -> Iterator[Finding]:
        # Jobs under way keep blobs that the record does not name yet: with any open, nothing counts as an orphan.
        if any(self._record.read(count_open_jobs).values()):
            return
        for sha256 in self._blobs.list():
            if sha256 in needed:
                continue
            mended = repair and self._record.write(
                lambda unit, sha256=sha256: erase_unreferenced(unit, self._blobs, sha256)
            )
            yield Finding("blob.orphan", sha256, "No document refers to this blob.", repaired=bool(mended))

    def _sets_orphaned(self, repair: bool) -> Iterator[Finding]:
        for job_id, set_ids in self._record.read(orphaned_sets).items():
            if repair:
                erase_left_sets(self._record, self._blobs, job_id)
            for set_id in sorted(set_ids):
                message = "These passages were left by a change of settings that has ended."
                yield Finding("chunk_set.orphan", set_id, message, repaired=repair)

    def _index_differences(self, live: Keys, repair: bool) -> list[Finding]:
        indexed = self._index.indexed_keys()
        missing, ghosts = np.setdiff1d(live, indexed), np.setdiff1d(indexed, live)
        findings = [Finding("index.missing", str(key), "The index lacks this passage.") for key in missing]
        findings += [Finding("index.ghost", str(key), "The index holds a passage that is gone.") for key in ghosts]
        if findings:
            # Changes may have come between the two looks; what is still different after catching up is real.
            again = self._record.read(_live_keys)
            if np.array_equal(np.sort(self._index.indexed_keys()), again):
                return []
        findings = findings or self._lexical_differences(live)
        if findings and repair:
            self._index.rebuild()
            findings = [msgspec.structs.replace(finding, repaired=True) for finding in findings]
        return findings

    def _lexical_differences(self, live: Keys) -> list[Finding]:
        try:
            indexed = self._index.lexical_keys()
        except IndexDamagedError:
            return [Finding("index.damaged", "lexical", "Files of the word index are not what was written.")]
        differing = np.setxor1d(indexed, live)
        if not differing.size or np.array_equal(np.sort(indexed), self._record.read(_live_keys)):
            return []
        return [Finding("index.words", str(key), "The word index differs from the record.") for key in differing]


def _needed_blobs(connection: Connection) -> dict[str, str]:
    """Each blob that a version refers to, with a document that needs it."""
    rows = connection.execute(
        select(document_versions.c.document_id, document_versions.c.sha256, document_versions.c.parsed_sha256)
    )
    return {sha256: row.document_id for row in rows for sha256 in (row.sha256, row.parsed_sha256) if sha256}


def _live_keys(connection: Connection) -> Keys:
    statement = (
        select(chunks.c.key)
        .join(documents, documents.c.id == chunks.c.document_id)
        .where(alive())
        .order_by(chunks.c.key)
    )
    return np.fromiter(connection.execute(statement).scalars(), dtype=np.int64)


def _stuck(connection: Connection) -> list[tuple[str, str]]:
    waiting = documents.c.status.in_([DocumentStatus.PENDING, DocumentStatus.PROCESSING])
    open_job = select(jobs.c.id).where(jobs.c.document_id == documents.c.id, jobs.c.status.in_(OPEN)).exists()
    statement = select(documents.c.id, documents.c.name).where(waiting, documents.c.deleted_at.is_(None), ~open_job)
    return [(row.id, row.name) for row in connection.execute(statement)]
