"""Server-sent events (WHATWG HTML, section 9.2) written straight to ASGI: no queue or task a client."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send

CONTENT_TYPE = "text/event-stream"
HEARTBEAT = b": heartbeat\n\n"
# Exactly this content type: with a charset some readers do not recognise it.
STREAM_HEADERS = {"Content-Type": CONTENT_TYPE, "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


@dataclass(frozen=True)
class ServerSentEvent:
    """One event: its id (resumed after by `Last-Event-ID`), its name, and its data, which repeats a `type`."""

    id: int
    name: str
    data: dict[str, Any]

    def encode(self) -> bytes:
        """The event on the wire."""
        return b"id: %d\nevent: %s\ndata: %s\n\n" % (self.id, self.name.encode(), msgspec.json.encode(self.data))


class EventStream(Response[None]):
    """A response that streams events until their iterator ends.

    A comment line is sent every `heartbeat_seconds` without an event. When the client leaves, `on_disconnect` is called
    and the iterator is closed. `before` is waited for before the first byte; what it raises is the answer.
    """

    def __init__(
        self,
        events: AsyncIterator[ServerSentEvent],
        *,
        heartbeat_seconds: float,
        before: Callable[[], Awaitable[None]] | None = None,
        on_disconnect: Callable[[], None] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(content=None, headers=headers or {}, media_type=CONTENT_TYPE)
        self._events = events
        self._heartbeat_seconds = heartbeat_seconds
        self._before = before
        self._on_disconnect = on_disconnect

    def to_asgi_response(self, app: Any, request: Request[Any, Any, Any], **_: Any) -> ASGIResponse:  # pyright: ignore[reportIncompatibleMethodOverride]
        """See `litestar.Response`."""
        return _EventStreamApp(self._events, self._heartbeat_seconds, self._before, self._on_disconnect, self.headers)


class _EventStreamApp(ASGIResponse):
    def __init__(
        self,
        events: AsyncIterator[ServerSentEvent],
        heartbeat_seconds: float,
        before: Callable[[], Awaitable[None]] | None,
        on_disconnect: Callable[[], None] | None,
        headers: dict[str, str],
    ) -> None:
        super().__init__()
        self._events = events
        self._heartbeat_seconds = heartbeat_seconds
        self._before = before
        self._on_disconnect = on_disconnect
        self._headers = [
            (name.lower().encode(), value.encode()) for name, value in {**STREAM_HEADERS, **headers}.items()
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            if await self._begin(send, gone) and await self._pump(send, gone):
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            elif self._on_disconnect is not None:
                self._on_disconnect()
        finally:
            gone.cancel()
            with suppress(asyncio.CancelledError):
                await gone
            aclose = getattr(self._events, "aclose", None)
            if aclose is not None:
                await aclose()

    async def _begin(self, send: Send, gone: asyncio.Future[None]) -> bool:
        """Send the headers, when what comes before them is over; False when the client left meanwhile."""
        if self._before is not None:
            before = asyncio.ensure_future(self._before())
            try:
                await asyncio.wait({before, gone}, return_when=asyncio.FIRST_COMPLETED)
                if not before.done():
                    return False
                before.result()
            finally:
                before.cancel()
        await send({"type": "http.response.start", "status": 200, "headers": self._headers})
        return True

    async def _pump(self, send: Send, gone: asyncio.Future[None]) -> bool:
        """Send all events; False when the client left before the last."""
        upcoming = asyncio.ensure_future(anext(self._events, None))
        try:
            while True:
                done, _ = await asyncio.wait(
                    {upcoming, gone}, timeout=self._heartbeat_seconds, return_when=asyncio.FIRST_COMPLETED
                )
                if upcoming in done:
                    event = upcoming.result()
                    if event is None:
                        return True
                    await send({"type": "http.response.body", "body": event.encode(), "more_body": True})
                    upcoming = asyncio.ensure_future(anext(self._events, None))
                elif gone in done:
                    return False
                else:
                    await send({"type": "http.response.body", "body": HEARTBEAT, "more_body": True})
        finally:
            upcoming.cancel()
            with suppress(asyncio.CancelledError):
                await upcoming


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
