"""Runs: told once to their end, stopped, resumed from memory and from the record."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

import pytest
from sqlalchemy import select

from lumikb.http.sse import ServerSentEvent
from lumikb.identity.models import Actor, Level
from lumikb.identity.repository import create_user
from lumikb.kit.errors import LumiError, UnavailableError
from lumikb.runs.models import TERMINAL, Run, RunStatus
from lumikb.runs.service import RunNotFoundError, RunService, TooManyRunsError
from lumikb.store.record.engine import Record
from lumikb.store.record.tables.answering import runs as runs_table

pytestmark = pytest.mark.anyio

Produce = Callable[[Run], Awaitable[None]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def service(record: Record) -> AsyncGenerator[RunService]:
    service = RunService(record, runs_max=100)
    yield service
    await service.close()


def make_actor(record: Record, email: str) -> Actor:
    user = record.write(lambda unit: create_user(unit, email, "!", Level.USER, is_superuser=False))
    return Actor(user.id, user.email, Level.USER, is_superuser=False)


@pytest.fixture
def actor(record: Record) -> Actor:
    return make_actor(record, "one@example.org")


async def tell_a_story(run: Run) -> None:
    run.emit("status", {"message": "Searching"})
    run.emit("token", {"content": "text"})
    run.emit("done", {"result_count": 0})


async def wait_for_ever(run: Run) -> None:
    run.emit("status", {"message": "Searching"})
    await asyncio.Event().wait()


async def read(service: RunService, actor: Actor, run_id: str, after: int = 0) -> list[ServerSentEvent]:
    return [event async for event in await service.events(actor, run_id, after)]


async def ended(run: Run) -> list[ServerSentEvent]:
    """All events of the run, once it has been kept."""
    events = [event async for event in run.follow()]
    assert run.task is not None
    await asyncio.wait([run.task])
    assert [event.name in TERMINAL for event in events] == [False] * (len(events) - 1) + [True]
    return events


async def test_events_are_numbered_from_one_and_the_first_names_the_run(service: RunService, actor: Actor) -> None:
    run = service.start(actor, "chat", tell_a_story, conversation_id="c1")
    events = await ended(run)
    assert [(event.id, event.name, event.data["type"]) for event in events] == [
        (1, "status", "status"),
        (2, "token", "token"),
        (3, "done", "done"),
    ]
    assert events[0].data["run_id"] == run.id
    assert events[0].data["conversation_id"] == "c1"
    assert not any("run_id" in event.data for event in events[1:])
    assert run.status is RunStatus.DONE


async def test_what_comes_after_the_end_is_dropped(service: RunService, actor: Actor) -> None:
    async def tell_too_much(run: Run) -> None:
        await tell_a_story(run)
        run.emit("done", {"again": True})
        run.emit("error", {})
        run.emit("token", {"content": "late"})

    assert [event.name for event in await ended(service.start(actor, "chat", tell_too_much))] == [
        "status",
        "token",
        "done",
    ]


async def stop_early(run: Run) -> None:
    run.emit("status", {})


async def crash(_: Run) -> None:
    raise RuntimeError("a secret inside")


async def lose_the_database(_: Run) -> None:
    raise UnavailableError("The database does not answer.", code="RECORD_UNAVAILABLE")


@pytest.mark.parametrize(
    ("produce", "code"),
    [(stop_early, "INTERNAL_ERROR"), (crash, "INTERNAL_ERROR"), (lose_the_database, "RECORD_UNAVAILABLE")],
)
async def test_a_run_that_fails_ends_in_one_error(
    service: RunService, actor: Actor, produce: Produce, code: str
) -> None:
    error = (await ended(service.start(actor, "chat", produce)))[-1]
    assert error.name == "error"
    assert error.data["code"] == code
    assert error.data["error"] == error.data["message"]
    assert "secret" not in str(error.data)


async def fail_after_a_result(run: Run) -> None:
    run.emit("status", {})
    run.emit("token", {"content": "text"})
    await lose_the_database(run)


async def fail_before_a_result(run: Run) -> None:
    run.emit("status", {})
    run.emit("context", {"results": []})
    await lose_the_database(run)


NEVER = 3600.0


@pytest.mark.parametrize("produce", [fail_before_a_result, crash])
async def test_a_run_that_fails_before_its_first_result_raises_for_who_waits(
    service: RunService, actor: Actor, produce: Produce
) -> None:
    run = service.start(actor, "chat", produce)
    with pytest.raises(LumiError) as raised:
        await run.settle(NEVER)
    error = (await ended(run))[-1].data
    assert (error["code"], error["message"]) == (raised.value.stable_code, raised.value.message)
    assert "secret" not in raised.value.message


@pytest.mark.parametrize("produce", [tell_a_story, fail_after_a_result, stop_early])
async def test_a_run_that_has_a_result_is_settled(service: RunService, actor: Actor, produce: Produce) -> None:
    run = service.start(actor, "chat", produce)
    await run.settle(NEVER)
    await ended(run)
    await run.settle(NEVER)


async def test_a_run_without_a_result_is_not_waited_for_for_ever(service: RunService, actor: Actor) -> None:
    run = service.start(actor, "chat", wait_for_ever)
    await run.settle(0.01)
    assert not run.ended
    service.cancel(actor, run.id)
    await run.settle(NEVER)
    assert (await ended(run))[-1].data["code"] == "CANCELLED"


async def test_a_run_that_is_stopped_says_so(service: RunService, actor: Actor) -> None:
    run = service.start(actor, "chat", wait_for_ever)
    following = run.follow()
    await anext(following)
    service.cancel(actor, run.id)
    assert (await ended(run))[-1].data["code"] == "CANCELLED"
    assert run.status is RunStatus.CANCELLED
    service.cancel(actor, run.id)  # once more is no error
    assert (await read(service, actor, run.id))[-1].data["code"] == "CANCELLED"


async def test_a_run_that_is_stopped_before_it_began_ends_too(service: RunService, actor: Actor) -> None:
    run = service.start(actor, "chat", wait_for_ever)
    service.cancel(actor, run.id)
    events = await asyncio.wait_for(read(service, actor, run.id), 10)
    assert [event.data["code"] for event in events] == ["CANCELLED"]


async def test_stopping_what_has_ended_changes_nothing(service: RunService, actor: Actor) -> None:
    run = service.start(actor, "chat", tell_a_story)
    events = await ended(run)
    service.cancel(actor, run.id)
    assert await read(service, actor, run.id) == events
    assert run.status is RunStatus.DONE


async def test_several_readers_follow_one_run_from_where_each_was(service: RunService, actor: Actor) -> None:
    go_on = asyncio.Event()

    async def tell_slowly(run: Run) -> None:
        run.emit("status", {})
        await go_on.wait()
        await tell_a_story(run)

    run = service.start(actor, "chat", tell_slowly)
    readers = [asyncio.create_task(read(service, actor, run.id, after)) for after in (0, 1, 2)]
    await asyncio.sleep(0)
    go_on.set()
    whole, later, latest = await asyncio.gather(*readers)
    assert [event.id for event in whole] == [1, 2, 3, 4]
    assert later == whole[1:]
    assert latest == whole[2:]


async def test_a_run_is_read_from_the_record_after_a_restart(service: RunService, record: Record, actor: Actor) -> None:
    run = service.start(actor, "chat", tell_a_story, conversation_id="c1")
    events = await ended(run)
    restarted = RunService(record, runs_max=100)
    for after in (0, 1, 3, 99):
        assert await read(restarted, actor, run.id, after) == (events[after:] or events[-1:])


async def test_a_run_that_was_interrupted_by_the_shutdown_is_kept_as_stopped(record: Record, actor: Actor) -> None:
    service = RunService(record, runs_max=100)
    run = service.start(actor, "chat", wait_for_ever)
    await anext(run.follow())
    await service.close()
    events = await read(RunService(record, runs_max=100), actor, run.id)
    assert [event.name for event in events] == ["status", "error"]


async def test_a_run_that_is_not_to_be_kept_is_in_memory_only(
    service: RunService, record: Record, actor: Actor
) -> None:
    run = service.start(actor, "search", tell_a_story, keep=False)
    assert await ended(run) == await read(service, actor, run.id)
    assert record.read(lambda connection: connection.execute(select(runs_table.c.id)).all()) == []
    with pytest.raises(RunNotFoundError):
        await read(RunService(record, runs_max=100), actor, run.id)


async def test_another_users_run_is_not_found(service: RunService, record: Record, actor: Actor) -> None:
    run = service.start(actor, "chat", tell_a_story)
    await ended(run)
    other = make_actor(record, "two@example.org")
    for asked in (service, RunService(record, runs_max=100)):
        with pytest.raises(RunNotFoundError):
            await read(asked, other, run.id)
        with pytest.raises(RunNotFoundError):
            asked.cancel(other, run.id)


async def test_runs_under_way_are_bounded_and_ended_ones_make_room(record: Record, actor: Actor) -> None:
    service = RunService(record, runs_max=2)
    first = service.start(actor, "chat", wait_for_ever)
    second = service.start(actor, "chat", tell_a_story)
    await ended(second)
    third = service.start(actor, "chat", wait_for_ever)  # in the place of the second, which the record keeps
    assert [event.name for event in await read(service, actor, second.id)] == ["status", "token", "done"]
    with pytest.raises(TooManyRunsError, match="runs_max"):
        service.start(actor, "chat", tell_a_story)
    service.cancel(actor, first.id)
    await ended(first)
    await ended(service.start(actor, "chat", tell_a_story))
    assert not third.ended
    await service.close()


async def test_an_unknown_run_is_not_found(service: RunService, actor: Actor) -> None:
    with pytest.raises(RunNotFoundError):
        await read(service, actor, "nope")
    with pytest.raises(RunNotFoundError):
        service.cancel(actor, "nope")
