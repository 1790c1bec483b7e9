"""Passages that were found, and documents to cut them from."""

from collections.abc import Callable

import pytest

from lumikb.compute.chunk.models import text_sha256
from lumikb.retrieval.models import Hit, Passage

MakeHit = Callable[..., Hit]


def make_hit(
    text: str, *, key: int = 1, document_id: str = "d1", char_start: int = 0, header: str | None = None
) -> Hit:
    """A passage with this text at `char_start` of its document; one chunk set a document."""
    passage = Passage(
        key=key,
        chunk_id=f"chunk-{key}",
        chunk_set_id=f"set-{document_id}",
        document_id=document_id,
        document_name=f"{document_id}.txt",
        version=1,
        kb_id="kb",
        kb_name="KB",
        text=text,
        text_sha256=text_sha256(text),
        ordinal=key - 1,
        total_chunks=9,
        char_start=char_start,
        char_end=char_start + len(text),
        page_number=1,
        section_header=header,
        parsed_sha256="0" * 64,
        metadata={},
        vector=None,
    )
    return Hit(passage, 0.9, 0.8)


@pytest.fixture
def hit() -> MakeHit:
    return make_hit
