"""Routes of runs."""

import re

from litestar import Request, Response, Router, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency

from lumikb.http.permission import Permission, requires
from lumikb.http.routes import HeadersAlone, is_head
from lumikb.http.sse import STREAM_HEADERS
from lumikb.identity.models import Actor
from lumikb.kit.errors import MalformedRequestError
from lumikb.runs.service import RunService
from lumikb.runs.stream import RunStreamer

ActorRequest = Request[Actor, None, State]


@get("/runs/{run_id:str}/events", opt=requires(Permission.SIGNED_IN), summary="Resume a run's events")
async def follow_run(
    request: ActorRequest, runs: NamedDependency[RunService], streamer: NamedDependency[RunStreamer], run_id: str
) -> Response[None]:
    """The run's events after `Last-Event-ID` (all without it), those to come included. 404 for another's run."""
    last = request.headers.get("last-event-id", "0") or "0"
    if not re.fullmatch(r"[0-9]{1,9}", last):
        raise MalformedRequestError("Last-Event-ID is the id of an event, a number.")
    events = await runs.events(request.user, run_id, int(last))
    if is_head():
        return HeadersAlone({**STREAM_HEADERS, "X-Run-Id": run_id})
    return streamer.resume(run_id, events)


@post("/runs/{run_id:str}/cancel", opt=requires(Permission.SIGNED_IN), status_code=204, summary="Stop a run")
async def cancel_run(request: ActorRequest, runs: NamedDependency[RunService], run_id: str) -> None:
    """Stop the run; its stream ends with an `error` event `CANCELLED`."""
    runs.cancel(request.user, run_id)


run_router = Router(path="/", tags=["Runs"], route_handlers=[follow_run, cancel_run])
