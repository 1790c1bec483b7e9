"""The change log: what happened to chunks, in commit order, and the rows that an index may hold.

`seq` is taken under a lock that is held to the commit (SQLite: the write lock; PostgreSQL: a transaction-level
advisory lock), so a reader that has seen `seq` n has seen every smaller one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from sqlalchemy import ColumnElement, Connection, Select, func, insert, literal, null, select, text

from lumikb.kit import clock
from lumikb.store.record.engine import UnitOfWork
from lumikb.store.record.tables.knowledge import change_log, chunks, documents

TOPIC = "changes"
# The one status of a document that the gate knows.
ARCHIVED = "ARCHIVED"
_ADVISORY_LOCK = 0x1B_C4A6E5


@dataclass(frozen=True)
class Change:
    """One entry of the log: chunks of a knowledge base that were added, or are to be removed."""

    seq: int
    kb_id: str
    op: Literal["add", "remove"]
    chunk_keys: list[int]


@dataclass(frozen=True)
class IndexRow:
    """What an index needs of a live chunk. `embedding` is 384 little-endian float16; None when not asked for."""

    key: int
    kb_id: str
    document_id: str
    text: str | None
    embedding: bytes | None


def append_change(unit: UnitOfWork, kb_id: str, op: Literal["add", "remove"], chunk_keys: Iterable[int]) -> None:
    """Log a change in the caller's unit of work, and wake the followers of this process after its commit."""
    packed = np.fromiter(chunk_keys, dtype="<i8").tobytes()
    if not packed:
        return
    if unit.connection.dialect.name == "postgresql":
        unit.connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
    unit.connection.execute(insert(change_log).values(kb_id=kb_id, op=op, chunk_keys=packed, created_at=clock.now()))
    unit.notify(TOPIC)


def max_seq(connection: Connection) -> int:
    """The newest entry's number, 0 for an empty log."""
    return connection.execute(select(func.coalesce(func.max(change_log.c.seq), 0))).scalar_one()


def changes_after(connection: Connection, seq: int, limit: int) -> list[Change]:
    """Up to `limit` entries newer than `seq`, oldest first."""
    rows = connection.execute(
        select(change_log.c.seq, change_log.c.kb_id, change_log.c.op, change_log.c.chunk_keys)
        .where(change_log.c.seq > seq)
        .order_by(change_log.c.seq)
        .limit(limit)
    )
    return [Change(row.seq, row.kb_id, row.op, np.frombuffer(row.chunk_keys, "<i8").tolist()) for row in rows]


def alive() -> ColumnElement[bool]:
    """The gate: the chunk belongs to the chunk set its document points at, which is neither deleted nor archived.

    For statements that join `chunks` with `documents` on the document's id.
    """
    return (
        (chunks.c.chunk_set_id == documents.c.current_chunk_set_id)
        & documents.c.deleted_at.is_(None)
        & (documents.c.status != ARCHIVED)
    )


# SQLite allows 32,766 parameters in a statement; a batch stays well below.
_KEYS_PER_STATEMENT = 2_000


def live_rows(
    connection: Connection, chunk_keys: Sequence[int], *, with_text: bool, with_embedding: bool
) -> list[IndexRow]:
    """Those of the chunks that are alive, ordered by key within each batch of keys."""
    rows: list[IndexRow] = []
    for at in range(0, len(chunk_keys), _KEYS_PER_STATEMENT):
        batch = chunk_keys[at : at + _KEYS_PER_STATEMENT]
        statement = _live(with_text, with_embedding).where(chunks.c.key.in_(batch))
        rows += _rows(connection, statement)
    return rows


def live_rows_after(
    connection: Connection, key: int, limit: int, *, with_text: bool, with_embedding: bool
) -> list[IndexRow]:
    """Up to `limit` live chunks with a key above `key`, ordered by key: the way to read all of them."""
    return _rows(connection, _live(with_text, with_embedding).where(chunks.c.key > key).limit(limit))


def _live(with_text: bool, with_embedding: bool) -> Select[tuple[int, str, str, str | None, bytes | None]]:
    return (
        select(
            chunks.c.key,
            chunks.c.kb_id,
            chunks.c.document_id,
            chunks.c.text if with_text else literal(None).label("text"),
            chunks.c.embedding if with_embedding else null().label("embedding"),
        )
        .join(documents, documents.c.id == chunks.c.document_id)
        .where(alive())
        .order_by(chunks.c.key)
    )


def _rows(connection: Connection, statement: Select[tuple[int, str, str, str | None, bytes | None]]) -> list[IndexRow]:
    return [IndexRow(*row) for row in connection.execute(statement)]
