"""What the checks of an installation look at: a record, blobs, and the documents of a knowledge base."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from lumikb.identity import repository as identities
from lumikb.identity.models import Actor, Level
from lumikb.kit.sealing import Sealer
from lumikb.knowledge.base_service import KnowledgeBaseService
from lumikb.knowledge.service import DocumentService
from lumikb.store.blobs.arrivals import Arrivals
from lumikb.store.blobs.local import LocalBlobStore
from lumikb.store.record.engine import Record


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
