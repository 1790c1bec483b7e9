"""The outermost ASGI layer: what holds for every request, whatever answers it."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry, Counter, Histogram

from lumikb.api.compression import CODINGS, best_coding
from lumikb.api.errors import error_body
from lumikb.http.context import RequestContext, current_request
from lumikb.kit.ids import new_id
from lumikb.kit.telemetry import bind_log_facts, get_logger

log = get_logger("lumikb.access")

# Whoever knows the route may call this key of the scope, to lift the bound on the answer's time.
UNBIND = "lumikb.unbind"
UNBOUND = "lumikb.unbound"

# ASGI as its specification types it; a framework's own types are narrower than what passes here.
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._\-]{8,64}")
_ALIAS = re.compile(r"^/api/(?!v\d)")
COMPRESS_BYTES_MIN = 1000

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; worker-src 'self'; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types lumikb"
)
_SECURITY_HEADERS = [
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_COMPRESSIBLE = (b"application/json", b"text/html", b"text/css", b"text/javascript", b"text/plain", b"text/markdown")


class Edge:
    """Request ids, security headers, HEAD, the `/api` alias, compression, the bound on answers, metrics and access log.

    `answer_seconds_max` bounds the time from the last byte of the request to the first of the answer; a stream has no
    bound once it has begun.
    """

    def __init__(self, app: ASGIApp, registry: CollectorRegistry, *, answer_seconds_max: float) -> None:
        self._app = app
        self._answer_seconds_max = answer_seconds_max
        self._requests = Counter(
            "http_requests_total", "Requests by route and status.", ["method", "endpoint", "status"], registry=registry
        )
        self._seconds = Histogram(
            "http_request_duration_seconds",
            "Seconds from a request to the end of its answer.",
            ["method", "endpoint"],
            registry=registry,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        context = _context(scope)
        current_request.set(context)
        bind_log_facts(request_id=context.request_id)
        method, path = str(scope["method"]), scope["path"]
        if context.head:
            scope = {**scope, "method": "GET"}  # a copy: the server below must go on knowing that it is a HEAD
        scope["path"] = _ALIAS.sub("/api/v1/", path)
        answer = _Answer(send, context, coding=_coding(scope))
        try:
            await self._bounded(scope, receive, answer)
        except TimeoutError:
            await answer.fail(504, "TIMED_OUT", f"No answer within {self._answer_seconds_max:g} s. Try again.")
        finally:
            endpoint = scope.get("path_template") or "unmatched"
            seconds = time.perf_counter() - begun
            self._requests.labels(method, endpoint, str(answer.status)).inc()
            self._seconds.labels(method, endpoint).observe(seconds)
            log.info("request", method=method, path=path, status=answer.status, milliseconds=round(seconds * 1000, 2))

    async def _bounded(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._answer_seconds_max) as bound:
            answer.bound = bound

            async def receive_more() -> Any:
                message = await receive()
                if not answer.started and UNBOUND not in scope:  # a slow upload is not a slow answer
                    bound.reschedule(loop.time() + self._answer_seconds_max)
                return message

            def unbind() -> None:
                scope[UNBOUND] = True
                bound.reschedule(None)

            scope[UNBIND] = unbind

            await self._app(scope, receive_more, answer.send)


class _Answer:
    """Passes an answer on, with headers added, without a body for HEAD, compressed if it is whole and large."""

    def __init__(self, send: Send, context: RequestContext, *, coding: bytes | None) -> None:
        self._send = send
        self._context = context
        self._coding = coding
        self._start: Any = None
        self.started = False
        self.status = 499  # the client left before there was an answer
        self.bound: asyncio.Timeout | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            self.status = message["status"]
        elif message["type"] == "http.response.body":
            await self._send_body(message.get("body", b""), more=message.get("more_body", False))
        else:
            await self._send(message)

    async def fail(self, status: int, code: str, message: str) -> None:
        """Answer with an error, unless an answer has begun."""
        if self.started:
            return
        self.bound = None  # it has expired, and cannot be moved any more
        body = msgspec.json.encode(error_body(code, message, {}))
        await self.send(
            {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]}
        )
        await self.send({"type": "http.response.body", "body": body, "more_body": False})

    async def _send_body(self, body: bytes, *, more: bool) -> None:
        if not self.started:
            self.started = True
            if self.bound is not None:
                self.bound.reschedule(None)
            headers = [*self._start["headers"], *_SECURITY_HEADERS]
            headers.append((b"x-request-id", self._context.request_id.encode()))
            if not more:
                body, headers = self._whole(body, headers)
            await self._send({**self._start, "headers": headers})
        if self._context.head:
            body = b""
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    def _whole(self, body: bytes, headers: list[tuple[bytes, bytes]]) -> tuple[bytes, list[tuple[bytes, bytes]]]:
        """A complete body is compressed if that pays; its length is announced, also to HEAD."""
        names = {name.lower(): value for name, value in headers}
        kind = names.get(b"content-type", b"").split(b";")[0]
        pays = len(body) >= COMPRESS_BYTES_MIN and kind in _COMPRESSIBLE and b"content-encoding" not in names
        if pays:
            headers.append((b"vary", b"Accept-Encoding"))
        if pays and self._coding is not None:
            body = CODINGS[self._coding](body)
            headers.append((b"content-encoding", self._coding))
        if body:
            headers = [item for item in headers if item[0].lower() != b"content-length"]
            headers.append((b"content-length", str(len(body)).encode()))
        return body, headers


def _context(scope: Scope) -> RequestContext:
    headers = dict(scope["headers"])
    given = headers.get(b"x-request-id", b"")
    request_id = given.decode() if _REQUEST_ID.fullmatch(given) else new_id()
    client = scope.get("client")
    return RequestContext(
        request_id=request_id,
        ip=client[0] if client else None,
        user_agent=headers.get(b"user-agent", b"").decode("latin-1")[:512] or None,
        head=str(scope["method"]) == "HEAD",
    )


def _coding(scope: Scope) -> bytes | None:
    return best_coding(value for name, value in scope["headers"] if name == b"accept-encoding")
