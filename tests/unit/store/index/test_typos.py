"""Words near to another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumikb.store.index.analysis import Analysis, LexicalRow
from lumikb.store.index.typos import distance, distance_allowed, guesses

ANALYSIS = Analysis()


def words_near(word: str, *texts: str) -> list[str]:
    rows = [ANALYSIS.row(LexicalRow(key, "kb", "d", text)) for key, text in enumerate(texts)]
    return [clause.terms[0] for clause in guesses(word, rows)]


@pytest.mark.parametrize(
    ("one", "other", "steps"),
    [
        ("kestrel", "kestrel", 0),
        ("kestrel", "kestral", 1),
        ("kestrel", "ketsrel", 1),
        ("kestrel", "kestre", 1),
        ("kestrel", "akestrel", 1),
        ("odegaard", "odegard", 1),
        ("odegaard", "odgaadr", 2),
        ("abc", "xyz", 3),
        ("", "ab", 2),
    ],
)
def test_steps_are_counted(one: str, other: str, steps: int) -> None:
    assert distance(one, other, 3) == distance(other, one, 3) == steps


@given(st.text("abc", max_size=8), st.text("abc", max_size=8), st.integers(0, 2))
def test_what_lies_beyond_the_bound_is_told_to(one: str, other: str, most: int) -> None:
    exact = distance(one, other, 100)
    assert distance(one, other, most) == exact or (exact > most and distance(one, other, most) > most)


def test_short_words_may_be_off_by_one_and_long_ones_by_two() -> None:
    assert (distance_allowed("bark"), distance_allowed("barking"), distance_allowed("barkings")) == (1, 1, 2)


def test_the_nearest_words_are_meant_and_those_of_most_rows_first() -> None:
    assert words_near("kestrol", "the kestrel flew", "a kestrel", "kestril, the brand") == ["kestrel", "kestril"]
    assert words_near("odegaardd", "Maren Odegaard", "Odegard's brother") == ["odegaard"]
    assert words_near("ab1234", "AB1243 and ab1235", "AC1234") == ["ac1234"]
    assert words_near("zeppelin", "nothing of the kind") == []
