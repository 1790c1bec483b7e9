"""If-None-Match headers."""

import pytest

from lumikb.http.conditions import is_known


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], False),
        ([""], False),
        (['"a"'], True),
        (['W/"a"'], True),
        (["*"], True),
        ([" * "], True),
        (['"b", W/"a"'], True),
        (['"b","a"'], True),
        (['"b"', '"a"'], True),
        (['"b, c", "a"'], True),
        (['"b"'], False),
        (["a"], False),
        (['"*"'], False),
        (['"A"'], False),
        (['"a'], False),
    ],
)
def test_a_tag_is_known(values: list[str], expected: bool) -> None:
    assert is_known(values, '"a"') is expected
