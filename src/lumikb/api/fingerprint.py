"""The fingerprint of a request, by which `Idempotency-Key` tells a repetition from another request."""

import hashlib
from email.message import Message
from typing import Any

import msgspec
from litestar.types import HTTPScope, Receive

from lumikb.identity.models import Actor


class RequestFingerprint:
    """SHA-256 of method, address, what the caller's key is limited to, and the body.

    The body is hashed while the application reads it by `receive`, and never held. Of a form with parts the stretches
    between its boundaries are hashed, for a client draws another boundary each time. A key that is limited in another
    way is another caller: a narrower key is not given a wider one's answer.
    """

    def __init__(self, scope: HTTPScope, receive: Receive) -> None:
        actor: Actor = scope["user"]
        limits = [None if limit is None else sorted(limit) for limit in (actor.scopes, actor.kb_ids)]
        query = scope["query_string"].decode("latin-1")
        self._head = msgspec.json.encode([scope["method"], scope["path"].rstrip("/"), query, *limits])
        self._body = _BodyHash(_boundary(scope))
        self._receive = receive
        self._size_bytes = 0
        self._complete = False

    async def receive(self) -> Any:
        """The next message to the application; see ASGI."""
        message = await self._receive()
        if message["type"] == "http.request":
            data = message.get("body", b"")
            self._size_bytes += len(data)
            self._body.update(data)
            self._complete = not message.get("more_body", False)
        return message

    async def finish(self, size_bytes_max: int) -> str | None:
        """The fingerprint in hex, once the rest of the body is read; None for a longer body or one that is cut off."""
        while not self._complete and self._size_bytes <= size_bytes_max:
            if (await self.receive())["type"] != "http.request":
                return None
        if self._size_bytes > size_bytes_max:
            return None
        return hashlib.sha256(self._head + self._body.digest()).hexdigest()


class _BodyHash:
    """SHA-256 of a body, or with a boundary of the SHA-256 sums of what lies between."""

    def __init__(self, boundary: bytes | None) -> None:
        self._boundary = boundary
        self._whole = hashlib.sha256()
        self._part = hashlib.sha256()
        self._held = b""  # what may be the beginning of a boundary

    def update(self, data: bytes) -> None:
        if self._boundary is None:
            self._whole.update(data)
            return
        *ended, rest = (self._held + data).split(self._boundary)
        for stretch in ended:
            self._part.update(stretch)
            self._end_part()
        cut = max(0, len(rest) - len(self._boundary) + 1)
        self._part.update(rest[:cut])
        self._held = rest[cut:]

    def digest(self) -> bytes:
        if self._boundary is not None:
            self._part.update(self._held)
            self._end_part()
        return self._whole.digest()

    def _end_part(self) -> None:
        self._whole.update(self._part.digest())
        self._part = hashlib.sha256()


def _boundary(scope: HTTPScope) -> bytes | None:
    header = Message()
    header["content-type"] = next(
        (value.decode("latin-1") for name, value in scope["headers"] if name == b"content-type"), ""
    )
    found = header.get_boundary() if header.get_content_maintype() == "multipart" else None
    return f"--{found}".encode("latin-1") if found else None
