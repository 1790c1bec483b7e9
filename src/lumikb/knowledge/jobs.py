"""The durable work behind documents: ingestion and erasure."""

import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection

from lumikb.audit.repository import append_event
from lumikb.compute.chunk.chunker import chunk_text
from lumikb.compute.chunk.models import Chunk, ChunkParams
from lumikb.compute.embed.embedder import Embedder
from lumikb.compute.embed.load import Models
from lumikb.compute.embed.models import EmbeddingModel
from lumikb.compute.extract.extract import extract
from lumikb.compute.extract.models import Extracted
from lumikb.compute.parse.models import ParsedText
from lumikb.kit import clock
from lumikb.kit.ids import new_id
from lumikb.kit.memory import return_freed_memory
from lumikb.kit.sealing import Sealer
from lumikb.knowledge import base_repository, derived, repository, settings_repository
from lumikb.knowledge.embedding import Embedded, embed_chunks, joined
from lumikb.knowledge.events import tell_status
from lumikb.knowledge.models import STEP_PROGRESS, Document, DocumentStatus, KbSettings, Step, is_upload_warning
from lumikb.store.blobs.port import BlobStore
from lumikb.store.jobs.errors import JobCancelledError
from lumikb.store.jobs.models import Job, JobStatus, Steps
from lumikb.store.jobs.repository import end_job, is_open, record_progress, sealed_of
from lumikb.store.record.changes import append_change
from lumikb.store.record.engine import Record, UnitOfWork
from lumikb.store.workers.errors import ParseCancelledError
from lumikb.store.workers.parser_pool import ParserPool

# Vectors are kept in parts of so many chunks, so that a process that dies loses half a second of its work. Each part
# reads the document's chunks anew, so that a large document has larger parts instead of more.
EMBED_PART = 64
EMBED_PARTS_MAX = 64

# A text of at most so many characters is made readable in one step: half a second of work, which a death of the process
# repeats. Four steps cost three blobs and a dozen units of work more, twice as much as the work on a page of text.
AT_ONCE_CHARS_MAX = 20_000

DELETED = "The document was deleted."
CANCELLED = "The job was cancelled."
# How often a parser's process is asked to end because its job was cancelled.
CANCEL_SECONDS = 0.3


class _Made(NamedTuple):
    """Passages of a text, the settings they were made with, and their vectors."""

    chunks: list[Chunk]
    made_with: dict[str, Any]
    embedded: Embedded


class IngestHandler:
    """`document.ingest`: parse, chunk, embed, then store all of it in one unit of work that makes it readable.

    Until then the document's former chunk set answers. The chunk set has the job's id, so a repeated step finds it.
    It is made with the settings of its knowledge base, where that has none of its own with `defaults`; when these have
    changed until it is to be stored, all is done again. `models` loads on first use; `stopping` says that the process
    is going down. A short text is made readable by the step that parses it.
    """

    cancellable = True

    def __init__(
        self,
        record: Record,
        blobs: BlobStore,
        parser: ParserPool,
        models: Callable[[], Models],
        passwords: Sealer,
        defaults: KbSettings,
        stopping: Callable[[], bool],
    ) -> None:
        self._record = record
        self._blobs = blobs
        self._parser = parser
        self._models = models
        self._passwords = passwords
        self._defaults = defaults
        self._stopping = stopping

    def run(self, job: Job, steps: Steps) -> None:
        """See `JobHandler.run`."""
        for again in itertools.chain([""], (f" again {number}" for number in itertools.count(1))):
            parsed_key, is_done = steps.run(f"parse{again}", self._parse, job)
            if is_done:
                return
            try:
                chunks_key, count = steps.run(f"chunk{again}", self._chunk, job, parsed_key)
                size = max(EMBED_PART, -(-count // EMBED_PARTS_MAX))
                vectors_keys = [
                    steps.run(f"embed {start}{again}", self._embed, job, chunks_key, start, size)
                    for start in range(0, count, size)
                ]
                if steps.run(f"store{again}", self._store, job, parsed_key, chunks_key, vectors_keys):
                    return
            finally:
                return_freed_memory()  # a manual's text, tokens and vectors were some hundred megabytes

    def fail(self, unit: UnitOfWork, job: Job, code: str, message: str) -> None:
        """See `JobHandler.fail`: a document that was readable before stays so."""
        document = repository.find_document(unit.connection, job.document_id or "")
        if document is None:
            return
        status = document.status_or(DocumentStatus.FAILED)
        repository.update_document(
            unit, document.id, status=status, current_step=None, error_code=code, error_message=message
        )
        repository.update_version(unit, document.latest_version_id, status=DocumentStatus.FAILED)
        tell_status(unit, document, status)
        append_event(
            unit,
            "document.failed",
            actor_id=job.created_by,
            resource_type="document",
            resource_id=document.id,
            outcome="failed",
            code=code,
        )

    def clear(self, job: Job) -> None:
        """See `JobHandler.clear`: chunks and vectors go, and a text that no version came to refer to."""
        derived.clear_job(self._record, self._blobs, job)

    def _parse(self, job: Job) -> tuple[str, bool]:
        """Keep the text; gives its blob's key, and whether the document is readable already, as a short one is."""
        document = self._begin(job, Step.PARSE)
        settings = self._record.read(lambda read: self._settings(read, document))
        languages = settings.ocr_languages
        with self._blobs.local_copy(document.sha256) as path:
            try:
                parsed = self._parser.parse(
                    path,
                    document.filename,
                    password=self._password(job, document),
                    ocr_languages=languages,
                    cancelled=self._cancelled(job),
                )
            except ParseCancelledError:
                raise JobCancelledError(CANCELLED) from None
        packed = derived.pack_parsed(document.latest_version_id, parsed, ocr_languages=languages)
        key = derived.put_for_job(self._record, self._blobs, job.id, packed)

        def keep(unit: UnitOfWork) -> None:
            repository.update_version(
                unit,
                document.latest_version_id,
                parsed_sha256=key,
                page_count=parsed.page_count,
                char_count=len(parsed.text),
            )
            told = filter(is_upload_warning, document.warnings)
            repository.update_document(unit, document.id, warnings=[*told, *parsed.warnings])

        if len(parsed.text) > AT_ONCE_CHARS_MAX:
            self._record.write(keep)
            return key, False
        made_with = settings.made_with(languages if derived.needs_ocr(parsed) else "")
        made = self._made(document, parsed, settings.chunk_params, made_with)
        return key, self._publish_unless_changed(job, document, parsed, made, keep)

    def _made(self, document: Document, parsed: ParsedText, params: ChunkParams, made_with: dict[str, Any]) -> "_Made":
        chunks = chunk_text(parsed, self._models().tokenizer, params)
        return _Made(chunks, made_with, self._vectors(document, chunks, made_with, lambda _: self._check_stopping()))

    def _password(self, job: Job, document: Document) -> str | None:
        """What the user gave along; it waits sealed in the job's row, and is opened for the parser only."""
        sealed = self._record.read(lambda read: sealed_of(read, job.id))
        return None if sealed is None else self._passwords.open(sealed, document.id)

    def _chunk(self, job: Job, parsed_key: str) -> tuple[str, int]:
        """Keep the chunks; gives their blob's key and how many they are."""
        document = self._begin(job, Step.CHUNK)
        settings = self._record.read(lambda read: self._settings(read, document))
        parsed, read_in = derived.read_parsed(self._blobs, parsed_key)
        chunks = chunk_text(parsed, self._models().tokenizer, settings.chunk_params)
        packed = derived.pack_chunks(job.id, chunks, made_with=settings.made_with(read_in))
        return derived.put_for_job(self._record, self._blobs, job.id, packed), len(chunks)

    def _embed(self, job: Job, chunks_key: str, start: int, size: int) -> str:
        """Keep the vectors of `size` chunks from `start` on; gives their blob's key."""
        chunks, made_with = derived.read_chunks(self._blobs, chunks_key)
        count = len(chunks)
        document = self._begin(job, Step.EMBED, start / count)
        part = chunks[start : start + size]
        del chunks

        def advance(done: int) -> None:
            self._check_stopping()
            self._show(job, Step.EMBED, (start + done) / count)

        packed = derived.pack_vectors(job.id, start, self._vectors(document, part, made_with, advance))
        return derived.put_for_job(self._record, self._blobs, job.id, packed)

    def _vectors(
        self, document: Document, chunks: list[Chunk], made_with: dict[str, Any], advance: Callable[[int], None]
    ) -> Embedded:
        """Vectors of each chunk; what the document's readers have already is taken over."""
        known_in, embedder = document.current_chunk_set_id, self._embedder(made_with)
        with_tokens = bool(made_with.get("token_vectors"))
        return embed_chunks(self._record, embedder, known_in, chunks, advance, with_tokens=with_tokens)

    def _check_stopping(self) -> None:
        if self._stopping():
            raise JobCancelledError("The process is going down.")

    def _embedder(self, made_with: dict[str, Any]) -> Embedder:
        """The one that the chunks were made for."""
        return self._models().embedder_of(EmbeddingModel(made_with.get("embedding_model", EmbeddingModel.FULL)))

    def _settings(self, connection: Connection, document: Document) -> KbSettings:
        overrides = settings_repository.find_overrides(connection, document.kb_id)
        return self._defaults.overridden_by(overrides or {})

    def _store(self, job: Job, parsed_key: str, chunks_key: str, vectors_keys: list[str]) -> bool:
        """Make it readable; False when the settings have changed since the chunks were made."""
        document = self._begin(job, Step.STORE)
        parsed = derived.get_parsed(self._blobs, parsed_key)
        chunks, made_with = derived.read_chunks(self._blobs, chunks_key)
        parts = [derived.get_vectors(self._blobs, key) for key in vectors_keys]
        made = _Made(chunks, made_with, joined(parts))
        return self._publish_unless_changed(job, document, parsed, made, lambda _: None)

    def _publish_unless_changed(
        self, job: Job, document: Document, parsed: ParsedText, made: "_Made", keep: Callable[[UnitOfWork], None]
    ) -> bool:
        """Make it readable in one unit of work with `keep`.

        Gives False, and does `keep` only, when the settings have changed since the chunks were made.
        """
        text = parsed.text
        rows = chunk_rows(document.kb_id, document.id, job.id, text, made.chunks, made.embedded)
        spans = [(chunk.char_start, chunk.char_end) for chunk in made.chunks]
        extracted = extract(parsed, document.mime_type, spans, made.embedded.vectors, now=clock.now())
        done = {"chunks": len(rows), "embeddings_copied": made.embedded.copied}
        read_in = made.made_with.get("ocr_languages", "")

        def publish(unit: UnitOfWork) -> bool:
            if repository.chunk_set_exists(unit.connection, job.id):
                return True
            base_repository.lock_kb(unit.connection, document.kb_id)
            keep(unit)
            settings = self._settings(unit.connection, document)
            if made.made_with != settings.made_with(read_in and settings.ocr_languages):
                return False
            self._publish(unit, job, rows, made.made_with, done, extracted)
            return True

        return self._record.write(publish)

    def _cancelled(self, job: Job) -> Callable[[], bool]:
        """Whether the process goes down or the job was cancelled; looks at the record now and then only."""
        due = time.monotonic() + CANCEL_SECONDS

        def cancelled() -> bool:
            nonlocal due
            if self._stopping():
                return True
            if time.monotonic() < due:
                return False
            due = time.monotonic() + CANCEL_SECONDS
            return not self._record.read(lambda connection: is_open(connection, job.id))

        return cancelled

    def _publish(
        self,
        unit: UnitOfWork,
        job: Job,
        rows: list[dict[str, Any]],
        made_with: dict[str, Any],
        done: dict[str, int],
        extracted: Extracted,
    ) -> None:
        if not end_job(unit, job.id, JobStatus.COMPLETED, result=done):
            raise JobCancelledError(CANCELLED)
        document = _living(repository.find_document(unit.connection, job.document_id or ""))
        append_change(unit, document.kb_id, "remove", repository.chunk_keys_of(unit.connection, document))
        embedder = self._embedder(made_with)
        values = {
            "id": job.id,
            "version_id": document.latest_version_id,
            "document_id": document.id,
            "model_id": embedder.model_id,
            "model_tier": embedder.tier,
            "params": made_with,
        }
        keys = repository.create_chunk_set(unit, values, rows)
        repository.update_document(
            unit,
            document.id,
            status=DocumentStatus.ARCHIVED if document.status is DocumentStatus.ARCHIVED else DocumentStatus.READY,
            current_chunk_set_id=job.id,
            current_step=Step.READY,
            progress=STEP_PROGRESS[Step.READY],
            error_code=None,
            error_message=None,
        )
        repository.erase_former_sets(unit, document.latest_version_id, job.id)
        repository.update_version(unit, document.latest_version_id, status=DocumentStatus.READY)
        repository.show_extracted(unit, document, extracted)
        append_change(unit, document.kb_id, "add", keys)
        tell_status(unit, document, DocumentStatus.READY)
        append_event(
            unit,
            "document.ready",
            actor_id=job.created_by,
            resource_type="document",
            resource_id=document.id,
            chunks=len(keys),
        )

    def _begin(self, job: Job, step: Step, share: float = 0.0) -> Document:
        """Show the step and give the document as it is now; a document that is gone cancels the job."""
        self._show(job, step, share)
        return _living(self._record.read(lambda read: repository.find_document(read, job.document_id or "")))

    def _show(self, job: Job, step: Step, share: float) -> None:
        progress = _progress(step, share)

        def show(unit: UnitOfWork) -> None:
            if not record_progress(unit, job.id, progress, step):
                raise JobCancelledError(CANCELLED)
            if not repository.advance(unit, job.document_id or "", step, progress):
                raise JobCancelledError(DELETED)

        self._record.write(show)


class PurgeHandler:
    """`document.purge`: erase a deleted document, and its blobs where nothing else refers to them."""

    cancellable = False

    def __init__(self, record: Record, blobs: BlobStore) -> None:
        self._record = record
        self._blobs = blobs

    def run(self, job: Job, steps: Steps) -> None:
        """See `JobHandler.run`."""
        steps.run("purge", self._purge, job)

    def fail(self, unit: UnitOfWork, job: Job, code: str, message: str) -> None:
        """See `JobHandler.fail`: the document stays hidden; the job tells why it was not erased."""

    def clear(self, job: Job) -> None:
        """See `JobHandler.clear`: it leaves nothing."""

    def _purge(self, job: Job) -> None:
        def purge(unit: UnitOfWork) -> None:
            for sha256 in sorted(repository.erase_document(unit, job.document_id or "")):
                derived.erase_unreferenced(unit, self._blobs, sha256)
            append_event(
                unit,
                "document.purged",
                actor_id=job.created_by,
                resource_type="document",
                resource_id=job.document_id,
            )

        self._record.write(purge)


def _progress(step: Step, share: float) -> float:
    """Percent within a step: from its own value towards the next step's."""
    steps = list(STEP_PROGRESS)
    low, high = STEP_PROGRESS[step], STEP_PROGRESS[steps[steps.index(step) + 1]]
    return round(low + (high - low) * share, 1)


def chunk_rows(
    kb_id: str, document_id: str, chunk_set_id: str, text: str, chunks: Sequence[Chunk], embedded: Embedded
) -> list[dict[str, Any]]:
    """The chunks of a text with their vectors, as `repository.insert_chunks` takes them."""
    return [
        chunk_row(
            kb_id, document_id, chunk_set_id, chunk, text[chunk.char_start : chunk.char_end], vector.tobytes(), tokens
        )
        for chunk, vector, tokens in zip(chunks, embedded.vectors, embedded.tokens, strict=True)
    ]


def chunk_row(
    kb_id: str, document_id: str, chunk_set_id: str, chunk: Chunk, text: str, embedding: bytes, tokens: bytes = b""
) -> dict[str, Any]:
    """A chunk as a row of the record, with its token vectors beside."""
    return {
        "chunk_id": new_id(),
        "chunk_set_id": chunk_set_id,
        "document_id": document_id,
        "kb_id": kb_id,
        "ordinal": chunk.ordinal,
        "char_start": chunk.char_start,
        "char_end": chunk.char_end,
        "text": text,
        "text_sha256": chunk.text_sha256,
        "page_number": chunk.page_number,
        "section_header": chunk.section_header,
        "token_count": len(chunk.token_ids),
        "embedding": embedding,
        "tokens": tokens,
    }


def _living(document: Document | None) -> Document:
    if document is None:
        raise JobCancelledError(DELETED)
    return document
