"""A reprocessing on a record and blobs of its own: what waits, what is switched, what is left."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lumikb.compute.chunk.models import ChunkStrategy
from lumikb.compute.embed.load import Models
from lumikb.compute.embed.models import EmbeddingModel
from lumikb.compute.embed.tokens import TOKEN_BYTES
from lumikb.knowledge import jobs as ingestion
from lumikb.knowledge import repository, reprocess, reprocess_repository
from lumikb.knowledge.base_service import KnowledgeBaseService
from lumikb.knowledge.derived import get_parsed
from lumikb.knowledge.errors import ReprocessOpenError, TextLostError
from lumikb.knowledge.models import KbSettings
from lumikb.knowledge.removal import remove_document
from lumikb.knowledge.settings_service import KbSettingsService
from lumikb.knowledge.version_repository import list_versions
from lumikb.retrieval.models import SearchRequest
from lumikb.retrieval.service import RetrievalService
from lumikb.store.jobs import repository as jobs
from lumikb.store.jobs.errors import JobCancelledError
from lumikb.store.jobs.models import JobStatus

from .conftest import DEFAULTS, TEXT, TOKENIZER, Bench, DirectSteps

pytestmark = pytest.mark.thorough


def test_settings_take_effect_at_once_where_nothing_is_behind_them(bench: Bench) -> None:
    assert bench.change(chunk_tokens=32) is None
    assert bench.in_force().chunk_tokens == 32
    document_id = bench.ingest("a.txt")
    assert len(bench.texts(document_id)) > 10
    assert bench.change(ocr_languages="eng") is None  # no text of it was recognised
    assert bench.change(chunk_overlap=None) is None
    assert bench.change(chunk_tokens=None) is not None


def test_another_model_embeds_what_was_embedded_by_the_former(bench: Bench) -> None:
    document_id = bench.ingest("a.txt")
    passages = bench.texts(document_id)

    bench.bring_about(bench.started(embedding_model="all-MiniLM-L6-v2-int8"))

    assert bench.in_force().embedding_model is EmbeddingModel.INT8
    assert bench.texts(document_id) == passages
    assert (bench.embedder.embedded, bench.int8.embedded) == (len(passages), len(passages))
    bench.ingest("b.txt", "Storks nest on roofs.")
    assert bench.int8.embedded == len(passages) + 1
    assert bench.change(embedding_model="all-MiniLM-L6-v2-int8") is None


def test_an_overlap_that_follows_the_server_fits_the_chunks(bench: Bench) -> None:
    bench.change(chunk_tokens=16)
    assert bench.in_force().chunk_overlap == 8
    assert DEFAULTS.overridden_by({"chunk_tokens": 16, "chunk_overlap": 100}).chunk_overlap == 8


@pytest.mark.thorough
def test_every_document_is_switched_at_once_and_the_old_sets_go(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reprocess, "DOCUMENTS_PER_STEP", 5)
    documents = [bench.ingest(f"{number}.txt", f"{TEXT} {number}") for number in range(7)]
    short = bench.ingest("short.txt", "Storks nest on roofs.")
    before = {document_id: bench.texts(document_id) for document_id in documents}
    embedded = bench.embedder.embedded
    job = bench.started(chunk_tokens=32, chunk_strategy="fixed")

    def unchanged(name: str) -> None:
        assert {document_id: bench.texts(document_id) for document_id in documents} == before
        assert bench.in_force() == DEFAULTS

    steps = bench.bring_about(job, unchanged)
    assert steps.names == ["documents 1", "documents 2", "switch 2"]
    assert bench.in_force() == KbSettings(32, 8, ChunkStrategy.FIXED, "eng")
    for document_id in documents:
        assert len(bench.texts(document_id)) > len(before[document_id])
        assert bench.document(document_id).chunk_count == len(bench.texts(document_id))
    assert bench.sets() == len(documents) + 1
    assert bench.followed() == bench.live()
    ended = bench.job(job.id)
    total = len(bench.live())
    assert ended.status is JobStatus.COMPLETED
    assert ended.result == {"documents": 8, "chunks": total, "texts_kept": 0}
    # The passage that is the same under both settings keeps its embedding.
    assert bench.embedder.embedded - embedded == total - 1
    assert bench.texts(short) == ["short.txt: Storks nest on roofs."]


def test_a_document_that_comes_before_the_switch_is_made_before_it(bench: Bench) -> None:
    bench.ingest("first.txt")
    come: list[str] = []

    def upload(name: str) -> None:
        if name == "switch 1":
            come.append(bench.ingest("second.txt", "Cranes dance in spring. " * 40))

    steps = bench.bring_about(bench.started(chunk_tokens=32), upload)
    assert steps.names == ["documents 1", "switch 1", "documents 2", "switch 2"]
    assert max(len(TOKENIZER.encode(text).ids) for text in bench.texts(come[0])) <= 32
    assert bench.followed() == bench.live()


def test_an_ingestion_that_meets_the_switch_begins_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingestion, "AT_ONCE_CHARS_MAX", 0)
    bench.ingest("first.txt")
    job = bench.started(chunk_tokens=32)

    def switch(name: str) -> None:
        if name == "store":
            bench.bring_about(job)

    steps = DirectSteps(switch)
    document_id = bench.ingest("second.txt", "Cranes dance in spring. " * 40, steps)
    assert steps.names[-1] == "store again 1"
    assert max(len(TOKENIZER.encode(text).ids) for text in bench.texts(document_id)) <= 32
    assert bench.sets() == 2
    assert bench.followed() == bench.live()


def test_a_short_text_that_meets_the_switch_is_made_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.ingest("first.txt")
    job = bench.started(chunk_tokens=32)
    embed, switched = bench.embedder.embed, False

    def switch(token_ids: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        nonlocal switched
        if not switched:
            switched = True
            bench.bring_about(job)
        return embed(token_ids)

    monkeypatch.setattr(bench.embedder, "embed", switch)
    steps = DirectSteps()
    document_id = bench.ingest("second.txt", "Cranes dance in spring. " * 40, steps)
    assert steps.names == ["parse", "chunk", "embed 0", "store"]
    assert max(len(TOKENIZER.encode(text).ids) for text in bench.texts(document_id)) <= 32
    assert bench.sets() == 2
    assert bench.followed() == bench.live()


def test_a_new_version_before_the_switch_stays_the_one_that_answers(bench: Bench) -> None:
    document_id = bench.ingest("first.txt")

    def reupload(name: str) -> None:
        if name == "switch 1":
            bench.add_version(document_id, "Cranes dance in spring. " * 40)
            bench.run_ingestion(document_id, DirectSteps())

    bench.bring_about(bench.started(chunk_tokens=32), reupload)
    texts = bench.texts(document_id)
    assert all("Cranes" in text or "spring" in text for text in texts)
    assert max(len(TOKENIZER.encode(text).ids) for text in texts) <= 32
    assert bench.sets() == 2  # the first version keeps the set that citations of it come from
    assert bench.followed() == bench.live()


def test_a_version_that_is_processed_again_keeps_one_set(bench: Bench) -> None:
    document_id = bench.ingest("first.txt")
    for _ in range(2):
        bench.run_ingestion(document_id, DirectSteps())
    assert bench.sets() == 1
    bench.add_version(document_id, "Cranes dance in spring. " * 40)
    bench.run_ingestion(document_id, DirectSteps())
    assert bench.sets() == 2
    assert bench.followed() == bench.live()


def test_a_document_that_is_processed_again_before_the_switch_leaves_no_version(bench: Bench) -> None:
    document_id = bench.ingest("scan.png")

    def process(name: str) -> None:
        if name == "switch 1":
            bench.run_ingestion(document_id, DirectSteps())

    bench.bring_about(bench.started(chunk_tokens=32, ocr_languages="eng+osd"), process)
    assert "Read in eng+osd" in "".join(bench.texts(document_id))
    versions = bench.record.read(lambda read: list_versions(read, bench.document(document_id)))
    assert [version.current for version in versions] == [True, False]
    assert bench.followed() == bench.live()


def test_a_document_deleted_before_the_switch_is_not_seen_and_can_be_restored(bench: Bench) -> None:
    kept, gone = bench.ingest("kept.txt"), bench.ingest("gone.txt")
    document = bench.document(gone)

    def remove(name: str) -> None:
        if name == "switch 1":
            bench.record.write(lambda unit: remove_document(unit, bench.actor.user_id, document, 30))

    bench.bring_about(bench.started(chunk_tokens=32), remove)
    assert bench.followed() == bench.live()
    assert len(bench.live()) == len(bench.texts(kept))
    bench.record.write(lambda unit: repository.update_document(unit, gone, deleted_at=None))
    assert max(len(TOKENIZER.encode(text).ids) for text in bench.texts(gone)) <= 32


def test_a_search_that_meets_the_switch_is_done_again(bench: Bench) -> None:
    """Between the index's answer and the gate's all that the index found is replaced."""
    document_id = bench.ingest("first.txt")
    job = bench.started(chunk_tokens=32)
    asked: list[int] = []

    class Index:
        def search_dense(self, vector: object, k: int, *_: object, **__: object) -> list[tuple[int, float]]:
            found = [(key, 1.0) for key in sorted(bench.live())]
            asked.append(len(found))
            if len(asked) == 1:
                bench.bring_about(job)
            return found

        def rarity(self, words: list[str]) -> list[float]:
            return [1.0] * len(words)

    index: Any = Index()
    models = Models(TOKENIZER, lambda: bench.embedder)  # pyright: ignore[reportArgumentType]
    bases = KnowledgeBaseService(kb_create_level=2, undo_seconds=30)
    service = RetrievalService(bench.record, index, bases, lambda: models, candidates=100)
    hits = service.search(bench.actor, SearchRequest("herons", limit=50, hybrid=False))
    service.close()
    assert len(asked) == 2
    assert sorted(hit.passage.text for hit in hits) == sorted(bench.texts(document_id))


def test_a_cancelled_change_leaves_nothing(bench: Bench) -> None:
    document_id = bench.ingest("scan.png")
    before, blobs = bench.texts(document_id), set(bench.blobs.list())
    job = bench.started(chunk_tokens=32)

    def cancel(name: str) -> None:
        if name == "switch 1":
            assert bench.sets() == 2
            bench.record.write(lambda unit: jobs.end_job(unit, job.id, JobStatus.CANCELLED))

    with pytest.raises(JobCancelledError):
        bench.bring_about(job, cancel)
    bench.handler.clear(bench.job(job.id))
    assert (bench.sets(), bench.texts(document_id), bench.in_force()) == (1, before, DEFAULTS)
    assert set(bench.blobs.list()) == blobs
    assert bench.followed() == bench.live()


def test_a_change_under_way_keeps_others_out(bench: Bench) -> None:
    bench.ingest("a.txt")
    job = bench.started(chunk_tokens=32)
    with pytest.raises(ReprocessOpenError) as caught:
        bench.change(chunk_tokens=100)
    assert caught.value.details == {"job_id": job.id}
    assert bench.change() == job  # nothing asked for, nothing refused
    again = bench.record.write(lambda unit: bench.settings.reprocess(unit, bench.actor, bench.kb_id))
    assert again.pending is not None
    assert again.pending.job.id == job.id


def test_a_text_that_is_gone_fails_the_change_by_name(bench: Bench) -> None:
    bench.ingest("lost.txt")
    for sha256 in list(bench.blobs.list()):
        bench.blobs.delete(sha256)
    with pytest.raises(TextLostError, match=r"lost\.txt"):
        bench.bring_about(bench.started(chunk_tokens=32))


class TestRecognisedTexts:
    """Other languages make a new version of what stands on pictures, so that citations of the old text still land."""

    @pytest.fixture(autouse=True)
    def languages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(KbSettingsService, "_check_languages", lambda *_: None)

    def test_only_pictures_are_read_again(self, bench: Bench) -> None:
        plain, scan = bench.ingest("plain.txt"), bench.ingest("scan.png")
        former = bench.document(plain).current_chunk_set_id
        job = bench.started(ocr_languages="deu")
        bench.bring_about(job)
        assert bench.document(plain).current_chunk_set_id == former
        assert bench.texts(scan)[-1].endswith("Read in deu.")
        document = bench.document(scan)
        versions = bench.record.read(lambda read: list_versions(read, document))
        assert [(version.number, version.current, version.status) for version in versions] == [
            (2, True, "READY"),
            (1, False, "READY"),
        ]
        assert (document.version, document.warnings) == (2, ["TEXT_RECOGNISED"])
        assert document.extracted is not None
        sha256 = versions[0].parsed_sha256
        assert sha256 is not None
        text = get_parsed(bench.blobs, sha256).text
        summary = document.extracted.summary
        assert summary
        assert [text[one.char_start : one.char_end] for one in summary] == [one.text for one in summary]
        assert document.current_version == 2
        assert versions[0].sha256 == versions[1].sha256
        assert versions[0].parsed_sha256 != versions[1].parsed_sha256
        assert bench.job(job.id).result == {"documents": 1, "chunks": len(bench.texts(scan)), "texts_kept": 0}
        assert bench.followed() == bench.live()
        assert bench.change(chunk_tokens=64) is None

    def test_a_cancelled_change_takes_its_version_and_text_with_it(self, bench: Bench) -> None:
        scan = bench.ingest("scan.png")
        blobs, job = set(bench.blobs.list()), bench.started(ocr_languages="deu")

        def cancel(name: str) -> None:
            if name == "switch 1":
                assert len(set(bench.blobs.list())) == len(blobs) + 1
                bench.record.write(lambda unit: jobs.end_job(unit, job.id, JobStatus.CANCELLED))

        with pytest.raises(JobCancelledError):
            bench.bring_about(job, cancel)
        bench.handler.clear(bench.job(job.id))
        document = bench.document(scan)
        assert len(bench.record.read(lambda read: list_versions(read, document))) == 1
        assert set(bench.blobs.list()) == blobs

    def test_what_cannot_be_read_again_keeps_its_text(self, bench: Bench) -> None:
        scan = bench.ingest("scan.png")
        bench.parser.fails = True
        job = bench.started(ocr_languages="deu", chunk_tokens=32)
        bench.bring_about(job)
        assert bench.texts(scan)[-1].endswith("Read in eng.")
        assert max(len(TOKENIZER.encode(text).ids) for text in bench.texts(scan)) <= 32
        result = bench.job(job.id).result
        assert result is not None
        assert result["texts_kept"] == 1
        state = bench.record.read(lambda read: bench.settings.get(read, bench.actor, bench.kb_id))
        assert state.documents_behind == 1


def test_sets_of_a_job_that_is_gone_are_orphans(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.ingest("a.txt")
    job = bench.started(chunk_tokens=32)

    def cancel(name: str) -> None:
        if name == "switch 1":
            assert bench.record.read(reprocess_repository.orphaned_sets) == {}
            bench.record.write(lambda unit: jobs.end_job(unit, job.id, JobStatus.CANCELLED))

    with pytest.raises(JobCancelledError):
        bench.bring_about(job, cancel)
    assert bench.record.read(reprocess_repository.orphaned_sets) == {}  # its own job clears away
    monkeypatch.setattr(reprocess_repository, "ORPHANED_AFTER", -reprocess_repository.ORPHANED_AFTER)
    assert set(bench.record.read(reprocess_repository.orphaned_sets)) == {job.id}


def test_token_vectors_come_and_go_with_the_setting(bench: Bench) -> None:
    document_id = bench.ingest("a.txt")
    counts = bench.token_counts(document_id)
    assert bench.token_bytes(document_id) == [TOKEN_BYTES * count for count in counts]
    embedded = bench.embedder.embedded
    bench.bring_about(bench.started(token_vectors=False))
    assert bench.embedder.embedded == embedded
    assert bench.token_bytes(document_id) == []
    bench.bring_about(bench.started(token_vectors=True))
    assert bench.embedder.embedded == embedded + len(counts)
    assert bench.token_bytes(document_id) == [TOKEN_BYTES * count for count in counts]


def test_unchanged_passages_keep_their_token_vectors(bench: Bench) -> None:
    document_id = bench.ingest("a.txt")
    before, embedded = bench.token_bytes(document_id), bench.embedder.embedded
    bench.run_ingestion(document_id, DirectSteps())
    assert bench.token_bytes(document_id) == before
    assert bench.embedder.embedded == embedded
