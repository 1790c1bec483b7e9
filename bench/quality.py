"""Retrieval quality on a collection in BEIR layout: BM25 alone, dense alone, and the product's hybrid search.

    python -m bench.quality --data ../shared/data/cranfield

The whole path is the product's: its chunker, embedder, record, index followers, gate and fusion. Ranked chunks become
ranked documents by their best chunk. Weights were tuned on odd-numbered queries; the table shows even ones and all.
"""

import argparse
import csv
import json
import math
import statistics
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bench.harness import print_table, write_result
from lumikb.compute.chunk.chunker import chunk_text
from lumikb.compute.chunk.models import ChunkParams
from lumikb.compute.embed.models import EmbeddingModel
from lumikb.compute.parse.models import ParsedText
from lumikb.http.permission import Permission
from lumikb.identity.models import Actor
from lumikb.knowledge import base_repository, derived, repository
from lumikb.knowledge.embedding import Embedded, embed_chunks
from lumikb.knowledge.jobs import chunk_rows
from lumikb.knowledge.models import DocumentStatus, NewDocument
from lumikb.retrieval.models import SearchRequest
from lumikb.settings import Settings
from lumikb.store.blobs.port import StoredBlob
from lumikb.store.record.changes import append_change
from lumikb.store.record.engine import UnitOfWork
from lumikb.wiring import Platform

DEPTH = 100
CHUNKS_PER_LEG = 300

Search = Callable[[str], list[str]]


def read_jsonl(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    judged: dict[str, dict[str, int]] = {}
    for row in csv.DictReader(path.open(), delimiter="\t"):
        grade = int(row["score"])
        if grade > 0:
            judged.setdefault(row["query-id"], {})[row["corpus-id"]] = grade
    return judged


def ndcg(ranked: Sequence[str], relevant: dict[str, int], k: int = 10) -> float:
    gained = sum(relevant.get(document, 0) / math.log2(at + 2) for at, document in enumerate(ranked[:k]))
    ideal = sum(grade / math.log2(at + 2) for at, grade in enumerate(sorted(relevant.values(), reverse=True)[:k]))
    return gained / ideal


def recall(ranked: Sequence[str], relevant: dict[str, int], k: int = 100) -> float:
    return len(set(ranked[:k]) & relevant.keys()) / len(relevant)


def reciprocal_rank(ranked: Sequence[str], relevant: dict[str, int], k: int = 10) -> float:
    return next((1 / at for at, document in enumerate(ranked[:k], 1) if document in relevant), 0.0)


class Collection:
    """The collection in a record of its own, found through the product's own searches."""

    def __init__(
        self, platform: Platform, corpus: list[dict[str, str]], model: EmbeddingModel, *, with_tokens: bool
    ) -> None:
        self._with_tokens = with_tokens
        self._platform = platform
        self._embedder = platform.models().embedder_of(model)
        self._names: dict[str, str] = {}
        actor = platform.identity.local_actor()
        self._actor: Actor = actor
        self._kb_id = platform.record.write(lambda unit: base_repository.create_kb(unit, "bench", "", actor.user_id).id)
        for at in range(0, len(corpus), 100):
            self._add(corpus[at : at + 100])

    def _add(self, batch: list[dict[str, str]]) -> None:
        models = self._platform.models()
        parsed = [ParsedText(text=f"{item.get('title', '')}\n\n{item['text']}".strip()) for item in batch]
        chunks = [chunk_text(text, models.tokenizer, ChunkParams()) for text in parsed]
        flat = [chunk for some in chunks for chunk in some]
        embedded = embed_chunks(
            self._platform.record, self._embedder, None, flat, lambda _: None, with_tokens=self._with_tokens
        )
        at = 0

        def store(unit: UnitOfWork) -> None:
            nonlocal at
            for item, text, some in zip(batch, parsed, chunks, strict=True):
                blob = StoredBlob("0" * 64, len(text.text), b"")
                new = NewDocument(item["_id"])
                document_id = repository.create_document(
                    unit, self._kb_id, new, blob, "text/plain", self._actor.user_id
                )
                document = repository.find_document(unit.connection, document_id)
                assert document is not None
                key = self._platform.blobs.put_bytes(derived.pack_parsed(document.latest_version_id, text)).sha256
                repository.update_version(unit, document.latest_version_id, parsed_sha256=key)
                own = Embedded(embedded.vectors[at : at + len(some)], embedded.tokens[at : at + len(some)], 0)
                at += len(some)
                rows = chunk_rows(document.kb_id, document_id, document_id, text.text, some, own)
                facts = {"id": document_id, "version_id": document.latest_version_id, "document_id": document_id}
                facts |= {"model_id": self._embedder.model_id, "model_tier": self._embedder.tier, "params": {}}
                keys = repository.create_chunk_set(unit, facts, rows)
                repository.update_document(
                    unit, document_id, status=DocumentStatus.READY, current_chunk_set_id=document_id
                )
                append_change(unit, self._kb_id, "add", keys)
                for chunk_key in keys:
                    self._names[str(chunk_key)] = item["_id"]

        self._platform.record.write(store)

    def bm25(self, query: str) -> list[str]:
        return self._documents(key for key, _ in self._platform.index.search_lexical(query, CHUNKS_PER_LEG))

    def dense(self, query: str) -> list[str]:
        vector = self._platform.retrieval.query_vector(query)
        return self._documents(key for key, _ in self._platform.index.search_dense(vector, CHUNKS_PER_LEG))

    def hybrid(self, query: str) -> list[str]:
        request = SearchRequest(query=query[:500])
        hits = self._platform.retrieval.rank(self._actor, request, Permission.KB_READ, 2 * CHUNKS_PER_LEG)
        return self._documents(hit.passage.key for hit in hits)

    def scored(self, query: str) -> list[tuple[str, float]]:
        """The documents of the hybrid search's candidates, each with the highest cosine of its passages."""
        request = SearchRequest(query=query[:500])
        hits = self._platform.retrieval.rank(self._actor, request, Permission.KB_READ, 2 * CHUNKS_PER_LEG)
        best: dict[str, float] = {}
        for hit in hits:
            name = self._names[str(hit.passage.key)]
            best[name] = max(best.get(name, 0.0), hit.relevance_score)
        return list(best.items())

    def _documents(self, keys: Iterable[int]) -> list[str]:
        return list(dict.fromkeys(self._names[str(key)] for key in keys))[:DEPTH]


def measure(search: Search, queries: list[dict[str, str]], judged: dict[str, dict[str, int]]) -> dict[str, float]:
    ranked = [(search(query["text"]), judged[query["_id"]]) for query in queries]
    return {
        "nDCG@10": statistics.fmean(ndcg(found, relevant) for found, relevant in ranked),
        "recall@100": statistics.fmean(recall(found, relevant) for found, relevant in ranked),
        "MRR@10": statistics.fmean(reciprocal_rank(found, relevant) for found, relevant in ranked),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with corpus.jsonl, queries.jsonl, qrels.tsv")
    parser.add_argument("--embedding-model", type=EmbeddingModel, default=EmbeddingModel.FULL, help="of the passages")
    parser.add_argument("--token-vectors", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    data: Path = options.data
    judged = read_qrels(data / "qrels.tsv")
    queries = [query for query in read_jsonl(data / "queries.jsonl") if query["_id"] in judged]
    with tempfile.TemporaryDirectory() as directory:
        platform = Platform(Settings(data_dir=Path(directory)))
        platform.open()
        collection = Collection(
            platform, read_jsonl(data / "corpus.jsonl"), options.embedding_model, with_tokens=options.token_vectors
        )
        platform.index.flush()
        systems: dict[str, Search] = {"BM25": collection.bm25, "dense": collection.dense, "hybrid": collection.hybrid}
        subsets = {"even": queries[1::2], "all": queries}
        results = {
            name: {subset: measure(search, some, judged) for subset, some in subsets.items()}
            for name, search in systems.items()
        }
        platform.close()
    show(data.name, results, {name: len(some) for name, some in subsets.items()})
    write_result("quality", {"data": data.name, "embedding_model": options.embedding_model, "results": results})
    best = results["hybrid"]["all"]["nDCG@10"]
    if best <= max(results[name]["all"]["nDCG@10"] for name in ("BM25", "dense")):
        raise SystemExit("hybrid is not above both of its legs")


def show(name: str, results: dict[str, dict[str, dict[str, float]]], sizes: dict[str, int]) -> None:
    print(f"\n{name}: {sizes['all']} queries, of which {sizes['even']} even-numbered ones were never tuned on\n")
    header = ["system", "queries", *next(iter(results.values()))["all"]]
    rows = [
        [system, subset, *(f"{value:.3f}" for value in figures.values())]
        for system, subsets in results.items()
        for subset, figures in subsets.items()
    ]
    print_table(header, rows)


if __name__ == "__main__":
    main()
