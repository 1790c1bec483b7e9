"""A job: long work that a user can see, and the port behind which the work lies."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from lumikb.store.record.engine import UnitOfWork

Result = TypeVar("Result")

# What is soon done goes before what takes minutes, and has a place of its own beside it (see `Dispatcher.dispatch`).
PRIORITY_SMALL = 9
PRIORITY_INTERACTIVE = 10
PRIORITY_BULK = 100
PRIORITY_BACKGROUND = 2000

# A process that was silent for so long is dead.
DEAD_AFTER = timedelta(seconds=20)


class JobStatus(StrEnum):
    """Where a job stands. `PARKED` has been given up: it ended its process, or its parser's, again and again."""

    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PARKED = "parked"

    @classmethod
    def of(cls, word: str) -> "JobStatus":
        """The status that the record says; FAILED for a word that is none, which `verify` names."""
        return next((status for status in cls if status == word), cls.FAILED)


OPEN = (JobStatus.QUEUED, JobStatus.PROCESSING)


@dataclass(frozen=True)
class Job:
    """A job as the record shows it.

    `progress` is in percent; a smaller `priority` is sooner; `blobs` are what its steps hand to each
    other; `result` counts what a completed job did. `attempts_at_step` is how many attempts
    there had been when its newest step ended.
    """

    id: str
    type: str
    status: JobStatus
    priority: int
    progress: float
    message: str | None
    attempts: int
    attempts_at_step: int
    error_code: str | None
    error_message: str | None
    kb_id: str | None
    document_id: str | None
    payload: dict[str, Any]
    blobs: list[str]
    result: dict[str, int] | None
    created_by: str
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class Steps(Protocol):
    """Runs the steps of a job durably: a step that has ended is not run again, its result is replayed.

    A step's result is a small JSON-ready value (keys, never bytes). A step may run more than once if the process dies
    in it, so its effect must be idempotent. Retryable errors are retried with backoff; all others leave the job.
    """

    def run(self, name: str, step: Callable[..., Result], *args: Any) -> Result:
        """Run `step(*args)` under `name`, unique within the job, or give its earlier result."""
        ...


class JobHandler(Protocol):
    """The work behind one job type. `cancellable` tells whether a user may cancel such a job."""

    cancellable: bool

    def run(self, job: Job, steps: Steps) -> None:
        """Do the work; raises `LumiError` with a sentence for the user when it cannot be done."""
        ...

    def fail(self, unit: UnitOfWork, job: Job, code: str, message: str) -> None:
        """Write down the failure in the same unit of work that ends the job."""
        ...

    def clear(self, job: Job) -> None:
        """Remove what the steps left for each other, once the job has ended in whatever way; may be repeated."""
        ...
