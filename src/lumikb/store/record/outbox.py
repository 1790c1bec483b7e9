"""The outbox: events that must be told if and only if the change they tell of was committed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from lumikb.kit import clock
from lumikb.store.record.engine import UnitOfWork
from lumikb.store.record.tables.work import outbox

TOPIC = "outbox"


@dataclass(frozen=True)
class OutboxEvent:
    """An event that waits to be told; `topic` is dotted, such as `document.status`."""

    seq: int
    topic: str
    payload: dict[str, Any]
    created_at: datetime


def append_outbox(unit: UnitOfWork, topic: str, payload: dict[str, Any]) -> None:
    """Write an event in the unit of work that makes the change."""
    unit.connection.execute(insert(outbox).values(topic=topic, payload=payload, created_at=clock.now()))
    unit.notify(TOPIC)


def undelivered(connection: Connection, limit: int) -> list[OutboxEvent]:
    """The oldest events that were not told yet."""
    rows = connection.execute(
        select(outbox.c.seq, outbox.c.topic, outbox.c.payload, outbox.c.created_at)
        .where(outbox.c.delivered_at.is_(None))
        .order_by(outbox.c.seq)
        .limit(limit)
    )
    return [OutboxEvent(*row) for row in rows]


def mark_delivered(unit: UnitOfWork, seqs: Sequence[int]) -> None:
    """Note that these events were told."""
    unit.connection.execute(update(outbox).where(outbox.c.seq.in_(seqs)).values(delivered_at=clock.now()))


def forget_delivered(unit: UnitOfWork, older_than: timedelta) -> None:
    """Drop events that were told so long ago."""
    unit.connection.execute(delete(outbox).where(outbox.c.delivered_at < clock.now() - older_than))
