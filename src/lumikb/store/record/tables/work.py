"""Jobs, the outbox, and the heartbeats of the processes that work on jobs."""

from sqlalchemy import Column, Float, Index, Integer, String, Table, Text

from lumikb.store.record.tables.base import metadata
from lumikb.store.record.types import BigKey, Bytes, Id, Json, UtcDateTime

jobs = Table(
    "jobs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("type", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("priority", Integer, nullable=False),  # smaller is sooner
    Column("progress", Float(), nullable=False),  # percent
    Column("message", String(255)),
    Column("attempts", Integer, nullable=False),
    Column("attempts_at_step", Integer, nullable=False, server_default="0"),  # when its newest step ended
    Column("error_code", String(64)),
    Column("error_message", Text),
    Column("kb_id", Id),
    Column("document_id", Id),
    Column("payload", Json, nullable=False),
    Column("blobs", Json, nullable=False, server_default="[]"),  # addresses of what its steps hand to each other
    Column("sealed", Bytes),  # a secret that the work needs; gone when the job has ended
    Column("result", Json),  # counts of what it did
    Column("created_by", Id, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("not_before", UtcDateTime),
    Column("dispatched_at", UtcDateTime),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Index(None, "dispatched_at", "priority", "id"),
    Index(None, "document_id"),
    Index(None, "status", "created_at"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("seq", BigKey, primary_key=True, autoincrement=True),
    Column("topic", String(64), nullable=False),
    Column("payload", Json, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("delivered_at", UtcDateTime),
    Index(None, "delivered_at"),
    sqlite_autoincrement=True,
)

heartbeats = Table(
    "heartbeats",
    metadata,
    Column("executor_id", String(64), primary_key=True),
    Column("seen_at", UtcDateTime, nullable=False),
)
