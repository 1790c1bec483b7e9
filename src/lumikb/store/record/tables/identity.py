"""Users, sessions, API keys."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table

from lumikb.store.record.tables.base import metadata
from lumikb.store.record.types import Id, Json, Sha256, UtcDateTime

users = Table(
    "users",
    metadata,
    Column("id", Id, primary_key=True),
    Column("email", String(320), nullable=False, unique=True),  # lower case
    Column("password_hash", String(255), nullable=False),
    Column("first_name", String(255)),
    Column("last_name", String(255)),
    Column("permission_level", Integer, nullable=False),
    Column("is_superuser", Boolean, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("is_verified", Boolean, nullable=False),
    Column("onboarding_completed", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("last_active", UtcDateTime),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("refresh_sha256", Sha256, nullable=False),
    Column("ip", String(64)),
    Column("user_agent", String(512)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("last_active", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    Index(None, "user_id"),
    Index(None, "refresh_sha256", unique=True),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Id, primary_key=True),
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(255), nullable=False),
    Column("prefix", String(16), nullable=False),
    Column("key_sha256", Sha256, nullable=False, unique=True),
    Column("scopes", Json, nullable=False),
    Column("kb_ids", Json),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("last_used_at", UtcDateTime),
    Index(None, "user_id"),
)
