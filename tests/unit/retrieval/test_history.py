"""Search histories on a real record."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import insert

from lumikb.identity.models import Actor, Level
from lumikb.kit import clock, ids
from lumikb.kit.pages import PageRequest
from lumikb.retrieval import history_repository
from lumikb.retrieval.history import SearchHistory
from lumikb.retrieval.models import Found, PastSearch, SearchRequest
from lumikb.store.record.engine import Record
from lumikb.store.record.tables.identity import users

NOTHING = Found([])


@pytest.fixture
def actor(record: Record) -> Actor:
    user_id, now = ids.new_id(), clock.now()
    flags = dict.fromkeys(("is_superuser", "is_active", "is_verified", "onboarding_completed"), True)
    values = {"id": user_id, "email": "a@b.c", "password_hash": "", "permission_level": 1}
    record.write(
        lambda unit: unit.connection.execute(insert(users).values(**values, **flags, created_at=now, updated_at=now))
    )
    return Actor(user_id, "a@b.c", Level.USER, is_superuser=False)


def queries(record: Record, history: SearchHistory, actor: Actor) -> list[str]:
    history.flush()
    page = record.read(lambda read: history.list_searches(read, actor, PageRequest(1, 100)))
    assert page.total == len(page.items)
    return [one.query for one in page.items]


def test_the_newest_are_kept(record: Record, actor: Actor) -> None:
    history = SearchHistory(record, kept=3)
    for number in range(5):
        history.note(actor, SearchRequest(f"q {number}"), NOTHING)
        if number % 2:
            history.flush()
    assert queries(record, history, actor) == ["q 4", "q 3", "q 2"]


def test_none_are_noted_when_none_are_kept(record: Record, actor: Actor) -> None:
    history = SearchHistory(record, kept=0)
    history.note(actor, SearchRequest("q"), NOTHING)
    assert queries(record, history, actor) == []


def test_searches_of_a_user_who_is_gone_are_let_go(record: Record, actor: Actor) -> None:
    history = SearchHistory(record, kept=3)
    history.note(replace(actor, user_id=ids.new_id()), SearchRequest("theirs"), NOTHING)
    history.note(actor, SearchRequest("mine"), NOTHING)
    assert queries(record, history, actor) == ["mine"]


def test_a_query_that_goes_on_much_later_is_another(record: Record, actor: Actor) -> None:
    begun = clock.now()
    later = [PastSearch(0, "light", None, 0, begun), PastSearch(0, "lighthouse", None, 0, begun + timedelta(hours=1))]
    record.write(lambda unit: history_repository.add_searches(unit, actor.user_id, later, 9))
    assert queries(record, SearchHistory(record, kept=9), actor) == ["lighthouse", "light"]


def test_the_thread_writes_what_waits_at_its_end(record: Record, actor: Actor) -> None:
    history = SearchHistory(record, kept=3)
    history.open()
    history.note(actor, SearchRequest("last words"), NOTHING)
    history.close()
    assert queries(record, SearchHistory(record, kept=3), actor) == ["last words"]
