"""Runtime settings, audit events, and answers kept for repeated requests."""

from sqlalchemy import Column, Index, Integer, String, Table

from lumikb.store.record.tables.base import metadata
from lumikb.store.record.types import BigKey, Id, Json, Sha256, UtcDateTime

settings = Table(
    "settings",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Json, nullable=False),
    Column("updated_by", Id),
    Column("updated_at", UtcDateTime, nullable=False),
)

audit_events = Table(
    "audit_events",
    metadata,
    Column("seq", BigKey, primary_key=True, autoincrement=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("action", String(64), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("actor_id", Id),
    Column("resource_type", String(32)),
    Column("resource_id", String(255)),
    Column("request_id", String(64)),
    Column("ip", String(64)),
    Column("details", Json, nullable=False),
    Index(None, "created_at"),
    Index(None, "actor_id", "created_at"),
    sqlite_autoincrement=True,
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("user_id", Id, primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("request_sha256", Sha256, nullable=False),
    Column("status_code", Integer, nullable=False),
    Column("response", Json, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index(None, "created_at"),
)
