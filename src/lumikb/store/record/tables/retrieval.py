"""What users searched for."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table

from lumikb.store.record.tables.base import metadata
from lumikb.store.record.types import BigKey, Id, Json, UtcDateTime

search_history = Table(
    "search_history",
    metadata,
    Column("id", BigKey, primary_key=True, autoincrement=True),
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("query", String(500), nullable=False),
    Column("kb_ids", Json),  # NULL: all that the user could read
    Column("result_count", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index(None, "user_id", "id"),
)
