"""Routes of jobs and of the queue."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec
from litestar import Request, Router, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import Parameter

from lumikb.http.pages import PageBody, page_body
from lumikb.http.permission import Permission, requires
from lumikb.identity.models import Actor
from lumikb.kit import clock
from lumikb.kit.pages import LIMIT_DEFAULT, PageRequest
from lumikb.knowledge.removal import PURGE_JOB
from lumikb.knowledge.service import INGEST_JOB
from lumikb.knowledge.settings_service import REPROCESS_JOB
from lumikb.knowledge.wire import ErrorNote, error_note
from lumikb.operations.jobs import JobService
from lumikb.store.jobs.models import Job, JobStatus
from lumikb.store.jobs.repository import QueueDepth
from lumikb.store.record.engine import Record

ActorRequest = Request[Actor, None, State]


class JobType(StrEnum):
    """The types of job that there are."""

    INGEST = INGEST_JOB
    PURGE = PURGE_JOB
    REPROCESS = REPROCESS_JOB


class JobBody(msgspec.Struct, kw_only=True):
    """A job; progress in percent. `result` counts what it did.

    Of an ingestion that is `chunks`, and of these `embeddings_copied` from passages of the same text. Of a
    reprocessing `documents`, `chunks`, and as `texts_kept` the documents whose text could not be recognised anew.
    """

    id: str
    type: str
    status: str
    priority: int
    progress: float
    message: str | None
    attempts: int
    error: ErrorNote | None
    result: dict[str, int] | None
    kb_id: str | None
    document_id: str | None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class QueueEntry(msgspec.Struct):
    """Jobs of one type in one state; the age of the oldest in seconds."""

    type: str
    status: str
    count: int
    oldest_seconds: float


class QueueBody(msgspec.Struct):
    """What waits, runs, failed and was given up, and how many processes work on it."""

    queues: list[QueueEntry]
    workers: int


Statuses = Annotated[list[JobStatus] | None, Parameter(description="Repeat it for several; left out: all.")]


@get("/jobs", opt=requires(Permission.SIGNED_IN), summary="List jobs")
async def list_jobs(
    request: ActorRequest,
    record: NamedDependency[Record],
    jobs: NamedDependency[JobService],
    page: int = 1,
    limit: int = LIMIT_DEFAULT,
    type: JobType | None = None,
    status: Statuses = None,
    kb_id: str | None = None,
) -> PageBody[JobBody]:
    """One's own jobs, newest first; operators see everybody's."""
    asked = PageRequest(page, limit)
    found = await record.read_async(
        lambda read: jobs.list_jobs(read, request.user, asked, job_type=type, statuses=status, kb_id=kb_id)
    )
    return page_body(found, job_body)


@get("/jobs/{job_id:str}", opt=requires(Permission.SIGNED_IN), summary="Read a job")
async def get_job(
    request: ActorRequest, record: NamedDependency[Record], jobs: NamedDependency[JobService], job_id: str
) -> JobBody:
    """One job with its progress, attempts and error."""
    return job_body(await record.read_async(lambda read: jobs.get(read, request.user, job_id)))


@post(
    ["/jobs/{job_id:str}/cancel", "/admin/jobs/{job_id:str}/cancel"],
    opt=requires(Permission.KB_WRITE),
    status_code=200,
    summary="Cancel a job",
)
async def cancel_job(
    request: ActorRequest, record: NamedDependency[Record], jobs: NamedDependency[JobService], job_id: str
) -> JobBody:
    """It stops within a second; a document keeps the text it had, or is FAILED as CANCELLED.

    A knowledge base keeps the settings and the passages that it had.
    """
    return job_body(await record.write_async(lambda unit: jobs.cancel(unit, request.user, job_id)))


@post(
    ["/jobs/{job_id:str}/retry", "/admin/jobs/{job_id:str}/retry"],
    opt=requires(Permission.KB_WRITE),
    status_code=202,
    summary="Try a job again",
)
async def retry_job(
    request: ActorRequest, record: NamedDependency[Record], jobs: NamedDependency[JobService], job_id: str
) -> JobBody:
    """A new job that does what a failed, cancelled or parked one did not."""
    return job_body(await record.write_async(lambda unit: jobs.retry(unit, request.user, job_id)))


@get(["/operations/queue/status", "/admin/queue/status"], opt=requires(Permission.OPERATE), summary="Look at the queue")
async def get_queue(record: NamedDependency[Record], jobs: NamedDependency[JobService]) -> QueueBody:
    """Depth and age by type and state, and the processes that work."""
    depths, workers = await record.read_async(jobs.queue)
    return QueueBody([_queue_entry(depth) for depth in depths], workers)


job_router = Router(path="/", tags=["Jobs"], route_handlers=[list_jobs, get_job, cancel_job, retry_job, get_queue])


def job_body(job: Job) -> JobBody:
    """A job on the wire."""
    return JobBody(
        id=job.id,
        type=job.type,
        status=job.status,
        priority=job.priority,
        progress=job.progress,
        message=job.message,
        attempts=job.attempts,
        error=error_note(job.error_code, job.error_message),
        result=job.result,
        kb_id=job.kb_id,
        document_id=job.document_id,
        created_at=job.created_at,
        updated_at=job.updated_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
    )


def _queue_entry(depth: QueueDepth) -> QueueEntry:
    age = (clock.now() - depth.oldest_created_at).total_seconds()
    return QueueEntry(depth.type, depth.status, depth.count, round(age, 1))
