import pytest

from lumikb.store.jobs import places
from lumikb.store.jobs.places import Lane, Places

SIZES = {Lane.MAIN: 2, Lane.SMALL: 1, Lane.BACKGROUND: 1}


def test_a_place_is_taken_from_the_start_on_until_the_end() -> None:
    some = Places(SIZES)
    some.keep("a", Lane.MAIN)
    assert (some.free(Lane.MAIN), some.active(), some.kept()) == (1, set(), {"a": Lane.MAIN})
    some.take("a", Lane.MAIN)
    assert (some.free(Lane.MAIN), some.active(), some.kept()) == (1, {"a"}, {})
    some.leave("a")
    assert (some.free(Lane.MAIN), some.active()) == (2, set())


def test_lanes_have_places_of_their_own() -> None:
    some = Places(SIZES)
    for job_id in "abc":
        some.take(job_id, Lane.MAIN)
    assert [some.free(lane) for lane in Lane] == [-1, 1, 1]


def test_a_job_begins_where_its_place_was_kept() -> None:
    some = Places(SIZES)
    some.keep("a", Lane.SMALL)
    some.take("a", Lane.MAIN)
    assert (some.free(Lane.SMALL), some.free(Lane.MAIN)) == (0, 2)


def test_what_has_begun_is_kept_no_place() -> None:
    some = Places(SIZES)
    some.take("a", Lane.MAIN)
    some.keep("a", Lane.MAIN)
    assert (some.free(Lane.MAIN), some.kept()) == (1, {})


def test_a_place_is_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    some = Places(SIZES)
    monkeypatch.setattr(places, "KEPT_SECONDS", 0.0)
    some.keep("a", Lane.MAIN)
    assert (some.free(Lane.MAIN), some.kept()) == (2, {})
