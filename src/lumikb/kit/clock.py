"""Time: always UTC, always aware, RFC 3339 with `Z` on the wire."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec

# A moment in a request: without its time zone it is refused.
Moment = Annotated[datetime, msgspec.Meta(tz=True)]


def now() -> datetime:
    """The present moment in UTC, to the microsecond."""
    return datetime.now(UTC)


def to_wire(moment: datetime) -> str:
    """RFC 3339 in UTC with `Z` and microseconds, such as `2026-01-31T08:15:00.000000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
