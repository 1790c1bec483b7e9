"""The engine and the dispatcher, on a real DBOS: retries, failures, and work that outlives its process."""

import threading
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import update
from support.server import poll

from lumikb.compute.parse.errors import EncryptedError, ParserDiedError
from lumikb.kit import clock
from lumikb.kit.errors import UnavailableError
from lumikb.store.jobs import engine as engine_module
from lumikb.store.jobs import places, repository
from lumikb.store.jobs.dispatcher import Dispatcher
from lumikb.store.jobs.errors import JobCancelledError
from lumikb.store.jobs.models import PRIORITY_SMALL, Job, JobStatus
from lumikb.store.jobs.places import Lane
from lumikb.store.record.tables.work import jobs

from .conftest import TYPE_OF_HOURS, Handler, Workshop

# DBOS keeps its registry in the process: one engine at a time.
pytestmark = [pytest.mark.xdist_group("dbos"), pytest.mark.thorough]

ENDED = {JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.PARKED}


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "STEP_RETRY_SECONDS", 0.01)
    monkeypatch.setattr(engine_module, "RESUME_POLL_SECONDS", 0.05)


def ended(workshop: Workshop, job_id: str) -> Job:
    def look() -> Job | None:
        job = workshop.job(job_id)
        return job if job.status in ENDED else None

    return poll(look, "the job's end", 30)


def work_off(workshop: Workshop, dispatcher: Dispatcher, job_ids: Sequence[str]) -> None:
    """Dispatch as places become free until all of these have completed."""

    def look() -> bool:
        dispatcher.dispatch()
        return all(workshop.job(one).status in ENDED for one in job_ids)

    poll(look, "the end of all jobs", 30)
    assert {workshop.job(one).status for one in job_ids} == {JobStatus.COMPLETED}


def done(_: Job) -> str:
    return "done"


class Flaky:
    """A step that fails so many times."""

    def __init__(self, error: Exception, times: int) -> None:
        self.error = error
        self.times = times
        self.calls = 0

    def __call__(self, _: Job) -> str:
        self.calls += 1
        if self.calls <= self.times:
            raise self.error
        return "recovered"


def unavailable() -> UnavailableError:
    return UnavailableError("The store does not answer.", code="STORE_DOWN", service="store")


def test_a_job_runs_its_steps_in_order_and_completes(workshop: Workshop) -> None:
    handler = Handler(lambda job: f"first of {job.type}", done)
    workshop.open(handler)
    job_id = workshop.create(payload={"a": 1})
    assert workshop.dispatcher().dispatch() == 1
    job = ended(workshop, job_id)
    assert (job.status, job.progress, job.attempts, job.error_code) == (JobStatus.COMPLETED, 100.0, 1, None)
    assert job.started_at is not None
    assert job.finished_at is not None
    assert handler.results == [["first of test.work", "done"]]


def test_dispatching_twice_is_dispatching_once(workshop: Workshop, gate: threading.Event) -> None:
    handler = Handler(lambda job: gate.wait(30))
    workshop.open(handler)
    job_id = workshop.create()
    dispatcher = workshop.dispatcher()
    assert (dispatcher.dispatch(), dispatcher.dispatch()) == (1, 0)
    assert workshop.engine is not None
    workshop.engine.start(job_id, Lane.MAIN)  # as when it was taken for lost while it was begun
    gate.set()
    assert ended(workshop, job_id).attempts == 1
    workshop.engine.start(job_id, Lane.MAIN)
    follower = workshop.create()
    dispatcher.dispatch()
    ended(workshop, follower)
    assert len(handler.results) == 2


def test_a_dependency_that_comes_back_costs_a_retry_of_the_step_alone(workshop: Workshop) -> None:
    before, flaky = Flaky(unavailable(), 0), Flaky(unavailable(), 2)
    handler = Handler(before, flaky, done)
    workshop.open(handler, attempts_max=3)
    job_id = workshop.create()
    workshop.dispatcher().dispatch()
    job = ended(workshop, job_id)
    assert (job.status, job.attempts) == (JobStatus.COMPLETED, 1)
    assert (before.calls, flaky.calls) == (1, 3)
    assert handler.results == [["recovered", "recovered", "done"]]


def test_a_dependency_that_stays_away_fails_the_job_by_its_own_name(workshop: Workshop) -> None:
    flaky = Flaky(unavailable(), 99)
    handler = Handler(flaky)
    workshop.open(handler, attempts_max=3)
    job_id = workshop.create()
    workshop.dispatcher().dispatch()
    job = ended(workshop, job_id)
    assert (job.status, job.error_code, job.error_message) == (
        JobStatus.FAILED,
        "STORE_DOWN",
        "The store does not answer.",
    )
    assert flaky.calls == 3
    assert handler.failures == [(job_id, "STORE_DOWN", "The store does not answer.")]


@pytest.mark.parametrize(
    ("error", "code"),
    [(EncryptedError("It asks for a password."), "ENCRYPTED"), (RuntimeError("a secret inside"), "INTERNAL_ERROR")],
)
def test_another_error_fails_the_job_at_once(workshop: Workshop, error: Exception, code: str) -> None:
    flaky = Flaky(error, 99)
    handler = Handler(flaky, done)
    workshop.open(handler)
    job_id = workshop.create()
    workshop.dispatcher().dispatch()
    job = ended(workshop, job_id)
    assert (job.status, job.error_code, job.attempts, flaky.calls) == (JobStatus.FAILED, code, 1, 1)
    assert "secret" not in (job.error_message or "")
    assert [failure[1] for failure in handler.failures] == [code]
    assert handler.results == []


def test_a_job_whose_object_is_gone_is_cancelled_and_no_failure(workshop: Workshop) -> None:
    handler = Handler(Flaky(JobCancelledError("The document was deleted."), 99))
    workshop.open(handler)
    job_id = workshop.create()
    workshop.dispatcher().dispatch()
    assert ended(workshop, job_id).status is JobStatus.CANCELLED
    assert handler.failures == []


def test_a_job_that_was_cancelled_before_its_turn_is_never_run(workshop: Workshop) -> None:
    handler = Handler(done)
    workshop.open(handler)
    document_id = "00000000-0000-7000-8000-0000000000d0"
    job_id = workshop.create(document_id=document_id)
    workshop.record.write(lambda unit: repository.cancel_document_jobs(unit, document_id))
    assert workshop.dispatcher().dispatch() == 0
    assert workshop.engine is not None
    workshop.engine.start(job_id, Lane.MAIN)  # as when it was cancelled just after it was claimed
    follower = workshop.create()
    workshop.dispatcher().dispatch()
    ended(workshop, follower)
    assert workshop.job(job_id).status is JobStatus.CANCELLED
    assert len(handler.results) == 1


def test_a_job_that_was_begun_too_often_is_parked(workshop: Workshop) -> None:
    """As when it kills its process each time."""
    handler = Handler(done)
    workshop.open(handler, attempts_max=2)
    job_id = workshop.create()
    workshop.record.write(
        lambda unit: unit.connection.execute(update(jobs).where(jobs.c.id == job_id).values(attempts=2))
    )
    workshop.dispatcher().dispatch()
    job = ended(workshop, job_id)
    assert (job.status, job.error_code) == (JobStatus.PARKED, "GAVE_UP")
    assert handler.results == []
    assert [failure[1] for failure in handler.failures] == ["GAVE_UP"]


def test_a_job_that_has_ended_is_cleared_however_it_ended(workshop: Workshop) -> None:
    def work(job: Job) -> None:
        if error := errors.get(job.id):
            raise error

    handler = Handler(work)
    workshop.open(handler, attempts_max=2)
    completed, failed, cancelled, parked = (workshop.create() for _ in range(4))
    errors = {failed: EncryptedError("It asks for a password."), cancelled: JobCancelledError("It is gone.")}
    workshop.record.write(
        lambda unit: unit.connection.execute(update(jobs).where(jobs.c.id == parked).values(attempts=2))
    )
    dispatcher = workshop.dispatcher()
    poll(lambda: dispatcher.dispatch() == 0 and len(handler.cleared) == 4, "the end of all jobs", 30)
    assert dict(handler.cleared) == {
        completed: JobStatus.COMPLETED,
        failed: JobStatus.FAILED,
        cancelled: JobStatus.CANCELLED,
        parked: JobStatus.PARKED,
    }


def test_a_job_whose_process_died_after_its_end_is_cleared_by_the_next(workshop: Workshop) -> None:
    handler = Handler(done)
    workshop.open(handler)
    job_id = workshop.create()
    workshop.record.write(lambda unit: repository.end_job(unit, job_id, JobStatus.COMPLETED))
    assert workshop.engine is not None
    workshop.engine.start(job_id, Lane.MAIN)
    poll(lambda: handler.cleared == [(job_id, JobStatus.COMPLETED)], "the job's clearing", 30)
    assert handler.results == []


def test_deaths_count_anew_once_a_step_has_ended(workshop: Workshop) -> None:
    handler = Handler(done, done)
    workshop.open(handler, attempts_max=2)
    job_id = workshop.create()
    workshop.record.write(
        lambda unit: unit.connection.execute(
            update(jobs).where(jobs.c.id == job_id).values(attempts=7, attempts_at_step=6)
        )
    )
    workshop.dispatcher().dispatch()
    job = ended(workshop, job_id)
    assert (job.status, job.attempts, job.attempts_at_step) == (JobStatus.COMPLETED, 8, 8)


def test_what_ends_its_own_process_each_time_is_parked(workshop: Workshop) -> None:
    crash = Flaky(ParserDiedError("This file crashes its reader."), 99)
    handler = Handler(crash)
    workshop.open(handler, attempts_max=3)
    job_id = workshop.create()
    workshop.dispatcher().dispatch()
    job = ended(workshop, job_id)
    assert (job.status, job.error_code, crash.calls) == (JobStatus.PARKED, "PARSER_CRASHED", 3)
    assert [failure[1] for failure in handler.failures] == ["PARSER_CRASHED"]


def test_a_job_that_is_tried_again_says_why(workshop: Workshop, gate: threading.Event) -> None:
    flaky = Flaky(unavailable(), 1)

    def step(job: Job) -> str:
        if flaky.calls:
            gate.wait(30)
        return flaky(job)

    workshop.open(Handler(step))
    job_id = workshop.create()
    workshop.dispatcher().dispatch()
    poll(lambda: workshop.job(job_id).message == "Trying again: The store does not answer.", "the reason", 30)
    gate.set()
    assert ended(workshop, job_id).status is JobStatus.COMPLETED


def test_an_urgent_job_overtakes_all_that_wait(workshop: Workshop, gate: threading.Event) -> None:
    order: list[str] = []

    def note(job: Job) -> None:
        gate.wait(30)
        order.append(job.id)

    workshop.open(Handler(note), concurrency=1)
    dispatcher = workshop.dispatcher()
    bulk = [workshop.create(priority=100) for _ in range(4)]
    assert (dispatcher.dispatch(), dispatcher.dispatch()) == (1, 0)
    urgent = workshop.create(priority=20)
    assert dispatcher.dispatch() == 0
    gate.set()
    work_off(workshop, dispatcher, [*bulk, urgent])
    assert order.index(urgent) == 1
    assert sorted(order) == sorted([*bulk, urgent])


def test_what_another_process_claimed_is_left_to_it(workshop: Workshop) -> None:
    handler = Handler(done)
    workshop.open(handler)
    theirs, ours = workshop.create(), workshop.create()
    both = workshop.record.read(lambda read: repository.undispatched_jobs(read, 10))
    assert workshop.record.write(lambda unit: repository.claim_jobs(unit, [theirs])) == [theirs]
    assert workshop.record.write(lambda unit: repository.claim_jobs(unit, both)) == [ours]
    workshop.record.write(lambda unit: repository.mark_undispatched(unit, [ours]))
    assert workshop.dispatcher().dispatch() == 1
    ended(workshop, ours)
    assert workshop.job(theirs).status is JobStatus.QUEUED


def test_what_cannot_be_started_is_given_back(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = workshop.open(Handler(done))
    job_ids = [workshop.create(), workshop.create()]

    def fail(job_id: str, lane: Lane) -> None:
        raise OSError("The disk is full.")

    with monkeypatch.context() as broken:
        broken.setattr(engine, "start", fail)
        with pytest.raises(OSError, match="full"):
            workshop.dispatcher().dispatch()
    assert workshop.dispatcher().dispatch() == 2
    for job_id in job_ids:
        assert ended(workshop, job_id).status is JobStatus.COMPLETED


def test_jobs_that_ended_long_ago_are_forgotten(workshop: Workshop) -> None:
    engine = workshop.open(Handler(done))
    old, young = workshop.create(), workshop.create()
    dispatcher = workshop.dispatcher()
    work_off(workshop, dispatcher, [old, young])
    moments = {old: timedelta(days=31), young: timedelta(days=29)}
    for job_id, age in moments.items():
        workshop.record.write(
            lambda unit, job_id=job_id, age=age: unit.connection.execute(
                update(jobs).where(jobs.c.id == job_id).values(finished_at=clock.now() - age)
            )
        )
    dispatcher.clean_up()
    assert workshop.record.read(lambda read: repository.find_job(read, old)) is None
    assert workshop.job(young).status is JobStatus.COMPLETED
    assert engine.forget_lost([old, young]) == [old, young]


def test_the_most_urgent_job_comes_first(workshop: Workshop, gate: threading.Event) -> None:
    order: list[str] = []

    def note(job: Job) -> None:
        gate.wait(30)
        order.append(job.id)

    workshop.open(Handler(note), concurrency=1)
    dispatcher = workshop.dispatcher()
    first = workshop.create()
    dispatcher.dispatch()
    poll(lambda: workshop.job(first).status is JobStatus.PROCESSING, "the first job's start", 30)
    late, soon = workshop.create(priority=100), workshop.create(priority=20)
    gate.set()
    work_off(workshop, dispatcher, [first, late, soon])
    assert order == [first, soon, late]


def test_small_and_urgent_jobs_do_not_wait_behind_large_ones(workshop: Workshop, gate: threading.Event) -> None:
    def work(job: Job) -> str:
        if job.priority > PRIORITY_SMALL:
            gate.wait(30)
        return "done"

    workshop.open(Handler(work), concurrency=2)
    dispatcher = workshop.dispatcher()
    large = [workshop.create() for _ in range(4)]
    assert dispatcher.dispatch() == 2
    small = [*(workshop.create(priority=PRIORITY_SMALL) for _ in range(4)), workshop.create(priority=1)]
    assert dispatcher.dispatch() == 1  # the others wait in the record
    work_off(workshop, dispatcher, small)
    assert {workshop.job(one).status for one in large} <= {JobStatus.QUEUED, JobStatus.PROCESSING}
    assert dispatcher.dispatch() == 0
    gate.set()
    work_off(workshop, dispatcher, large)


def test_small_jobs_have_all_workers_while_no_large_ones_do(workshop: Workshop, gate: threading.Event) -> None:
    workshop.open(Handler(lambda _: gate.wait(30)), concurrency=2)
    dispatcher = workshop.dispatcher()
    large, *small = [workshop.create(), *(workshop.create(priority=PRIORITY_SMALL) for _ in range(4))]
    assert dispatcher.dispatch() == 3

    def begun() -> list[JobStatus]:
        return [workshop.job(one).status for one in small]

    poll(lambda: begun() == ["processing", "processing", "processing", "queued"], "three of them", 30)
    assert workshop.job(large).status is JobStatus.QUEUED
    gate.set()
    work_off(workshop, dispatcher, [large, *small])


def test_what_may_take_hours_takes_nobodys_place(workshop: Workshop, gate: threading.Event) -> None:
    def work(job: Job) -> str:
        if job.id in hours:
            gate.wait(30)
        return "done"

    hours: list[str] = []
    workshop.open(Handler(work), concurrency=1, background={TYPE_OF_HOURS})
    dispatcher = workshop.dispatcher()
    hours += [workshop.create(job_type=TYPE_OF_HOURS) for _ in range(2)]
    assert dispatcher.dispatch() == 1
    work_off(workshop, dispatcher, [workshop.create() for _ in range(3)])
    assert [workshop.job(one).status for one in hours] == [JobStatus.PROCESSING, JobStatus.QUEUED]
    gate.set()
    work_off(workshop, dispatcher, hours)


def test_work_of_a_shutdown_goes_on_where_it_was_and_counts_once(workshop: Workshop, gate: threading.Event) -> None:
    began = threading.Event()
    before = Flaky(unavailable(), 0)

    def wait(_: Job) -> str:
        began.set()
        gate.wait(30)
        raise RuntimeError("the connection went away")  # as everything does while the process ends

    workshop.open(Handler(before, wait))
    job_id = workshop.create()
    workshop.dispatcher().dispatch()
    assert began.wait(30)
    assert workshop.engine is not None
    workshop.engine.closing.set()
    gate.set()
    workshop.close(5)
    assert workshop.job(job_id).status is JobStatus.PROCESSING

    handler = Handler(before, done)
    workshop.open(handler)
    dispatcher = workshop.dispatcher(alone=True)
    dispatcher.open()
    try:
        job = ended(workshop, job_id)
    finally:
        dispatcher.close()
    assert (job.status, job.attempts) == (JobStatus.COMPLETED, 1)
    assert before.calls == 1  # its result was replayed
    assert handler.failures == []


def test_work_of_a_dead_process_is_taken_over_once_it_has_been_silent(
    workshop: Workshop, gate: threading.Event
) -> None:
    began = threading.Event()

    def wait(_: Job) -> str:
        began.set()
        gate.wait(30)
        raise RuntimeError

    dead = workshop.open(Handler(wait))
    job_id = workshop.create()
    workshop.dispatcher().dispatch()
    assert began.wait(30)
    workshop.record.write(lambda unit: repository.beat(unit, dead.executor_id))
    dead.closing.set()
    gate.set()
    workshop.close(5)

    handler = Handler(done)
    living = workshop.open(handler)
    dispatcher = workshop.dispatcher(alone=False)
    assert living.pending() == {job_id: dead.executor_id}
    dispatcher.take_over()
    assert living.pending() == {job_id: dead.executor_id}  # its heartbeat is young: it may be alive
    workshop.record.write(lambda unit: repository.forget_executors(unit, timedelta()))
    dispatcher.take_over()
    assert ended(workshop, job_id).status is JobStatus.COMPLETED
    assert len(handler.results) == 1


def test_what_was_resumed_keeps_its_place_until_it_begins(
    workshop: Workshop, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "RESUME_POLL_SECONDS", 1.0)
    began = threading.Event()

    def wait(_: Job) -> str:
        began.set()
        gate.wait(30)
        raise RuntimeError

    dead = workshop.open(Handler(wait), concurrency=1)
    interrupted = workshop.create()
    workshop.dispatcher().dispatch()
    assert began.wait(30)
    dead.closing.set()
    gate.set()
    workshop.close(5)

    order: list[str] = []
    engine = workshop.open(Handler(lambda job: order.append(job.id)), concurrency=1)
    dispatcher = workshop.dispatcher()
    fresh = workshop.create()
    with monkeypatch.context() as soon_over:
        soon_over.setattr(places, "KEPT_SECONDS", 0.0)
        dispatcher.take_over()
    engine.keep_places()
    assert dispatcher.dispatch() == 0
    work_off(workshop, dispatcher, [interrupted, fresh])
    assert order == [interrupted, fresh]
