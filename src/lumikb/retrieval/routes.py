"""Routes of search without answers."""

import time
from typing import Annotated

from litestar import Request, Response, Router, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import Parameter

from lumikb.http.permission import Permission, requires
from lumikb.identity.models import Actor
from lumikb.kit.errors import InvalidInputError
from lumikb.retrieval.errors import MissingTargetError
from lumikb.retrieval.history import SearchHistory
from lumikb.retrieval.models import LIMIT_MAX, Found, Hit, SearchRequest
from lumikb.retrieval.service import RetrievalService
from lumikb.retrieval.wire import (
    ExplainBody,
    ExplanationBody,
    ResultsBody,
    SearchBody,
    SimilarBody,
    SimilarResults,
    cache_header,
    explanation_body,
    found_fields,
    result_body,
    search_request,
)

ActorRequest = Request[Actor, None, State]
KbIds = Annotated[list[str] | None, Parameter(description="Repeat, or separate by commas; left out: all.")]


@post("/search/quick", opt=requires(Permission.KB_READ), status_code=200, summary="Search without an answer")
async def search_quick(
    request: ActorRequest,
    retrieval: NamedDependency[RetrievalService],
    history: NamedDependency[SearchHistory],
    data: SearchBody,
) -> Response[ResultsBody]:
    """The results alone. `X-Cache` says HIT where the ranking was known; what is shown is read anew either way."""
    found, body = await run_search(retrieval, history, request.user, search_request(data).in_language())
    return Response(body, headers=cache_header(found))


@get("/search/similar", opt=requires(Permission.KB_READ), summary="Find neighbours of a document or passage")
async def get_similar(
    request: ActorRequest,
    retrieval: NamedDependency[RetrievalService],
    document_id: str | None = None,
    chunk_id: str | None = None,
    kb_ids: KbIds = None,
    limit: int = 10,
) -> SimilarResults:
    """Passages near to a document or a passage, which are absent themselves."""
    wanted = SimilarBody(document_id, chunk_id, kb_ids=split_ids(kb_ids), limit=limit)
    return await _similar(request.user, retrieval, wanted)


@post("/search/similar", opt=requires(Permission.KB_READ), status_code=200, summary="Find neighbours (as POST)")
async def post_similar(
    request: ActorRequest, retrieval: NamedDependency[RetrievalService], data: SimilarBody
) -> SimilarResults:
    """The same as GET, and also passages near to a `text`."""
    return await _similar(request.user, retrieval, data)


@post("/search/explain", opt=requires(Permission.KB_READ), status_code=200, summary="Explain a result")
async def explain(
    request: ActorRequest, retrieval: NamedDependency[RetrievalService], data: ExplainBody
) -> ExplanationBody:
    """Why a passage has its place in a search: what each leg gives it, and the terms that match with their places.

    Also of a passage that the search does not bring; 404 `PASSAGE_NOT_FOUND` for one that the caller may not read.
    """
    wanted = search_request(data).in_language()
    found = await retrieval.in_pool(lambda: retrieval.explain(request.user, wanted, data.chunk_id))
    return explanation_body(found, wanted)


retrieval_router = Router(path="/", tags=["Search"], route_handlers=[search_quick, get_similar, post_similar, explain])


def split_ids(values: list[str] | None) -> list[str] | None:
    """Repeated and comma-separated ids alike; None when the parameter is absent.

    One without an id, such as `?kb_ids=`, is an error: what a script left empty must not come to mean all.
    """
    if values is None:
        return None
    ids = [part.strip() for value in values for part in value.split(",") if part.strip()]
    if not ids:
        raise InvalidInputError("kb_ids names no knowledge base. Leave it out to search all.", field="kb_ids")
    return ids


async def run_search(
    retrieval: RetrievalService, history: SearchHistory, actor: Actor, wanted: SearchRequest
) -> tuple[Found, ResultsBody]:
    """Search off the event loop, say how long it took, and note it in the history."""
    begun = time.perf_counter()
    found = await retrieval.in_pool(lambda: retrieval.find(actor, wanted))
    milliseconds = round((time.perf_counter() - begun) * 1000, 3)
    history.note(actor, wanted, found)
    results = [result_body(hit) for hit in found.hits]
    body = ResultsBody(
        query=wanted.query,
        results=results,
        result_count=len(results),
        total_count=len(results),
        search_time_ms=milliseconds,
        **found_fields(found, wanted),
    )
    return found, body


async def _similar(actor: Actor, retrieval: RetrievalService, wanted: SimilarBody) -> SimilarResults:
    text = wanted.text if wanted.text and wanted.text.strip() else None
    if not wanted.document_id and not wanted.chunk_id and text is None:
        raise MissingTargetError("Name a document_id or a chunk_id, or send a text.")
    if text is not None and (wanted.document_id or wanted.chunk_id):
        raise InvalidInputError("Send a text, or name a document_id or a chunk_id, not both.", field="text")
    if not 1 <= wanted.limit <= LIMIT_MAX:
        raise InvalidInputError(f"limit must lie between 1 and {LIMIT_MAX}.", field="limit")

    def find() -> list[Hit]:
        return retrieval.similar(actor, wanted.document_id, wanted.chunk_id, wanted.kb_ids, wanted.limit, text=text)

    hits = await retrieval.in_pool(find)
    return SimilarResults([result_body(hit) for hit in hits], len(hits))
