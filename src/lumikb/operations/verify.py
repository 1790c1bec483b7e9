"""Comparing the record with the index and the blob store, and mending what can be mended.

The record is the truth: an index is rebuilt from it, a blob that nothing refers to is erased, a document that nobody
works on is enqueued again. What is stored is read by `contents`.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta

import msgspec
import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from lumikb.audit.repository import append_event
from lumikb.identity.models import Actor
from lumikb.kit import clock
from lumikb.knowledge.derived import erase_unreferenced
from lumikb.knowledge.reprocess import erase_left_sets
from lumikb.knowledge.reprocess_repository import orphaned_sets
from lumikb.knowledge.service import DocumentService
from lumikb.knowledge.upload_repository import blobs_of_open_uploads
from lumikb.knowledge.upload_service import SPOOL_SECONDS_MAX, UploadService
from lumikb.operations.contents import ContentCheck
from lumikb.operations.findings import Finding
from lumikb.operations.renewal import Renewal
from lumikb.operations.states import StateCheck
from lumikb.store.blobs.arrivals import Arrivals
from lumikb.store.blobs.port import BlobStore, blob_path, is_misplaced
from lumikb.store.index.errors import IndexDamagedError
from lumikb.store.index.follower import LocalIndex
from lumikb.store.jobs.repository import blobs_of_jobs
from lumikb.store.record.changes import alive
from lumikb.store.record.engine import Record
from lumikb.store.record.tables.knowledge import chunks, document_versions, documents

Keys = NDArray[np.int64]

# A job that has ended clears away what its steps left within this time.
CLEARED_WITHIN = timedelta(seconds=60)
# So many unknown blobs say nothing about the record.
ORPHANS_FEW = 2
# Of files that are no blobs, as in a bucket that is shared with others.
FOREIGN_TOLD_MAX = 20


class VerifyBody(msgspec.Struct):
    """All differences, and how much was compared."""

    findings: list[Finding]
    checked: dict[str, int]


class Verifier:
    """Compares and mends. Blocks; safe beside uploads, running ingests and searches.

    `alone` says that no other process works on this record, `stopping` that this one is going down.
    """

    def __init__(
        self,
        record: Record,
        blobs: BlobStore,
        index: LocalIndex,
        documents_: DocumentService,
        uploads: UploadService,
        arrivals: Arrivals,
        *,
        alone: bool,
        stopping: Callable[[], bool],
    ) -> None:
        self._uploads = uploads
        self._arrivals = arrivals
        self._record = record
        self._blobs = blobs
        self._index = index
        self._alone = alone
        renewal = Renewal(record, blobs, documents_)
        self._states = StateCheck(record, documents_, renewal)
        self._contents = ContentCheck(record, blobs, renewal, stopping)

    def verify(self, actor: Actor, *, repair: bool, quick: bool = False) -> VerifyBody:
        """Look at documents, blobs and index; with `repair` mend what can be mended.

        `quick` leaves out what lies in the blobs and in the passages, and looks whether they are there.
        """
        needed = self._record.read(_needed_blobs)
        findings = list(self._states.look(actor, repair=repair))
        findings += self._contents.look(actor, needed, quick=quick, repair=repair)
        findings += self._sets_orphaned(repair)
        findings += self._blobs_orphaned(len(needed), repair)
        findings += self._strays(needed, repair)
        findings += self._index_differences(repair)
        findings += self._abandoned_uploads(repair)
        if repair:
            self._blobs.sweep_incoming(SPOOL_SECONDS_MAX)
            mended = [finding.kind for finding in findings if finding.repaired]
            self._record.write(
                lambda unit: append_event(unit, "record.repaired", actor_id=actor.user_id, mended=len(mended))
            )
        uploads = self._record.read(self._uploads.count_open)
        checked = {"blobs": len(needed), "chunks": int(self._record.read(_live_keys).size), "uploads": uploads}
        return VerifyBody(findings, checked)

    def erase_leftovers(self, older_than_seconds: float) -> int:
        """Erase what uploads left that a death of the process cut off before they were accepted; gives how many.

        For a process that works alone on its store, of what is older than itself. What the record merely does not know
        stays: the record may be the wrong one.
        """
        erased = 0
        for sha256 in self._arrivals.cut_off(older_than_seconds):
            erased += self._erase(sha256)
            self._arrivals.end(sha256)
        return erased + self._blobs.sweep_incoming(older_than_seconds)

    def rebuild_index(self, actor: Actor) -> int:
        """Build the index anew while searches go on; gives its number of rows."""
        self._index.rebuild()
        self._record.write(lambda unit: append_event(unit, "index.rebuilt", actor_id=actor.user_id))
        return int(self._index.indexed_keys().size)

    def _blobs_orphaned(self, needed_count: int, repair: bool) -> Iterator[Finding]:
        # What another process is about to accept is not known here: only what is older than any upload is an orphan.
        orphans = self._orphans(0 if self._alone else SPOOL_SECONDS_MAX)
        doubtful = len(orphans) > max(needed_count, ORPHANS_FEW)
        message = "No document refers to this blob."
        if doubtful:
            message += (
                " More blobs are unknown to the record than known: is it the right one? Restore it first. No blob is "
                "erased; what nobody needs can be deleted by hand."
            )
        for sha256 in orphans:
            # One that a document came to need, or that a job cleared away meanwhile, was none.
            erase = repair and not doubtful
            if self._erase(sha256) if erase else self._blobs.exists(sha256):
                yield Finding("blob.orphan", sha256, message, repaired=erase)

    def _orphans(self, older_than_seconds: float) -> list[str]:
        """Blobs that nobody needs. They are listed first, for whoever stores one makes it known before it is there."""
        listed = list(self._blobs.list(older_than_seconds=older_than_seconds))
        arriving = self._arrivals.now()  # before the record, where what is accepted between the two stands
        known = self._record.read(
            lambda read: (
                _needed_blobs(read)
                | blobs_of_jobs(read, ended_after=clock.now() - CLEARED_WITHIN)
                | blobs_of_open_uploads(read)
            )
        )
        return [sha256 for sha256 in listed if sha256 not in known and sha256 not in arriving]

    def _erase(self, sha256: str) -> bool:
        if sha256 in self._arrivals.now():
            return False
        return self._record.write(lambda unit: erase_unreferenced(unit, self._blobs, sha256))

    def _strays(self, needed: set[str], repair: bool) -> Iterator[Finding]:
        foreign = 0
        for path in self._blobs.list_strays():
            # A file's name may be in no encoding, which no answer could hold.
            shown = path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            if is_misplaced(path):
                yield self._misplaced(path, shown, needed, repair)
                continue
            foreign += 1
            if foreign <= FOREIGN_TOLD_MAX:
                message = "This file is no blob. Nobody reads it, and it is never erased: move it elsewhere."
                yield Finding("blob.foreign", shown, message)
        if foreign > FOREIGN_TOLD_MAX:
            yield Finding("blob.foreign", "", f"There are {foreign} such files in all.")

    def _misplaced(self, path: str, shown: str, needed: set[str], repair: bool) -> Finding:
        sha256 = path.rpartition("/")[2]
        mended = repair and (sha256 not in needed or self._blobs.exists(sha256))
        if mended:
            self._blobs.delete_misplaced(path)
        message = f"A blob lies where nobody looks for it. If it is missing elsewhere, move it to {blob_path(sha256)}."
        return Finding("blob.misplaced", shown, message, repaired=mended)

    def _abandoned_uploads(self, repair: bool) -> list[Finding]:
        message = "A direct upload was begun and not completed in its time."
        found = [
            Finding("upload.abandoned", upload_id, message, repaired=repair) for upload_id in self._uploads.abandoned()
        ]
        if found and repair:
            self._uploads.sweep()
        return found

    def _sets_orphaned(self, repair: bool) -> Iterator[Finding]:
        for job_id, set_ids in self._record.read(orphaned_sets).items():
            if repair:
                erase_left_sets(self._record, self._blobs, job_id)
            for set_id in sorted(set_ids):
                message = "These passages were left by a change of settings that has ended."
                yield Finding("chunk_set.orphan", set_id, message, repaired=repair)

    def _index_differences(self, repair: bool) -> list[Finding]:
        findings = self._index_findings()
        # What the index mended by itself, perhaps because it was asked just now, was wrong as well.
        damage = self._index.take_damage()
        if findings and repair:
            self._index.rebuild()
            left = self._index_findings()
            self._index.take_damage()  # which has found the same again
            mended = [msgspec.structs.replace(finding, repaired=True) for finding in findings if finding not in left]
            findings = mended + left
        if damage is not None:
            message = f"Since the last look the word index was built anew: {damage}."
            findings.append(Finding("index.damaged", "lexical", message, repaired=True))
        return findings

    def _index_findings(self) -> list[Finding]:
        live, indexed = self._record.read(_live_keys), self._index.indexed_keys()
        missing, ghosts = np.setdiff1d(live, indexed), np.setdiff1d(indexed, live)
        findings = [Finding("index.missing", str(key), "The index lacks this passage.") for key in missing]
        findings += [Finding("index.ghost", str(key), "The index holds a passage that is gone.") for key in ghosts]
        if findings:
            # Changes may have come between the two looks; what is still different after catching up is real.
            again = self._record.read(_live_keys)
            if np.array_equal(np.sort(self._index.indexed_keys()), again):
                findings = []
        return findings or self._lexical_differences(live)

    def _lexical_differences(self, live: Keys) -> list[Finding]:
        try:
            indexed = self._index.lexical_keys()
        except IndexDamagedError as error:
            return [Finding("index.damaged", "lexical", f"The word index cannot be relied on: {error.message}.")]
        differing = np.setxor1d(indexed, live)
        if not differing.size or np.array_equal(np.sort(indexed), self._record.read(_live_keys)):
            return []
        return [Finding("index.words", str(key), "The word index differs from the record.") for key in differing]


def _needed_blobs(connection: Connection) -> set[str]:
    """Each blob that a version refers to."""
    rows = connection.execute(select(document_versions.c.sha256, document_versions.c.parsed_sha256))
    return {sha256 for row in rows for sha256 in row if sha256}


def _live_keys(connection: Connection) -> Keys:
    statement = (
        select(chunks.c.key)
        .join(documents, documents.c.id == chunks.c.document_id)
        .where(alive())
        .order_by(chunks.c.key)
    )
    return np.fromiter(connection.execute(statement).scalars(), dtype=np.int64)
