"""Reading what is stored: the bytes of blobs against their names, and passages against the text they were cut from.

A document whose text or passages are not what they were is processed anew from its original; an original that is gone
or damaged comes back with the next upload of the same file.
"""

from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass

from sqlalchemy import Connection, or_, select

from lumikb.compute.chunk.models import text_sha256
from lumikb.identity.models import Actor
from lumikb.kit.errors import UnavailableError
from lumikb.kit.memory import return_freed_memory
from lumikb.kit.words import counted
from lumikb.knowledge import repository
from lumikb.knowledge.derived import get_parsed
from lumikb.knowledge.service import DocumentService
from lumikb.operations.findings import Finding
from lumikb.store.blobs.errors import BlobNotFoundError
from lumikb.store.blobs.port import BlobStore
from lumikb.store.jobs.models import OPEN
from lumikb.store.jobs.repository import note_blob
from lumikb.store.record.engine import Record, UnitOfWork
from lumikb.store.record.tables.knowledge import chunk_sets, chunks, document_versions, documents
from lumikb.store.record.tables.work import jobs

MISSING, DAMAGED = "missing", "damaged"
# Rows of passages that are in memory at a time.
_ROWS = 1_000
# How often a document is compared that changes meanwhile.
_LOOKS_MAX = 3


@dataclass(frozen=True)
class _Use:
    """A version that needs a blob: as its original, or as its text."""

    document_id: str
    name: str
    is_text: bool
    is_newest: bool


@dataclass(frozen=True)
class _Shown:
    """What readers of a document see."""

    name: str
    chunk_set_id: str
    chunk_count: int
    parsed_sha256: str | None


@dataclass(frozen=True)
class _Way:
    """How a document comes to be sound again."""

    sentence: str
    repaired: bool = False
    waits: bool = False


class ContentCheck:
    """Compares blobs and passages with the record, one at a time. Blocks; safe beside all other work.

    `stopping` says that the process is going down, which has no time to read to the end.
    """

    def __init__(
        self, record: Record, blobs: BlobStore, documents_: DocumentService, stopping: Callable[[], bool]
    ) -> None:
        self._stopping = stopping
        self._record = record
        self._blobs = blobs
        self._documents = documents_

    def look(self, actor: Actor, needed: Set[str], *, quick: bool, repair: bool) -> Iterator[Finding]:
        """Blobs of `needed` that are missing or damaged, and passages that differ; `quick` asks for presence only.

        Raises `UnavailableError` when the process is going down.
        """
        unsound: set[str] = set()
        for sha256 in needed:
            self._ensure_time()
            condition = self._condition(sha256, quick=quick)
            if condition is not None:
                unsound.add(sha256)
                for use in self._record.read(lambda read, sha256=sha256: _uses(read, sha256)):
                    yield self._of_blob(actor, sha256, condition, use, repair)
        if not quick:
            for document_id in self._record.read(_readable):
                self._ensure_time()
                yield from self._of_passages(actor, document_id, unsound, repair)
            return_freed_memory()

    def _ensure_time(self) -> None:
        if self._stopping():
            raise UnavailableError("The server is going down.", service="server")

    def _condition(self, sha256: str, *, quick: bool = False) -> str | None:
        """What is wrong with a blob that the record needs, or None."""
        try:
            if self._blobs.exists(sha256) if quick else self._blobs.measure(sha256).sha256 == sha256:
                return None
        except BlobNotFoundError:
            pass
        else:
            if not quick:
                return DAMAGED
        return MISSING if self._record.write(lambda unit: self._lacks(unit, sha256)) else None

    def _lacks(self, unit: UnitOfWork, sha256: str) -> bool:
        """Whether a blob is missing that the record needs: under its lock, for a purge erases one before it commits."""
        repository.lock_blob(unit, sha256)
        return repository.is_referenced(unit.connection, sha256) and not self._blobs.exists(sha256)

    def _of_blob(self, actor: Actor, sha256: str, condition: str, use: _Use, repair: bool) -> Finding:
        kind = f"blob.{condition}"
        if not use.is_text:
            again = "Upload the same file again, or restore it from a backup."
            return Finding(
                kind, use.document_id, f"The original of {use.name} is {condition} (blob {sha256[:12]}). {again}"
            )
        if use.is_newest:
            way = self._process_again(actor, use.document_id, sha256, repair)
        else:
            way = _Way("It is an earlier version's, and can only be restored from a backup.")
        message = f"The text of {use.name} is {condition} (blob {sha256[:12]}). {way.sentence}"
        return Finding(kind, use.document_id, message, way.repaired, way.waits)

    def _of_passages(self, actor: Actor, document_id: str, unsound: Set[str], repair: bool) -> Iterator[Finding]:
        """The passages that readers see, unless their text is one of the `unsound`, which was told already."""
        for _ in range(_LOOKS_MAX):
            shown = self._record.read(lambda read: _shown(read, document_id))
            if shown is None or shown.parsed_sha256 in unsound:
                return
            try:
                text = None if shown.parsed_sha256 is None else get_parsed(self._blobs, shown.parsed_sha256).text
            except BlobNotFoundError:  # the document has another text by now, or is gone
                continue
            differing = self._record.read(lambda read, shown=shown, text=text: _differing(read, shown, text))
            if not differing:
                return
            if self._record.read(lambda read: _shown(read, document_id)) == shown:
                way = self._process_again(actor, document_id, shown.parsed_sha256, repair)
                message = f"{counted(differing, 'passage')} of {shown.name}: not as in its text. {way.sentence}"
                yield Finding("passages.differ", document_id, message, way.repaired, way.waits)
                return

    def _process_again(self, actor: Actor, document_id: str, parsed_sha256: str | None, repair: bool) -> _Way:
        """Enqueue the document's newest version, if its original is sound; its present passages answer until then."""
        document = self._record.read(lambda read: repository.find_document(read, document_id))
        if document is None:
            return _Way("The document is deleted: restore it first, if it is to be kept.")
        if self._record.read(lambda read: _is_worked_on(read, document_id)):
            return _Way("It waits to be processed.", waits=True)
        condition = self._condition(document.sha256)
        if condition is not None:
            return _Way(f"Its original is {condition} too: upload the same file again, then repair.")
        if not repair:
            failed = f" The last attempt ended with {document.error_code}." if document.error_code else ""
            return _Way(f"A repair processes it anew from its original.{failed}")

        def enqueue(unit: UnitOfWork) -> None:
            queued = self._documents.process_again(unit, actor, document_id)
            if parsed_sha256 is not None and queued.job_id is not None:
                # A parser that is newer gives another text: the job then clears the former one away.
                note_blob(unit, queued.job_id, parsed_sha256)

        self._record.write(enqueue)
        return _Way("It is processed anew from its original.", repaired=True, waits=True)


def _uses(connection: Connection, sha256: str) -> list[_Use]:
    """Who needs a blob: each document once as an original, and each version as a text."""
    version = document_versions.c
    rows = connection.execute(
        select(
            documents.c.id,
            documents.c.name,
            (version.parsed_sha256 == sha256).label("is_text"),
            (documents.c.latest_version_id == version.id).label("is_newest"),
        )
        .join(document_versions, version.document_id == documents.c.id)
        .where(or_(version.sha256 == sha256, version.parsed_sha256 == sha256))
        .order_by(documents.c.id, version.number)
    )
    found = [_Use(row.id, row.name, bool(row.is_text), bool(row.is_newest)) for row in rows]
    return list({(use.document_id, use.is_text): use for use in found}.values())


def _readable(connection: Connection) -> list[str]:
    statement = select(documents.c.id).where(
        documents.c.current_chunk_set_id.is_not(None), documents.c.deleted_at.is_(None)
    )
    return list(connection.execute(statement).scalars())


def _shown(connection: Connection, document_id: str) -> _Shown | None:
    row = connection.execute(
        select(documents.c.name, chunk_sets.c.id, chunk_sets.c.chunk_count, document_versions.c.parsed_sha256)
        .join(chunk_sets, chunk_sets.c.id == documents.c.current_chunk_set_id)
        .join(document_versions, document_versions.c.id == chunk_sets.c.version_id)
        .where(documents.c.id == document_id, documents.c.deleted_at.is_(None))
    ).first()
    return None if row is None else _Shown(row.name, row.id, row.chunk_count, row.parsed_sha256)


def _differing(connection: Connection, shown: _Shown, text: str | None) -> int:
    """How many passages are not what their hash and their place in the text say, or are gone."""
    passage = chunks.c
    rows = connection.execute(
        select(passage.char_start, passage.char_end, passage.text, passage.text_sha256).where(
            passage.chunk_set_id == shown.chunk_set_id
        ),
        execution_options={"yield_per": _ROWS},
    )
    seen = differing = 0
    for row in rows:
        seen += 1
        is_its_text = text is None or text[row.char_start : row.char_end] == row.text
        if not is_its_text or text_sha256(row.text) != row.text_sha256:
            differing += 1
    return differing + max(0, shown.chunk_count - seen)


def _is_worked_on(connection: Connection, document_id: str) -> bool:
    statement = select(jobs.c.id).where(jobs.c.document_id == document_id, jobs.c.status.in_(OPEN)).limit(1)
    return connection.execute(statement).first() is not None
