"""Vectors of passages: taken over from passages of the same text, computed for the others."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from lumikb.compute.chunk.models import Chunk
from lumikb.compute.embed.embedder import Embedder
from lumikb.compute.embed.tokens import TokenVectors, sign_bits
from lumikb.compute.embed.unit_vectors import unit_vectors
from lumikb.knowledge import repository
from lumikb.store.record.engine import Record

# Chunks that are embedded between two looks at progress and shutdown: about half a second of work on two threads.
EMBED_BATCH = 64

HASHES_ASKED_AT_ONCE = 1000


class Embedded(NamedTuple):
    """Of passages in order: unit vectors as little-endian float16 (passages, dimensions), packed token vectors, and how
    many were taken over. Token vectors are empty where none are wanted.
    """

    vectors: NDArray[np.float16]
    tokens: list[bytes]
    copied: int


def joined(parts: Sequence[Embedded]) -> Embedded:
    """Parts of a document's passages as one."""
    vectors = np.concatenate([part.vectors for part in parts]) if parts else np.empty((0, 0), "<f2")
    tokens = [own for part in parts for own in part.tokens or [b""] * len(part.vectors)]
    return Embedded(vectors, tokens, sum(part.copied for part in parts))


_Known = Mapping[str, tuple[NDArray[np.float32], bytes]]


def _known_vectors(
    connection: Connection, chunk_set_id: str, embedder: Embedder, chunks: Sequence[Chunk], *, with_tokens: bool
) -> _Known:
    """Vectors that a chunk set has for the texts of `chunks`, by the hash of the text, if they are of this model.

    What is stored and is no vector is left out, so that it is computed anew; `with_tokens` what has none of these, too.
    """
    known: dict[str, tuple[NDArray[np.float32], bytes]] = {}
    for start in range(0, len(chunks), HASHES_ASKED_AT_ONCE):
        some = [chunk.text_sha256 for chunk in chunks[start : start + HASHES_ASKED_AT_ONCE]]
        packed = repository.embeddings_by_text(connection, chunk_set_id, embedder.model_id, embedder.tier, some)
        vectors, sound = unit_vectors([embedding for embedding, _ in packed.values()], embedder.dimensions)
        for (sha256, (_, tokens)), vector, is_sound in zip(packed.items(), vectors, sound, strict=True):
            if is_sound and (tokens or not with_tokens):
                known[sha256] = vector, tokens if with_tokens else b""
    return known


def embed_chunks(
    record: Record,
    embedder: Embedder,
    chunk_set_id: str | None,
    chunks: Sequence[Chunk],
    advance: Callable[[int], None],
    *,
    with_tokens: bool,
) -> Embedded:
    """A vector for each chunk, `with_tokens` for each of its tokens, too; of a chunk set, if there is one, or computed.

    `advance` is called before each batch with the number of chunks done; what it raises ends the work.
    """
    known: _Known = {}
    if chunk_set_id is not None:
        known = record.read(lambda read: _known_vectors(read, chunk_set_id, embedder, chunks, with_tokens=with_tokens))
    vectors = np.empty((len(chunks), embedder.dimensions), "<f2")
    tokens = [b""] * len(chunks)
    fresh: list[int] = []
    for at, chunk in enumerate(chunks):
        if chunk.text_sha256 in known:
            vectors[at], tokens[at] = known[chunk.text_sha256]
        else:
            fresh.append(at)
    copied = len(chunks) - len(fresh)
    # By length, so that a batch pads little; each vector lands in its chunk's row.
    fresh.sort(key=lambda at: len(chunks[at].token_ids))
    for done in range(0, len(fresh), EMBED_BATCH):
        advance(copied + done)
        batch = fresh[done : done + EMBED_BATCH]
        ids = [chunks[at].token_ids for at in batch]
        if not with_tokens:
            vectors[batch] = embedder.embed(ids)
            continue
        vectors[batch], bits = embedder.embed_tokens(ids, sign_bits)
        for at, own in zip(batch, bits, strict=True):
            tokens[at] = TokenVectors.of(chunks[at].token_starts, own).pack()
    return Embedded(vectors, tokens, copied)
