"""SQL of direct uploads. An upload is open until it has become a document."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from lumikb.knowledge.models import Upload
from lumikb.store.record.engine import UnitOfWork
from lumikb.store.record.rows import as_dict
from lumikb.store.record.tables.uploads import uploads

_OPEN = uploads.c.document_id.is_(None)


def create_upload(unit: UnitOfWork, upload: Upload) -> None:
    """Write down a new upload."""
    unit.connection.execute(insert(uploads).values(vars(upload)))


def find_upload(connection: Connection, upload_id: str, *, lock: bool = False) -> Upload | None:
    """The upload, or None; `lock` keeps it as it is until the commit (SQLite: the write lock does)."""
    statement = select(uploads).where(uploads.c.id == upload_id)
    row = connection.execute(statement.with_for_update() if lock else statement).first()
    return None if row is None else Upload(**as_dict(row))


def update_upload(unit: UnitOfWork, upload_id: str, **values: Any) -> bool:
    """Set columns of an open upload; False when there is none."""
    statement = update(uploads).where(uploads.c.id == upload_id, _OPEN).values(**values)
    return unit.connection.execute(statement).rowcount > 0


def delete_upload(unit: UnitOfWork, upload_id: str) -> None:
    """Forget the upload."""
    unit.connection.execute(delete(uploads).where(uploads.c.id == upload_id))


def count_open(connection: Connection, created_by: str | None = None) -> int:
    """How many uploads are open, of one user or of all."""
    statement = select(func.count()).select_from(uploads).where(_OPEN)
    if created_by is not None:
        statement = statement.where(uploads.c.created_by == created_by)
    return connection.execute(statement).scalar_one()


def list_expired(connection: Connection, moment: datetime, limit: int) -> list[Upload]:
    """Uploads whose time was over at that moment, open or not, oldest first."""
    rows = connection.execute(
        select(uploads).where(uploads.c.expires_at <= moment).order_by(uploads.c.expires_at).limit(limit)
    )
    return [Upload(**as_dict(row)) for row in rows]


def blobs_of_open_uploads(connection: Connection) -> set[str]:
    """Blobs that are being stored for uploads."""
    return set(connection.execute(select(uploads.c.blob_sha256).where(_OPEN)).scalars()) - {None}
