"""The durable work behind a change of settings: every document anew beside what readers see, then one switch."""

import itertools
import time
from collections.abc import Callable

import msgspec
from sqlalchemy import Connection

from lumikb.audit.repository import append_event
from lumikb.compute.chunk.chunker import chunk_text
from lumikb.compute.embed.load import Models
from lumikb.compute.extract.extract import extract
from lumikb.compute.parse.models import ParsedText
from lumikb.kit import clock
from lumikb.kit.errors import LumiError, UnavailableError
from lumikb.kit.ids import new_id
from lumikb.kit.memory import return_freed_memory
from lumikb.kit.telemetry import get_logger
from lumikb.knowledge import base_repository, derived, settings_repository
from lumikb.knowledge import reprocess_repository as repository
from lumikb.knowledge.embedding import embed_chunks
from lumikb.knowledge.errors import TextLostError
from lumikb.knowledge.jobs import CANCEL_SECONDS, CANCELLED, chunk_rows
from lumikb.knowledge.models import KbSettings
from lumikb.knowledge.reprocess_repository import Outdated
from lumikb.knowledge.settings_service import target_of
from lumikb.store.blobs.errors import BlobNotFoundError
from lumikb.store.blobs.port import BlobStore
from lumikb.store.jobs.errors import JobCancelledError
from lumikb.store.jobs.models import Job, JobStatus, Steps
from lumikb.store.jobs.repository import (
    end_job,
    forget_blobs,
    is_open,
    is_waited_for,
    record_progress,
)
from lumikb.store.record.changes import append_change
from lumikb.store.record.engine import Record, UnitOfWork
from lumikb.store.workers.errors import ParseCancelledError
from lumikb.store.workers.parser_pool import ParserPool

# Documents that one step makes: a failure that passes is tried again within a step.
DOCUMENTS_PER_STEP = 20
# How long a document waits at most while more urgent jobs wait for a worker.
GIVE_WAY_SECONDS_MAX = 30.0
# What is shown before the switch.
PROGRESS_MAX = 99.0

DELETED = "The knowledge base was deleted."

log = get_logger(__name__)


class _Text(msgspec.Struct, frozen=True):
    """The text to cut, the languages it was recognised in, and whether it is another one than its version has."""

    parsed: ParsedText
    read_in: str
    is_new: bool = False


class ReprocessHandler:
    """`kb.reprocess`: make every document with the settings of the job, then let all of it answer at once.

    What is made waits in chunk sets beside those that answer, so that a process that dies loses the document it was at.
    The switch is one unit of work; documents that came or changed meanwhile are made before it. Until then, and for
    ever when the job is cancelled or fails, readers see what they saw.
    """

    cancellable = True

    def __init__(
        self,
        record: Record,
        blobs: BlobStore,
        parser: ParserPool,
        models: Callable[[], Models],
        stopping: Callable[[], bool],
    ) -> None:
        self._record = record
        self._blobs = blobs
        self._parser = parser
        self._models = models
        self._stopping = stopping

    def run(self, job: Job, steps: Steps) -> None:
        """See `JobHandler.run`."""
        try:
            for number in itertools.count(1):
                more = steps.run(f"documents {number}", self._make_some, job)
                if not more and steps.run(f"switch {number}", self._switch, job):
                    return
        finally:
            return_freed_memory()

    def fail(self, unit: UnitOfWork, job: Job, code: str, message: str) -> None:
        """See `JobHandler.fail`: what was in force stays so."""
        append_event(
            unit,
            "kb.reprocess_failed",
            actor_id=job.created_by,
            resource_type="kb",
            resource_id=job.kb_id,
            outcome="failed",
            code=code,
        )

    def clear(self, job: Job) -> None:
        """See `JobHandler.clear`: the sets that were replaced go, or those that were never switched to."""
        erase_left_sets(self._record, self._blobs, job.id)
        derived.clear_job(self._record, self._blobs, job)

    def _make_some(self, job: Job) -> bool:
        """Make the sets of some documents; False when none is left."""
        kb_id, target = job.kb_id or "", target_of(job)

        def look(read: Connection) -> tuple[list[Outdated], int, int]:
            todo = repository.outdated(read, kb_id, job.id, target, DOCUMENTS_PER_STEP)
            return todo, repository.count_waiting(read, job.id), settings_repository.count_behind(read, kb_id, target)

        todo, done, total = self._record.read(look)
        for at, document in enumerate(todo, done):
            self._give_way(job)
            self._make(job, document, target, _Progress(at, max(total, at + 1)))
        return len(todo) == DOCUMENTS_PER_STEP

    def _make(self, job: Job, document: Outdated, target: KbSettings, progress: "_Progress") -> None:
        text = self._text(job, document, target)
        models = self._models()
        embedder = models.embedder_of(target.embedding_model)
        chunks = chunk_text(text.parsed, models.tokenizer, target.chunk_params)

        def advance(done: int) -> None:
            self._show(job, progress, done / len(chunks))

        embedded = embed_chunks(
            self._record, embedder, document.set_id, chunks, advance, with_tokens=target.token_vectors
        )
        set_id, version_id = new_id(), new_id() if text.is_new else document.version_id
        rows = chunk_rows(job.kb_id or "", document.document_id, set_id, text.parsed.text, chunks, embedded)
        values = {
            "id": set_id,
            "version_id": version_id,
            "document_id": document.document_id,
            "model_id": embedder.model_id,
            "model_tier": embedder.tier,
            "params": target.made_with(text.read_in) | ({"warnings": text.parsed.warnings} if text.is_new else {}),
        }
        key = self._put(job, version_id, text) if text.is_new else None
        spans = [(chunk.char_start, chunk.char_end) for chunk in chunks]
        extracted = None
        if text.is_new:
            extracted = extract(text.parsed, document.mime_type, spans, embedded.vectors, now=clock.now())

        def keep(unit: UnitOfWork) -> None:
            if not record_progress(unit, job.id, *progress.shown(1.0)):
                raise JobCancelledError(CANCELLED)
            if not repository.still_answers(unit, document):  # it is looked at again in the next round
                return
            if key is not None:
                repository.copy_version(
                    unit,
                    document.version_id,
                    id=version_id,
                    parsed_sha256=key,
                    page_count=text.parsed.page_count,
                    char_count=len(text.parsed.text),
                    extracted=msgspec.to_builtins(extracted),
                )
                forget_blobs(unit, job.id)
            repository.create_waiting_set(unit, job.id, document.set_id, values, rows)

        self._record.write(keep)

    def _text(self, job: Job, document: Outdated, target: KbSettings) -> _Text:
        """The document's text, recognised anew if that was done in other languages and nobody has put in another file.

        What cannot be recognised any more keeps the text that it has.
        """
        try:
            parsed = derived.get_parsed(self._blobs, document.parsed_sha256 or "")
        except BlobNotFoundError:
            message = f"The text of {document.name} is missing from the store. Upload the file again, or delete it."
            raise TextLostError(message, document_id=document.document_id) from None
        if not document.read_in or document.read_in == target.ocr_languages or not document.is_newest:
            return _Text(parsed, document.read_in)
        try:
            with self._blobs.local_copy(document.sha256) as path:
                renewed = self._parser.parse(
                    path, document.filename, ocr_languages=target.ocr_languages, cancelled=lambda: self._is_over(job)
                )
        except ParseCancelledError:
            raise JobCancelledError(CANCELLED) from None
        except UnavailableError:
            raise
        except LumiError as error:
            log.warning("text kept", document_id=document.document_id, code=error.stable_code, reason=error.message)
            return _Text(parsed, document.read_in)
        return _Text(renewed, target.ocr_languages, is_new=renewed.text != parsed.text)

    def _put(self, job: Job, version_id: str, text: _Text) -> str:
        """Keep a new text until its version refers to it; gives its key."""
        packed = derived.pack_parsed(version_id, text.parsed, ocr_languages=text.read_in)
        return derived.put_for_job(self._record, self._blobs, job.id, packed)

    def _switch(self, job: Job) -> bool:
        """Let everything that was made answer at once; False when documents have come that are yet to be made."""
        kb_id, target = job.kb_id or "", target_of(job)

        def switch(unit: UnitOfWork) -> bool:
            base_repository.lock_kb(unit.connection, kb_id)
            if not record_progress(unit, job.id, PROGRESS_MAX, "switch"):
                raise JobCancelledError(CANCELLED)
            if settings_repository.find_overrides(unit.connection, kb_id) is None:
                raise JobCancelledError(DELETED)
            if repository.outdated(unit.connection, kb_id, job.id, target, 1):
                return False
            kept = repository.count_kept(unit.connection, job.id, target)
            switched = repository.switch(unit, kb_id, job.id)
            settings_repository.set_overrides(unit, kb_id, job.payload["overrides"])
            append_change(unit, kb_id, "remove", switched.removed)
            append_change(unit, kb_id, "add", switched.added)
            done = {"documents": switched.documents, "chunks": len(switched.added), "texts_kept": kept}
            end_job(unit, job.id, JobStatus.COMPLETED, result=done)
            append_event(
                unit,
                "kb.reprocessed",
                actor_id=job.created_by,
                resource_type="kb",
                resource_id=kb_id,
                documents=switched.documents,
                texts_kept=kept,
            )
            return True

        return self._record.write(switch)

    def _show(self, job: Job, progress: "_Progress", share: float) -> None:
        self._check_stopping()
        if not self._record.write(lambda unit: record_progress(unit, job.id, *progress.shown(share))):
            raise JobCancelledError(CANCELLED)

    def _give_way(self, job: Job) -> None:
        """Wait while uploads wait for a worker, within bounds; end when there is nothing left to do it for."""
        deadline = time.monotonic() + GIVE_WAY_SECONDS_MAX
        while self._record.read(lambda read: is_waited_for(read, job.priority)) and time.monotonic() < deadline:
            time.sleep(CANCEL_SECONDS)
            if self._is_over(job):
                break
        self._check_stopping()
        if self._record.read(lambda read: settings_repository.find_overrides(read, job.kb_id or "")) is None:
            raise JobCancelledError(DELETED)

    def _is_over(self, job: Job) -> bool:
        return self._stopping() or not self._record.read(lambda read: is_open(read, job.id))

    def _check_stopping(self) -> None:
        if self._stopping():
            raise JobCancelledError("The process is going down.")


def erase_left_sets(record: Record, blobs: BlobStore, job_id: str) -> None:
    """Erase the chunk sets of a reprocessing that has ended, and the texts that only they have."""

    def erase_some(unit: UnitOfWork) -> bool:
        texts = repository.erase_sets(unit, job_id)
        for sha256 in sorted(texts or ()):
            derived.erase_unreferenced(unit, blobs, sha256)
        return texts is not None

    while record.write(erase_some):
        pass


class _Progress(msgspec.Struct, frozen=True):
    """How many documents are done, of how many."""

    done: int
    total: int

    def shown(self, share: float) -> tuple[float, str]:
        """Percent and sentence when that share of the next one is done, too."""
        percent = min(PROGRESS_MAX, 100 * (self.done + share) / self.total)
        return round(percent, 1), f"document {self.done + 1} of {self.total}"
