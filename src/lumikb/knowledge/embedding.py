"""Vectors of passages: taken over from passages of the same text, computed for the others."""

import hashlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from lumikb.compute.chunk.models import Chunk
from lumikb.compute.embed.embedder import Embedder
from lumikb.knowledge import repository

# Chunks that are embedded between two looks at progress and shutdown: about half a second of work on two threads.
EMBED_BATCH = 64

Vectors = Mapping[str, NDArray[np.float16]]


def text_sha256(text: str) -> str:
    """What tells whether two passages have the same text."""
    return hashlib.sha256(text.encode()).hexdigest()


def known_vectors(connection: Connection, chunk_set_id: str, embedder: Embedder) -> Vectors:
    """Vectors of a chunk set by the hash of their text, if they are of this model."""
    packed = repository.embeddings_by_text(connection, chunk_set_id, embedder.model_id, embedder.tier)
    return {sha256: np.frombuffer(vector, "<f2") for sha256, vector in packed.items()}


def embed_chunks(
    embedder: Embedder, chunks: Sequence[Chunk], hashes: Sequence[str], known: Vectors, advance: Callable[[int], None]
) -> tuple[NDArray[np.float32], int]:
    """A row for each chunk, and how many were taken over from `known`.

    `advance` is called before each batch with the number of chunks done; what it raises ends the work.
    """
    vectors = np.empty((len(chunks), embedder.dimensions), np.float32)
    fresh: list[int] = []
    for at, sha256 in enumerate(hashes):
        if sha256 in known:
            vectors[at] = known[sha256]
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
