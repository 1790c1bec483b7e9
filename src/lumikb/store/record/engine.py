"""The record: one object that gives read transactions and units of work, on SQLite and on PostgreSQL."""

import asyncio
import contextvars
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy.orm  # noqa: F401 # pyright: ignore[reportUnusedImport] - the job engine imports it in a thread, while requests would meet it half-made
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DataError, InterfaceError, OperationalError

from lumikb.kit.errors import InvalidInputError
from lumikb.store.record.errors import RecordUnavailableError

Result = TypeVar("Result")

# A write that waits longer than this for SQLite's write lock (held by another process) fails as unavailable.
BUSY_TIMEOUT_SECONDS = 30


class UnitOfWork:
    """One write transaction: everything in it is committed together, or nothing.

    `notify(topic)` wakes listeners of the topic in this process, after the commit and only then.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.topics: set[str] = set()

    def notify(self, topic: str) -> None:
        """Wake the topic's listeners once this unit of work has been committed."""
        self.topics.add(topic)


def sqlite_url(path: Path) -> str:
    """The URL of an SQLite file."""
    return f"sqlite:///{path}"


class Record:
    """The system of record behind a URL. Cheap to make; `open` connects, `close` lets go.

    `read` and `write` block and may be called from any thread; `read_async` and `write_async` run them in small pools
    off the event loop. A read never takes the write lock; SQLite writers of one process queue up in front of it. Work
    may run only once: nothing is retried. Vendor errors that mean "no database" become `RecordUnavailableError`,
    those that mean "not this value" `InvalidInputError`.
    """

    def __init__(self, url: str, *, readers: int = 8) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._readers = readers
        self._write_lock = threading.Lock()
        self._listeners: dict[str, list[Callable[[], None]]] = {}

    def open(self) -> None:
        """Make engines and thread pools; connects lazily."""
        if self.is_sqlite:
            self._read_engine = _sqlite_engine(self.url.render_as_string(False), "BEGIN", self._readers + 4)
            self._write_engine = _sqlite_engine(self.url.render_as_string(False), "BEGIN IMMEDIATE", 1)
        else:
            engine = create_engine(self.url, pool_size=self._readers * 2, max_overflow=8, pool_pre_ping=True)
            self._write_engine = engine
            self._read_engine = engine.execution_options(postgresql_readonly=True, isolation_level="REPEATABLE READ")
        self._slow_pool = ThreadPoolExecutor(self._readers, "record-slow")
        self._read_pool = ThreadPoolExecutor(self._readers, "record-read")
        self._write_pool = ThreadPoolExecutor(1 if self.is_sqlite else self._readers, "record-write")

    def close(self) -> None:
        """Wait for running work, then let go of all connections."""
        self._slow_pool.shutdown()
        self._read_pool.shutdown()
        self._write_pool.shutdown()
        self._read_engine.dispose()
        self._write_engine.dispose()

    @property
    def write_engine(self) -> Engine:
        """The engine that writes; for migrations."""
        return self._write_engine

    def listen(self, topic: str, callback: Callable[[], None]) -> None:
        """Call `callback` after each commit that notified `topic`; it must be quick and must not raise."""
        self._listeners.setdefault(topic, []).append(callback)

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """A read transaction: one consistent view of the record."""
        with _translated(), self._read_engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Generator[UnitOfWork]:
        """A unit of work: committed at the end of the block, rolled back when it raises."""
        with self._write_turn(), _translated(), self._write_engine.begin() as connection:
            unit = UnitOfWork(connection)
            yield unit
        for topic in unit.topics:
            for callback in self._listeners.get(topic, ()):
                callback()

    def read(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in a read transaction."""
        with self.reading() as connection:
            return work(connection)

    def write(self, work: Callable[[UnitOfWork], Result]) -> Result:
        """Run `work` as one unit of work."""
        with self.writing() as unit:
            return work(unit)

    async def read_async(self, work: Callable[[Connection], Result]) -> Result:
        """`read`, off the event loop."""
        context = contextvars.copy_context()  # so that log lines and audit rows know the request
        return await asyncio.get_running_loop().run_in_executor(self._read_pool, lambda: context.run(self.read, work))

    async def in_read_pool(self, work: Callable[[], Result]) -> Result:
        """Run blocking work that opens its own read transactions off the event loop."""
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._read_pool, lambda: context.run(work))

    async def in_slow_pool(self, work: Callable[[], Result]) -> Result:
        """Run a use case that opens its own transactions (it hashes passwords between them) off the event loop."""
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._slow_pool, lambda: context.run(work))

    async def write_async(self, work: Callable[[UnitOfWork], Result]) -> Result:
        """`write`, off the event loop."""
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._write_pool, lambda: context.run(self.write, work))

    def check(self) -> None:
        """Raise `RecordUnavailableError` unless the database answers."""
        self.read(lambda connection: connection.execute(text("SELECT 1")).scalar_one())

    @contextmanager
    def _write_turn(self) -> Generator[None]:
        if not self.is_sqlite:
            yield
            return
        with self._write_lock:
            yield


@contextmanager
def _translated() -> Generator[None]:
    try:
        yield
    except (OperationalError, InterfaceError) as exc:
        raise RecordUnavailableError("The database does not answer. Try again in a moment.") from exc
    # PostgreSQL takes no NUL, and keeps to the lengths of the schema; SQLite's driver takes no integer past 64 bits.
    except (DataError, OverflowError) as exc:
        raise InvalidInputError("This holds a character or a value that the database does not take.") from exc


def _sqlite_engine(url: str, begin: str, size: int) -> Engine:
    engine = create_engine(
        url, pool_size=size, max_overflow=0, connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_SECONDS}
    )
    read_only = begin == "BEGIN"

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: object) -> None:  # pyright: ignore[reportUnusedFunction]
        # The driver must not start transactions by itself: `begin` below decides which lock is taken.
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"query_only={'ON' if read_only else 'OFF'}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.exec_driver_sql(begin)

    return engine
