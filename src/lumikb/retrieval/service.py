"""Search: both legs from the index, the gate of the record, fusion."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection

from lumikb.compute.chunk.models import text_sha256
from lumikb.compute.embed.embedder import TEXT_TOKENS_MAX
from lumikb.compute.embed.load import Models
from lumikb.compute.embed.tokenizer import Tokens
from lumikb.compute.embed.tokens import TokenVectors, sign_bits, unit_rows
from lumikb.http.permission import Permission
from lumikb.identity.models import Actor
from lumikb.identity.policy import readable
from lumikb.kit.recent import Recent
from lumikb.kit.telemetry import get_logger
from lumikb.knowledge.base_service import KnowledgeBaseService
from lumikb.retrieval.candidates import Candidates, Scope, bring_candidates
from lumikb.retrieval.cursor import binding_of, encode_cursor
from lumikb.retrieval.errors import NothingToCompareError, PassageNotFoundError
from lumikb.retrieval.explain import Explanation, leg_part, matched_terms
from lumikb.retrieval.facets import FacetCount, count_facets
from lumikb.retrieval.fusion import fuse
from lumikb.retrieval.gate import Gate
from lumikb.retrieval.late_interaction import WINDOW, QueryTokens, late_scores, late_share, mixed, words_of
from lumikb.retrieval.models import Found, Hit, Passage, Ranked, SearchRequest
from lumikb.retrieval.paging import find_page
from lumikb.retrieval.repository import matching_document_ids, read_passages, read_tokens
from lumikb.retrieval.result_cache import Ranking, RankingCache, key_of
from lumikb.retrieval.shaping import shape
from lumikb.store.index.analysis import Analysis
from lumikb.store.index.follower import LocalIndex
from lumikb.store.record.changes import max_seq
from lumikb.store.record.engine import Record
from lumikb.store.record.tables.knowledge import chunks

Result = TypeVar("Result")

# Some 20 kB each.
QUERIES_KEPT = 1024
SEARCH_THREADS = 4
# A search under which passages were removed is done again, so often at most.
TRIES_MAX = 4
# Passages whose damage has been told; past it they are told again.
DAMAGE_TOLD_MAX = 10_000

log = get_logger(__name__)


@dataclass(frozen=True)
class Query:
    """A query as the model reads it: its unit vector, float32, and its tokens."""

    vector: NDArray[np.float32]
    tokens: QueryTokens


def settled(look: Callable[[], tuple[Result, bool]]) -> Result:
    """What `look` gives, done again until it says that nothing was removed meanwhile; the last time as it is."""
    for _ in range(TRIES_MAX - 1):
        found, whole = look()
        if whole:
            return found
    return look()[0]


class RetrievalService:
    """Finds passages. The methods block; `in_pool` runs them off the event loop.

    `candidates` is how many hits each leg brings, `depth_max` how many for pages far down. `rankings_kept`
    bounds the cache of results. `models` loads on first use.
    """

    def __init__(
        self,
        record: Record,
        index: LocalIndex,
        bases: KnowledgeBaseService,
        models: Callable[[], Models],
        *,
        candidates: int,
        depth_max: int = 1_000,
        rankings_kept: int = 0,
    ) -> None:
        self._record = record
        self._index = index
        self._bases = bases
        self._models = models
        self._candidates = candidates
        self._depth_max = max(depth_max, candidates)
        self._rankings = RankingCache(rankings_kept)
        self._analysis = Analysis()
        self._queries: Recent[str, Query] = Recent(QUERIES_KEPT)
        self._damage_told: set[int] = set()
        self._pool = ThreadPoolExecutor(SEARCH_THREADS, "search")

    def close(self) -> None:
        """Wait for running searches."""
        self._pool.shutdown()

    async def in_pool(self, work: Callable[[], Result]) -> Result:
        """Run blocking work of a search off the event loop."""
        context = copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: context.run(work))

    async def check(self, actor: Actor, request: SearchRequest, permission: Permission = Permission.KB_READ) -> None:
        """Raise what `search` would for knowledge bases the actor may not use: before a stream has begun."""
        await self._record.read_async(lambda read: self._bases.chosen(read, actor, request.kb_ids, permission))

    def search(self, actor: Actor, request: SearchRequest, permission: Permission = Permission.KB_READ) -> list[Hit]:
        """The best passages for the query, best first, at most `request.limit`, where the actor has the permission."""
        return self.rank(actor, request, permission, request.limit)

    def rank(self, actor: Actor, request: SearchRequest, permission: Permission, count: int) -> list[Hit]:
        """Up to `count` of the candidates of both legs that pass the gate and `min_score`, best first."""
        return settled(lambda: self._rank_once(actor, request, permission, count, self._candidates)).hits

    def find(
        self,
        actor: Actor,
        request: SearchRequest,
        permission: Permission = Permission.KB_READ,
        *,
        at_least: int = 0,
    ) -> Found:
        """The page of the search that its cursor names, the first without one; `at_least` so many hits if there are.

        Raises `BadCursorError`.
        """
        count = max(request.limit, at_least)
        return settled(lambda: self._find_once(actor, request, permission, count))

    def _find_once(
        self, actor: Actor, request: SearchRequest, permission: Permission, count: int
    ) -> tuple[Found, bool]:
        def rank(depth: int, count: int) -> tuple[Found, bool]:
            return self._rank_once(actor, request, permission, count, depth)

        def shaped(hits: Sequence[Hit]) -> list[Hit]:
            return shape(hits, request, self._analysis)

        if request.cursor is not None or request.shaped:
            return find_page(rank, shaped, request, count, self._candidates, self._depth_max)
        found, whole = rank(self._candidates, count)
        more = found.total > request.limit or (found.deeper and self._candidates < self._depth_max)
        cursor = encode_cursor(request.limit, found.binding) if more else None
        return replace(found, next_cursor=cursor), whole

    def _rank_once(
        self, actor: Actor, request: SearchRequest, permission: Permission, count: int, depth: int
    ) -> tuple[Found, bool]:
        """Hits, and whether no passages were removed between the index's answer and the gate's.

        A knowledge base that is switched to new passages in that moment would seem empty: its old ones no longer pass
        the gate, and its new ones were not there to be found.
        """
        scope = self._record.read(lambda connection: self._scope(connection, actor, request, permission))
        binding = binding_of(actor, request, scope.kb_ids)
        if scope.is_empty:
            return replace(_nothing(request, scope), binding=binding), True
        key = key_of(actor, request, scope, depth)
        gate = Gate(actor, request, scope, self._sound)

        def show(connection: Connection, ranking: Ranking) -> tuple[Found, list[int], bool]:
            hits, lost = gate.hits(connection, ranking.best(count))
            facets = None if lost else _facets(connection, ranking.keys, request)
            total = len(ranking.keys)
            found = Found(hits, ranking.relaxed, facets, total=total, deeper=ranking.deeper, binding=binding)
            return found, lost, gate.is_whole(connection)

        kept = self._rankings.find(key)
        if kept is not None:
            found, lost, whole = self._record.read(lambda connection: show(connection, kept))
            if not lost:
                return replace(found, cached=True), whole
            self._rankings.forget(key)
        query = self.query(request.words)
        legs = bring_candidates(self._index, request, query.vector, depth, scope)
        weights = query.tokens.weights(self._index.rarity)

        def pass_gate(connection: Connection) -> tuple[Found, bool]:
            passed, sound = gate.cosines(connection, {*legs.dense, *legs.keyword}, query.vector), True
            while True:
                fused = _ranked(legs.dense, legs.keyword, passed, request)
                late = self._late(connection, request, fused, query, weights)
                ranking = Ranking.of(mixed(fused, late), relaxed=legs.relaxed, deeper=legs.deeper)
                found, lost, whole = show(connection, ranking)
                if not lost:
                    if sound and whole:
                        self._rankings.keep(key, ranking)
                    return found, whole
                sound = False
                for lost_key in lost:
                    del passed[lost_key]

        return self._record.read(pass_gate)

    def _late(
        self,
        connection: Connection,
        request: SearchRequest,
        fused: Sequence[Ranked],
        query: Query,
        weights: NDArray[np.float32],
    ) -> dict[int, float]:
        """MaxSim of the best passages, by key, as far as they have token vectors; none where one leg ranks alone."""
        if not request.mixes_legs:
            return {}
        return late_scores(read_tokens(connection, [one.key for one in fused[:WINDOW]]), query.tokens, weights)

    def explain(self, actor: Actor, request: SearchRequest, chunk_id: str) -> Explanation:
        """Why the search gives the passage its place; raises `PassageNotFoundError` for what the actor may not read."""
        return settled(lambda: self._explain_once(actor, request, chunk_id))

    def _explain_once(self, actor: Actor, request: SearchRequest, chunk_id: str) -> tuple[Explanation, bool]:
        own = self._read(actor, chunks.c.chunk_id == chunk_id)
        if not own:
            raise PassageNotFoundError("There is no such passage.")
        passage = own[0]
        scope = self._record.read(lambda read: self._scope(read, actor, request, Permission.KB_READ))
        query, legs = self.query(request.words), Candidates([], {})
        if not scope.is_empty:
            legs = bring_candidates(self._index, request, query.vector, self._candidates, scope)
        gate, weights = Gate(actor, request, scope, self._sound), query.tokens.weights(self._index.rarity)

        def look(connection: Connection) -> tuple[dict[int, float | None], list[Ranked], dict[int, float], bool]:
            passed = gate.cosines(connection, {*legs.dense, *legs.keyword}, query.vector)
            fused = _ranked(legs.dense, legs.keyword, passed, request)
            return passed, fused, self._late(connection, request, fused, query, weights), gate.is_whole(connection)

        passed, fused, late, whole = self._record.read(look)
        dense, keyword = _passed_legs(legs.dense, legs.keyword, passed)
        ranked = [one.key for one in mixed(fused, late)]
        share = late_share([one.key for one in fused], late, passage.key)
        parts = self._index.keyword_parts(request.words, passage.key, scope.kb_ids, scope.document_ids)
        cosine = None if passage.vector is None else float(query.vector @ passage.vector)
        weight = request.keyword_weight if request.hybrid else 0.0
        found = Explanation(
            passage,
            leg_part(dense, passage.key, cosine, (1 - share) * (1 - weight)),
            leg_part(keyword, passage.key, sum(score for _, score in parts), (1 - share) * weight),
            leg_part(late, passage.key, None, share),
            ranked.index(passage.key) + 1 if passage.key in ranked else None,
            len(ranked),
            matched_terms(passage, parts, self._analysis),
            self._why_not(passage, request, scope, passed, cosine) if passage.key not in ranked else None,
        )
        return found, whole

    def _why_not(
        self,
        passage: Passage,
        request: SearchRequest,
        scope: Scope,
        passed: Mapping[int, float | None],
        cosine: float | None,
    ) -> str:
        """The first reason for which a passage is no candidate."""
        if passage.kb_id not in scope.kb_ids:
            return "It lies in none of the knowledge bases that are searched."
        if scope.document_ids is not None and passage.document_id not in scope.document_ids:
            return "Its document does not pass the filters."
        demands = self._index.demands(request.required, request.excluded)
        if passage.key not in self._index.meeting([passage.key], demands):
            return "It lacks a phrase that is required, or has one that is left out."
        if passage.key in passed and _clip(cosine or 0.0) < request.min_score:
            return "Its relevance lies below min_score."
        return f"It is among the {self._candidates} nearest neither by meaning nor by words."

    def similar(
        self,
        actor: Actor,
        document_id: str | None,
        chunk_id: str | None,
        kb_ids: list[str] | None,
        limit: int,
        *,
        text: str | None = None,
    ) -> list[Hit]:
        """Neighbours of a chunk, of a document by the mean of its vectors, or of a text; the thing itself is absent."""
        return settled(lambda: self._similar_once(actor, document_id, chunk_id, kb_ids, text))[:limit]

    def _similar_once(
        self, actor: Actor, document_id: str | None, chunk_id: str | None, kb_ids: list[str] | None, text: str | None
    ) -> tuple[list[Hit], bool]:
        """Neighbours, and whether all that the index found were still there."""
        own: list[Passage] = []
        if document_id or chunk_id:
            own = self._read(actor, chunks.c.chunk_id == chunk_id if chunk_id else chunks.c.document_id == document_id)
        vectors = [passage.vector for passage in own if passage.vector is not None]
        if text is not None:
            vectors = list(self.text_vectors([text]))
        if not vectors:
            raise NothingToCompareError("There is no such document or passage, or it has no text.")
        mean = np.mean(vectors, axis=0)
        vector = (mean / max(float(np.linalg.norm(mean)), 1e-12)).astype(np.float32)
        chosen = self._record.read(lambda connection: self._bases.chosen(connection, actor, kb_ids))
        found = self._index.search_dense(vector, self._candidates + len(own), list(chosen), None)
        itself = {passage.key for passage in own}
        wanted = [key for key, _ in found if key not in itself]
        passages = self._read(actor, chunks.c.key.in_(wanted))
        scored = sorted(
            ((_clip(float(found.vector @ vector)), found) for found in passages if found.vector is not None),
            key=_by_score,
        )
        return [Hit(passage, score, score) for score, passage in scored], len(passages) == len(wanted)

    def query(self, text: str) -> Query:
        """The query as the model reads it; the last ones are kept. One past the model's bound is read up to it."""
        known = self._queries.get([text])
        if known:
            return known[text]
        models = self._models()
        tokens = models.tokenizer.encode(text)
        tokens = Tokens(tokens.ids[:TEXT_TOKENS_MAX], tokens.offsets[:TEXT_TOKENS_MAX])
        vectors, (states,) = models.embedder.embed_tokens([tokens.ids], unit_rows, interactive=True)
        query = Query(vectors[0], QueryTokens(states, words_of(text, tokens)))
        self._queries.put({text: query})
        return query

    def query_vector(self, text: str) -> NDArray[np.float32]:
        """The query's vector."""
        return self.query(text).vector

    def text_vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of many texts, shape (texts, dimensions), each read up to the model's bound."""
        models = self._models()
        ids = [tokens.ids[:TEXT_TOKENS_MAX] for tokens in models.tokenizer.encode_batch(texts)]
        return models.embedder.embed(ids, interactive=True)

    def query_tokens(self, text: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """A unit row for each token of a query, (tokens, dimensions), and how much each counts."""
        tokens = self.query(text).tokens
        return tokens.states, tokens.weights(self._index.rarity)

    def tokens_of(self, passages: Sequence[Passage]) -> dict[int, TokenVectors]:
        """Token vectors of passages that were found, by key: those that are stored, for others computed now."""
        stored = self._record.read(lambda read: read_tokens(read, [passage.key for passage in passages]))
        without = [passage for passage in passages if passage.key not in stored]
        if not without:
            return stored
        models = self._models()
        encoded = [models.tokenizer.encode(passage.text) for passage in without]
        ids = [tokens.ids[:TEXT_TOKENS_MAX] for tokens in encoded]
        _, bits = models.embedder.embed_tokens(ids, sign_bits, interactive=True)
        starts = [[start for start, _ in tokens.offsets[:TEXT_TOKENS_MAX]] for tokens in encoded]
        computed = zip(without, starts, bits, strict=True)
        return stored | {passage.key: TokenVectors.of(own, signs) for passage, own, signs in computed}

    def terms(self, text: str) -> list[str]:
        """The distinct terms of a text as the keyword leg sees them: lower case, without stopwords, stemmed."""
        return self._analysis.terms(text)

    def still_there(self, actor: Actor, passages: list[Passage]) -> dict[int, Passage]:
        """The passages that are live and readable now, by key: what a citation is checked against."""
        return {passage.key: passage for passage in self._read(actor, chunks.c.key.in_([p.key for p in passages]))}

    def _scope(self, connection: Connection, actor: Actor, request: SearchRequest, permission: Permission) -> Scope:
        bases, seq = self._bases.chosen(connection, actor, request.kb_ids, permission), max_seq(connection)
        if request.kb_names:
            called = {name.casefold() for name in request.kb_names}
            bases = {kb_id: name for kb_id, name in bases.items() if name.casefold() in called}
        if not request.filters.narrow:
            return Scope(list(bases), None, seq)
        return Scope(list(bases), matching_document_ids(connection, list(bases), request.filters), seq)

    def _read(self, actor: Actor, condition: ColumnElement[bool]) -> list[Passage]:
        return self._sound(self._record.read(lambda connection: read_passages(connection, readable(actor), condition)))

    def _sound(self, passages: list[Passage]) -> list[Passage]:
        """Those that have the text they were stored with. What is damaged is told once, though each search meets it."""
        sound: list[Passage] = []
        for passage in passages:
            altered = text_sha256(passage.text) != passage.text_sha256
            if not altered:
                sound.append(passage)
            if (altered or passage.vector is None) and passage.key not in self._damage_told:
                if len(self._damage_told) >= DAMAGE_TOLD_MAX:
                    self._damage_told.clear()
                self._damage_told.add(passage.key)
                part = "text" if altered else "embedding"
                log.error("passage damaged", document_id=passage.document_id, chunk_id=passage.chunk_id, part=part)
        return sound


def _ranked(
    dense: Sequence[int], keyword: Mapping[int, float], passed: Mapping[int, float | None], request: SearchRequest
) -> list[Ranked]:
    """What passed the gate and `min_score`, best first. `passed` holds the cosines, None where there is none."""
    cosines, matches = _passed_legs(dense, keyword, passed)
    fused = fuse(cosines, matches, request.keyword_weight if request.hybrid else 0.0)
    ranked = [Ranked(key, score, _clip(passed[key] or 0.0)) for key, score in fused]
    return [one for one in ranked if one.relevance >= request.min_score]


def _passed_legs(
    dense: Sequence[int], keyword: Mapping[int, float], passed: Mapping[int, float | None]
) -> tuple[dict[int, float], dict[int, float]]:
    """What each leg brought and the gate let pass: cosines of the one, BM25 scores of the other."""
    cosines = {key: cosine for key in dense if (cosine := passed.get(key)) is not None}
    return cosines, {key: score for key, score in keyword.items() if key in passed}


def _nothing(request: SearchRequest, scope: Scope) -> Found:
    facets = {str(facet): list[FacetCount]() for facet in request.facets} or None
    return Found([], facets=facets, kb_missing=bool(request.kb_names and not scope.kb_ids))


def _facets(connection: Connection, keys: Sequence[int], request: SearchRequest) -> dict[str, list[FacetCount]] | None:
    if not request.facets:
        return None
    return count_facets(connection, list(keys), request.facets)


def _clip(cosine: float) -> float:
    return round(min(1.0, max(0.0, cosine)), 6)


def _by_score(item: tuple[float, Passage]) -> tuple[float, int]:
    return -item[0], item[1].key
