"""What is damaged in the record behind a running installation: no search breaks, no job takes it over."""

from typing import Any

import numpy as np
import pytest
from sqlalchemy import update

from lumikb.compute.embed.load import Models
from lumikb.knowledge.base_service import KnowledgeBaseService
from lumikb.knowledge.models import DocumentStatus
from lumikb.retrieval.errors import NothingToCompareError
from lumikb.retrieval.models import SearchRequest
from lumikb.retrieval.service import RetrievalService
from lumikb.store.record.engine import UnitOfWork
from lumikb.store.record.tables.knowledge import chunks

from .conftest import TOKENIZER, Bench, DirectSteps


@pytest.mark.parametrize("broken", [b"\0", np.zeros(384, "<f2").tobytes(), np.full(384, np.nan, "<f2").tobytes()])
def test_an_embedding_that_is_none_is_not_taken_over(bench: Bench, broken: bytes) -> None:
    document_id = bench.ingest("a.txt")
    ordinal = chunks.c.ordinal == 0
    bench.record.write(lambda unit: unit.connection.execute(update(chunks).where(ordinal).values(embedding=broken)))
    embedded = bench.embedder.embedded
    bench.run_ingestion(document_id, DirectSteps())
    assert bench.embedder.embedded == embedded + 1
    assert set(map(len, bench.embeddings(document_id))) == {768}
    assert broken not in bench.embeddings(document_id)


def test_a_job_that_fails_leaves_no_document_in_processing(bench: Bench) -> None:
    unread = bench.ingest("a.txt")
    states = {DocumentStatus.READY: DocumentStatus.READY, DocumentStatus.PROCESSING: DocumentStatus.READY}
    for before, after in (states | {DocumentStatus.ARCHIVED: DocumentStatus.ARCHIVED}).items():
        assert bench.failed(unread, status=before) is after
    for before in (DocumentStatus.PENDING, DocumentStatus.PROCESSING, DocumentStatus.READY):
        assert bench.failed(unread, status=before, current_chunk_set_id=None) is DocumentStatus.FAILED


def test_a_search_passes_over_what_is_damaged(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """An altered text is not shown; a passage without an embedding is found by its words."""
    bench.ingest("altered.txt", "Cranes dance in spring.")
    wordy, sound = bench.ingest("wordy.txt", "Storks nest on roofs."), bench.ingest("sound.txt", "Herons wait.")
    of_wordy, of_cranes = chunks.c.document_id == wordy, chunks.c.text.contains("Cranes")

    def damage(unit: UnitOfWork) -> None:
        unit.connection.execute(update(chunks).where(of_wordy).values(embedding=b"\0"))
        unit.connection.execute(update(chunks).where(of_cranes).values(text="altered.txt: Cranes sleep in spring."))

    bench.record.write(damage)

    class Index:
        def search_dense(self, vector: object, k: int, *_: object, **__: object) -> list[tuple[int, float]]:
            return [(key, 1.0) for key in sorted(bench.live())]

        search_lexical = search_dense

        def rarity(self, words: list[str]) -> list[float]:
            return [1.0] * len(words)

    index: Any = Index()
    models = Models(TOKENIZER, lambda: bench.embedder)  # pyright: ignore[reportArgumentType]
    bases = KnowledgeBaseService(kb_create_level=2, undo_seconds=30)
    service = RetrievalService(bench.record, index, bases, lambda: models, candidates=100)
    for _ in range(2):
        hits = service.search(bench.actor, SearchRequest("herons"))
        assert [hit.passage.document_id for hit in hits] == [sound, wordy]
        assert hits[1].relevance_score == 0
    assert [record.message for record in caplog.records] == ["passage damaged"] * 2
    assert [hit.passage.document_id for hit in service.similar(bench.actor, sound, None, None, 5)] == []
    with pytest.raises(NothingToCompareError):
        service.similar(bench.actor, wordy, None, None, 5)
    service.close()
