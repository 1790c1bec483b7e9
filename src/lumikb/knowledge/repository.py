"""SQL of documents, versions and chunks."""

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, delete, func, insert, select, update

from lumikb.compute.extract.models import Extracted
from lumikb.kit import clock
from lumikb.kit.ids import new_id
from lumikb.kit.pages import Page, PageRequest
from lumikb.knowledge.models import Chunk, Document, DocumentFilter, DocumentSort, DocumentStatus, NewDocument, Step
from lumikb.store.blobs.port import StoredBlob
from lumikb.store.record.engine import UnitOfWork
from lumikb.store.record.rows import as_dict
from lumikb.store.record.tables.knowledge import (
    chunk_sets,
    chunk_tokens,
    chunks,
    document_tags,
    document_versions,
    documents,
)
from lumikb.store.record.tables.uploads import uploads

ALIVE = documents.c.deleted_at.is_(None)
DOCUMENT_DATE = func.coalesce(documents.c.document_date, documents.c.extracted_date, documents.c.created_at)
AUTHOR_CHARS_MAX = 300

_LATEST = document_versions.c.id == documents.c.latest_version_id
_FILTERED = {"deleted_at", "extracted_date", "language", "author"}


def _with_versions() -> Select[Any]:
    version, current = document_versions.c, document_versions.alias("current_versions")
    return (
        select(
            *(column for column in documents.c if column.name not in _FILTERED),
            version.number.label("version"),
            version.sha256,
            version.size_bytes,
            version.mime_type,
            version.filename,
            version.page_count,
            version.char_count,
            func.coalesce(chunk_sets.c.chunk_count, 0).label("chunk_count"),
            current.c.extracted,
            current.c.number.label("current_version"),
        )
        .join(document_versions, _LATEST)
        .join(chunk_sets, chunk_sets.c.id == documents.c.current_chunk_set_id, isouter=True)
        .join(current, current.c.id == chunk_sets.c.version_id, isouter=True)
    )


# Made once: to make such a statement and its key in the cache takes longer than to read a document.
_DOCUMENTS = _with_versions()
_DOCUMENT = _DOCUMENTS.where(documents.c.id == bindparam("document_id"), ALIVE)

_SORTS: dict[DocumentSort, ColumnElement[Any]] = {
    DocumentSort.NAME: func.lower(documents.c.name),
    DocumentSort.CREATED_AT: documents.c.created_at,
    DocumentSort.UPDATED_AT: documents.c.updated_at,
    DocumentSort.FILE_SIZE_BYTES: document_versions.c.size_bytes,
    DocumentSort.STATUS: documents.c.status,
}
_CHUNK_COLUMNS = [
    chunks.c[name]
    for name in (
        "key",
        "chunk_id",
        "document_id",
        "kb_id",
        "ordinal",
        "char_start",
        "char_end",
        "text",
        "page_number",
        "section_header",
        "token_count",
    )
]


def create_document(
    unit: UnitOfWork, kb_id: str, new: NewDocument, blob: StoredBlob, mime_type: str, created_by: str
) -> str:
    """A PENDING document with its first version; gives its id."""
    document_id, version_id, moment = new.id or new_id(), new_id(), clock.now()
    unit.connection.execute(
        insert(documents).values(
            id=document_id,
            kb_id=kb_id,
            name=new.filename,
            status=DocumentStatus.PENDING,
            progress=0.0,
            warnings=new.warnings,
            retry_count=0,
            latest_version_id=version_id,
            metadata=new.metadata,
            document_date=new.document_date,
            created_by=created_by,
            created_at=moment,
            updated_at=moment,
        )
    )
    unit.connection.execute(
        insert(document_versions).values(
            id=version_id,
            document_id=document_id,
            number=1,
            sha256=blob.sha256,
            size_bytes=blob.size_bytes,
            mime_type=mime_type,
            filename=new.filename,
            status=DocumentStatus.PENDING,
            created_by=created_by,
            created_at=moment,
        )
    )
    set_tags(unit, document_id, new.tags)
    return document_id


def find_document(connection: Connection, document_id: str) -> Document | None:
    """The document unless deleted, or None."""
    row = connection.execute(_DOCUMENT, {"document_id": document_id}).first()
    return None if row is None else _with_tags(connection, [row])[0]


def find_deleted(connection: Connection, document_id: str) -> Document | None:
    """A document that was deleted and not erased yet, or None."""
    row = connection.execute(_DOCUMENTS.where(documents.c.id == document_id, ~ALIVE)).first()
    return None if row is None else _with_tags(connection, [row])[0]


def find_duplicate(connection: Connection, kb_id: str, sha256: str) -> Document | None:
    """The document of the knowledge base whose newest version has these bytes, or None."""
    row = connection.execute(
        _DOCUMENTS.where(documents.c.kb_id == kb_id, document_versions.c.sha256 == sha256, ALIVE)
    ).first()
    return None if row is None else _with_tags(connection, [row])[0]


def list_documents(
    connection: Connection, kb_ids: Sequence[str], wanted: DocumentFilter, page: PageRequest
) -> Page[Document]:
    """Documents of the knowledge bases that pass the filter."""
    sort = _SORTS[wanted.sort_by]
    conditions = [documents.c.kb_id.in_(kb_ids), ALIVE, *_conditions(wanted)]
    count = select(func.count()).select_from(documents.join(document_versions, _LATEST)).where(*conditions)
    total = connection.execute(count).scalar_one()
    order = sort.desc() if wanted.descending else sort.asc()
    rows = connection.execute(
        _DOCUMENTS.where(*conditions).order_by(order, documents.c.id).limit(page.limit).offset(page.offset)
    )
    return Page(_with_tags(connection, list(rows)), total, page)


def document_ids(connection: Connection, kb_id: str) -> list[str]:
    """All undeleted documents of a knowledge base."""
    return list(connection.execute(select(documents.c.id).where(documents.c.kb_id == kb_id, ALIVE)).scalars())


def has_all_tags(tags: Sequence[str]) -> ColumnElement[bool]:
    """Condition on `documents`: each of the tags is there."""
    return sa.and_(
        *(sa.exists().where(document_tags.c.document_id == documents.c.id, document_tags.c.tag == tag) for tag in tags)
    )


def is_by(author: str) -> ColumnElement[bool]:
    """Condition on `documents`: the author's name has this part."""
    return documents.c.author.contains(author.casefold(), autoescape=True)


def is_called(part: str) -> ColumnElement[bool]:
    """Condition on `documents`: the name has this part, in whatever case."""
    # SQLite folds the letters of ASCII alone, so the usual ways to write the others are tried, too.
    spellings = {_ascii_lower(word) for word in (part, part.lower(), part.upper(), part.capitalize(), part.title())}
    name = func.lower(documents.c.name)
    return sa.or_(*(name.contains(spelling, autoescape=True) for spelling in sorted(spellings)))


def _ascii_lower(text: str) -> str:
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)


def update_document(unit: UnitOfWork, document_id: str, **values: Any) -> None:
    """Set columns of the document."""
    unit.connection.execute(
        update(documents).where(documents.c.id == document_id).values(updated_at=clock.now(), **values)
    )


def set_tags(unit: UnitOfWork, document_id: str, tags: Sequence[str]) -> None:
    """Replace the tags of the document."""
    unit.connection.execute(delete(document_tags).where(document_tags.c.document_id == document_id))
    if tags:
        unit.connection.execute(insert(document_tags), [{"document_id": document_id, "tag": tag} for tag in tags])


def advance(unit: UnitOfWork, document_id: str, step: Step, progress: float) -> bool:
    """Show that a document is being processed; progress never goes back. False when the document is gone."""
    changed = unit.connection.execute(
        update(documents)
        .where(documents.c.id == document_id, ALIVE)
        .values(
            status=sa.case(
                (
                    documents.c.current_chunk_set_id.is_(None) & (documents.c.status != DocumentStatus.ARCHIVED),
                    DocumentStatus.PROCESSING.value,
                ),
                else_=documents.c.status,
            ),
            current_step=step,
            progress=sa.case((documents.c.progress < progress, progress), else_=documents.c.progress),
            updated_at=clock.now(),
        )
    )
    return changed.rowcount > 0


def update_version(unit: UnitOfWork, version_id: str, **values: Any) -> None:
    """Set columns of a version."""
    unit.connection.execute(update(document_versions).where(document_versions.c.id == version_id).values(**values))


def show_extracted(unit: UnitOfWork, document: Document, extracted: Extracted) -> None:
    """Keep what the newest version tells about itself and let filters see it: in the unit that makes it current."""
    update_version(unit, document.latest_version_id, extracted=msgspec.to_builtins(extracted))
    update_document(unit, document.id, **filtered_by(extracted))


def filtered_by(extracted: Extracted) -> dict[str, Any]:
    """The columns of `documents` that filters look at."""
    author = extracted.author and extracted.author.casefold()[:AUTHOR_CHARS_MAX]
    return {"extracted_date": extracted.date, "language": extracted.language, "author": author}


def chunk_set_exists(connection: Connection, chunk_set_id: str) -> bool:
    """Whether the set has been stored."""
    found = connection.execute(select(chunk_sets.c.id).where(chunk_sets.c.id == chunk_set_id)).first()
    return found is not None


def create_chunk_set(unit: UnitOfWork, values: dict[str, Any], rows: list[dict[str, Any]]) -> list[int]:
    """Store a chunk set with its chunks; gives the chunks' keys."""
    unit.connection.execute(insert(chunk_sets).values(created_at=clock.now(), chunk_count=len(rows), **values))
    return insert_chunks(unit, values["id"], rows)


def insert_chunks(unit: UnitOfWork, chunk_set_id: str, rows: list[dict[str, Any]]) -> list[int]:
    """Store the chunks of a set, with their `tokens` unless these are empty; gives their keys in order of `rows`."""
    if not rows:
        return []
    tokens = [row["tokens"] for row in rows]
    unit.connection.execute(insert(chunks), [{name: row[name] for name in row if name != "tokens"} for row in rows])
    keys = chunk_keys(unit.connection, chunk_set_id=chunk_set_id)
    packed = [{"chunk_key": key, "tokens": own} for key, own in zip(keys, tokens, strict=True) if own]
    if packed:
        unit.connection.execute(insert(chunk_tokens), packed)
    return keys


def embeddings_by_text(
    connection: Connection, chunk_set_id: str, model_id: str, tier: str, hashes: Sequence[str]
) -> dict[str, tuple[bytes, bytes]]:
    """Embeddings that a chunk set has for texts of these hashes, each with its token vectors, empty if it has none.

    None at all if the set is of another model.
    """
    rows = connection.execute(
        select(chunks.c.text_sha256, chunks.c.embedding, chunk_tokens.c.tokens)
        .outerjoin(chunk_tokens, chunk_tokens.c.chunk_key == chunks.c.key)
        .join(chunk_sets, chunk_sets.c.id == chunks.c.chunk_set_id)
        .where(chunk_sets.c.id == chunk_set_id, chunk_sets.c.model_id == model_id, chunk_sets.c.model_tier == tier)
        .where(chunks.c.text_sha256.in_(hashes))
    )
    return {row.text_sha256: (row.embedding, row.tokens or b"") for row in rows}


def erase_former_sets(unit: UnitOfWork, version_id: str, chunk_set_id: str) -> None:
    """Erase the sets of a version that `chunk_set_id` has taken over from: nobody reaches them, answers hold copies.

    Those of a reprocessing are its job's to erase, as is what one of them waits to replace.
    """
    waiting = chunk_sets.alias("waiting_sets")
    unit.connection.execute(
        delete(chunk_sets).where(
            chunk_sets.c.version_id == version_id,
            chunk_sets.c.id != chunk_set_id,
            chunk_sets.c.job_id.is_(None),
            ~sa.exists().where(waiting.c.replaces_id == chunk_sets.c.id),
        )
    )


def chunk_keys(connection: Connection, *, chunk_set_id: str) -> list[int]:
    """Keys of a set's chunks in order."""
    statement = select(chunks.c.key).where(chunks.c.chunk_set_id == chunk_set_id).order_by(chunks.c.ordinal)
    return list(connection.execute(statement).scalars())


def chunk_keys_of(connection: Connection, document: Document) -> list[int]:
    """Keys of the chunks that readers of the document see now, none before it was READY.

    A unit of work that changes the document asks after the change, which keeps others from moving the pointer.
    """
    statement = (
        select(chunks.c.key)
        .join(documents, documents.c.current_chunk_set_id == chunks.c.chunk_set_id)
        .where(documents.c.id == document.id)
        .order_by(chunks.c.ordinal)
    )
    return list(connection.execute(statement).scalars())


def list_chunks(connection: Connection, document: Document, page: PageRequest) -> Page[Chunk]:
    """The chunks that readers see, in the order of the text."""
    current = chunks.c.chunk_set_id == document.current_chunk_set_id
    rows = connection.execute(
        select(*_CHUNK_COLUMNS).where(current).order_by(chunks.c.ordinal).limit(page.limit).offset(page.offset)
    )
    return Page([Chunk(**as_dict(row)) for row in rows], document.chunk_count, page)


def erase_document(unit: UnitOfWork, document_id: str) -> set[str]:
    """Remove a document with versions and chunks; gives the blobs it referred to."""
    rows = unit.connection.execute(
        select(document_versions.c.sha256, document_versions.c.parsed_sha256).where(
            document_versions.c.document_id == document_id
        )
    ).all()
    unit.connection.execute(delete(documents).where(documents.c.id == document_id))  # cascades to all that hangs on it
    return {sha256 for row in rows for sha256 in row if sha256 is not None}


def is_referenced(connection: Connection, sha256: str) -> bool:
    """Whether any version needs the blob, or an open upload that becomes one."""
    condition = (document_versions.c.sha256 == sha256) | (document_versions.c.parsed_sha256 == sha256)
    version = select(document_versions.c.id).where(condition)
    upload = select(uploads.c.id).where(uploads.c.blob_sha256 == sha256, uploads.c.document_id.is_(None))
    return connection.execute(version.union_all(upload).limit(1)).first() is not None


def lock_blob(unit: UnitOfWork, sha256: str) -> None:
    """Serialise accepting and erasing one blob until the commit (SQLite: the write lock does)."""
    if unit.connection.dialect.name == "postgresql":
        key = int(sha256[:15], 16)
        unit.connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def _conditions(wanted: DocumentFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.search:
        conditions.append(func.lower(documents.c.name).contains(wanted.search.lower(), autoescape=True))
    if wanted.statuses:
        conditions.append(documents.c.status.in_(wanted.statuses))
    if wanted.mime_type:
        conditions.append(document_versions.c.mime_type == wanted.mime_type)
    if wanted.tags:
        conditions.append(has_all_tags(wanted.tags))
    if wanted.date_from:
        conditions.append(wanted.date_from <= DOCUMENT_DATE)
    if wanted.date_to:
        conditions.append(wanted.date_to >= DOCUMENT_DATE)
    if wanted.language:
        conditions.append(documents.c.language == wanted.language)
    if wanted.author:
        conditions.append(is_by(wanted.author))
    return conditions


def _with_tags(connection: Connection, rows: Sequence[Row[Any]]) -> list[Document]:
    tags: dict[str, list[str]] = {}
    found = connection.execute(
        select(document_tags)
        .where(document_tags.c.document_id.in_([row.id for row in rows]))
        .order_by(document_tags.c.tag)
    )
    for tag in found:
        tags.setdefault(tag.document_id, []).append(tag.tag)
    return [_document(row, tags.get(row.id, [])) for row in rows]


def _document(row: Row[Any], tags: list[str]) -> Document:
    values = as_dict(row)
    values["extracted"] = None if row.extracted is None else msgspec.convert(row.extracted, Extracted)
    values["status"] = DocumentStatus.of(row.status)
    return Document(**values, tags=tags)
