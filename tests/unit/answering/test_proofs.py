"""Passages compared with the texts of their documents before a citation leaves."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lumikb.answering.proofs import Proofs
from lumikb.compute.parse.models import ParsedText
from lumikb.knowledge.derived import pack_parsed
from lumikb.retrieval.models import Hit, Passage
from lumikb.store.blobs.local import LocalBlobStore
from lumikb.store.blobs.port import blob_path

MakeHit = Callable[..., Hit]

TEXT = "The comet passes every seventy-six years. Its tail points away from the sun."


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobStore:
    store = LocalBlobStore(tmp_path / "blobs", tmp_path / "incoming")
    store.open()
    return store


def cut(hit: MakeHit, blobs: LocalBlobStore, start: int, end: int, key: int = 1) -> Passage:
    """A passage of a document that is in the store."""
    parsed_sha256 = blobs.put_bytes(pack_parsed("v", ParsedText(text=TEXT))).sha256
    return replace(hit(TEXT[start:end], key=key, char_start=start).passage, parsed_sha256=parsed_sha256)


def test_a_passage_at_its_place_is_proven(hit: MakeHit, blobs: LocalBlobStore) -> None:
    first, second = cut(hit, blobs, 0, 41), cut(hit, blobs, 42, len(TEXT), key=2)
    assert Proofs(blobs).proven([first, second]) == {1, 2}


@pytest.mark.parametrize("shift", [{"char_start": 1}, {"char_start": 1, "char_end": 42}, {"char_end": 40}])
def test_a_passage_at_another_place_is_not(hit: MakeHit, blobs: LocalBlobStore, shift: dict[str, int]) -> None:
    sound, shifted = cut(hit, blobs, 42, len(TEXT), key=2), replace(cut(hit, blobs, 0, 41), **shift)
    proofs = Proofs(blobs)
    for _ in range(2):
        assert proofs.proven([shifted, sound]) == {2}


def test_what_was_proven_stays_so_when_the_text_is_damaged(hit: MakeHit, blobs: LocalBlobStore, tmp_path: Path) -> None:
    known, new = cut(hit, blobs, 0, 41), cut(hit, blobs, 42, len(TEXT), key=2)
    proofs = Proofs(blobs)
    assert proofs.proven([known]) == {1}
    (tmp_path / "blobs" / blob_path(known.parsed_sha256)).write_bytes(b"something else")
    assert proofs.proven([known, new]) == {1}
    assert proofs.proven([known]) == {1}
