"""Small things that route modules share."""

from typing import Any

from litestar import Request, Response
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send

from lumikb.http.context import current_request
from lumikb.http.sse import CONTENT_TYPE


def is_head() -> bool:
    """Whether the client asked for headers only; then no work is started."""
    request = current_request.get()
    return request is not None and request.head


class HeadersAlone(Response[None]):
    """The answer to a HEAD that starts no work: the headers of GET but the length, which only the work would tell."""

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__(content=None, headers=headers)

    def to_asgi_response(self, app: Any, request: Request[Any, Any, Any], **_: Any) -> ASGIResponse:  # pyright: ignore[reportIncompatibleMethodOverride]
        """See `litestar.Response`."""
        return _HeadersAloneApp(self.headers)


class _HeadersAloneApp(ASGIResponse):
    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__()
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self._headers})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def accepts(request: Request[Any, Any, Any], media_type: str) -> bool:
    """Whether `Accept` names the media type explicitly (`*/*` does not count)."""
    return media_type in request.headers.get("accept", "")


def wants_stream(request: Request[Any, Any, Any], default: bool) -> bool:
    """An explicit `Accept` decides between an event stream and JSON, else the default of the route."""
    if accepts(request, CONTENT_TYPE):
        return True
    return False if accepts(request, "application/json") else default
