"""SQL of search histories."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Connection, delete, insert, select

from lumikb.kit.pages import Page, PageRequest
from lumikb.retrieval.models import PastSearch
from lumikb.store.record.engine import UnitOfWork
from lumikb.store.record.rows import as_dict
from lumikb.store.record.tables.identity import users
from lumikb.store.record.tables.retrieval import search_history

# Who types on within this time corrects a query and asks no other.
_TYPED_ON = timedelta(seconds=10)
_COLUMNS = [search_history.c[name] for name in ("id", "query", "kb_ids", "result_count", "created_at")]


def add_searches(unit: UnitOfWork, user_id: str, searches: Sequence[PastSearch], kept: int) -> None:
    """Put searches of a user behind his others, oldest first, and keep the newest `kept` alone.

    One that was there before moves to the end, and one that was the beginning of the next, a moment ago, goes. Those of
    a user who is gone are let go.
    """
    if unit.connection.execute(select(users.c.id).where(users.c.id == user_id)).first() is None:
        return
    for search in searches:
        past = _own(unit.connection, user_id)
        gone = [one.id for one in past if (one.query, one.kb_ids) == (search.query, search.kb_ids)]
        if past and search.query.startswith(past[0].query) and search.created_at - past[0].created_at < _TYPED_ON:
            gone.append(past[0].id)
        left = [one.id for one in past if one.id not in gone]
        delete_searches(unit, [*gone, *left[max(kept - 1, 0) :]])
        values = {"query": search.query, "kb_ids": search.kb_ids, "result_count": search.result_count}
        unit.connection.execute(insert(search_history).values(user_id=user_id, created_at=search.created_at, **values))


def list_searches(
    connection: Connection, user_id: str, page: PageRequest, within: frozenset[str] | None
) -> Page[PastSearch]:
    """The user's searches, newest first; those limited to knowledge bases `within`, unless None."""
    found = own_searches(connection, user_id, within)
    return Page(found[page.offset : page.offset + page.limit], len(found), page)


def own_searches(connection: Connection, user_id: str, within: frozenset[str] | None) -> list[PastSearch]:
    """All of them, newest first: there are few."""
    return [
        one
        for one in _own(connection, user_id)
        if within is None or (one.kb_ids is not None and within.issuperset(one.kb_ids))
    ]


def delete_searches(unit: UnitOfWork, ids: Sequence[int]) -> None:
    """Forget these."""
    if ids:
        unit.connection.execute(delete(search_history).where(search_history.c.id.in_(ids)))


def _own(connection: Connection, user_id: str) -> list[PastSearch]:
    statement = select(*_COLUMNS).where(search_history.c.user_id == user_id).order_by(search_history.c.id.desc())
    return [PastSearch(**as_dict(row)) for row in connection.execute(statement)]
