"""The jobs table: jobs are created in the request's transaction, and followed from then on."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, case, delete, func, insert, select, update

from lumikb.kit import clock
from lumikb.kit.ids import new_id
from lumikb.kit.pages import Page, PageRequest
from lumikb.store.jobs.errors import JobNotFoundError
from lumikb.store.jobs.models import OPEN, PRIORITY_INTERACTIVE, Job, JobStatus
from lumikb.store.record.engine import UnitOfWork
from lumikb.store.record.rows import as_dict
from lumikb.store.record.tables.work import heartbeats, jobs
from lumikb.store.record.types import UtcDateTime

TOPIC = "jobs"
MESSAGE_CHARS_MAX = 255

_COLUMNS = [
    jobs.c[name]
    for name in (
        "id",
        "type",
        "status",
        "priority",
        "progress",
        "message",
        "attempts",
        "attempts_at_step",
        "error_code",
        "error_message",
        "kb_id",
        "document_id",
        "payload",
        "blobs",
        "result",
        "created_by",
        "created_at",
        "updated_at",
        "started_at",
        "finished_at",
    )
]


def create_job(
    unit: UnitOfWork,
    job_type: str,
    *,
    created_by: str,
    kb_id: str | None = None,
    document_id: str | None = None,
    priority: int = PRIORITY_INTERACTIVE,
    payload: dict[str, Any] | None = None,
    not_before: datetime | None = None,
    sealed: bytes | None = None,
) -> str:
    """Enqueue a job in the caller's unit of work; the dispatcher is woken by its commit. Gives the job's id.

    `sealed` is a secret that its work needs, which no reader of the record can read; it is dropped when the job ends.
    """
    job_id, moment = new_id(), clock.now()
    unit.connection.execute(
        insert(jobs).values(
            id=job_id,
            type=job_type,
            status=JobStatus.QUEUED,
            priority=priority,
            progress=0.0,
            attempts=0,
            kb_id=kb_id,
            document_id=document_id,
            payload=payload or {},
            blobs=[],
            sealed=sealed,
            created_by=created_by,
            created_at=moment,
            updated_at=moment,
            not_before=not_before,
        )
    )
    unit.notify(TOPIC)
    return job_id


def find_job(connection: Connection, job_id: str) -> Job | None:
    """The job, or None."""
    row = connection.execute(select(*_COLUMNS).where(jobs.c.id == job_id)).first()
    return None if row is None else _job(row)


def get_job(connection: Connection, job_id: str) -> Job:
    """The job; raises `JobNotFoundError`."""
    job = find_job(connection, job_id)
    if job is None:
        raise JobNotFoundError("There is no such job.")
    return job


def find_open_job(connection: Connection, job_type: str, kb_id: str) -> Job | None:
    """The newest job of a type for a knowledge base that has not ended, or None."""
    statement = select(*_COLUMNS).where(jobs.c.status.in_(OPEN), jobs.c.type == job_type, jobs.c.kb_id == kb_id)
    row = connection.execute(statement.order_by(jobs.c.id.desc())).first()
    return None if row is None else _job(row)


def is_waited_for(connection: Connection, priority: int) -> bool:
    """Whether a more urgent job is due and waits for a worker."""
    due = jobs.c.not_before.is_(None) | (jobs.c.not_before <= clock.now())
    statement = select(jobs.c.id).where(jobs.c.status == JobStatus.QUEUED, jobs.c.priority < priority, due)
    return connection.execute(statement.limit(1)).first() is not None


def list_jobs(
    connection: Connection,
    page: PageRequest,
    *,
    job_type: str | None = None,
    statuses: Collection[str] | None = None,
    kb_id: str | None = None,
    created_by: str | None = None,
    kb_ids: Collection[str] | None = None,
) -> Page[Job]:
    """Jobs, newest first; `created_by` None means everybody's, `kb_ids` None those of any knowledge base or none."""
    wanted = {jobs.c.type: job_type, jobs.c.kb_id: kb_id, jobs.c.created_by: created_by}
    conditions: list[ColumnElement[bool]] = [column == value for column, value in wanted.items() if value is not None]
    if statuses is not None:
        conditions.append(jobs.c.status.in_(statuses))
    if kb_ids is not None:
        conditions.append(jobs.c.kb_id.in_(kb_ids))
    total = connection.execute(select(func.count()).select_from(jobs).where(*conditions)).scalar_one()
    rows = connection.execute(
        select(*_COLUMNS).where(*conditions).order_by(jobs.c.id.desc()).limit(page.limit).offset(page.offset)
    )
    return Page([_job(row) for row in rows], total, page)


def undispatched_jobs(
    connection: Connection,
    limit: int,
    *,
    types: Collection[str] | None = None,
    but_types: Collection[str] = (),
    priority_max: int | None = None,
) -> list[str]:
    """Ids of open jobs that are due and nobody has claimed, most urgent first."""
    conditions: list[ColumnElement[bool]] = [
        jobs.c.dispatched_at.is_(None),
        jobs.c.status.in_(OPEN),
        jobs.c.not_before.is_(None) | (jobs.c.not_before <= clock.now()),
        jobs.c.type.not_in(but_types),
    ]
    if types is not None:
        conditions.append(jobs.c.type.in_(types))
    if priority_max is not None:
        conditions.append(jobs.c.priority <= priority_max)
    statement = select(jobs.c.id).where(*conditions).order_by(jobs.c.priority, jobs.c.id).limit(limit)
    return list(connection.execute(statement).scalars())


def claim_jobs(unit: UnitOfWork, job_ids: Sequence[str]) -> list[str]:
    """Take these jobs for an engine; gives those that nobody had taken and that are still open, in their order."""
    claimed = unit.connection.execute(
        update(jobs)
        .where(jobs.c.id.in_(job_ids), jobs.c.dispatched_at.is_(None), jobs.c.status.in_(OPEN))
        .values(dispatched_at=clock.now())
        .returning(jobs.c.id)
    )
    ours = set(claimed.scalars())
    return [job_id for job_id in job_ids if job_id in ours]


def dispatched_jobs(connection: Connection, before: datetime, limit: int) -> list[str]:
    """Open jobs that were claimed before that moment, oldest first."""
    rows = connection.execute(
        select(jobs.c.id)
        .where(jobs.c.dispatched_at < before, jobs.c.status.in_(OPEN))
        .order_by(jobs.c.dispatched_at)
        .limit(limit)
    )
    return list(rows.scalars())


def mark_undispatched(unit: UnitOfWork, job_ids: Sequence[str]) -> None:
    """Give back what was claimed: no engine has these jobs after all."""
    unit.connection.execute(update(jobs).where(jobs.c.id.in_(job_ids)).values(dispatched_at=None))


def begin_attempt(unit: UnitOfWork, job_id: str) -> Job | None:
    """Count an attempt and mark the job as processing; None when the job is gone or has ended."""
    moment = clock.now()
    changed = unit.connection.execute(
        update(jobs)
        .where(jobs.c.id == job_id, jobs.c.status.in_(OPEN))
        .values(
            status=JobStatus.PROCESSING,
            attempts=jobs.c.attempts + 1,
            started_at=func.coalesce(jobs.c.started_at, moment),
            updated_at=moment,
        )
    )
    return get_job(unit.connection, job_id) if changed.rowcount else None


def uncount_attempts(unit: UnitOfWork, job_ids: Sequence[str]) -> None:
    """Take back the attempt of jobs that an orderly shutdown interrupted."""
    unit.connection.execute(
        update(jobs)
        .where(jobs.c.id.in_(job_ids), jobs.c.status == JobStatus.PROCESSING)
        .values(attempts=jobs.c.attempts - 1)
    )


def record_progress(unit: UnitOfWork, job_id: str, progress: float, message: str) -> bool:
    """Set progress in percent and the step's name; progress never goes back. False when the job has ended."""
    higher = case((jobs.c.progress < progress, progress), else_=jobs.c.progress)
    changed = unit.connection.execute(
        update(jobs)
        .where(jobs.c.id == job_id, jobs.c.status.in_(OPEN))
        .values(progress=higher, message=message, updated_at=clock.now())
    )
    return changed.rowcount > 0


def record_retry(unit: UnitOfWork, job_id: str, reason: str) -> None:
    """Show why a step is tried again."""
    message = f"Trying again: {reason}"[:MESSAGE_CHARS_MAX]
    unit.connection.execute(update(jobs).where(jobs.c.id == job_id).values(message=message, updated_at=clock.now()))


def record_step(unit: UnitOfWork, job_id: str) -> None:
    """Note that a step has ended: deaths from here on count anew."""
    unit.connection.execute(update(jobs).where(jobs.c.id == job_id).values(attempts_at_step=jobs.c.attempts))


def is_open(connection: Connection, job_id: str) -> bool:
    """Whether the job has not ended."""
    statement = select(jobs.c.id).where(jobs.c.id == job_id, jobs.c.status.in_(OPEN))
    return connection.execute(statement).first() is not None


def sealed_of(connection: Connection, job_id: str) -> bytes | None:
    """The sealed secret of an open job; no `Job` carries it, so that none is logged or shown."""
    return connection.execute(select(jobs.c.sealed).where(jobs.c.id == job_id)).scalar()


def note_blob(unit: UnitOfWork, job_id: str, sha256: str) -> None:
    """Note what a step leaves for another."""
    blobs = get_job(unit.connection, job_id).blobs
    if sha256 not in blobs:
        unit.connection.execute(update(jobs).where(jobs.c.id == job_id).values(blobs=[*blobs, sha256]))


def blobs_of_jobs(connection: Connection, *, ended_after: datetime | None = None) -> set[str]:
    """What the steps of jobs under way hand to each other (one that waits has nothing yet), with `ended_after` also
    of those that ended since and may not have cleared it away.
    """
    under_way = jobs.c.status == JobStatus.PROCESSING
    if ended_after is not None:
        under_way |= jobs.c.finished_at > ended_after
    rows = connection.execute(select(jobs.c.blobs).where(under_way)).scalars()
    return {sha256 for blobs in rows for sha256 in blobs}


def forget_blobs(unit: UnitOfWork, job_id: str) -> None:
    """Note that nothing of it is left."""
    unit.connection.execute(update(jobs).where(jobs.c.id == job_id).values(blobs=[]))


def end_job(
    unit: UnitOfWork,
    job_id: str,
    status: JobStatus,
    code: str | None = None,
    message: str | None = None,
    *,
    result: dict[str, int] | None = None,
) -> bool:
    """End an open job; one that has ended stays as it is. Gives whether it was open."""
    moment = clock.now()
    values: dict[str, Any] = {"status": status, "updated_at": moment, "finished_at": moment, "sealed": None}
    if status is JobStatus.COMPLETED:
        values |= {"progress": 100.0, "result": result}
    else:
        values |= {"error_code": code, "error_message": message}
    ended = unit.connection.execute(update(jobs).where(jobs.c.id == job_id, jobs.c.status.in_(OPEN)).values(**values))
    return ended.rowcount > 0


def end_unknown(unit: UnitOfWork) -> None:
    """End jobs whose status is no word for one: nobody works on them."""
    moment = clock.now()
    unit.connection.execute(
        update(jobs)
        .where(jobs.c.status.not_in(list(JobStatus)))
        .values(status=JobStatus.FAILED, updated_at=moment, finished_at=moment, sealed=None)
    )


def cancel_document_jobs(unit: UnitOfWork, document_id: str) -> None:
    """End what is open for a document that is going away."""
    moment = clock.now()
    unit.connection.execute(
        update(jobs)
        .where(jobs.c.document_id == document_id, jobs.c.status.in_(OPEN))
        .values(status=JobStatus.CANCELLED, updated_at=moment, finished_at=moment, sealed=None)
    )


def forget_ended(unit: UnitOfWork, older_than: timedelta, limit: int) -> list[str]:
    """Drop up to `limit` jobs that ended so long ago, oldest first; gives their ids."""
    statement = (
        select(jobs.c.id).where(jobs.c.finished_at < clock.now() - older_than).order_by(jobs.c.finished_at).limit(limit)
    )
    job_ids = list(unit.connection.execute(statement).scalars())
    unit.connection.execute(delete(jobs).where(jobs.c.id.in_(job_ids)))
    return job_ids


@dataclass(frozen=True)
class QueueDepth:
    """Jobs of one type in one state, and when the oldest of them was created."""

    type: str
    status: JobStatus
    count: int
    oldest_created_at: datetime


def queue_depths(connection: Connection) -> list[QueueDepth]:
    """What is queued, processing, failed or parked, by type."""
    rows = connection.execute(
        select(jobs.c.type, jobs.c.status, func.count(), func.min(jobs.c.created_at, type_=UtcDateTime()))
        .where(jobs.c.status.in_([*OPEN, JobStatus.FAILED, JobStatus.PARKED]))
        .group_by(jobs.c.type, jobs.c.status)
        .order_by(jobs.c.type, jobs.c.status)
    )
    return [QueueDepth(row[0], JobStatus(row[1]), row[2], row[3]) for row in rows]


def cancel_waiting(unit: UnitOfWork, job_type: str, document_id: str) -> bool:
    """End the document's jobs of a type that have not begun. False when there is none, as one has begun or ended."""
    moment = clock.now()
    ended = unit.connection.execute(
        update(jobs)
        .where(jobs.c.type == job_type, jobs.c.document_id == document_id, jobs.c.status == JobStatus.QUEUED)
        .values(status=JobStatus.CANCELLED, updated_at=moment, finished_at=moment, sealed=None)
    )
    return ended.rowcount > 0


def beat(unit: UnitOfWork, executor_id: str) -> None:
    """Say that this executor is alive."""
    moment = clock.now()
    found = unit.connection.execute(
        update(heartbeats).where(heartbeats.c.executor_id == executor_id).values(seen_at=moment)
    )
    if not found.rowcount:
        unit.connection.execute(insert(heartbeats).values(executor_id=executor_id, seen_at=moment))


def live_executors(connection: Connection, within: timedelta) -> set[str]:
    """Executors heard of within the time."""
    rows = connection.execute(select(heartbeats.c.executor_id).where(heartbeats.c.seen_at >= clock.now() - within))
    return set(rows.scalars())


def forget_executors(unit: UnitOfWork, silent_for: timedelta) -> None:
    """Drop the heartbeats of executors that have been silent for so long."""
    unit.connection.execute(delete(heartbeats).where(heartbeats.c.seen_at < clock.now() - silent_for))


def _job(row: Row[Any]) -> Job:
    values = as_dict(row)
    values["status"] = JobStatus.of(row.status)
    return Job(**values)
