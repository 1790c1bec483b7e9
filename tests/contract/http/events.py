"""Reading event streams, and what holds for every one of them."""

from dataclasses import dataclass
from typing import Any

import httpx
from httpx_sse import EventSource
from support.server import LumiClient

TERMINAL = {"done", "error"}


@dataclass(frozen=True)
class Event:
    """One event as it was received."""

    id: str
    name: str
    data: dict[str, Any]


def events_of(response: httpx.Response) -> list[Event]:
    """The events of an open stream, up to its end."""
    return [Event(event.id, event.event, event.json()) for event in EventSource(response).iter_sse()]


def read_events(api: LumiClient, method: str, path: str, **options: Any) -> list[Event]:
    """All events of a stream, checked."""
    with api.stream(method, path, **options) as response:
        assert response.status_code == 200, response.read()
        events = events_of(response)
        check_stream(response, events)
    return events


def check_stream(response: httpx.Response, events: list[Event], *, first_id: int = 1) -> None:
    """Headers, ids, names, the run's id in the first event, and exactly one terminal event, the last."""
    assert response.headers["content-type"] == "text/event-stream"
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["x-accel-buffering"] == "no"
    assert "content-encoding" not in response.headers
    assert "content-length" not in response.headers
    assert [event.id for event in events] == [str(first_id + at) for at in range(len(events))]
    if first_id == 1:
        assert events[0].data["run_id"] == response.headers["x-run-id"]
    for event in events:
        kind = event.data["type"]
        assert kind.startswith("CHUNK_TYPE_") if event.name == "chunk" else kind == event.name
    assert [event.name in TERMINAL for event in events] == [False] * (len(events) - 1) + [True]
