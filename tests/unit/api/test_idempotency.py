"""What is kept of an answer."""

from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from lumikb.api.idempotency import Idempotency, SecretShownError
from lumikb.http.permission import CREATES, SHOWN_ONCE
from lumikb.identity.models import Actor, Level
from lumikb.store.record.engine import Record
from lumikb.store.record.tables.operations import idempotency_keys

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def create_key(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 201, "headers": []})
    body = b'{"id": "key-1", "key": "lkb_secret"}'
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def test_a_secret_is_not_kept(record: Record) -> None:
    app = Idempotency(create_key, record, upload_bytes_max=1000)  # type: ignore[arg-type]
    sent: list[Any] = []

    async def call() -> None:
        async def receive() -> Any:
            return {"type": "http.request", "body": b"{}", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        handler = SimpleNamespace(opt={CREATES: True, SHOWN_ONCE: "key"})
        actor = Actor("01890000-0000-7000-8000-000000000000", "a@example.org", Level.USER, is_superuser=False)
        scope: Any = {"type": "http", "method": "POST", "path": "/api-keys", "query_string": b""}
        scope |= {"headers": [(b"idempotency-key", b"k")], "route_handler": handler, "user": actor}
        await app(scope, receive, send)

    await call()
    assert b"lkb_secret" in sent[-1]["body"]
    row = record.read(lambda connection: connection.execute(select(idempotency_keys)).one())
    assert row.response == {"id": "key-1"}
    with pytest.raises(SecretShownError) as raised:
        await call()
    assert raised.value.details == {"id": "key-1"}
