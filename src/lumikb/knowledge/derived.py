"""Derived blobs: what the steps of an ingestion hand to each other by key.

Each carries the id it belongs to, so that no two owners ever share one and each can be erased without asking others.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from lumikb.compute.chunk.models import Chunk
from lumikb.compute.parse.models import ParsedText
from lumikb.knowledge import repository
from lumikb.store.blobs.port import BlobStore
from lumikb.store.jobs.repository import blobs_of_jobs
from lumikb.store.record.engine import UnitOfWork


class _ParsedBlob(msgspec.Struct, array_like=True):
    version_id: str
    parsed: ParsedText


class _ChunksBlob(msgspec.Struct, array_like=True):
    job_id: str
    chunks: list[Chunk]


class _VectorsBlob(msgspec.Struct, array_like=True):
    job_id: str
    start: int
    dimensions: int
    vectors: bytes
    copied: int


def pack_parsed(version_id: str, parsed: ParsedText) -> bytes:
    """A version's text with its map."""
    return msgspec.msgpack.encode(_ParsedBlob(version_id, parsed))


def get_parsed(blobs: BlobStore, key: str) -> ParsedText:
    """The text that `pack_parsed` packed."""
    return msgspec.msgpack.decode(blobs.read(key), type=_ParsedBlob).parsed


def pack_chunks(job_id: str, chunks: list[Chunk]) -> bytes:
    """A job's chunks."""
    return msgspec.msgpack.encode(_ChunksBlob(job_id, chunks))


def get_chunks(blobs: BlobStore, key: str) -> list[Chunk]:
    """The chunks that `pack_chunks` packed."""
    return msgspec.msgpack.decode(blobs.read(key), type=_ChunksBlob).chunks


def pack_vectors(job_id: str, start: int, vectors: NDArray[np.float32], *, copied: int) -> bytes:
    """Vectors of a job's chunks from `start` on, a row for each, as little-endian float16.

    `copied` is how many of them were taken over from passages of the same text.
    """
    packed = vectors.astype("<f2").tobytes()
    return msgspec.msgpack.encode(_VectorsBlob(job_id, start, vectors.shape[1], packed, copied))


def get_vectors(blobs: BlobStore, key: str) -> tuple[NDArray[np.float16], int]:
    """The vectors that `pack_vectors` packed, shape (chunks, dimensions), and how many were taken over."""
    blob = msgspec.msgpack.decode(blobs.read(key), type=_VectorsBlob)
    return np.frombuffer(blob.vectors, "<f2").reshape(-1, blob.dimensions), blob.copied


def erase_unreferenced(unit: UnitOfWork, blobs: BlobStore, sha256: str) -> bool:
    """Erase a blob unless a document or a job under way needs it; gives whether it was erased.

    Inside a unit of work: who stores the same bytes either comes before and is known to need the blob, or after and
    finds it missing.
    """
    repository.lock_blob(unit, sha256)
    if repository.is_referenced(unit.connection, sha256) or sha256 in blobs_of_jobs(unit.connection):
        return False
    blobs.delete(sha256)
    return True


def without_text(parsed: ParsedText) -> ParsedText:
    """The map alone: pages and headings."""
    return msgspec.structs.replace(parsed, text="", boxes=None)
