"""Routes of operations: health, status, jobs, metrics."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from lumikb.http.pages import PageBody, page_body
from lumikb.http.permission import Permission, requires
from lumikb.identity.errors import NotAllowedError
from lumikb.identity.models import Actor, Level
from lumikb.kit.pages import LIMIT_DEFAULT, PageRequest
from lumikb.knowledge.removal import PURGE_JOB
from lumikb.knowledge.service import INGEST_JOB
from lumikb.knowledge.wire import ErrorNote
from lumikb.operations.health import Health, HealthBody
from lumikb.operations.verify import Verifier, VerifyBody
from lumikb.store.jobs import repository
from lumikb.store.jobs.errors import JobNotFoundError
from lumikb.store.jobs.models import Job, JobStatus
from lumikb.store.record.engine import Record

ActorRequest = Request[Actor, None, State]


class JobType(StrEnum):
    """The types of job that there are."""

    INGEST = INGEST_JOB
    PURGE = PURGE_JOB


class StatusBody(msgspec.Struct):
    """What runs here and what it can do; limits in the units of their names."""

    version: str
    profile: str
    capabilities: list[str]
    limits: dict[str, int]


class JobBody(msgspec.Struct, kw_only=True):
    """A job; progress in percent."""

    id: str
    type: str
    status: str
    priority: int
    progress: float
    message: str | None
    attempts: int
    error: ErrorNote | None
    kb_id: str | None
    document_id: str | None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class VerifyForm(msgspec.Struct, forbid_unknown_fields=True):
    """Whether to mend what can be mended."""

    repair: bool = False


class RebuildBody(msgspec.Struct):
    """Passages in the rebuilt index."""

    rows: int


class MetricsAccess(msgspec.Struct):
    """Client addresses that may read the metrics; `*` for all."""

    allowed: frozenset[str]


@get(["/health", "/healthz"], opt=requires(Permission.PUBLIC), summary="Is the process alive?")
async def get_health(health: NamedDependency[Health]) -> HealthBody:
    """Always 200 while the process answers; the body says what is down."""
    return await health.look()


@get(["/ready", "/readyz"], opt=requires(Permission.PUBLIC), summary="Can it serve?")
async def get_ready(health: NamedDependency[Health]) -> Response[HealthBody]:
    """503 while a dependency is down or the start-up goes on."""
    body = await health.look()
    return Response(body, status_code=200 if body.status == "healthy" else 503)


@get("/metrics", opt=requires(Permission.PUBLIC), summary="Prometheus metrics", include_in_schema=False)
async def get_metrics(
    request: Request[Any, Any, Any],
    registry: NamedDependency[CollectorRegistry],
    metrics_access: NamedDependency[MetricsAccess],
) -> Response[bytes]:
    """The metrics, for the addresses of `metrics_allow`."""
    client = request.client.host if request.client else ""
    if "*" not in metrics_access.allowed and client not in metrics_access.allowed:
        raise NotAllowedError("This address may not read the metrics.")
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST.removesuffix("; charset=utf-8"))


@get("/status", opt=requires(Permission.PUBLIC), summary="What runs here")
async def get_status(platform_status: NamedDependency[StatusBody]) -> StatusBody:
    """Version, profile, capabilities and limits, for clients."""
    return platform_status


@get("/jobs", opt=requires(Permission.SIGNED_IN), summary="List jobs")
async def list_jobs(
    request: ActorRequest,
    record: NamedDependency[Record],
    page: int = 1,
    limit: int = LIMIT_DEFAULT,
    type: JobType | None = None,
    status: JobStatus | None = None,
    kb_id: str | None = None,
) -> PageBody[JobBody]:
    """One's own jobs, newest first; operators see everybody's."""
    asked = PageRequest(page, limit)
    actor = request.user
    found = await record.read_async(
        lambda read: repository.list_jobs(
            read,
            asked,
            job_type=type,
            status=status,
            kb_id=kb_id,
            created_by=_owner(actor),
            kb_ids=actor.kb_ids,
        )
    )
    return page_body(found, job_body)


@get("/jobs/{job_id:str}", opt=requires(Permission.SIGNED_IN), summary="Read a job")
async def get_job(request: ActorRequest, record: NamedDependency[Record], job_id: str) -> JobBody:
    """One job with its progress, attempts and error."""
    job = await record.read_async(lambda connection: repository.get_job(connection, job_id))
    owner, kb_ids = _owner(request.user), request.user.kb_ids
    if (owner is not None and job.created_by != owner) or (kb_ids is not None and job.kb_id not in kb_ids):
        raise JobNotFoundError("There is no such job.")
    return job_body(job)


@post(
    "/operations/verify",
    opt=requires(Permission.OPERATE, long=True),
    status_code=200,
    summary="Compare the parts",
)
async def verify(
    request: ActorRequest, record: NamedDependency[Record], verifier: NamedDependency[Verifier], data: VerifyForm
) -> VerifyBody:
    """Name every difference; with `repair` mend what can be mended. May take a while on a large record."""
    return await record.in_slow_pool(lambda: verifier.verify(request.user, repair=data.repair))


@post(
    "/operations/index/rebuild",
    opt=requires(Permission.OPERATE, long=True),
    status_code=200,
    summary="Rebuild the index",
)
async def rebuild_index(
    request: ActorRequest, record: NamedDependency[Record], verifier: NamedDependency[Verifier]
) -> RebuildBody:
    """Build the index anew from the record; searches go on meanwhile."""
    return RebuildBody(await record.in_slow_pool(lambda: verifier.rebuild_index(request.user)))


root_handlers: list[HTTPRouteHandler] = [get_health, get_ready, get_metrics]
operation_router = Router(
    path="/", tags=["Operations"], route_handlers=[get_status, list_jobs, get_job, verify, rebuild_index]
)


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
        error=None if job.error_code is None else ErrorNote(job.error_code, job.error_message or ""),
        kb_id=job.kb_id,
        document_id=job.document_id,
        created_at=job.created_at,
        updated_at=job.updated_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
    )


def _owner(actor: Actor) -> str | None:
    """Whose jobs the actor sees: None for everybody's."""
    return None if actor.level >= Level.OPERATOR else actor.user_id
