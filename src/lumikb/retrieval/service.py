"""Search: both legs from the index, the gate of the record, fusion."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, and_

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
from lumikb.retrieval.errors import NothingToCompareError
from lumikb.retrieval.fusion import fuse
from lumikb.retrieval.late_interaction import WINDOW, QueryTokens, mixed, words_of
from lumikb.retrieval.models import Hit, Passage, SearchRequest
from lumikb.retrieval.repository import (
    filter_conditions,
    matching_document_ids,
    read_cosines,
    read_passages,
    read_tokens,
)
from lumikb.store.index.analysis import Analysis
from lumikb.store.index.follower import LocalIndex
from lumikb.store.record.changes import max_seq, removed_since
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


@dataclass(frozen=True)
class _Ranked:
    """A chunk that passed the gate; the scores are those of `Hit`."""

    key: int
    score: float
    relevance: float


def settled(look: Callable[[], tuple[Result, bool]]) -> Result:
    """What `look` gives, done again until it says that nothing was removed meanwhile; the last time as it is."""
    for _ in range(TRIES_MAX - 1):
        found, whole = look()
        if whole:
            return found
    return look()[0]


class RetrievalService:
    """Finds passages. The methods block; `in_pool` runs them off the event loop.

    `candidates` is how many hits each leg brings. `models` loads on first use.
    """

    def __init__(
        self,
        record: Record,
        index: LocalIndex,
        bases: KnowledgeBaseService,
        models: Callable[[], Models],
        *,
        candidates: int,
    ) -> None:
        self._record = record
        self._index = index
        self._bases = bases
        self._models = models
        self._candidates = candidates
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
        return settled(lambda: self._rank_once(actor, request, permission, count))

    def _rank_once(
        self, actor: Actor, request: SearchRequest, permission: Permission, count: int
    ) -> tuple[list[Hit], bool]:
        """Hits, and whether no passages were removed between the index's answer and the gate's.

        A knowledge base that is switched to new passages in that moment would seem empty: its old ones no longer pass
        the gate, and its new ones were not there to be found.
        """
        kb_ids, document_ids, seq = self._record.read(
            lambda connection: self._scope(connection, actor, request, permission)
        )
        if not kb_ids or document_ids == []:
            return [], True
        query = self.query(request.query)
        search = self._candidates, kb_ids, document_ids
        dense = self._index.search_dense(query.vector, *search, newest=seq)
        keyword = self._index.search_lexical(request.query, *search, newest=seq) if request.hybrid else []
        weights = query.tokens.weights(self._index.rarity)
        wanted = and_(chunks.c.kb_id.in_(kb_ids), *filter_conditions(request.filters))

        def gate(keys: Sequence[int]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
            return readable(actor), wanted & chunks.c.key.in_(keys)

        def pass_gate(connection: Connection) -> tuple[list[Hit], bool]:
            keys = sorted({key for key, _ in dense} | {key for key, _ in keyword})
            passed = read_cosines(connection, *gate(keys), query.vector)
            while True:
                fused = _fused([key for key, _ in dense], dict(keyword), passed, request)
                tokens = read_tokens(connection, *gate([key for key, _ in fused[:WINDOW]]))
                scored = mixed(fused, tokens, query.tokens, weights)
                best = _ranked(scored, passed, request.min_score)[:count]
                found = read_passages(connection, *gate([one.key for one in best]))
                passages = {passage.key: passage for passage in self._sound(found)}
                damaged = [one.key for one in best if one.key not in passages]
                if not damaged:
                    hits = [Hit(passages[one.key], one.score, one.relevance) for one in best]
                    return hits, not removed_since(connection, seq, kb_ids)
                for key in damaged:
                    del passed[key]

        return self._record.read(pass_gate)

    def similar(
        self, actor: Actor, document_id: str | None, chunk_id: str | None, kb_ids: list[str] | None, limit: int
    ) -> list[Hit]:
        """Neighbours of a chunk, or of a document by the mean of its vectors; the thing itself is absent."""
        return settled(lambda: self._similar_once(actor, document_id, chunk_id, kb_ids))[:limit]

    def _similar_once(
        self, actor: Actor, document_id: str | None, chunk_id: str | None, kb_ids: list[str] | None
    ) -> tuple[list[Hit], bool]:
        """Neighbours, and whether all that the index found were still there."""
        condition = chunks.c.chunk_id == chunk_id if chunk_id else chunks.c.document_id == document_id
        own = self._read(actor, condition)
        vectors = [passage.vector for passage in own if passage.vector is not None]
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

    def tokens_of(self, actor: Actor, passages: Sequence[Passage]) -> dict[int, TokenVectors]:
        """Token vectors of passages by key: those that are stored, and for passages without such computed now."""
        condition = chunks.c.key.in_([passage.key for passage in passages])
        stored = self._record.read(lambda connection: read_tokens(connection, readable(actor), condition))
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

    def _scope(
        self, connection: Connection, actor: Actor, request: SearchRequest, permission: Permission
    ) -> tuple[list[str], list[str] | None, int]:
        kb_ids, seq = list(self._bases.chosen(connection, actor, request.kb_ids, permission)), max_seq(connection)
        if not request.filters.narrow:
            return kb_ids, None, seq
        return kb_ids, matching_document_ids(connection, kb_ids, request.filters), seq

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


def _fused(
    dense: Sequence[int], keyword: Mapping[int, float], passed: Mapping[int, float | None], request: SearchRequest
) -> list[tuple[int, float]]:
    """What passed the gate, best first. `passed` holds the cosines, None where there is none."""
    cosines = {key: cosine for key, cosine in passed.items() if cosine is not None}
    return fuse(
        {key: cosines[key] for key in dense if key in cosines},
        {key: score for key, score in keyword.items() if key in passed},
        request.keyword_weight if request.hybrid else 0.0,
    )


def _ranked(
    scored: Sequence[tuple[int, float]], cosines: Mapping[int, float | None], min_score: float
) -> list[_Ranked]:
    """Those that reach `min_score`, in their order."""
    ranked = [_Ranked(key, score, _clip(cosines[key] or 0.0)) for key, score in scored]
    return [one for one in ranked if one.relevance >= min_score]


def _clip(cosine: float) -> float:
    return round(min(1.0, max(0.0, cosine)), 6)


def _by_score(item: tuple[float, Passage]) -> tuple[float, int]:
    return -item[0], item[1].key
