"""SQL of runs that are kept, so that a client can resume them after a restart."""

from datetime import timedelta

from sqlalchemy import Connection, delete, func, insert, select

from lumikb.http.sse import ServerSentEvent
from lumikb.kit import clock
from lumikb.runs.models import Run
from lumikb.store.record.engine import UnitOfWork
from lumikb.store.record.tables.answering import run_events, runs


def create_run(unit: UnitOfWork, run: Run) -> None:
    """Keep an ended run with its events."""
    unit.connection.execute(
        insert(runs).values(
            id=run.id,
            user_id=run.user_id,
            kind=run.kind,
            status=run.status,
            conversation_id=run.conversation_id,
            created_at=run.created_at,
            finished_at=clock.now(),
        )
    )
    rows = [{"run_id": run.id, "seq": event.id, "name": event.name, "data": event.data} for event in run.events]
    unit.connection.execute(insert(run_events), rows)


def find_events(connection: Connection, user_id: str, run_id: str, after: int) -> list[ServerSentEvent] | None:
    """The events of a kept run of this user, newer than `after`, or the last; None when there is no such run."""
    owned = connection.execute(select(runs.c.id).where(runs.c.id == run_id, runs.c.user_id == user_id)).first()
    if owned is None:
        return None
    last = select(func.max(run_events.c.seq)).where(run_events.c.run_id == run_id).scalar_subquery()
    rows = connection.execute(
        select(run_events.c.seq, run_events.c.name, run_events.c.data)
        .where(run_events.c.run_id == run_id, (run_events.c.seq > after) | (run_events.c.seq == last))
        .order_by(run_events.c.seq)
    )
    return [ServerSentEvent(*row) for row in rows]


def forget_runs(unit: UnitOfWork, older_than: timedelta) -> None:
    """Drop runs that are older; their turns stay in the conversations."""
    unit.connection.execute(delete(runs).where(runs.c.created_at < clock.now() - older_than))
