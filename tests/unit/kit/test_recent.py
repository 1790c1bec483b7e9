"""Which values are kept."""

from lumikb.kit.recent import Recent


def test_what_was_not_used_for_longest_goes_first() -> None:
    recent: Recent[int, str] = Recent(2)
    recent.put({1: "a", 2: "b"})
    assert recent.get([1]) == {1: "a"}
    recent.put({3: "c"})
    assert recent.get([1, 2, 3]) == {1: "a", 3: "c"}


def test_to_put_a_value_again_uses_it() -> None:
    recent: Recent[int, str] = Recent(2)
    recent.put({1: "a", 2: "b"})
    recent.put({1: "other", 3: "c"})
    assert recent.get([1, 2, 3]) == {1: "other", 3: "c"}


def test_what_is_forgotten_is_gone() -> None:
    recent: Recent[int, str] = Recent(9)
    recent.put({1: "a", 2: "b", 3: "c"})
    recent.forget([2, 9])
    assert recent.get([1, 2, 3]) == {1: "a", 3: "c"}
    recent.clear()
    assert recent.get([1, 3]) == {}
