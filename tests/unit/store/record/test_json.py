from typing import Any

import pytest
from sqlalchemy import insert, select

from lumikb.kit import clock
from lumikb.store.record.engine import Record
from lumikb.store.record.json import Scalar, has_entry
from lumikb.store.record.tables.operations import settings

VALUES: dict[str, dict[str, Any]] = {
    "text": {"shelf": "north", "é\"'$.[0] \\ %": "ü"},
    "number": {"shelf": 1},
    "decimal": {"shelf": 1.5, "n": 2.0},
    "truth": {"shelf": True, "off": False},
    "digits": {"shelf": "1"},
    "list": {"shelf": ["north"], "n": None},
    "deep": {"shelf": {"shelf": "north"}},
    "nothing": {},
}


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("shelf", "north", {"text"}),
        ("shelf", 1, {"number"}),
        ("shelf", 1.0, {"number"}),
        ("shelf", 1.5, {"decimal"}),
        ("n", 2, {"decimal"}),
        ("shelf", True, {"truth"}),
        ("off", False, {"truth"}),
        ("off", 0, set()),
        ("shelf", "1", {"digits"}),
        ("é\"'$.[0] \\ %", "ü", {"text"}),
        ("absent", "", set()),
        ("", "", set()),
        ("shelf", "' OR 1=1 --", set()),
    ],
)
def test_an_entry_is_found_by_key_type_and_value(record: Record, key: str, value: Scalar, found: set[str]) -> None:
    rows = [{"key": name, "value": entries, "updated_at": clock.now()} for name, entries in VALUES.items()]
    record.write(lambda unit: unit.connection.execute(insert(settings), rows))
    statement = select(settings.c.key).where(has_entry(settings.c.value, key, value))
    assert set(record.read(lambda read: list(read.execute(statement).scalars()))) == found
