"""Which requests are the same one, sent again."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from lumikb.api.fingerprint import RequestFingerprint

pytestmark = pytest.mark.anyio

BODY = (
    b'--%(b)s\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nHello --\r\n-\r\n--%(b)s'
    b'\r\nContent-Disposition: form-data; name="tags"\r\n\r\na,b\r\n--%(b)s--\r\n'
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def form(boundary: str) -> tuple[bytes, str]:
    return BODY % {b"b": boundary.encode()}, f"multipart/form-data; boundary={boundary}"


def pieces(body: bytes, size: int) -> Iterator[dict[str, Any]]:
    starts = range(0, max(1, len(body)), size)
    for at in starts:
        yield {"type": "http.request", "body": body[at : at + size], "more_body": at != starts[-1]}
    yield {"type": "http.disconnect"}


async def fingerprint(
    body: bytes = b"{}", kind: str = "application/json", *, piece: int = 1000, bytes_max: int = 10_000, **changes: Any
) -> str | None:
    messages = pieces(body, piece)

    async def receive() -> Any:
        return next(messages)

    scope: dict[str, Any] = {"method": "POST", "path": "/a", "query_string": b"", "headers": []}
    scope |= {"user": SimpleNamespace(scopes=None, kb_ids=None), **changes}
    scope["headers"] = [(b"content-type", kind.encode())]
    return await RequestFingerprint(scope, receive).finish(bytes_max)  # type: ignore[arg-type]


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 1000])
async def test_the_pieces_that_a_body_arrives_in_change_nothing(piece: int) -> None:
    assert await fingerprint(b"some body", piece=piece) == await fingerprint(b"some body")
    assert await fingerprint(*form("x" * 30), piece=piece) == await fingerprint(*form("x" * 30))


@pytest.mark.parametrize("boundary", ["y", "-" * 20 + "abc", "Hello"])
async def test_another_boundary_changes_nothing(boundary: str) -> None:
    assert await fingerprint(*form(boundary), piece=5) == await fingerprint(*form("x" * 30))


async def test_anything_else_is_another_request() -> None:
    body, kind = form("x" * 30)
    found = [
        await fingerprint(),
        await fingerprint(b"{} "),
        await fingerprint(b""),
        await fingerprint(path="/b"),
        await fingerprint(query_string=b"x=1"),
        await fingerprint(user=SimpleNamespace(scopes=frozenset({"write"}), kb_ids=None)),
        await fingerprint(user=SimpleNamespace(scopes=None, kb_ids=frozenset({"kb"}))),
        await fingerprint(user=SimpleNamespace(scopes=None, kb_ids=frozenset())),
        await fingerprint(body, kind),
        await fingerprint(body.replace(b"a,b", b"a"), kind),
        await fingerprint(body.replace(b"a.txt", b"b.txt"), kind),
        # The same bytes, cut at another place.
        await fingerprint(b"--x--xab--x", "multipart/form-data; boundary=x"),
        await fingerprint(b"--x--xa--xb", "multipart/form-data; boundary=x"),
    ]
    assert None not in found
    assert len(set(found)) == len(found)


async def test_a_trailing_slash_changes_nothing() -> None:
    assert await fingerprint(path="/a/") == await fingerprint(path="/a")


async def test_a_body_that_is_too_long_or_cut_off_has_none() -> None:
    assert await fingerprint(b"x" * 100, piece=10, bytes_max=99) is None
    assert await fingerprint(b"x" * 100, piece=10, bytes_max=100) is not None
    left = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(left)

    scope: Any = {"method": "POST", "path": "/", "query_string": b"", "headers": []}
    scope["user"] = SimpleNamespace(scopes=None, kb_ids=None)
    assert await RequestFingerprint(scope, receive).finish(100) is None
