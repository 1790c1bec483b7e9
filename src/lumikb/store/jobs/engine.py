"""The job engine: DBOS workflows behind the jobs table.

A job of the record becomes a workflow under the job's id, so starting it twice is starting it once. What waits, waits
in the record: the engine is given a job when there is a place for it, and begins at once. Workflows of a process that
died stay pending; the dispatcher's watchdog resumes them here. DBOS keeps its own store: an SQLite file beside the
record's (never the same one), or a schema of its own in the record's PostgreSQL.
"""

import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from dbos import DBOS, DBOSConfig, SetWorkflowID, StepOptions
from dbos import error as dbos_error

from lumikb.kit.errors import LumiError, UnavailableError
from lumikb.kit.ids import new_id
from lumikb.kit.telemetry import get_logger
from lumikb.store.jobs import repository
from lumikb.store.jobs.errors import JobCancelledError
from lumikb.store.jobs.models import Job, JobHandler, JobStatus
from lumikb.store.jobs.places import Lane, Places
from lumikb.store.record.engine import Record, UnitOfWork

Result = TypeVar("Result")

# DBOS resumes workflows through queues, which it polls: half a second costs about 1 % of a core when idle.
RESUME_POLL_SECONDS = 1.0
# DBOS resumes a workflow only under the version that began it. Ours are a handful of idempotent steps: one version.
WORKFLOW_VERSION = "1"
STEP_RETRY_SECONDS = 1.0
STEP_RETRY_FACTOR = 4.0

# Deaths of the process in one step of a job after which it is given up. Documents are parsed in processes of their own,
# so the server's death is hardly ever theirs: the bound only ends what would go on for ever.
DEATHS_MAX = 20
_AT_WORK = ("PENDING", "ENQUEUED", "DELAYED")

log = get_logger(__name__)


class InterruptedJob(BaseException):
    """The process is shutting down. DBOS records no outcome for it, so the workflow stays pending and is resumed."""


class DbosSteps:
    """`Steps` on DBOS, for use inside a workflow. Once `closing` is set no step begins, and none records an error.

    `tell` is told what made a step fail that will be tried again, `ended` the name and seconds of one that has ended.
    """

    def __init__(
        self,
        attempts_max: int,
        closing: threading.Event,
        tell: Callable[[LumiError], None],
        ended: Callable[[str, float], None],
    ) -> None:
        self._attempts_max = attempts_max
        self._closing = closing
        self._tell = tell
        self._ended = ended

    def run(self, name: str, step: Callable[..., Result], *args: Any) -> Result:
        """See `Steps.run`."""
        options: StepOptions = {
            "name": name,
            "retries_allowed": self._attempts_max > 1,
            "max_attempts": self._attempts_max,
            "interval_seconds": STEP_RETRY_SECONDS,
            "backoff_rate": STEP_RETRY_FACTOR,
            "should_retry": _is_retryable,
        }
        return DBOS.run_step(options, self._guarded, name, step, *args)

    def _guarded(self, name: str, step: Callable[..., Result], *args: Any) -> Result:
        if self._closing.is_set():
            raise InterruptedJob
        begun = time.monotonic()
        try:
            result = step(*args)
            self._ended(name, time.monotonic() - begun)
            return result
        except Exception as error:
            if self._closing.is_set():  # the shutdown is the cause: pools and connections go away under the step
                raise InterruptedJob from None
            if isinstance(error, LumiError) and error.retryable:
                self._tell(error)
            raise


def _is_retryable(error: BaseException) -> bool:
    return isinstance(error, LumiError) and error.retryable


def _outcome(error: Exception) -> JobStatus:
    """What is retried in vain and is no outage has ended its own process each time: it is parked."""
    return JobStatus.PARKED if _is_retryable(error) and not isinstance(error, UnavailableError) else JobStatus.FAILED


def _reason(error: Exception) -> tuple[str, str]:
    """Code and sentence for a user; the cause itself is in the log."""
    if isinstance(error, LumiError):
        return error.stable_code, error.message
    return (
        "INTERNAL_ERROR",
        "Something went wrong inside LumiKB. Retry; if it fails again, the server's log has the cause.",
    )


class JobEngine:
    """Runs the handlers of jobs, `concurrency` at a time in the main lane of this process.

    Jobs of the types `background` may take hours: they have a lane of their own. `on_place` is called when a place has
    become free, `on_step` with a job's type, a step's name and its seconds when one has ended. One engine a process:
    DBOS keeps its registry in the process.
    """

    def __init__(
        self,
        record: Record,
        store_url: str,
        handlers: Mapping[str, JobHandler],
        closing: threading.Event,
        *,
        concurrency: int,
        attempts_max: int,
        deaths_max: int = DEATHS_MAX,
        background: Collection[str] = (),
    ) -> None:
        self.background = frozenset(background)
        self.on_place: Callable[[], None] = lambda: None
        self.on_step: Callable[[str, str, float], None] = lambda job_type, step, seconds: None
        self._record = record
        self._store_url = store_url
        self._handlers = handlers
        self._concurrency = concurrency
        self._places = Places({Lane.MAIN: concurrency, Lane.SMALL: 1, Lane.BACKGROUND: 1})
        self._deaths_max = deaths_max
        self.closing = closing
        self._attempts_max = attempts_max
        # Attempts that were counted and have not ended; held while one is counted, so that none is after `close` began.
        self._counted: set[str] = set()
        self._counted_lock = threading.Lock()
        self.executor_id = f"{os.getpid()}-{new_id()[-12:]}"

    def open(self) -> None:
        """Start the engine; pending work of others it takes up only by `resume`."""
        config: DBOSConfig = {
            "name": "lumikb",
            "system_database_url": self._store_url,
            "sys_db_pool_size": 2,
            "executor_id": self.executor_id,
            "application_version": WORKFLOW_VERSION,
            "console_log_level": "ERROR",
            # What runs and as much that was resumed: a workflow that waited for a thread would look like a lost one.
            "max_executor_threads": 2 * self._concurrency + 6,
        }
        DBOS(config=config)

        def run(job_id: str) -> None:  # DBOS marks the function, which a bound method does not allow
            self._run(job_id)

        self._workflow = DBOS.workflow(name="job")(run)
        DBOS.launch()
        for lane in (Lane.MAIN, Lane.BACKGROUND):
            DBOS.register_queue(
                lane,
                worker_concurrency=self._places.sizes[lane],
                polling_interval_sec=RESUME_POLL_SECONDS,
                on_conflict="always_update",
            )

    def close(self, drain_seconds: int) -> None:
        """Stop; what does not end in time is interrupted and resumes at the next start."""
        with self._counted_lock:
            self.closing.set()
        DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=drain_seconds if self.active() else 0)
        with self._counted_lock:
            interrupted = sorted(self._counted)
        if interrupted:
            self._record.write(lambda unit: repository.uncount_attempts(unit, interrupted))

    def free(self, lane: Lane) -> int:
        """How many more jobs this process has a place for."""
        return self._places.free(lane)

    def start(self, job_id: str, lane: Lane) -> None:
        """Begin a job at once, on a place that is free; does nothing when it has been started before."""
        self._places.keep(job_id, lane)
        with SetWorkflowID(job_id):
            DBOS.start_workflow(self._workflow, job_id)

    def pending(self) -> dict[str, str]:
        """Workflows that some executor has begun and not ended: job id -> executor id."""
        found = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
        return {status.workflow_id: status.executor_id or "" for status in found}

    def forget_lost(self, job_ids: list[str]) -> list[str]:
        """Those of the jobs, all open in the record, that the engine would never run: unknown to it, or ended there.

        The two stores come from different moments, as after a restored backup. What had ended is forgotten, so that it
        can be enqueued again under its id.
        """
        found = DBOS.list_workflows(workflow_ids=job_ids, load_input=False, load_output=False)
        at_work = {status.workflow_id for status in found if status.status in _AT_WORK}
        lost = [job_id for job_id in job_ids if job_id not in at_work]
        ended = [status.workflow_id for status in found if status.workflow_id not in at_work]
        if ended:
            DBOS.delete_workflows(ended)
        return lost

    def forget(self, job_ids: list[str]) -> None:
        """Drop what the engine knows of jobs that have ended."""
        DBOS.delete_workflows(job_ids)

    def resume(self, job_ids: Iterable[str]) -> None:
        """Go on with workflows whose executor died; ended steps are not run again."""
        by_lane: dict[Lane, list[str]] = {}
        for job_id in job_ids:
            lane = self._lane_of(job_id)
            self._places.keep(job_id, lane)
            by_lane.setdefault(lane, []).append(job_id)
        for lane, resumed in by_lane.items():
            DBOS.resume_workflows(resumed, queue_name=lane)

    def keep_places(self) -> None:
        """Keep the places of what was resumed and still waits for its queue; to be called within `KEPT_SECONDS`."""
        kept = self._places.kept()
        if not kept:
            return
        found = DBOS.list_workflows(workflow_ids=list(kept), status="ENQUEUED", load_input=False, load_output=False)
        for status in found:
            self._places.keep(status.workflow_id, kept[status.workflow_id])

    def active(self) -> set[str]:
        """Jobs that run in this process now."""
        return self._places.active()

    def _lane_of(self, job_id: str) -> Lane:
        job = self._record.read(lambda connection: repository.find_job(connection, job_id))
        return Lane.BACKGROUND if job is not None and job.type in self.background else Lane.MAIN

    def _run(self, job_id: str) -> None:
        self._places.take(job_id, self._places.kept().get(job_id) or self._lane_of(job_id))
        try:
            self._attempt(job_id)
        finally:
            self._places.leave(job_id)
            self.on_place()

    def _attempt(self, job_id: str) -> None:
        job = self._begin(job_id)
        if job is not None:
            self._work(job)
            with self._counted_lock:
                self._counted.discard(job_id)
        self._clear(job_id)

    def _clear(self, job_id: str) -> None:
        job = self._record.read(lambda connection: repository.find_job(connection, job_id))
        if job is None:
            return
        try:
            self._handlers[job.type].clear(job)
        except LumiError as error:
            log.warning("job left blobs", job_id=job.id, reason=error.message)

    def _begin(self, job_id: str) -> Job | None:
        with self._counted_lock:
            if self.closing.is_set():
                raise InterruptedJob
            job = self._record.write(lambda unit: repository.begin_attempt(unit, job_id))
            if job is not None:
                self._counted.add(job_id)
        return job

    def _work(self, job: Job) -> None:
        deaths = job.attempts - job.attempts_at_step - 1
        if deaths >= self._deaths_max:
            message = f"Processing ended without an answer {deaths} times in the same step. It was given up."
            self._end(job, JobStatus.PARKED, "GAVE_UP", message)
            return
        try:
            self._handlers[job.type].run(job, self._steps_of(job))
        except JobCancelledError:
            self._record.write(lambda unit: repository.end_job(unit, job.id, JobStatus.CANCELLED))
        except Exception as error:
            if self.closing.is_set():
                raise InterruptedJob from None
            if isinstance(error, dbos_error.DBOSMaxStepRetriesExceeded):
                error = error.errors[-1]
            if not isinstance(error, LumiError):
                log.exception("job failed", job_id=job.id, job_type=job.type)
            self._end(job, _outcome(error), *_reason(error))
        else:
            self._write_if_open(job, lambda unit: repository.end_job(unit, job.id, JobStatus.COMPLETED))

    def _write_if_open(self, job: Job, work: Callable[[UnitOfWork], object]) -> None:
        """A handler ends its job with its last step, most often; to ask costs a tenth of what it costs to write."""
        if self._record.read(lambda read: repository.is_open(read, job.id)):
            self._record.write(work)

    def _end(self, job: Job, status: JobStatus, code: str, message: str) -> None:
        def end(unit: UnitOfWork) -> None:
            if repository.end_job(unit, job.id, status, code, message):
                self._handlers[job.type].fail(unit, job, code, message)

        log.warning("job ended", job_id=job.id, job_type=job.type, status=str(status), code=code, message=message)
        self._record.write(end)

    def _steps_of(self, job: Job) -> DbosSteps:
        def ended(name: str, seconds: float) -> None:
            self._write_if_open(job, lambda unit: repository.record_step(unit, job.id))
            self.on_step(job.type, name, seconds)

        return DbosSteps(self._attempts_max, self.closing, self._tell_of(job), ended)

    def _tell_of(self, job: Job) -> Callable[[LumiError], None]:
        def tell(error: LumiError) -> None:
            log.info("step failed", job_id=job.id, job_type=job.type, code=error.stable_code, reason=error.message)
            with suppress(LumiError):  # where the record is what is away, nothing can be shown
                self._record.write(lambda unit: repository.record_retry(unit, job.id, error.message))

        return tell
