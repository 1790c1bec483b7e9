"""Fixtures that every kind of test shares."""

import shutil
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from sqlalchemy import make_url
from support.postgres import PostgresServer, running_postgres

from lumikb.store.record.engine import Record, sqlite_url
from lumikb.store.record.migrate import migrate

DATABASES = ["sqlite", "postgresql"]

HTTP_CONTRACT = Path(__file__).parent / "contract" / "http"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where several processes run the tests, one of them runs those of a file, and one those of the HTTP contract.

    So one server with one library serves these.
    """
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            together = HTTP_CONTRACT if item.path.is_relative_to(HTTP_CONTRACT) else item.path
            item.add_marker(pytest.mark.xdist_group(together.name))


@pytest.fixture(scope="session")
def postgres() -> Generator[PostgresServer]:
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresServer) -> str:
    """The name of a database at the newest schema, to copy."""
    url = postgres.new_database()
    _migrate(url)
    return make_url(url).database or ""


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a file."""
    path = tmp_path_factory.mktemp("template") / "record.sqlite3"
    _migrate(sqlite_url(path))
    return path


@pytest.fixture(params=DATABASES)
def empty_record(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Record]:
    """A record without tables, on each database."""
    if request.param == "sqlite":
        url = sqlite_url(tmp_path / "record.sqlite3")
    else:
        url = request.getfixturevalue("postgres").new_database()
    yield from _opened(url)


@pytest.fixture(params=DATABASES)
def record(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Record]:
    """A record at the newest schema, on each database: a copy, which is made in a tenth of the time."""
    given: Callable[[str], str | Path] = request.getfixturevalue
    if request.param == "sqlite":
        url = sqlite_url(Path(shutil.copy(given("sqlite_template"), tmp_path / "record.sqlite3")))
    else:
        url = request.getfixturevalue("postgres").new_database(template=given("postgres_template"))
    yield from _opened(url)


def _migrate(url: str) -> None:
    record = Record(url, readers=1)
    record.open()
    migrate(record)
    record.close()


def _opened(url: str) -> Generator[Record]:
    record = Record(url, readers=2)
    record.open()
    yield record
    record.close()
