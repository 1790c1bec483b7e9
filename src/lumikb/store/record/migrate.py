"""Bring a database to the schema of this release."""

from typing import TYPE_CHECKING

from sqlalchemy import Connection, MetaData, Table, inspect, select

from lumikb.kit.errors import LumiError
from lumikb.store.record.engine import Record

if TYPE_CHECKING:
    from alembic.config import Config

# The newest revision. A database that is there already needs no Alembic, whose import takes .15 s of every start.
HEAD = "0008"


class NewerSchemaError(LumiError):
    """The database was written by a newer release."""

    code = "NEWER_SCHEMA"


def migrate(record: Record) -> None:
    """Run all migrations that are missing, in one transaction; raises `NewerSchemaError` for an unknown revision."""
    if record.read(_revision) == HEAD:
        return
    from alembic import command
    from alembic.script import ScriptDirectory

    config = _config()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    with record.writing() as unit:
        present = _revision(unit.connection)
        if present is not None and present not in known:
            raise NewerSchemaError(
                "This data was written by a newer release of LumiKB. Start that release, or restore a backup."
            )
        config.attributes["connection"] = unit.connection
        command.upgrade(config, "head")


def downgrade(record: Record, revision: str = "base") -> None:
    """Undo migrations down to `revision`; loses what the removed tables hold."""
    from alembic import command

    config = _config()
    with record.writing() as unit:
        config.attributes["connection"] = unit.connection
        command.downgrade(config, revision)


def _revision(connection: Connection) -> str | None:
    """The revision that the database is at, None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    table = Table("alembic_version", MetaData(), autoload_with=connection)
    return connection.execute(select(table.c.version_num)).scalar()


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "lumikb.store.record:migrations")
    return config
