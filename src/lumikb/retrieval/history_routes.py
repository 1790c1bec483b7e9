"""Routes of what one searched for, and of what one may be about to."""

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Request, Router, delete, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from lumikb.http.pages import PageBody, page_body
from lumikb.http.permission import Permission, requires
from lumikb.identity.models import Actor
from lumikb.kit.pages import LIMIT_DEFAULT, Page, PageRequest
from lumikb.retrieval.history import SearchHistory
from lumikb.retrieval.models import PastSearch
from lumikb.retrieval.suggestions import Suggestions
from lumikb.store.record.engine import Record

ActorRequest = Request[Actor, None, State]


class PastSearchBody(msgspec.Struct):
    """A search of one's own. `kb_ids` null: all that one could read then."""

    id: int
    query: str
    kb_ids: list[str] | None
    result_count: int
    created_at: datetime


class SuggestionsBody(msgspec.Struct):
    """Texts to go on with, the likeliest first."""

    suggestions: list[str]


@get("/search/suggestions", opt=requires(Permission.KB_READ), summary="Complete what is being typed")
async def suggest(
    request: ActorRequest,
    suggestions: NamedDependency[Suggestions],
    record: NamedDependency[Record],
    text: Annotated[str, QueryParameter(name="q", description="What was typed so far; its last word may go on.")] = "",
    limit: int = 8,
) -> SuggestionsBody:
    """From one's own searches, and from names, headings and frequent words of what one may read.

    Nothing typed: one's last searches.
    """
    return SuggestionsBody(await record.in_read_pool(lambda: suggestions.suggest(request.user, text, limit)))


@get("/search/history", opt=requires(Permission.SIGNED_IN), summary="List one's searches")
async def list_history(
    request: ActorRequest,
    history: NamedDependency[SearchHistory],
    record: NamedDependency[Record],
    page: int = 1,
    limit: int = LIMIT_DEFAULT,
) -> PageBody[PastSearchBody]:
    """One's own searches, newest first, each query once, up to `search_history_kept`."""
    asked = PageRequest(page, limit)

    def read() -> Page[PastSearch]:
        history.flush()
        return record.read(lambda connection: history.list_searches(connection, request.user, asked))

    return page_body(await record.in_read_pool(read), _body)


@delete("/search/history", opt=requires(Permission.HISTORY_WRITE), summary="Forget one's searches")
async def clear_history(
    request: ActorRequest, history: NamedDependency[SearchHistory], record: NamedDependency[Record]
) -> None:
    """Forget all of one's searches; of a key that is limited to knowledge bases, those within them."""
    await _forget(request, history, record, None)


@delete("/search/history/{search_id:str}", opt=requires(Permission.HISTORY_WRITE), summary="Forget a search")
async def forget_search(
    request: ActorRequest, history: NamedDependency[SearchHistory], record: NamedDependency[Record], search_id: str
) -> None:
    """Forget one of one's searches."""
    await _forget(request, history, record, search_id)


async def _forget(request: ActorRequest, history: SearchHistory, record: Record, search_id: str | None) -> None:
    def forget() -> None:
        history.flush()
        record.write(lambda unit: history.forget(unit, request.user, search_id))

    await record.in_read_pool(forget)


history_router = Router(path="/", tags=["Search"], route_handlers=[suggest, list_history, clear_history, forget_search])


def _body(search: PastSearch) -> PastSearchBody:
    return PastSearchBody(search.id, search.query, search.kb_ids, search.result_count, search.created_at)
