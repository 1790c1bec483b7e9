"""The dispatcher: hands jobs of the record to the engine, and takes over the work of processes that died."""

import threading
from collections.abc import Callable
from datetime import timedelta

from lumikb.kit import clock
from lumikb.kit.errors import LumiError
from lumikb.kit.telemetry import get_logger
from lumikb.store.jobs import repository
from lumikb.store.jobs.engine import JobEngine
from lumikb.store.jobs.models import DEAD_AFTER, PRIORITY_SMALL
from lumikb.store.record.engine import Record

# Open jobs that the engine is given at most: the others wait in the record, in the order of their priority, where ten
# thousand of them cost the engine nothing.
ENGINE_JOBS_MAX = 200
# Small ones among them, while others have all workers.
SMALL_JOBS_MAX = 10
IDLE_SECONDS = 1.0
HEARTBEAT_SECONDS = 5.0
CLEAN_UP_SECONDS = 3600.0
# A job that was handed over is known to the engine at once; this leaves room for a slow commit.
LOST_AFTER = timedelta(seconds=60)

log = get_logger(__name__)


class Dispatcher:
    """A background thread; woken by the commit of a job, and at least once a second.

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
        self._thread.start()

    def close(self) -> None:
        """Stop handing over jobs."""
        self._stop.set()
        self._wake.set()
        self._thread.join()

    def dispatch(self) -> int:
        """Hand over what is due, most urgent first, as long as the engine has room; gives how many jobs that were.

        While jobs that may take minutes have all workers, small ones are handed to the place beside these, a few at a
        time and even when there is no room for more; the others of them wait in the record for either.
        """
        small, others = self._record.read(repository.count_dispatched)
        room = ENGINE_JOBS_MAX - small - others
        busy = others >= self._engine.concurrency
        beside = SMALL_JOBS_MAX - small if busy else 0
        if max(room, beside) <= 0:
            return 0
        due = self._record.read(lambda connection: repository.undispatched_jobs(connection, max(room, beside)))
        handed_over: list[str] = []
        try:
            for job in due:
                aside = busy and job.priority == PRIORITY_SMALL
                if (beside if aside else room) <= 0:
                    continue
                self._engine.enqueue(job, aside=aside)
                handed_over.append(job.id)
                room -= 1
                beside -= aside
        finally:
            # A crash before this line hands the same jobs over again, which the engine ignores.
            if handed_over:
                self._record.write(lambda unit: repository.mark_dispatched(unit, handed_over))
        return len(handed_over)

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
        open_jobs = self._record.read(
            lambda connection: repository.dispatched_jobs(connection, before, ENGINE_JOBS_MAX)
        )
        lost = self._engine.forget_lost(open_jobs) if open_jobs else []
        if lost:
            log.warning("jobs handed over again", count=len(lost))
            self._record.write(lambda unit: repository.mark_undispatched(unit, lost))

    def clean_up(self) -> None:
        """Forget jobs that ended longer ago than they are kept."""
        while gone := self._record.write(lambda unit: repository.forget_ended(unit, self._kept_for, ENGINE_JOBS_MAX)):
            self._engine.forget(gone)

    def _loop(self) -> None:
        sweep = _Every(HEARTBEAT_SECONDS, self._sweep)
        clean_up = _Every(CLEAN_UP_SECONDS, self.clean_up)
        while not self._stop.is_set():
            try:
                sweep.tick(IDLE_SECONDS)
                clean_up.tick(IDLE_SECONDS)
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
        self.redispatch_lost()


class _Every:
    """Calls something about every `seconds`, measured in ticks of a loop."""

    def __init__(self, seconds: float, call: Callable[[], None]) -> None:
        self._seconds = seconds
        self._call = call
        self._passed = 0.0

    def tick(self, seconds: float) -> None:
        self._passed += seconds
        if self._passed >= self._seconds:
            self._passed = 0.0
            self._call()
