"""Fixtures that every kind of test shares."""

from collections.abc import Generator
from pathlib import Path

import pytest
from support.postgres import PostgresServer, running_postgres

from lumikb.store.record.engine import Record, sqlite_url
from lumikb.store.record.migrate import migrate


@pytest.fixture(scope="session")
def postgres() -> Generator[PostgresServer]:
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_record(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Record]:
    """A record without tables, on each database."""
    if request.param == "sqlite":
        url = sqlite_url(tmp_path / "record.sqlite3")
    else:
        url = request.getfixturevalue("postgres").new_database()
    record = Record(url, readers=2)
    record.open()
    yield record
    record.close()


@pytest.fixture
def record(empty_record: Record) -> Record:
    """A record at the newest schema, on each database."""
    migrate(empty_record)
    return empty_record
