"""Vectors of passages: taken over from passages of the same text, computed for the others."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from lumikb.compute.chunk.models import Chunk
from lumikb.compute.embed.embedder import Embedder
from lumikb.compute.embed.unit_vectors import unit_vectors
from lumikb.knowledge import repository
from lumikb.store.record.engine import Record

# Chunks that are embedded between two looks at progress and shutdown: about half a second of work on two threads.
EMBED_BATCH = 64

HASHES_ASKED_AT_ONCE = 1000

_Vectors = Mapping[str, NDArray[np.float32]]


def _known_vectors(connection: Connection, chunk_set_id: str, embedder: Embedder, chunks: Sequence[Chunk]) -> _Vectors:
    """Vectors that a chunk set has for the texts of `chunks`, by the hash of the text, if they are of this model.

    What is stored and is no vector is left out, so that it is computed anew.
    """
    known: dict[str, NDArray[np.float32]] = {}
    for start in range(0, len(chunks), HASHES_ASKED_AT_ONCE):
        some = [chunk.text_sha256 for chunk in chunks[start : start + HASHES_ASKED_AT_ONCE]]
        packed = repository.embeddings_by_text(connection, chunk_set_id, embedder.model_id, embedder.tier, some)
        vectors, sound = unit_vectors(list(packed.values()), embedder.dimensions)
        known |= {sha256: vector for sha256, vector, is_sound in zip(packed, vectors, sound, strict=True) if is_sound}
    return known


def embed_chunks(
    record: Record,
    embedder: Embedder,
    chunk_set_id: str | None,
    chunks: Sequence[Chunk],
    advance: Callable[[int], None],
) -> tuple[NDArray[np.float32], int]:
    """A row for each chunk, and how many were taken over from a chunk set, if there is one.

    `advance` is called before each batch with the number of chunks done; what it raises ends the work.
    """
    known: _Vectors = {}
    if chunk_set_id is not None:
        known = record.read(lambda read: _known_vectors(read, chunk_set_id, embedder, chunks))
    vectors = np.empty((len(chunks), embedder.dimensions), np.float32)
    fresh: list[int] = []
    for at, chunk in enumerate(chunks):
        if chunk.text_sha256 in known:
            vectors[at] = known[chunk.text_sha256]
        else:
            fresh.append(at)
    copied = len(chunks) - len(fresh)
    # By length, so that a batch pads little; each vector lands in its chunk's row.
    fresh.sort(key=lambda at: len(chunks[at].token_ids))
    for done in range(0, len(fresh), EMBED_BATCH):
        advance(copied + done)
        batch = fresh[done : done + EMBED_BATCH]
        vectors[batch] = embedder.embed([chunks[at].token_ids for at in batch])
    return vectors, copied
