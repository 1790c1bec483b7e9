"""Small things that route modules share."""

from typing import Any

from litestar import Request

from lumikb.http.context import current_request
from lumikb.http.sse import CONTENT_TYPE


def is_head() -> bool:
    """Whether the client asked for headers only; then no work is started."""
    request = current_request.get()
    return request is not None and request.head


def accepts(request: Request[Any, Any, Any], media_type: str) -> bool:
    """Whether `Accept` names the media type explicitly (`*/*` does not count)."""
    return media_type in request.headers.get("accept", "")


def wants_stream(request: Request[Any, Any, Any], default: bool) -> bool:
    """An explicit `Accept` decides between an event stream and JSON, else the default of the route."""
    if accepts(request, CONTENT_TYPE):
        return True
    return False if accepts(request, "application/json") else default
