"""Reading what is stored: the bytes of blobs against their names, and passages against the text they were cut from.

A document whose text, passages or embeddings are not what they were is processed anew from its original; an original
that is gone or damaged comes back with the next upload of the same file.
"""

from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass

from sqlalchemy import Connection, func, or_, select

from lumikb.compute.chunk.models import text_sha256
from lumikb.compute.chunk.places import Places
from lumikb.compute.embed.unit_vectors import unit_vectors
from lumikb.compute.parse.models import ParsedText
from lumikb.identity.models import Actor
from lumikb.kit.errors import UnavailableError
from lumikb.kit.memory import return_freed_memory
from lumikb.kit.words import counted
from lumikb.knowledge.derived import get_parsed
from lumikb.operations.findings import Finding
from lumikb.operations.renewal import Renewal, Way
from lumikb.store.blobs.errors import BlobNotFoundError
from lumikb.store.blobs.port import BlobStore
from lumikb.store.index.follower import DIMENSIONS
from lumikb.store.record.engine import Record
from lumikb.store.record.tables.knowledge import chunk_sets, chunks, document_versions, documents

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
class _Damage:
    """How many passages are not as in their text, and how many have no embedding to be found by."""

    passages: int = 0
    embeddings: int = 0


class ContentCheck:
    """Compares blobs and passages with the record, one at a time. Blocks; safe beside all other work.

    `stopping` says that the process is going down, which has no time to read to the end.
    """

    def __init__(self, record: Record, blobs: BlobStore, renewal: Renewal, stopping: Callable[[], bool]) -> None:
        self._stopping = stopping
        self._record = record
        self._blobs = blobs
        self._renewal = renewal

    def look(self, actor: Actor, needed: Set[str], *, quick: bool, repair: bool) -> Iterator[Finding]:
        """Blobs of `needed` that are missing or damaged, and passages that differ.

        `quick` asks for the presence of blobs and the length of embeddings only.
        Raises `UnavailableError` when the process is going down.
        """
        unsound: set[str] = set()
        for sha256 in needed:
            self._ensure_time()
            condition = self._renewal.condition(sha256, quick=quick)
            if condition is not None:
                unsound.add(sha256)
                for use in self._record.read(lambda read, sha256=sha256: _uses(read, sha256)):
                    yield self._of_blob(actor, sha256, condition, use, repair)
        if quick:
            yield from self._of_lengths(actor, unsound, repair)
            return
        for document_id in self._record.read(_readable):
            self._ensure_time()
            yield from self._of_passages(actor, document_id, unsound, repair)
        return_freed_memory()

    def _ensure_time(self) -> None:
        if self._stopping():
            raise UnavailableError("The server is going down.", service="server")

    def _of_blob(self, actor: Actor, sha256: str, condition: str, use: _Use, repair: bool) -> Finding:
        kind = f"blob.{condition}"
        if not use.is_text:
            again = "Upload the same file again, or restore it from a backup."
            return Finding(
                kind, use.document_id, f"The original of {use.name} is {condition} (blob {sha256[:12]}). {again}"
            )
        if use.is_newest:
            way = self._renewal.process_again(actor, use.document_id, repair=repair, parsed_sha256=sha256)
        else:
            way = Way("It is an earlier version's, and can only be restored from a backup.")
        message = f"The text of {use.name} is {condition} (blob {sha256[:12]}). {way.sentence}"
        return Finding(kind, use.document_id, message, way.repaired, way.waits)

    def _of_lengths(self, actor: Actor, unsound: Set[str], repair: bool) -> Iterator[Finding]:
        for document_id, embeddings in self._record.read(_of_other_length).items():
            shown = self._record.read(lambda read, document_id=document_id: _shown(read, document_id))
            if shown is not None and shown.parsed_sha256 not in unsound:
                yield from self._told(actor, document_id, shown, _Damage(embeddings=embeddings), repair)

    def _of_passages(self, actor: Actor, document_id: str, unsound: Set[str], repair: bool) -> Iterator[Finding]:
        """The passages that readers see, unless their text is one of the `unsound`, which was told already."""
        for _ in range(_LOOKS_MAX):
            shown = self._record.read(lambda read: _shown(read, document_id))
            if shown is None or shown.parsed_sha256 in unsound:
                return
            try:
                parsed = None if shown.parsed_sha256 is None else get_parsed(self._blobs, shown.parsed_sha256)
            except BlobNotFoundError:  # the document has another text by now, or is gone
                continue
            damage = self._record.read(lambda read, shown=shown, parsed=parsed: _damage(read, shown, parsed))
            if damage == _Damage():
                return
            if self._record.read(lambda read: _shown(read, document_id)) == shown:
                yield from self._told(actor, document_id, shown, damage, repair)
                return

    def _told(self, actor: Actor, document_id: str, shown: _Shown, damage: _Damage, repair: bool) -> Iterator[Finding]:
        way = self._renewal.process_again(actor, document_id, repair=repair, parsed_sha256=shown.parsed_sha256)
        if damage.passages:
            message = f"{counted(damage.passages, 'passage')} of {shown.name}: not as in its text. {way.sentence}"
            yield Finding("passages.differ", document_id, message, way.repaired, way.waits)
        if damage.embeddings:
            message = f"{counted(damage.embeddings, 'passage')} of {shown.name}: found by words only. {way.sentence}"
            yield Finding("embedding.damaged", document_id, message, way.repaired, way.waits)


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


def _of_other_length(connection: Connection) -> dict[str, int]:
    """How many embeddings of each document have another number of bytes than a vector."""
    rows = connection.execute(
        select(documents.c.id, func.count())
        .join(chunks, chunks.c.chunk_set_id == documents.c.current_chunk_set_id)
        .where(documents.c.deleted_at.is_(None), func.length(chunks.c.embedding) != 2 * DIMENSIONS)
        .group_by(documents.c.id)
    )
    return {row[0]: row[1] for row in rows}


def _damage(connection: Connection, shown: _Shown, parsed: ParsedText | None) -> _Damage:
    """What is wrong with passages: their text, their place in it, their embedding, or how many there are."""
    columns = ("char_start", "char_end", "text", "text_sha256", "page_number", "section_header", "embedding")
    rows = connection.execute(
        select(*(chunks.c[name] for name in columns)).where(chunks.c.chunk_set_id == shown.chunk_set_id),
        execution_options={"yield_per": _ROWS},
    )
    places = None if parsed is None else Places(parsed)
    seen = differing = without = 0
    for some in rows.partitions():
        seen += len(some)
        without += len(some) - int(unit_vectors([row.embedding for row in some], DIMENSIONS)[1].sum())
        for row in some:
            stands = parsed is None or parsed.text[row.char_start : row.char_end] == row.text
            place = (row.page_number, row.section_header)
            is_there = places is None or (stands and places.of(row.char_start, row.char_end) == place)
            if not is_there or text_sha256(row.text) != row.text_sha256:
                differing += 1
    return _Damage(differing + abs(shown.chunk_count - seen), without)
