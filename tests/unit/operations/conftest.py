"""What the checks of an installation look at: a record, blobs, and the documents of a knowledge base."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lumikb.compute.chunk.models import Chunk
from lumikb.compute.parse.models import ParsedText
from lumikb.identity import repository as identities
from lumikb.identity.models import Actor, Level
from lumikb.kit.ids import new_id
from lumikb.kit.sealing import Sealer
from lumikb.knowledge import repository
from lumikb.knowledge.base_service import KnowledgeBaseService
from lumikb.knowledge.derived import pack_parsed
from lumikb.knowledge.jobs import chunk_row
from lumikb.knowledge.models import Document, DocumentStatus, NewDocument
from lumikb.knowledge.service import DocumentService
from lumikb.store.blobs.arrivals import Arrivals
from lumikb.store.blobs.local import LocalBlobStore
from lumikb.store.jobs.models import JobStatus
from lumikb.store.jobs.repository import end_job
from lumikb.store.record.engine import Record, UnitOfWork

TEXT = "The mill was built in 1802. \U0001f30a Its tower is eleven metres high."
SPANS = [(0, 27), (28, 30), (30, len(TEXT))]


async def sent(data: bytes) -> AsyncIterator[bytes]:
    yield data


@dataclass
class Ground:
    """`root` is where the blobs lie; `actor` is an administrator."""

    record: Record
    blobs: LocalBlobStore
    arrivals: Arrivals
    root: Path
    bases: KnowledgeBaseService
    documents: DocumentService
    actor: Actor
    kb_id: str

    def upload(self, name: str, text: str = TEXT) -> Document:
        async def upload() -> Document:
            blob = await self.documents.store(self.actor, self.kb_id, sent(text.encode()))
            return (await self.documents.accept(self.actor, self.kb_id, NewDocument(name), blob)).document

        return asyncio.run(upload())

    def add(self, name: str, text: str = TEXT) -> Document:
        """A document that is READY, with a text and three passages of its own."""
        document = self.upload(name, text)
        self.process(document, text)
        return document

    def process(self, document: Document, text: str = TEXT) -> None:
        """What an ingestion makes of it."""
        parsed = self.blobs.put_bytes(pack_parsed(document.latest_version_id, ParsedText(text=text))).sha256
        set_id = new_id()
        rows = [
            chunk_row(self.kb_id, document.id, set_id, made(at, start, end, text), text[start:end], vector())
            for at, (start, end) in enumerate(SPANS)
        ]
        values = {"id": set_id, "version_id": document.latest_version_id, "document_id": document.id}
        values |= {"model_id": "m", "model_tier": "t", "params": {}}

        def publish(unit: UnitOfWork) -> None:
            repository.create_chunk_set(unit, values, rows)
            repository.update_version(unit, document.latest_version_id, parsed_sha256=parsed)
            repository.update_document(unit, document.id, status=DocumentStatus.READY, current_chunk_set_id=set_id)
            end_job(unit, document.job_id or "", JobStatus.COMPLETED)

        self.record.write(publish)

    def find(self, document: Document) -> Document:
        found = self.record.read(lambda read: repository.find_document(read, document.id))
        assert found is not None
        return found


def made(ordinal: int, start: int, end: int, text: str) -> Chunk:
    text_sha256 = hashlib.sha256(text[start:end].encode()).hexdigest()
    return Chunk(
        ordinal=ordinal, char_start=start, char_end=end, token_ids=[1], token_starts=[0], text_sha256=text_sha256
    )


def vector() -> bytes:
    return np.full(384, 384**-0.5, "<f2").tobytes()


def make_ground(record: Record, directory: Path, *, upload_bytes_max: int, undo_seconds: int) -> Ground:
    blobs = LocalBlobStore(directory / "blobs", directory / "incoming")
    blobs.open()
    bases = KnowledgeBaseService(kb_create_level=1, undo_seconds=undo_seconds)
    user = record.write(lambda unit: identities.create_user(unit, "a@example.org", "!", 3, is_superuser=True))
    actor = Actor(user.id, user.email, Level.ADMINISTRATOR, is_superuser=True)
    kb = record.write(lambda unit: bases.create(unit, actor, "Checked", ""))
    sealer = Sealer("s" * 40, "test")
    arrivals = Arrivals(directory / "arriving")
    documents = DocumentService(
        record, blobs, bases, sealer, arrivals, upload_bytes_max=upload_bytes_max, undo_seconds=undo_seconds
    )
    return Ground(record, blobs, arrivals, directory / "blobs", bases, documents, actor, kb.id)
