"""JSON bodies are read as they are."""

from typing import Any, cast

import msgspec
import pytest

from lumikb.api.app import ROUTERS
from lumikb.http.bodies import wrong_field


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    numbers: list[int] = []


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    inner: Inner | None = None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": 5}, "name"),
        ({"name": "a", "more": 1}, "more"),
        ({"name": "a", "inner": {"more": 1}}, "inner.more"),
        ({"name": "a", "inner": {"numbers": [1, "2"]}}, "inner.numbers[1]"),
        ([], ""),
    ],
    ids=str,
)
def test_the_field_is_named(body: Any, field: str) -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        msgspec.convert(body, Outer)
    error = wrong_field(raised.value)
    assert error.details == {"field": field}
    assert error.message.startswith(field)
    assert "$" not in error.message


def test_every_body_refuses_fields_that_it_does_not_know() -> None:
    kinds = [
        kind
        for router in ROUTERS
        for route in router.routes
        for handler in cast(Any, route).route_handlers
        if (field := handler.parsed_data_field) is not None
        for kind in (field.annotation, *(inner.annotation for inner in field.inner_types))
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct)
    ]
    assert len(kinds) > 8
    assert [kind.__name__ for kind in kinds if not kind.__struct_config__.forbid_unknown_fields] == []
