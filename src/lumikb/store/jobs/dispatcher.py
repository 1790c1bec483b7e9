"""The dispatcher: starts jobs of the record on the engine, and takes over the work of processes that died."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import Connection

from lumikb.kit import clock
from lumikb.kit.errors import LumiError
from lumikb.kit.telemetry import get_logger
from lumikb.store.jobs import repository
from lumikb.store.jobs.engine import JobEngine
from lumikb.store.jobs.models import DEAD_AFTER, PRIORITY_SMALL
from lumikb.store.jobs.places import Lane
from lumikb.store.record.engine import Record

# Jobs that one round looks at or forgets.
ROUND_JOBS_MAX = 200
IDLE_SECONDS = 1.0
HEARTBEAT_SECONDS = 5.0
CLEAN_UP_SECONDS = 3600.0
# A job that was claimed is known to the engine at once; this leaves room for a slow commit.
LOST_AFTER = timedelta(seconds=60)

log = get_logger(__name__)


class Dispatcher:
    """A background thread; woken by the commit of a job and by a place that becomes free, and at least once a second.

    `alone` says that no other process can work on this record (an embedded profile, whose data directory is locked):
    then the work of every other executor is taken over at once instead of after `DEAD_AFTER`. Jobs that have ended are
    `kept_for` so long.
    """

    def __init__(self, record: Record, engine: JobEngine, *, alone: bool, kept_for: timedelta) -> None:
        self._record = record
        self._engine = engine
        self._alone = alone
        self._kept_for = kept_for
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._orphans: set[str] = set()
        self._thread = threading.Thread(target=self._loop, name="dispatcher", daemon=True)

    def open(self) -> None:
        """Take over what others left, then start the thread."""
        if self._alone:
            self._record.write(lambda unit: repository.forget_executors(unit, timedelta()))
        self._record.write(lambda unit: repository.beat(unit, self._engine.executor_id))
        self.take_over()
        self.redispatch_lost(timedelta())
        self._record.listen(repository.TOPIC, self._wake.set)
        self._engine.on_place = self._wake.set
        self._thread.start()

    def close(self) -> None:
        """Stop handing over jobs."""
        self._stop.set()
        self._wake.set()
        self._thread.join()

    def dispatch(self) -> int:
        """Start what is due, most urgent first, as far as there are places; gives how many jobs that were.

        While jobs that may take minutes have all places, small and urgent ones have one beside these.
        """
        return sum(self._fill(lane) for lane in Lane)

    def _fill(self, lane: Lane) -> int:
        started = 0
        while (places := self._engine.free(lane)) > 0:
            due = self._record.read(lambda read, places=places: self._due(read, lane, places))
            claimed = self._record.write(lambda unit, due=due: repository.claim_jobs(unit, due)) if due else []
            if not claimed:
                break
            for at, job_id in enumerate(claimed):
                try:
                    self._engine.start(job_id, lane)
                except BaseException:
                    self._record.write(
                        lambda unit, at=at, claimed=claimed: repository.mark_undispatched(unit, claimed[at:])
                    )
                    raise
            started += len(claimed)
        return started

    def _due(self, read: Connection, lane: Lane, limit: int) -> list[str]:
        background = self._engine.background
        match lane:
            case Lane.MAIN:
                return repository.undispatched_jobs(read, limit, but_types=background)
            case Lane.SMALL:
                return repository.undispatched_jobs(read, limit, but_types=background, priority_max=PRIORITY_SMALL)
            case Lane.BACKGROUND:
                return repository.undispatched_jobs(read, limit, types=background)

    def take_over(self) -> None:
        """Resume work whose executor is dead, and work that says it is ours but has not been here for two rounds.

        A connection that is reset while the engine claims a workflow leaves the latter kind.
        """
        alive = self._record.read(lambda connection: repository.live_executors(connection, DEAD_AFTER))
        ours, active = self._engine.executor_id, self._engine.active()
        pending = self._engine.pending()
        dead = {job for job, executor in pending.items() if executor not in alive | {ours}}
        absent = {job for job, executor in pending.items() if executor == ours and job not in active}
        lost = dead | (absent & self._orphans)
        self._orphans = absent - lost
        if lost:
            log.warning("jobs taken over", count=len(lost))
            self._engine.resume(sorted(lost))

    def redispatch_lost(self, older_than: timedelta = LOST_AFTER) -> None:
        """Hand over again what the engine does not know although it was handed over, as after a restored backup."""
        before = clock.now() - older_than
        open_jobs = self._record.read(lambda connection: repository.dispatched_jobs(connection, before, ROUND_JOBS_MAX))
        lost = self._engine.forget_lost(open_jobs) if open_jobs else []
        if lost:
            log.warning("jobs handed over again", count=len(lost))
            self._record.write(lambda unit: repository.mark_undispatched(unit, lost))

    def clean_up(self) -> None:
        """Forget jobs that ended longer ago than they are kept."""
        while gone := self._record.write(lambda unit: repository.forget_ended(unit, self._kept_for, ROUND_JOBS_MAX)):
            self._engine.forget(gone)

    def _loop(self) -> None:
        sweep = _Every(HEARTBEAT_SECONDS, self._sweep)
        clean_up = _Every(CLEAN_UP_SECONDS, self.clean_up)
        while not self._stop.is_set():
            try:
                sweep.call_if_due()
                clean_up.call_if_due()
                self.dispatch()
            except LumiError as error:
                log.error("dispatcher waits", reason=error.message)
            except Exception:
                log.exception("dispatcher failed")
            self._wake.wait(IDLE_SECONDS)
            self._wake.clear()

    def _sweep(self) -> None:
        self._record.write(lambda unit: repository.beat(unit, self._engine.executor_id))
        self.take_over()
        self._engine.keep_places()
        self.redispatch_lost()


class _Every:
    """Calls something every `seconds`, as nearly as it is asked."""

    def __init__(self, seconds: float, call: Callable[[], None]) -> None:
        self._seconds = seconds
        self._call = call
        self._due = time.monotonic() + seconds

    def call_if_due(self) -> None:
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + self._seconds
            self._call()
