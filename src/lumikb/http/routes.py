"""Small things that route modules share."""

import re
from collections.abc import AsyncIterator
from typing import Any

from litestar import Request, Response
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send

from lumikb.http.context import current_request
from lumikb.http.sse import CONTENT_TYPE

_WEIGHT = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?")


def is_head() -> bool:
    """Whether the client asked for headers only; then no work is started."""
    request = current_request.get()
    return request is not None and request.head


async def begun(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same chunks, of which the first is there already: what goes wrong with it is an answer of its own."""
    first = await anext(chunks, b"")

    async def all_chunks() -> AsyncIterator[bytes]:
        yield first
        async for chunk in chunks:
            yield chunk

    return all_chunks()


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
    return _weight(request, media_type) > 0


def wants_stream(request: Request[Any, Any, Any], default: bool) -> bool:
    """An explicit `Accept` decides between an event stream and JSON by its weights, else the default of the route."""
    stream, plain = _weight(request, CONTENT_TYPE), _weight(request, "application/json")
    return stream >= plain if stream or plain else default


def _weight(request: Request[Any, Any, Any], media_type: str) -> float:
    """What `Accept` says of the media type, 0 to 1 (RFC 9110, section 12.5.1); 0 when it does not name it."""
    for one in request.headers.get("accept", "").lower().split(","):
        name, *parameters = (part.strip() for part in one.split(";"))
        if name == media_type:
            weights = [part[2:] for part in parameters if part.startswith("q=")]
            return float(weights[0]) if weights and _WEIGHT.fullmatch(weights[0]) else 1.0
    return 0.0
