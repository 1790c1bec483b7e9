"""Bring a database to the schema of this release."""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from lumikb.kit.errors import LumiError
from lumikb.store.record.engine import Record


class NewerSchemaError(LumiError):
    """The database was written by a newer release."""

    code = "NEWER_SCHEMA"


def migrate(record: Record, revision: str = "head") -> None:
    """Run all migrations up to `revision` in one transaction; raises `NewerSchemaError` for an unknown one."""
    config = _config()
    with record.writing() as unit:
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        present = MigrationContext.configure(unit.connection).get_current_revision()
        if present is not None and present not in known:
            raise NewerSchemaError(
                "This data was written by a newer release of LumiKB. Start that release, or restore a backup."
            )
        config.attributes["connection"] = unit.connection
        command.upgrade(config, revision)


def downgrade(record: Record, revision: str = "base") -> None:
    """Undo migrations down to `revision`; loses what the removed tables hold."""
    config = _config()
    with record.writing() as unit:
        config.attributes["connection"] = unit.connection
        command.downgrade(config, revision)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "lumikb.store.record:migrations")
    return config
