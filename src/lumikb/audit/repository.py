"""The audit trail: an event is written in the very unit of work that makes the change it tells of."""

from typing import Any

from sqlalchemy import insert

from lumikb.http.context import current_request
from lumikb.kit import clock
from lumikb.store.record.engine import UnitOfWork
from lumikb.store.record.tables.operations import audit_events


def append_event(
    unit: UnitOfWork,
    action: str,
    *,
    actor_id: str | None,
    resource_type: str | None = None,
    resource_id: str | None = None,
    outcome: str = "ok",
    **details: Any,
) -> None:
    """Append who did what to which resource; `details` are small facts, never secrets or document text."""
    request = current_request.get()
    unit.connection.execute(
        insert(audit_events).values(
            created_at=clock.now(),
            action=action,
            outcome=outcome,
            actor_id=actor_id,
            resource_type=resource_type,
            resource_id=resource_id,
            request_id=request.request_id if request else None,
            ip=request.ip if request else None,
            details=details,
        )
    )
