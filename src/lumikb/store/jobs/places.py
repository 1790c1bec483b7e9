"""The places of one process: which jobs run in it, and for which a place is kept."""

import threading
import time
from collections.abc import Mapping
from enum import StrEnum

# A place is kept so long for a job that was started or resumed and has not begun.
KEPT_SECONDS = 10.0


class Lane(StrEnum):
    """Where a job has its place: jobs of one lane never wait for those of another.

    `MAIN` has as many as there are workers. One small job goes beside these while they are all at work, and one of
    those that may take hours.
    """

    MAIN = "jobs"
    SMALL = "small"
    BACKGROUND = "background"


class Places:
    """Places by lane, so many of each; safe to use from any thread."""

    def __init__(self, sizes: Mapping[Lane, int]) -> None:
        self.sizes = sizes
        self._lock = threading.Lock()
        self._active: dict[str, Lane] = {}
        self._kept: dict[str, tuple[Lane, float]] = {}

    def free(self, lane: Lane) -> int:
        """How many places nobody has and none is kept for; negative while more run than there are places."""
        now = time.monotonic()
        with self._lock:
            self._kept = {job_id: kept for job_id, kept in self._kept.items() if kept[1] > now}
            taken = [*self._active.values(), *(kept_lane for kept_lane, _ in self._kept.values())]
        return self.sizes[lane] - taken.count(lane)

    def keep(self, job_id: str, lane: Lane) -> None:
        """Keep a place for `KEPT_SECONDS`, unless the job has begun."""
        with self._lock:
            if job_id not in self._active:
                self._kept[job_id] = (lane, time.monotonic() + KEPT_SECONDS)

    def kept(self) -> dict[str, Lane]:
        """Jobs that have not begun, by id."""
        with self._lock:
            return {job_id: lane for job_id, (lane, _) in self._kept.items()}

    def take(self, job_id: str, lane: Lane) -> None:
        """The job begins: in the lane where a place is kept for it, else in `lane`."""
        with self._lock:
            kept = self._kept.pop(job_id, None)
            self._active[job_id] = lane if kept is None else kept[0]

    def leave(self, job_id: str) -> None:
        """The job has ended, or goes on elsewhere."""
        with self._lock:
            del self._active[job_id]

    def active(self) -> set[str]:
        """Jobs that run now."""
        with self._lock:
            return set(self._active)
