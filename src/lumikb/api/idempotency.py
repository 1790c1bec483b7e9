"""`Idempotency-Key`: a POST that creates, sent again with the same key, gives the first answer again.

Routes that create carry the mark `creates`; a key belongs to one user and one address for a day.
"""

import hashlib
from datetime import timedelta
from typing import Any, cast

import msgspec
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from lumikb.http.permission import CREATES
from lumikb.identity.models import Actor
from lumikb.kit import clock
from lumikb.kit.errors import ConflictError, InvalidInputError
from lumikb.store.record.engine import Record, UnitOfWork
from lumikb.store.record.tables.operations import idempotency_keys

KEPT_FOR = timedelta(days=1)
KEY_CHARS_MAX = 255
BODY_BYTES_MAX = 65_536


class KeyInUseError(ConflictError):
    """The key was used for another address, or its first request is still being answered."""

    code = "IDEMPOTENCY_KEY_IN_USE"


class _Kept(msgspec.Struct):
    status: int
    body: Any


class Idempotency:
    """Middleware behind the authentication."""

    def __init__(self, app: ASGIApp, record: Record) -> None:
        self._app = app
        self._record = record
        self._running: set[tuple[str, str]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, from memory if it was served before."""
        key = _key(scope)
        if key is None:
            await self._app(scope, receive, send)
            return
        actor = cast(Actor, scope["user"])
        owner, address = (actor.user_id, key), _address(actor, scope["path"])
        if owner in self._running:
            raise KeyInUseError("The first request with this Idempotency-Key is still being answered.")
        self._running.add(owner)
        try:
            kept = await self._record.read_async(lambda connection: _find(connection, owner, address))
            if kept is not None:
                await _replay(kept, send)
                return
            answer = _Recorder(send)
            await self._app(scope, receive, answer.send)
            if answer.whole is not None:
                await self._record.write_async(lambda unit: _keep(unit, owner, address, cast(_Kept, answer.whole)))
            await answer.release()
        finally:
            self._running.discard(owner)


class _Recorder:
    """Passes an answer on, its end only by `release`: no client must have it, and ask again, before it is kept.

    `whole` is what can be given again: a success of bounded size.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._status = 0
        self._body = b""
        self._end: Message | None = None
        self.whole: _Kept | None = None

    async def release(self) -> None:
        """Send the answer's end."""
        if self._end is not None:
            await self._send(self._end)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
        elif message["type"] == "http.response.body":
            self._body += message["body"]
            if not message["more_body"]:
                self._end = message
                if 200 <= self._status < 300 and len(self._body) <= BODY_BYTES_MAX:
                    self.whole = _Kept(self._status, msgspec.json.decode(self._body))
                return
        await self._send(message)


def _address(actor: Actor, path: str) -> str:
    """The address and what the caller's key is limited to: a narrower key is not given a wider one's answer."""
    limits = [sorted(actor.scopes or ["all"]), sorted(actor.kb_ids) if actor.kb_ids is not None else None]
    return hashlib.sha256(msgspec.json.encode([path, *limits])).hexdigest()


def _key(scope: Scope) -> str | None:
    if scope["type"] != "http" or scope["method"] != "POST" or not scope["route_handler"].opt.get(CREATES):
        return None
    key = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"idempotency-key"), None)
    if key is not None and not (1 <= len(key) <= KEY_CHARS_MAX and key.isprintable()):
        raise InvalidInputError(f"Idempotency-Key has 1 to {KEY_CHARS_MAX} printable characters.")
    return key


def _find(connection: Connection, owner: tuple[str, str], address: str) -> _Kept | None:
    table = idempotency_keys.c
    row = connection.execute(
        select(table.request_sha256, table.status_code, table.response).where(
            table.user_id == owner[0], table.key == owner[1], table.created_at > clock.now() - KEPT_FOR
        )
    ).first()
    if row is None:
        return None
    if row.request_sha256 != address:
        raise KeyInUseError("This Idempotency-Key was used for another address.")
    return _Kept(row.status_code, row.response)


def _keep(unit: UnitOfWork, owner: tuple[str, str], address: str, kept: _Kept) -> None:
    table = idempotency_keys
    unit.connection.execute(delete(table).where(table.c.created_at <= clock.now() - KEPT_FOR))
    try:
        with unit.connection.begin_nested():
            unit.connection.execute(
                insert(table).values(
                    user_id=owner[0],
                    key=owner[1],
                    request_sha256=address,
                    status_code=kept.status,
                    response=kept.body,
                    created_at=clock.now(),
                )
            )
    except IntegrityError:
        return  # another process answered the same key at the same moment; its answer is the one to give again


async def _replay(kept: _Kept, send: Send) -> None:
    headers = [(b"content-type", b"application/json"), (b"idempotency-replayed", b"true")]
    await send({"type": "http.response.start", "status": kept.status, "headers": headers})
    await send({"type": "http.response.body", "body": msgspec.json.encode(kept.body), "more_body": False})
