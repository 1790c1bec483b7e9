"""Routes of operations: health, status, metrics, verification."""

from typing import Any

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from lumikb.http.permission import Permission, requires
from lumikb.identity.errors import NotAllowedError
from lumikb.identity.models import Actor
from lumikb.operations.health import Health, HealthBody
from lumikb.operations.verify import Verifier, VerifyBody
from lumikb.store.record.engine import Record

ActorRequest = Request[Actor, None, State]


class StatusBody(msgspec.Struct):
    """What runs here and what it can do; limits in the units of their names."""

    version: str
    profile: str
    capabilities: list[str]
    limits: dict[str, int]


class VerifyForm(msgspec.Struct, forbid_unknown_fields=True):
    """Whether to mend what can be mended, and whether to leave the contents of files and passages out."""

    repair: bool = False
    quick: bool = False


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


@post(
    "/operations/verify",
    opt=requires(Permission.OPERATE, long=True),
    status_code=200,
    summary="Compare the parts",
)
async def verify(
    request: ActorRequest, record: NamedDependency[Record], verifier: NamedDependency[Verifier], data: VerifyForm
) -> VerifyBody:
    """Name every difference; with `repair` mend what can be mended.

    Reads all files that the record needs, which may take long; with `quick` it only looks whether they are there.
    """
    return await record.in_slow_pool(lambda: verifier.verify(request.user, repair=data.repair, quick=data.quick))


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
operation_router = Router(path="/", tags=["Operations"], route_handlers=[get_status, verify, rebuild_index])
