"""Engines on a record and a job store of their own."""

import shutil
import threading
from collections.abc import Callable, Collection, Generator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lumikb.store.jobs import repository
from lumikb.store.jobs.dispatcher import Dispatcher
from lumikb.store.jobs.engine import JobEngine
from lumikb.store.jobs.models import Job, JobHandler, JobStatus, Steps
from lumikb.store.record.engine import Record, UnitOfWork, sqlite_url
from lumikb.store.record.migrate import migrate

TYPE, TYPE_OF_HOURS = "test.work", "test.long"
NOBODY = "00000000-0000-7000-8000-000000000000"


class Handler:
    """A job handler made of functions, which notes what it was told."""

    cancellable = True

    def __init__(self, *steps: Callable[[Job], Any]) -> None:
        self.steps = steps
        self.failures: list[tuple[str, str, str]] = []
        self.results: list[list[Any]] = []
        self.cleared: list[tuple[str, JobStatus]] = []

    def run(self, job: Job, steps: Steps) -> None:
        self.results.append([steps.run(f"step-{at}", step, job) for at, step in enumerate(self.steps)])

    def fail(self, unit: UnitOfWork, job: Job, code: str, message: str) -> None:
        self.failures.append((job.id, code, message))

    def clear(self, job: Job) -> None:
        self.cleared.append((job.id, job.status))


class Workshop:
    """A record with jobs, and the engines that work on them one after the other."""

    def __init__(self, record: Record, store_url: str) -> None:
        self.record = record
        self.store_url = store_url
        self.engine: JobEngine | None = None

    def open(
        self, handler: JobHandler, *, attempts_max: int = 3, concurrency: int = 2, background: Collection[str] = ()
    ) -> JobEngine:
        assert self.engine is None
        handlers = {TYPE: handler, TYPE_OF_HOURS: handler}
        self.engine = JobEngine(
            self.record,
            self.store_url,
            handlers,
            threading.Event(),
            concurrency=concurrency,
            attempts_max=attempts_max,
            deaths_max=attempts_max,
            background=background,
        )
        self.engine.open()
        return self.engine

    def close(self, drain_seconds: int = 5) -> None:
        engine, self.engine = self.engine, None
        if engine is not None:
            engine.close(drain_seconds)

    def dispatcher(self, *, alone: bool = True) -> Dispatcher:
        assert self.engine is not None
        return Dispatcher(self.record, self.engine, alone=alone, kept_for=timedelta(days=30))

    def create(self, *, job_type: str = TYPE, **values: Any) -> str:
        return self.record.write(lambda unit: repository.create_job(unit, job_type, created_by=NOBODY, **values))

    def job(self, job_id: str) -> Job:
        return self.record.read(lambda connection: repository.get_job(connection, job_id))


@pytest.fixture(scope="session")
def job_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The engine's store as its 125 migrations leave it."""
    path = tmp_path_factory.mktemp("store") / "jobs.sqlite3"
    made = Workshop(Record(sqlite_url(path.with_name("record.sqlite3"))), sqlite_url(path))
    made.open(Handler())
    made.close(0)
    return path


@pytest.fixture
def workshop(tmp_path: Path, job_store: Path) -> Generator[Workshop]:
    shutil.copy(job_store, tmp_path / "jobs.sqlite3")
    record = Record(sqlite_url(tmp_path / "record.sqlite3"), readers=2)
    record.open()
    migrate(record)
    made = Workshop(record, sqlite_url(tmp_path / "jobs.sqlite3"))
    yield made
    made.close(0)
    record.close()


@pytest.fixture
def gate() -> Generator[threading.Event]:
    """What a step may wait for; opened at the end, so that no thread is left behind."""
    event = threading.Event()
    yield event
    event.set()
