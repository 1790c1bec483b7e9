"""SQL of versions of documents."""

from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select

from lumikb.kit import clock
from lumikb.kit.ids import new_id
from lumikb.knowledge.models import Document, DocumentStatus, Version
from lumikb.store.blobs.port import StoredBlob
from lumikb.store.record.engine import UnitOfWork
from lumikb.store.record.rows import as_dict
from lumikb.store.record.tables.knowledge import chunk_sets, document_versions


def list_versions(connection: Connection, document: Document) -> list[Version]:
    """All versions, newest first."""
    rows = connection.execute(_versions(document).order_by(document_versions.c.number.desc()))
    return [_version(row) for row in rows]


def find_version(connection: Connection, document: Document, number: int | None) -> Version | None:
    """The version of that number; None asks for the current one, or the newest while none is."""
    statement = _versions(document)
    if number is not None:
        statement = statement.where(document_versions.c.number == number)
    else:
        statement = statement.order_by((document_versions.c.id == _current_id(document)).desc())
        statement = statement.order_by(document_versions.c.number.desc())
    row = connection.execute(statement.limit(1)).first()
    return None if row is None else _version(row)


def create_version(
    unit: UnitOfWork, document: Document, filename: str, blob: StoredBlob, mime_type: str, created_by: str
) -> str:
    """The next version of a document, PENDING; gives its id."""
    version_id = new_id()
    number = select(func.max(document_versions.c.number) + 1).where(document_versions.c.document_id == document.id)
    unit.connection.execute(
        insert(document_versions).values(
            id=version_id,
            document_id=document.id,
            number=number.scalar_subquery(),
            sha256=blob.sha256,
            size_bytes=blob.size_bytes,
            mime_type=mime_type,
            filename=filename,
            status=DocumentStatus.PENDING,
            created_by=created_by,
            created_at=clock.now(),
        )
    )
    return version_id


def _current_id(document: Document) -> Any:
    return func.coalesce(
        select(chunk_sets.c.version_id).where(chunk_sets.c.id == document.current_chunk_set_id).scalar_subquery(), ""
    )


def _versions(document: Document) -> Select[Any]:
    return select(document_versions, (document_versions.c.id == _current_id(document)).label("current")).where(
        document_versions.c.document_id == document.id
    )


def _version(row: Row[Any]) -> Version:
    values = as_dict(row)
    del values["extracted"]
    values["status"] = DocumentStatus.of(row.status)
    values["current"] = bool(row.current)
    return Version(**values)
