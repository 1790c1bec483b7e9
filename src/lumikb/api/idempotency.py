"""`Idempotency-Key`: a POST that creates, sent again with the same key, gives the first answer again.

Routes that create carry the mark `creates`; a key belongs to one user and one request, body included, for a day. A
secret in an answer (mark `shown_once`) is not kept: the repetition is refused, and says so.
"""

from datetime import timedelta
from typing import Any, cast

import msgspec
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from lumikb.api.fingerprint import RequestFingerprint
from lumikb.http.multipart import FIELD_BYTES_MAX, PARTS_MAX
from lumikb.http.permission import CREATES, SHOWN_ONCE
from lumikb.identity.models import Actor
from lumikb.kit import clock
from lumikb.kit.errors import ConflictError, InvalidInputError
from lumikb.store.record.engine import Record, UnitOfWork
from lumikb.store.record.tables.operations import idempotency_keys

HEADER = "Idempotency-Key"
KEPT_FOR = timedelta(days=1)
KEY_CHARS_MAX = 255
ANSWER_BYTES_MAX = 65_536
# The parts of a form beside its file, twice over for their headers.
_FORM_BYTES_MAX = 2 * PARTS_MAX * FIELD_BYTES_MAX


class KeyInUseError(ConflictError):
    """The first request with this key is still being answered."""

    code = "IDEMPOTENCY_KEY_IN_USE"


class KeyReusedError(InvalidInputError):
    """The key was used for a request with another address, body or credential."""

    code = "IDEMPOTENCY_KEY_REUSED"


class SecretShownError(ConflictError):
    """The request was answered before, by a secret that is shown once; `details["id"]` is what it made."""

    code = "SECRET_SHOWN_ONCE"


class _Kept(msgspec.Struct):
    fingerprint: str
    status: int
    body: Any


class Idempotency:
    """Middleware behind the authentication. `upload_bytes_max` bounds what is read of a repeated body."""

    def __init__(self, app: ASGIApp, record: Record, upload_bytes_max: int) -> None:
        self._app = app
        self._record = record
        self._body_bytes_max = upload_bytes_max + _FORM_BYTES_MAX
        self._running: set[tuple[str, str]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, from memory if it was served before."""
        key = _key(scope)
        if key is None:
            await self._app(scope, receive, send)
            return
        owner = (cast(Actor, scope["user"]).user_id, key)
        if owner in self._running:
            raise KeyInUseError(f"The first request with this {HEADER} is still being answered.")
        self._running.add(owner)
        try:
            await self._serve(owner, scope, receive, send)
        finally:
            self._running.discard(owner)

    async def _serve(self, owner: tuple[str, str], scope: Scope, receive: Receive, send: Send) -> None:
        request = RequestFingerprint(cast(HTTPScope, scope), receive)
        secret: str | None = scope["route_handler"].opt.get(SHOWN_ONCE)
        kept = await self._record.read_async(lambda connection: _find(connection, owner))
        if kept is not None:
            if await request.finish(self._body_bytes_max) != kept.fingerprint:
                raise KeyReusedError(
                    f"This {HEADER} was used for another request. Send that one unchanged, or take a new key.",
                    field=HEADER,
                )
            await _replay(kept, send, secret)
            return
        answer = _Recorder(send)
        await self._app(scope, request.receive, answer.send)
        if answer.status is not None:
            fingerprint = await request.finish(self._body_bytes_max)
            if fingerprint is not None:
                body: Any = msgspec.json.decode(answer.body)
                if secret is not None:
                    del body[secret]
                kept = _Kept(fingerprint, answer.status, body)
                await self._record.write_async(lambda unit: _keep(unit, owner, kept))
        await answer.release()


class _Recorder:
    """Passes an answer on, its end only by `release`: no client must have it, and ask again, before it is kept.

    `status` is set for what can be given again: a whole success of bounded size.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._begun_with = 0
        self._end: Message | None = None
        self.body = b""
        self.status: int | None = None

    async def release(self) -> None:
        """Send the answer's end."""
        if self._end is not None:
            await self._send(self._end)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begun_with = message["status"]
        elif message["type"] == "http.response.body":
            self.body += message["body"]
            if not message["more_body"]:
                self._end = message
                if 200 <= self._begun_with < 300 and len(self.body) <= ANSWER_BYTES_MAX:
                    self.status = self._begun_with
                return
        await self._send(message)


def _key(scope: Scope) -> str | None:
    if scope["type"] != "http" or scope["method"] != "POST" or not scope["route_handler"].opt.get(CREATES):
        return None
    key = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"idempotency-key"), None)
    if key is not None and not (1 <= len(key) <= KEY_CHARS_MAX and key.isprintable()):
        raise InvalidInputError(f"{HEADER} has 1 to {KEY_CHARS_MAX} printable characters.", field=HEADER)
    return key


def _find(connection: Connection, owner: tuple[str, str]) -> _Kept | None:
    table = idempotency_keys.c
    row = connection.execute(
        select(table.request_sha256, table.status_code, table.response).where(
            table.user_id == owner[0], table.key == owner[1], table.created_at > clock.now() - KEPT_FOR
        )
    ).first()
    return None if row is None else _Kept(*row)


def _keep(unit: UnitOfWork, owner: tuple[str, str], kept: _Kept) -> None:
    table = idempotency_keys
    unit.connection.execute(delete(table).where(table.c.created_at <= clock.now() - KEPT_FOR))
    try:
        with unit.connection.begin_nested():
            unit.connection.execute(
                insert(table).values(
                    user_id=owner[0],
                    key=owner[1],
                    request_sha256=kept.fingerprint,
                    status_code=kept.status,
                    response=kept.body,
                    created_at=clock.now(),
                )
            )
    except IntegrityError:
        return  # another process answered the same key at the same moment; its answer is the one to give again


async def _replay(kept: _Kept, send: Send, secret: str | None) -> None:
    if secret is not None:
        raise SecretShownError(
            "This request was answered before, by a secret that is shown once and not kept. Delete what it made, and "
            f"send it with a new {HEADER}.",
            id=kept.body["id"],
        )
    headers = [(b"content-type", b"application/json"), (b"idempotency-replayed", b"true")]
    await send({"type": "http.response.start", "status": kept.status, "headers": headers})
    await send({"type": "http.response.body", "body": msgspec.json.encode(kept.body), "more_body": False})
