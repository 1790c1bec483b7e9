import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from lumikb.store.record.engine import Record
from lumikb.store.record.migrate import HEAD, NewerSchemaError, downgrade, migrate
from lumikb.store.record.tables import metadata


def table_names(record: Record) -> set[str]:
    return record.read(lambda connection: set(inspect(connection).get_table_names()))


def test_up_down_up_builds_the_same_tables(empty_record: Record) -> None:
    migrate(empty_record)
    first = table_names(empty_record)
    assert set(metadata.tables) <= first
    downgrade(empty_record)
    assert table_names(empty_record) == {"alembic_version"}
    migrate(empty_record)
    assert table_names(empty_record) == first


def test_migrations_build_the_declared_schema(record: Record) -> None:
    with record.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_migrating_twice_changes_nothing(record: Record) -> None:
    before = table_names(record)
    migrate(record)
    assert table_names(record) == before


def test_data_of_a_newer_release_is_refused(record: Record) -> None:
    with record.writing() as unit:
        unit.connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NewerSchemaError, match="newer release"):
        migrate(record)


def test_the_newest_revision_is_known_without_alembic() -> None:
    config = Config()
    config.set_main_option("script_location", "lumikb.store.record:migrations")
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD
