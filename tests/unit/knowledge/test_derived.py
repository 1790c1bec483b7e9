"""What the steps of an ingestion hand to each other."""

from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest

from lumikb.compute.chunk.models import Chunk
from lumikb.compute.parse.models import ParsedText
from lumikb.knowledge import derived
from lumikb.knowledge.embedding import Embedded
from lumikb.store.blobs.local import LocalBlobStore


@pytest.fixture
def blobs(tmp_path: Path) -> Generator[LocalBlobStore]:
    store = LocalBlobStore(tmp_path / "blobs", tmp_path / "incoming")
    store.open()
    yield store
    store.close()


def put(blobs: LocalBlobStore, data: bytes) -> str:
    return blobs.put_bytes(data).sha256


PARSED = ParsedText(text="A text with \U0001f30a in it.", page_count=None, title="", metadata={}, warnings=[])


def test_a_text_comes_back_as_it_was(blobs: LocalBlobStore) -> None:
    assert derived.get_parsed(blobs, put(blobs, derived.pack_parsed("v1", PARSED))) == PARSED


def test_two_owners_of_one_text_never_share_a_blob(blobs: LocalBlobStore) -> None:
    first, second = put(blobs, derived.pack_parsed("v1", PARSED)), put(blobs, derived.pack_parsed("v2", PARSED))
    assert first != second
    blobs.delete(first)
    assert derived.get_parsed(blobs, second) == PARSED


def test_a_repeated_step_gives_the_same_key(blobs: LocalBlobStore) -> None:
    assert put(blobs, derived.pack_parsed("v1", PARSED)) == put(blobs, derived.pack_parsed("v1", PARSED))


@pytest.mark.parametrize("count", [0, 1, 5])
def test_vectors_come_back_row_by_row(blobs: LocalBlobStore, count: int) -> None:
    vectors = np.random.default_rng(1).standard_normal((count, 384)).astype(np.float32)
    embedded = Embedded(vectors.astype("<f2"), [bytes([at]) for at in range(count)], 2)
    found = derived.get_vectors(blobs, put(blobs, derived.pack_vectors("job", 0, embedded)))
    assert found[1:] == embedded[1:]
    assert found.vectors.dtype == np.float16
    assert np.array_equal(found.vectors, embedded.vectors)


def test_a_map_alone_has_no_text() -> None:
    assert derived.without_text(PARSED).text == ""


def test_chunks_come_back_in_order(blobs: LocalBlobStore) -> None:
    chunks = [
        Chunk(
            ordinal=at,
            char_start=at * 5,
            char_end=at * 5 + 5,
            token_ids=[at, at + 1],
            token_starts=[0, 3],
            text_sha256="a" * 64,
            section_header="A > B",
        )
        for at in range(3)
    ]
    made_with = {"chunk_tokens": 64}
    key = put(blobs, derived.pack_chunks("job", chunks, made_with=made_with))
    assert derived.read_chunks(blobs, key) == (chunks, made_with)


def test_a_text_knows_the_languages_it_was_recognised_in_if_it_was(blobs: LocalBlobStore) -> None:
    for warnings, languages in ([], ""), (["NO_TEXT"], ""), (["TEXT_RECOGNISED: scan.png"], "deu"):
        parsed = ParsedText(text="A text.", warnings=warnings)
        key = put(blobs, derived.pack_parsed("v1", parsed, ocr_languages="deu"))
        assert derived.read_parsed(blobs, key) == (parsed, languages)
