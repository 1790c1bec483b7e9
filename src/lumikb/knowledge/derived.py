"""Derived blobs: what the steps of an ingestion hand to each other by key.

Each carries the id it belongs to, so that no two owners ever share one and each can be erased without asking others.
"""

import hashlib
from functools import partial
from typing import Any

import msgspec
import numpy as np

from lumikb.compute.chunk.models import Chunk
from lumikb.compute.parse.models import ParsedText
from lumikb.knowledge import repository
from lumikb.knowledge.embedding import Embedded
from lumikb.store.blobs.port import BlobStore
from lumikb.store.jobs.models import Job
from lumikb.store.jobs.repository import blobs_of_jobs, forget_blobs, note_blob
from lumikb.store.record.engine import Record, UnitOfWork

# What warnings of a text hold that stands on pictures, wholly or in part; the last one may stand for any. Spelt out, as
# the parsers that give them are not loaded in this process.
_OF_PICTURES = ("TEXT_RECOGNISED", "PAGES_WITHOUT_TEXT", "OCR_UNAVAILABLE", "WARNINGS_LEFT_OUT")


class _ParsedBlob(msgspec.Struct, array_like=True):
    version_id: str
    parsed: ParsedText
    read_in: str = ""


class _ChunksBlob(msgspec.Struct, array_like=True):
    job_id: str
    chunks: list[Chunk]
    made_with: dict[str, Any] = {}


class _VectorsBlob(msgspec.Struct, array_like=True):
    job_id: str
    start: int
    dimensions: int
    vectors: bytes
    copied: int
    tokens: list[bytes] = []


def pack_parsed(version_id: str, parsed: ParsedText, *, ocr_languages: str = "") -> bytes:
    """A version's text with its map, and the languages of text recognition, if it had a part in the text."""
    read_in = ocr_languages if needs_ocr(parsed) else ""
    return msgspec.msgpack.encode(_ParsedBlob(version_id, parsed, read_in))


def get_parsed(blobs: BlobStore, key: str) -> ParsedText:
    """The text that `pack_parsed` packed."""
    return read_parsed(blobs, key)[0]


def read_parsed(blobs: BlobStore, key: str) -> tuple[ParsedText, str]:
    """The same, and the languages in which it was recognised; empty where it was not."""
    blob = msgspec.msgpack.decode(blobs.read(key), type=_ParsedBlob)
    return blob.parsed, blob.read_in


def needs_ocr(parsed: ParsedText) -> bool:
    """Whether other languages of text recognition could give another text."""
    return any(mark in warning for warning in parsed.warnings for mark in _OF_PICTURES)


def pack_chunks(job_id: str, chunks: list[Chunk], *, made_with: dict[str, Any]) -> bytes:
    """A job's chunks, and the settings that they were made with."""
    return msgspec.msgpack.encode(_ChunksBlob(job_id, chunks, made_with))


def read_chunks(blobs: BlobStore, key: str) -> tuple[list[Chunk], dict[str, Any]]:
    """Chunks that a job has kept, and the settings that they were made with."""
    blob = msgspec.msgpack.decode(blobs.read(key), type=_ChunksBlob)
    return blob.chunks, blob.made_with


def pack_vectors(job_id: str, start: int, embedded: Embedded) -> bytes:
    """Vectors of a job's chunks from `start` on."""
    packed = embedded.vectors.tobytes()
    dimensions = embedded.vectors.shape[1]
    blob = _VectorsBlob(job_id, start, dimensions, packed, embedded.copied, embedded.tokens)
    return msgspec.msgpack.encode(blob)


def get_vectors(blobs: BlobStore, key: str) -> Embedded:
    """The vectors that `pack_vectors` packed."""
    blob = msgspec.msgpack.decode(blobs.read(key), type=_VectorsBlob)
    return Embedded(np.frombuffer(blob.vectors, "<f2").reshape(-1, blob.dimensions), blob.tokens, blob.copied)


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


def put_for_job(record: Record, blobs: BlobStore, job_id: str, data: bytes) -> str:
    """Keep what a later step reads; gives its key. The job knows of it before it is there, so that none is lost."""
    sha256 = hashlib.sha256(data).hexdigest()

    def note(unit: UnitOfWork) -> None:
        # Whoever is erasing the same bytes has looked before this: they are stored after it has erased them.
        repository.lock_blob(unit, sha256)
        note_blob(unit, job_id, sha256)

    record.write(note)
    return blobs.put_bytes(data).sha256


def clear_job(record: Record, blobs: BlobStore, job: Job) -> None:
    """Erase what the steps of an ended job left for each other and nothing came to refer to."""

    def erase(unit: UnitOfWork, sha256: str) -> None:
        erase_unreferenced(unit, blobs, sha256)
        if sha256 == job.blobs[-1]:
            forget_blobs(unit, job.id)

    for sha256 in job.blobs:
        record.write(partial(erase, sha256=sha256))


def without_text(parsed: ParsedText) -> ParsedText:
    """The map alone: pages and headings."""
    return msgspec.structs.replace(parsed, text="", boxes=None)
