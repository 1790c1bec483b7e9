"""What a search may ask."""

import math
from typing import Any

import pytest

from lumikb.kit.errors import InvalidInputError
from lumikb.retrieval.models import LIMIT_MAX, QUERY_CHARS_MAX, Filters, SearchRequest
from lumikb.retrieval.routes import split_ids


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("query", {"query": ""}),
        ("query", {"query": " \n\t"}),
        ("query", {"query": "a" * (QUERY_CHARS_MAX + 1)}),
        ("limit", {"limit": 0}),
        ("limit", {"limit": LIMIT_MAX + 1}),
        ("min_score", {"min_score": -0.1}),
        ("min_score", {"min_score": 1.1}),
        ("min_score", {"min_score": math.nan}),
        ("keyword_weight", {"keyword_weight": -0.1}),
        ("keyword_weight", {"keyword_weight": 1.1}),
    ],
)
def test_a_search_out_of_bounds_is_refused_by_the_name_of_its_field(field: str, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError) as caught:
        SearchRequest(**{"query": "q"} | changes)
    assert caught.value.details["field"] == field


@pytest.mark.parametrize(
    "changes", [{"query": "a" * QUERY_CHARS_MAX}, {"limit": LIMIT_MAX}, {"min_score": 1.0}, {"keyword_weight": 0.0}]
)
def test_the_bounds_themselves_are_allowed(changes: dict[str, Any]) -> None:
    assert SearchRequest(**{"query": "q"} | changes)


def test_filters_narrow_once_one_is_set() -> None:
    assert not Filters().narrow
    assert Filters(tags=("a",)).narrow
    assert Filters(document_ids=()).narrow


@pytest.mark.parametrize(
    ("given", "expected"),
    [(None, None), (["a"], ["a"]), (["a,b", " c "], ["a", "b", "c"])],
)
def test_ids_may_be_repeated_or_separated_by_commas(given: list[str] | None, expected: list[str] | None) -> None:
    assert split_ids(given) == expected


@pytest.mark.parametrize("given", [[], [""], [",,"]])
def test_a_list_of_no_ids_does_not_mean_all(given: list[str]) -> None:
    with pytest.raises(InvalidInputError):
        split_ids(given)
