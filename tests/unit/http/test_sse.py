"""Server-sent events on the wire."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

import msgspec
import pytest

from lumikb.http.sse import HEARTBEAT, EventStream, ServerSentEvent
from lumikb.kit.errors import UnavailableError

pytestmark = pytest.mark.anyio

NEVER = 3600.0


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Client:
    """The two ends of an ASGI call: what was sent, and a switch for leaving."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.left = asyncio.Event()
        self._changed = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        self._changed.set()

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            await asyncio.wait_for(self._changed.wait(), 10)


async def serve(events: AsyncGenerator[ServerSentEvent], client: Client, **options: Any) -> None:
    response = EventStream(events, **{"heartbeat_seconds": NEVER, **options})
    app: Any = response.to_asgi_response(None, None)  # type: ignore[arg-type]
    await app({}, client.receive, client.send)


async def three_events() -> AsyncGenerator[ServerSentEvent]:
    for number in (1, 2, 3):
        yield ServerSentEvent(number, "chunk", {"type": "chunk", "content": f"{number}"})


def test_an_event_has_id_name_and_one_line_of_data() -> None:
    event = ServerSentEvent(7, "chunk", {"type": "chunk", "content": "two\nlines\r\u2028 \U0001f511"})
    id_line, event_line, data_line, blank, end = event.encode().decode().split("\n")
    assert (id_line, event_line, blank, end) == ("id: 7", "event: chunk", "", "")
    assert "\r" not in data_line
    assert msgspec.json.decode(data_line.removeprefix("data: ")) == event.data


async def test_a_stream_is_its_events_and_then_its_end() -> None:
    client = Client()
    await serve(three_events(), client, headers={"X-Run-Id": "run"})
    start, *bodies = client.sent
    assert start["status"] == 200
    assert dict(start["headers"]) == {
        b"content-type": b"text/event-stream",
        b"cache-control": b"no-cache",
        b"x-accel-buffering": b"no",
        b"x-run-id": b"run",
    }
    assert client.body == b"".join([event.encode() async for event in three_events()])
    assert [message["more_body"] for message in bodies] == [True, True, True, False]


async def test_silence_is_filled_with_comments_that_lose_no_event() -> None:
    client, go_on = Client(), asyncio.Event()

    async def slow() -> AsyncGenerator[ServerSentEvent]:
        yield ServerSentEvent(1, "status", {})
        await go_on.wait()
        yield ServerSentEvent(2, "done", {})

    serving = asyncio.create_task(serve(slow(), client, heartbeat_seconds=0.01))
    await client.until(lambda: client.body.count(HEARTBEAT) >= 3)
    go_on.set()
    await serving
    assert client.body.replace(HEARTBEAT, b"") == b"".join(
        ServerSentEvent(number, name, {}).encode() for number, name in ((1, "status"), (2, "done"))
    )


async def test_leaving_closes_the_events_and_tells_who_asked() -> None:
    client, closed, left = Client(), asyncio.Event(), asyncio.Event()

    async def endless() -> AsyncGenerator[ServerSentEvent]:
        try:
            yield ServerSentEvent(1, "status", {})
            await asyncio.Event().wait()
        finally:
            closed.set()

    serving = asyncio.create_task(serve(endless(), client, on_disconnect=left.set))
    await client.until(lambda: b"status" in client.body)
    client.left.set()
    await asyncio.wait_for(serving, 10)
    assert closed.is_set()
    assert left.is_set()
    assert all(message.get("more_body", True) for message in client.sent)


async def test_a_stream_that_was_read_to_its_end_was_not_left() -> None:
    client, left = Client(), asyncio.Event()
    await serve(three_events(), client, on_disconnect=left.set)
    assert not left.is_set()


async def test_nothing_is_sent_before_what_comes_before() -> None:
    client, ready = Client(), asyncio.Event()

    async def before() -> None:
        await ready.wait()

    serving = asyncio.create_task(serve(three_events(), client, before=before))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert client.sent == []
    ready.set()
    await asyncio.wait_for(serving, 10)
    assert client.sent[0]["status"] == 200


async def test_what_fails_before_the_first_byte_is_raised() -> None:
    client, left = Client(), asyncio.Event()

    async def before() -> None:
        raise UnavailableError("The model is down.")

    with pytest.raises(UnavailableError):
        await serve(three_events(), client, before=before, on_disconnect=left.set)
    assert client.sent == []
    assert not left.is_set()


async def test_leaving_before_the_first_byte_is_leaving() -> None:
    client, left = Client(), asyncio.Event()

    async def before() -> None:
        await asyncio.Event().wait()

    client.left.set()
    await asyncio.wait_for(serve(three_events(), client, before=before, on_disconnect=left.set), 10)
    assert client.sent == []
    assert left.is_set()
