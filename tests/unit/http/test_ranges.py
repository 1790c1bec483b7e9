"""Range headers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumikb.http.ranges import RangeNotSatisfiableError, byte_range


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("", None),
        ("bytes=0-3", (0, 4)),
        (" bytes=0-3 ", (0, 4)),
        ("bytes=0-0", (0, 1)),
        ("bytes=9-9", (9, 10)),
        ("bytes=5-", (5, 10)),
        ("bytes=0-", (0, 10)),
        ("bytes=0-999", (0, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-10", (0, 10)),
        ("bytes=-999", (0, 10)),
        ("BYTES=0-3", (0, 4)),
        ("bytes=2-" + "9" * 5000, (2, 10)),
        ("bytes=-" + "9" * 5000, (0, 10)),
        ("bytes=" + "0" * 5000 + "2-" + "0" * 5000 + "3", (2, 4)),
    ],
)
def test_a_range_of_a_file_of_ten_bytes(header: str | None, expected: tuple[int, int] | None) -> None:
    assert byte_range(header, 10) == expected


@pytest.mark.parametrize(
    "header",
    [
        *("items=0-1", "bytes=0-1,3-4", "bytes=a-b", "bytes=-", "bytes 0-1", "bytes=1", "bytes=--1", "bytes= 0-3"),
        *("bytes=5-3", "bytes=99-98", "bytes=5-3,0-1", "bytes=\u0663-5"),
        *("bytes=" + "9" * 5000, "bytes=" + "9" * 5000 + "-1"),
    ],
)
def test_what_is_not_one_range_of_bytes_gives_the_whole_file(header: str) -> None:
    assert byte_range(header, 10) is None


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-11", "bytes=99-", "bytes=-0", "bytes=" + "9" * 5000 + "-"])
def test_a_range_outside_of_the_file_is_refused_with_its_size(header: str) -> None:
    with pytest.raises(RangeNotSatisfiableError) as caught:
        byte_range(header, 10)
    assert caught.value.details == {"size": 10}


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=0-0", "bytes=-1"])
def test_an_empty_file_has_no_range(header: str) -> None:
    with pytest.raises(RangeNotSatisfiableError):
        byte_range(header, 0)


@given(st.text(max_size=40) | st.from_regex(r"bytes=\d*-\d*", fullmatch=True), st.integers(0, 1 << 40))
def test_a_range_always_lies_within_the_file(header: str, size: int) -> None:
    try:
        found = byte_range(header, size)
    except RangeNotSatisfiableError:
        return
    if found is not None:
        start, end = found
        assert 0 <= start < end <= size
