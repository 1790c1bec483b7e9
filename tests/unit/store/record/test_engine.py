import threading
from datetime import datetime

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import StatementError

from lumikb.kit import clock
from lumikb.kit.errors import InvalidInputError
from lumikb.store.record.engine import Record, UnitOfWork, sqlite_url
from lumikb.store.record.errors import RecordUnavailableError
from lumikb.store.record.tables.operations import settings
from lumikb.store.record.tables.work import jobs


def put(unit: UnitOfWork, key: str, value: object) -> None:
    unit.connection.execute(insert(settings).values(key=key, value=value, updated_at=clock.now()))


def keys(record: Record) -> list[str]:
    return record.read(lambda connection: list(connection.execute(select(settings.c.key)).scalars()))


def test_a_unit_of_work_is_all_or_nothing(record: Record) -> None:
    def fail(unit: UnitOfWork) -> None:
        put(unit, "one", 1)
        raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        record.write(fail)
    assert keys(record) == []
    record.write(lambda unit: put(unit, "one", {"a": [1, None]}))
    value = record.read(lambda connection: connection.execute(select(settings.c.value)).scalar_one())
    assert value == {"a": [1, None]}


def test_listeners_hear_a_topic_after_the_commit_and_only_then(record: Record) -> None:
    heard: list[list[str]] = []
    record.listen("topic", lambda: heard.append(keys(record)))

    def notify(unit: UnitOfWork) -> None:
        put(unit, "one", 1)
        unit.notify("topic")
        unit.notify("other")
        assert heard == []

    record.write(notify)
    assert heard == [["one"]]


def test_a_reader_sees_one_view_while_others_write(record: Record) -> None:
    with record.reading() as connection:
        assert list(connection.execute(select(settings.c.key))) == []
        record.write(lambda unit: put(unit, "one", 1))
        assert list(connection.execute(select(settings.c.key))) == []
    assert keys(record) == ["one"]


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30])
def test_a_number_that_no_column_holds_is_refused(record: Record, number: int) -> None:
    with pytest.raises(InvalidInputError):
        record.read(lambda connection: connection.execute(select(settings.c.key).limit(number)).all())
    with pytest.raises(InvalidInputError):
        record.write(lambda unit: unit.connection.execute(update(jobs).values(priority=number)))


def test_a_read_cannot_write(record: Record) -> None:
    with pytest.raises((StatementError, RecordUnavailableError)):
        record.read(
            lambda connection: connection.execute(insert(settings).values(key="k", value=1, updated_at=clock.now()))
        )
    assert keys(record) == []


def test_concurrent_writers_lose_no_update(record: Record) -> None:
    record.write(lambda unit: put(unit, "count", 0))

    def increment(unit: UnitOfWork) -> None:
        row = select(settings.c.value).where(settings.c.key == "count").with_for_update()
        value = unit.connection.execute(row).scalar_one()
        unit.connection.execute(update(settings).where(settings.c.key == "count").values(value=value + 1))

    threads = [threading.Thread(target=lambda: [record.write(increment) for _ in range(10)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert record.read(lambda connection: connection.execute(select(settings.c.value)).scalar_one()) == 40


def test_moments_come_back_in_utc_and_naive_ones_are_refused(record: Record) -> None:
    moment = clock.now()
    record.write(lambda unit: unit.connection.execute(insert(settings).values(key="k", value=1, updated_at=moment)))
    stored = record.read(lambda connection: connection.execute(select(settings.c.updated_at)).scalar_one())
    assert stored == moment
    assert stored.utcoffset() is not None
    with pytest.raises(StatementError, match="time zone"):
        record.write(
            lambda unit: unit.connection.execute(
                insert(settings).values(key="n", value=1, updated_at=datetime(2026, 1, 1))
            )
        )


def test_a_database_that_is_not_there_is_unavailable(tmp_path: object) -> None:
    record = Record(sqlite_url(tmp_path / "missing" / "record.sqlite3"))  # type: ignore[operator]
    record.open()
    with pytest.raises(RecordUnavailableError):
        record.check()
    record.close()
