"""Derived blobs: what the steps of an ingestion hand to each other by key.

Each carries the id it belongs to, so that no two owners ever share one and each can be erased without asking others.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from lumikb.compute.chunk.models import Chunk
from lumikb.compute.parse.models import ParsedText
from lumikb.store.blobs.port import BlobStore


class _ParsedBlob(msgspec.Struct, array_like=True):
    version_id: str
    parsed: ParsedText


class _ChunksBlob(msgspec.Struct, array_like=True):
    job_id: str
    chunks: list[Chunk]


class _VectorsBlob(msgspec.Struct, array_like=True):
    job_id: str
    dimensions: int
    vectors: bytes


def put_parsed(blobs: BlobStore, version_id: str, parsed: ParsedText) -> str:
    """Keep a version's text with its map; gives the blob's key."""
    return blobs.put_bytes(msgspec.msgpack.encode(_ParsedBlob(version_id, parsed))).sha256


def get_parsed(blobs: BlobStore, key: str) -> ParsedText:
    """The text that `put_parsed` kept."""
    return msgspec.msgpack.decode(blobs.read(key), type=_ParsedBlob).parsed


def put_chunks(blobs: BlobStore, job_id: str, chunks: list[Chunk]) -> str:
    """Keep a job's chunks; gives the blob's key."""
    return blobs.put_bytes(msgspec.msgpack.encode(_ChunksBlob(job_id, chunks))).sha256


def get_chunks(blobs: BlobStore, key: str) -> list[Chunk]:
    """The chunks that `put_chunks` kept."""
    return msgspec.msgpack.decode(blobs.read(key), type=_ChunksBlob).chunks


def put_vectors(blobs: BlobStore, job_id: str, vectors: NDArray[np.float32]) -> str:
    """Keep a job's vectors, a row for each chunk, as little-endian float16; gives the blob's key."""
    packed = _VectorsBlob(job_id, vectors.shape[1], vectors.astype("<f2").tobytes())
    return blobs.put_bytes(msgspec.msgpack.encode(packed)).sha256


def get_vectors(blobs: BlobStore, key: str) -> NDArray[np.float16]:
    """The vectors that `put_vectors` kept, shape (chunks, dimensions)."""
    blob = msgspec.msgpack.decode(blobs.read(key), type=_VectorsBlob)
    return np.frombuffer(blob.vectors, "<f2").reshape(-1, blob.dimensions)


def without_text(parsed: ParsedText) -> ParsedText:
    """The map alone: pages and headings."""
    return msgspec.structs.replace(parsed, text="")
