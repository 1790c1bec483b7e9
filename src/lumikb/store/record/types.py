"""Column types that mean the same on SQLite and PostgreSQL."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Integer, LargeBinary, String
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment: `timestamptz` on PostgreSQL, naive UTC text (which sorts) on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive moments; SQLite stores UTC without the zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs its time zone")
        try:
            utc = value.astimezone(UTC)
        except OverflowError:  # the first or last hours of the calendar in another zone: as far as UTC goes
            utc = (datetime.min if value.year == 1 else datetime.max).replace(tzinfo=UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give every moment in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Id = String(36)
Sha256 = String(64)
Json: Any = JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
Bytes = LargeBinary
# SQLite gives a row id only to a column that is called exactly INTEGER.
BigKey = BigInteger().with_variant(Integer(), "sqlite")
