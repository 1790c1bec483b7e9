"""Fusion of the two legs: its properties."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumikb.retrieval.fusion import fuse, min_max

LEG = st.dictionaries(st.integers(1, 40), st.floats(-1e6, 1e6), max_size=20)
WEIGHT = st.floats(0, 1)


def test_min_max_spreads_scores_over_zero_to_one() -> None:
    assert min_max({1: 2.0, 2: 4.0, 3: 3.0}) == {1: 0.0, 2: 1.0, 3: 0.5}


def test_equal_scores_are_all_the_best() -> None:
    assert min_max({1: 3.0, 2: 3.0}) == {1: 1.0, 2: 1.0}
    assert min_max({1: 0.0}) == {1: 1.0}


def test_no_scores_stay_none() -> None:
    assert min_max({}) == {}
    assert fuse({}, {}, 0.5) == []


def test_a_hit_of_both_legs_passes_hits_of_one() -> None:
    ranked = fuse({1: 0.9, 2: 0.8, 3: 0.1}, {2: 12.0, 4: 11.0, 5: 1.0}, 0.5)
    assert ranked[0][0] == 2


def test_a_hit_that_one_leg_misses_has_zero_from_it() -> None:
    assert dict(fuse({1: 0.9, 2: 0.1}, {3: 5.0, 2: 1.0}, 0.25)) == {1: 0.75, 3: 0.25, 2: 0.0}


@pytest.mark.parametrize(("weight", "best"), [(0.0, 1), (1.0, 2)])
def test_the_weight_gives_all_to_one_leg_at_its_ends(weight: float, best: int) -> None:
    assert fuse({1: 0.9, 2: 0.1}, {2: 9.0, 1: 1.0}, weight)[0] == (best, 1.0)


def test_a_missing_leg_leaves_the_order_of_the_other() -> None:
    dense = {7: 0.3, 3: 0.9, 5: 0.5}
    assert [key for key, _ in fuse(dense, {}, 0.5)] == [3, 5, 7]
    assert [key for key, _ in fuse({}, dense, 0.5)] == [3, 5, 7]


def test_equal_scores_stand_in_the_order_of_their_keys() -> None:
    assert [key for key, _ in fuse({9: 1.0, 2: 1.0, 5: 1.0}, {}, 0.0)] == [2, 5, 9]


@given(LEG, LEG, WEIGHT)
def test_scores_lie_within_zero_and_one_best_first_each_key_once(
    dense: dict[int, float], keyword: dict[int, float], weight: float
) -> None:
    ranked = fuse(dense, keyword, weight)
    scores = [score for _, score in ranked]
    assert all(0.0 <= score <= 1.0 for score in scores)
    assert scores == sorted(scores, reverse=True)
    assert sorted(key for key, _ in ranked) == sorted(dense.keys() | keyword.keys())


@given(LEG, LEG, WEIGHT, st.randoms())
def test_the_order_of_arrival_does_not_matter(
    dense: dict[int, float], keyword: dict[int, float], weight: float, random: object
) -> None:
    def shuffled(leg: dict[int, float]) -> dict[int, float]:
        items = list(leg.items())
        random.shuffle(items)  # type: ignore[attr-defined]
        return dict(items)

    assert fuse(shuffled(dense), shuffled(keyword), weight) == fuse(dense, keyword, weight)


@given(LEG, LEG, WEIGHT, st.floats(0.1, 100), st.floats(-100, 100))
def test_a_leg_may_use_any_scale(
    dense: dict[int, float], keyword: dict[int, float], weight: float, factor: float, shift: float
) -> None:
    rounded = {key: float(round(score)) for key, score in keyword.items()}
    scaled = {key: score * factor + shift for key, score in rounded.items()}
    before, after = dict(fuse(dense, rounded, weight)), dict(fuse(dense, scaled, weight))
    assert all(after[key] == pytest.approx(score, abs=1e-6) for key, score in before.items())
