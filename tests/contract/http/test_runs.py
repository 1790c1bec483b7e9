"""Runs: resumed by `Last-Event-ID`, stopped, and nobody else's."""

import httpx
import pytest
from support.server import LumiClient

from .conftest import FACTS, Library, assert_error
from .events import Event, check_stream, events_of, read_events

QUESTION = FACTS["lighthouse.txt"][0]


def ask(api: LumiClient, library: Library, path: str = "/chat/stream") -> tuple[str, list[Event]]:
    events = read_events(api, "POST", path, json={"query": QUESTION, "kb_ids": [library.kb_id]})
    return events[0].data["run_id"], events


def resume(api: LumiClient, run_id: str, after: int | None = None) -> tuple[httpx.Response, list[Event]]:
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    with api.stream("GET", f"/runs/{run_id}/events", headers=headers) as response:
        assert response.status_code == 200, response.read()
        return response, events_of(response)


@pytest.mark.parametrize("path", ["/chat", "/query", "/chat/stream"])
def test_a_run_is_told_again_from_any_event_without_loss(api: LumiClient, library: Library, path: str) -> None:
    run_id, events = ask(api, library, path)
    for after in (None, 0, 1, len(events) - 1):
        response, again = resume(api, run_id, after)
        assert again == events[after or 0 :]
        assert response.headers["x-run-id"] == run_id
        check_stream(response, again, first_id=(after or 0) + 1)


def test_after_the_last_event_the_end_is_told_again(api: LumiClient, library: Library) -> None:
    run_id, events = ask(api, library)
    for after in (len(events), len(events) + 100, 999_999_999):
        response, again = resume(api, run_id, after)
        assert again == events[-1:]
        assert response.headers["content-type"] == "text/event-stream"


@pytest.mark.parametrize("value", [b"abc", b"-1", b"1.5", b"\xb2", b"99999999999999999999"])
def test_an_id_that_no_event_can_have_is_refused(api: LumiClient, library: Library, value: bytes) -> None:
    run_id, _ = ask(api, library)
    assert_error(api.get(f"/runs/{run_id}/events", headers=[(b"last-event-id", value)]), 400)


def test_a_run_goes_on_when_its_reader_leaves(api: LumiClient, library: Library) -> None:
    body = {"query": QUESTION, "kb_ids": [library.kb_id]}
    with api.stream("POST", "/chat/stream", json=body) as response:
        run_id = response.headers["x-run-id"]
    response, events = resume(api, run_id)
    check_stream(response, events)
    assert events[-1].name == "done"


def test_stopping_a_run_that_has_ended_changes_nothing(api: LumiClient, library: Library) -> None:
    run_id, events = ask(api, library)
    assert api.post(f"/runs/{run_id}/cancel").status_code == 204
    assert resume(api, run_id)[1] == events


def test_a_run_is_its_users_alone(api: LumiClient, other: LumiClient, library: Library) -> None:
    run_id, _ = ask(api, library)
    assert_error(other.get(f"/runs/{run_id}/events"), 404, "RUN_NOT_FOUND")
    assert_error(other.post(f"/runs/{run_id}/cancel"), 404, "RUN_NOT_FOUND")


def test_an_unknown_run_is_not_found(api: LumiClient) -> None:
    assert_error(api.get("/runs/nope/events"), 404, "RUN_NOT_FOUND")
    assert_error(api.post("/runs/nope/cancel"), 404, "RUN_NOT_FOUND")
