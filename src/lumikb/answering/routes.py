"""Routes of answers: search with an answer, chat, query."""

import time
from dataclasses import replace
from typing import Annotated

from litestar import Request, Response, Router, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from lumikb.answering.listening import Answered
from lumikb.answering.narration import InChunks, InTokens
from lumikb.answering.service import AnswerService
from lumikb.answering.turns import Turns
from lumikb.answering.wire import AnswerBody, ChatBody, SearchAnswerBody, answer_fields
from lumikb.http.permission import Permission, requires
from lumikb.http.routes import HeadersAlone, is_head, wants_stream
from lumikb.http.sse import STREAM_HEADERS
from lumikb.identity.models import Actor
from lumikb.kit.errors import InvalidInputError
from lumikb.knowledge.document_routes import Author, Language
from lumikb.knowledge.models import wanted_language
from lumikb.retrieval.history import SearchHistory
from lumikb.retrieval.models import Filters, MissingQueryError, SearchRequest
from lumikb.retrieval.routes import KbIds, run_search, split_ids
from lumikb.retrieval.service import RetrievalService
from lumikb.retrieval.wire import ResultsBody, SearchBody, cache_header, found_fields, search_request
from lumikb.runs.models import Run
from lumikb.runs.service import RunService
from lumikb.runs.stream import RunStreamer

ActorRequest = Request[Actor, None, State]


@get("/search", opt=requires(Permission.KB_READ), summary="Search, as a stream")
async def search_stream(
    request: ActorRequest,
    retrieval: NamedDependency[RetrievalService],
    history: NamedDependency[SearchHistory],
    runs: NamedDependency[RunService],
    streamer: NamedDependency[RunStreamer],
    text: Annotated[str | None, QueryParameter(name="query", description="What to look for.")] = None,
    kb_ids: KbIds = None,
    limit: int = 20,
    min_score: float = 0.0,
    language: Language = None,
    author: Author = None,
) -> Response[ResultsBody | None]:
    """Events `result` (best first), then `done {result_count, search_time_ms}`; JSON when `Accept` names it.

    `min_score` bounds `relevance_score`. 400 `QUERY_MISSING` without a query.
    """
    if not text or not text.strip():
        raise MissingQueryError("Say what to look for: ?query=…")
    filters = Filters(language=wanted_language(language), author=author)
    asked = SearchRequest(query=text, kb_ids=split_ids(kb_ids), limit=limit, min_score=min_score, filters=filters)
    wanted = asked.in_language()
    streamed = wants_stream(request, default=True)
    if streamed or is_head():
        await retrieval.check(request.user, wanted)
    if is_head():
        return HeadersAlone(STREAM_HEADERS if streamed else {"Content-Type": "application/json"})  # pyright: ignore[reportReturnType]
    if not streamed:
        found, body = await run_search(retrieval, history, request.user, wanted)
        return Response(body, headers=cache_header(found))

    async def produce(run: Run) -> None:
        _, body = await run_search(retrieval, history, request.user, wanted)
        for result in body.results:
            run.emit("result", {name: getattr(result, name) for name in result.__struct_fields__})
        run.emit("done", {"result_count": body.result_count, "search_time_ms": body.search_time_ms})

    # Kept in memory only: a search never waits for a write.
    run = runs.start(request.user, "search", produce, keep=False)
    return streamer.stream(request.user, run, cancel_on_disconnect=True)  # pyright: ignore[reportReturnType]


@post("/search", opt=requires(Permission.KB_READ), status_code=200, summary="Search with an answer")
async def search(
    request: ActorRequest,
    answers: NamedDependency[AnswerService],
    history: NamedDependency[SearchHistory],
    runs: NamedDependency[RunService],
    streamer: NamedDependency[RunStreamer],
    data: SearchBody,
    stream: bool = False,
) -> Response[SearchAnswerBody | None]:
    """Results and an answer drawn from them, each claim with its citation; abstains when nothing supports one.

    `X-Cache` says HIT where the ranking of the passages was known. With `?stream=true` the events `status`, `token`,
    `citation`, `claim`, then `done`.
    """
    wanted = search_request(data).in_language()
    if not wants_stream(request, default=stream):
        answered = await answers.answer(request.user, wanted, Permission.KB_READ)
        history.note(request.user, wanted, answered.found)
        return Response(_search_body(wanted, answered), headers=cache_header(answered.found))

    await answers.check(request.user, wanted, Permission.KB_READ)

    async def produce(run: Run) -> None:
        begun = time.perf_counter()
        run.emit("status", {"message": "Searching"})
        told = InTokens(run)
        found = await answers.answer(request.user, wanted, Permission.KB_READ, listener=told)
        history.note(request.user, wanted, found.found)
        told.end(found, {"search_time_ms": round((time.perf_counter() - begun) * 1000, 3)})

    run = runs.start(request.user, "search", produce, keep=False)
    return streamer.stream(request.user, run, cancel_on_disconnect=False)  # pyright: ignore[reportReturnType]


@post("/chat", opt=requires(Permission.KB_GENERATE), status_code=200, summary="Ask a question")
async def chat(
    request: ActorRequest,
    turns: NamedDependency[Turns],
    runs: NamedDependency[RunService],
    streamer: NamedDependency[RunStreamer],
    data: ChatBody,
    stream: bool | None = None,
) -> Response[AnswerBody | None]:
    """Answer a question and keep the turn in a conversation.

    `stream`, in the body or the address, or an explicit `Accept` decides between events (`context`, `chunk`, `done`)
    and JSON; otherwise a body with `query` streams, one with `message` answers JSON.
    """
    chosen = data.stream if stream is None else stream
    default = data.message is None if chosen is None else chosen
    if wants_stream(request, default):
        return await _stream_chunks(request, turns, runs, streamer, data, cancel_on_disconnect=False)
    wanted = _question(data)
    conversation_id, wanted = await turns.begin(request.user, wanted, data.conversation_id, data.model_id)
    turn = await turns.take(request.user, wanted, conversation_id)
    return Response(
        AnswerBody(**answer_fields(turn.answered), conversation_id=conversation_id, message_id=turn.message_id)
    )


@post("/query", opt=requires(Permission.KB_GENERATE), status_code=200, summary="Ask a question, as a stream")
async def query(
    request: ActorRequest,
    turns: NamedDependency[Turns],
    runs: NamedDependency[RunService],
    streamer: NamedDependency[RunStreamer],
    data: ChatBody,
) -> Response[AnswerBody | None]:
    """The events of `/chat`; leaving stops the run, unless `cancel_on_disconnect` is false."""
    return await _stream_chunks(request, turns, runs, streamer, data, cancel_on_disconnect=True)


@post("/chat/stream", opt=requires(Permission.KB_GENERATE), status_code=200, summary="Ask, told claim by claim")
async def chat_stream(
    request: ActorRequest,
    turns: NamedDependency[Turns],
    runs: NamedDependency[RunService],
    streamer: NamedDependency[RunStreamer],
    data: ChatBody,
) -> Response[AnswerBody | None]:
    """The same run told as `status`, `token`, `citation`, `claim`, then `done`."""
    wanted = _question(data)
    conversation_id, wanted = await turns.begin(request.user, wanted, data.conversation_id, data.model_id)

    async def produce(run: Run) -> None:
        run.emit("status", {"message": "Searching"})
        told = InTokens(run)
        turn = await turns.take(request.user, wanted, conversation_id, told)
        told.end(turn.answered, {"conversation_id": conversation_id, "message_id": turn.message_id})

    run = runs.start(request.user, "chat", produce, conversation_id=conversation_id)
    return streamer.stream(request.user, run, cancel_on_disconnect=bool(data.cancel_on_disconnect))  # pyright: ignore[reportReturnType]


async def _stream_chunks(
    request: ActorRequest,
    turns: Turns,
    runs: RunService,
    streamer: RunStreamer,
    data: ChatBody,
    *,
    cancel_on_disconnect: bool,
) -> Response[AnswerBody | None]:
    wanted = _question(data)
    conversation_id, wanted = await turns.begin(request.user, wanted, data.conversation_id, data.model_id)

    async def produce(run: Run) -> None:
        told = InChunks(run)
        turn = await turns.take(request.user, wanted, conversation_id, told)
        told.end(turn.answered)

    run = runs.start(request.user, "chat", produce, conversation_id=conversation_id)
    leaves = cancel_on_disconnect if data.cancel_on_disconnect is None else data.cancel_on_disconnect
    return streamer.stream(request.user, run, cancel_on_disconnect=leaves)  # pyright: ignore[reportReturnType]


answer_router = Router(path="/", tags=["Answers"], route_handlers=[search_stream, search, chat, query, chat_stream])


def _question(body: ChatBody) -> SearchRequest:
    text = body.query if body.query is not None else body.message
    if text is None:
        raise InvalidInputError("Send the question as query or message.", field="query")
    kb_ids = body.kb_ids if body.kb_ids is not None else [body.kb_id] if body.kb_id is not None else None
    request = search_request(SearchBody(query=text, kb_ids=kb_ids, limit=body.limit, filters=body.filters))
    return replace(request, query=text.strip())


def _search_body(wanted: SearchRequest, found: Answered) -> SearchAnswerBody:
    fields = answer_fields(found) | found_fields(found.found, wanted)
    return SearchAnswerBody(**fields, query=wanted.query, result_count=len(found.hits))
