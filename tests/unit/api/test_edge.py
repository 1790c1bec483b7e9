"""The outermost layer, around applications that do one thing."""

import asyncio
import gzip
from typing import Any

import brotli
import pytest
import zstandard
from prometheus_client import CollectorRegistry

from lumikb.api.edge import COMPRESS_BYTES_MIN, Edge

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def answering(*pieces: bytes, kind: bytes = b"application/json", seen: list[Any] | None = None) -> Any:
    """An application that answers these pieces."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if seen is not None:
            seen.append((scope["method"], scope["path"]))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
        for at, piece in enumerate(pieces):
            await send({"type": "http.response.body", "body": piece, "more_body": at < len(pieces) - 1})

    return app


async def call(
    app: Any, method: str = "GET", path: str = "/", headers: dict[str, str] | None = None, seconds_max: float = 60
) -> tuple[int, dict[str, str], bytes, dict[str, Any]]:
    """Status, headers, body, and the scope as the server above keeps it."""
    registry = CollectorRegistry()
    sent: list[Any] = []
    raw = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    scope: dict[str, Any] = {"type": "http", "method": method, "path": path, "headers": raw, "client": ("127.0.0.1", 1)}

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await Edge(app, registry, answer_seconds_max=seconds_max)(scope, receive, send)
    start, *bodies = sent
    found = {name.decode().lower(): value.decode() for name, value in start["headers"]}
    return start["status"], found, b"".join(body["body"] for body in bodies), scope


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/jobs", "/api/v1/jobs"),
        ("/api/v1/jobs", "/api/v1/jobs"),
        ("/api/v2/jobs", "/api/v2/jobs"),
        ("/api/versions", "/api/v1/versions"),
        ("/apiary", "/apiary"),
        ("/health", "/health"),
    ],
)
async def test_the_version_may_be_left_out_of_an_address(path: str, expected: str) -> None:
    seen: list[Any] = []
    await call(answering(b"{}", seen=seen), path=path)
    assert seen == [("GET", expected)]


async def test_head_is_answered_as_get_and_the_server_goes_on_knowing_that_it_was_head() -> None:
    seen: list[Any] = []
    status, headers, body, scope = await call(answering(b"12345", seen=seen), "HEAD")
    assert (status, body, seen) == (200, b"", [("GET", "/")])
    assert headers["content-length"] == "5"
    assert scope["method"] == "HEAD"


LARGE = b"[" + b"1," * COMPRESS_BYTES_MIN + b"1]"


UNPACK = {"gzip": gzip.decompress, "br": brotli.decompress, "zstd": zstandard.ZstdDecompressor().decompress}


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip", "gzip"),
        ("br, gzip", "br"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=0.5", "gzip"),
        ("GZIP;q=1.0, br;q=0.8", "gzip"),
        ("deflate, *;q=0.5", "zstd"),
        ("zstd;q=0, *", "br"),
        ("zstd;q=high, br;q=2, gzip;q=0.001", "gzip"),
    ],
)
async def test_a_large_answer_is_packed_as_the_client_likes_it_best(accepted: str, coding: str) -> None:
    _, headers, body, _ = await call(answering(LARGE), headers={"accept-encoding": accepted})
    assert headers["content-encoding"] == coding
    assert headers["vary"] == "Accept-Encoding"
    assert headers["content-length"] == str(len(body))
    assert UNPACK[coding](body) == LARGE


@pytest.mark.parametrize("accepted", ["", "identity", "deflate", "gzip;q=0", "gzip; q=0.0, br;q=nan", "*;q=0", ",;=,"])
async def test_nobody_else_gets_it_packed(accepted: str) -> None:
    _, headers, body, _ = await call(answering(LARGE), headers={"accept-encoding": accepted})
    assert "content-encoding" not in headers
    assert body == LARGE


@pytest.mark.parametrize(
    "app",
    [
        answering(b"small"),
        answering(LARGE, b""),
        answering(LARGE, kind=b"application/pdf"),
        answering(LARGE, kind=b"text/event-stream"),
    ],
    ids=["small", "stream", "packed already", "events"],
)
async def test_what_would_not_gain_is_left_as_it_is(app: Any) -> None:
    _, headers, _, _ = await call(app, headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in headers


async def test_an_answer_that_takes_too_long_ends_in_an_error() -> None:
    async def stuck(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.Event().wait()

    status, headers, body, _ = await call(stuck, seconds_max=0.01)
    assert status == 504
    assert b"TIMED_OUT" in body
    assert headers["x-content-type-options"] == "nosniff"


async def test_a_stream_that_has_begun_may_take_as_long_as_it_will() -> None:
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await asyncio.sleep(0.4)
        await send({"type": "http.response.body", "body": b"b", "more_body": False})

    status, _, body, _ = await call(slow, seconds_max=0.3)
    assert (status, body) == (200, b"ab")


async def test_an_upload_that_still_arrives_is_no_slow_answer() -> None:
    async def reading(scope: Any, receive: Any, send: Any) -> None:
        for _ in range(3):
            await asyncio.sleep(0.5)
            await receive()
        await answering(b"{}")(scope, receive, send)

    assert (await call(reading, seconds_max=1.2))[0] == 200
