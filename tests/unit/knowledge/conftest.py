"""Documents of a knowledge base that are made and made again, on a record and blobs of their own."""

from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import func, select

from lumikb.compute.chunk.models import ChunkStrategy
from lumikb.compute.embed.embedder import Keep, Kept
from lumikb.compute.embed.load import Models
from lumikb.compute.embed.model_files import find_model_files
from lumikb.compute.embed.tokenizer import Tokenizer
from lumikb.compute.parse.errors import CorruptedError
from lumikb.compute.parse.models import ParsedText
from lumikb.identity.models import Actor, Level
from lumikb.identity.repository import create_user
from lumikb.kit.sealing import Sealer
from lumikb.knowledge import base_repository, repository, settings_repository
from lumikb.knowledge.base_service import KnowledgeBaseService
from lumikb.knowledge.jobs import IngestHandler
from lumikb.knowledge.models import Document, DocumentStatus, KbSettings, NewDocument
from lumikb.knowledge.reprocess import ReprocessHandler
from lumikb.knowledge.service import INGEST_JOB
from lumikb.knowledge.settings_service import KbSettingsService
from lumikb.knowledge.version_repository import create_version
from lumikb.store.blobs.local import LocalBlobStore
from lumikb.store.jobs import repository as jobs
from lumikb.store.jobs.models import Job
from lumikb.store.record.changes import changes_after, live_rows
from lumikb.store.record.engine import Record, UnitOfWork
from lumikb.store.record.tables.knowledge import chunk_sets, chunk_tokens, chunks

DEFAULTS = KbSettings(chunk_tokens=64, chunk_overlap=8, chunk_strategy=ChunkStrategy.HEADINGS, ocr_languages="eng")
TOKENIZER = Tokenizer(find_model_files().tokenizer)
TEXT = "Herons stand in shallow water and wait for fish. " * 30


class Embedder:
    """Vectors that only the tokens decide; counts the texts it was given."""

    model_id, dimensions = "test", 384

    def __init__(self, tier: str = "fp32") -> None:
        self.tier = tier
        self.embedded = 0

    def embed(self, token_ids: Sequence[Sequence[int]], *, interactive: bool = False) -> NDArray[np.float32]:
        self.embedded += len(token_ids)
        vectors = np.zeros((len(token_ids), self.dimensions), np.float32)
        vectors[:, :4] = [[len(ids), sum(ids) % 97, ids[0] % 89, 1] for ids in token_ids]
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def embed_tokens(
        self, token_ids: Sequence[Sequence[int]], keep: Keep[Kept], *, interactive: bool = False
    ) -> tuple[NDArray[np.float32], list[Kept]]:
        states = [np.outer(ids, np.ones(self.dimensions)).astype(np.float32) for ids in token_ids]
        return self.embed(token_ids), [keep(own) for own in states]


class Parser:
    """Reads text as it is, and what is called a scan in the languages that it is told."""

    fails = False

    def parse(self, path: Path, filename: str, *, ocr_languages: str, **_: Any) -> ParsedText:
        text = path.read_text()
        if not filename.startswith("scan"):
            return ParsedText(text=text)
        if self.fails:
            raise CorruptedError("It cannot be read.")
        return ParsedText(text=f"{text} Read in {ocr_languages}.", page_count=1, warnings=["TEXT_RECOGNISED"])


class DirectSteps:
    """Runs steps as they come; `before` is called with the name of each."""

    def __init__(self, before: Callable[[str], None] = lambda name: None) -> None:
        self.before = before
        self.names: list[str] = []

    def run(self, name: str, step: Callable[..., Any], *args: Any) -> Any:
        assert name not in self.names
        self.names.append(name)
        self.before(name)
        return step(*args)


class Bench:
    """A knowledge base whose documents are made and made again, without a job engine."""

    def __init__(self, record: Record, blobs: LocalBlobStore) -> None:
        self.record, self.blobs = record, blobs
        self.embedder, self.int8, self.parser = Embedder(), Embedder("int8"), Parser()
        makers: tuple[Any, ...] = (lambda: self.embedder, lambda: self.int8)
        models = Models(TOKENIZER, *makers)
        parts: tuple[Any, ...] = (record, blobs, self.parser, lambda: models)
        self.ingestion = IngestHandler(*parts, Sealer("s" * 40, "test"), DEFAULTS, lambda: False)
        self.handler = ReprocessHandler(*parts, lambda: False)
        self.settings = KbSettingsService(
            KnowledgeBaseService(kb_create_level=2, undo_seconds=30), DEFAULTS, ocr_data_dir=""
        )
        user = record.write(lambda unit: create_user(unit, "a@example.org", "", 3, is_superuser=True))
        self.actor = Actor(user.id, user.email, Level.ADMINISTRATOR, True)
        self.kb_id = record.write(lambda unit: base_repository.create_kb(unit, "Herons", "", user.id)).id

    def ingest(self, name: str, text: str = TEXT, steps: DirectSteps | None = None) -> str:
        blob = self.blobs.put_bytes(f"{name}: {text}".encode())
        document_id = self.record.write(
            lambda unit: repository.create_document(
                unit, self.kb_id, NewDocument(name), blob, "text/plain", self.actor.user_id
            )
        )
        self.run_ingestion(document_id, steps or DirectSteps())
        return document_id

    def add_version(self, document_id: str, text: str) -> None:
        blob = self.blobs.put_bytes(text.encode())

        def add(unit: Any) -> None:
            document = self.document(document_id)
            version_id = create_version(unit, document, document.filename, blob, "text/plain", self.actor.user_id)
            repository.update_document(unit, document_id, latest_version_id=version_id)

        self.record.write(add)

    def run_ingestion(self, document_id: str, steps: DirectSteps) -> None:
        values: dict[str, Any] = {"kb_id": self.kb_id, "document_id": document_id, "created_by": self.actor.user_id}
        job_id = self.record.write(lambda unit: jobs.create_job(unit, INGEST_JOB, **values))
        self.record.write(lambda unit: jobs.begin_attempt(unit, job_id))
        self.ingestion.run(self.job(job_id), steps)
        self.ingestion.clear(self.job(job_id))

    def change(self, **changes: Any) -> Job | None:
        state = self.record.write(lambda unit: self.settings.change(unit, self.actor, self.kb_id, changes))
        return state.pending.job if state.pending else None

    def started(self, **changes: Any) -> Job:
        job = self.change(**changes)
        assert job is not None
        return job

    def bring_about(self, job: Job, before: Callable[[str], None] = lambda name: None) -> DirectSteps:
        steps = DirectSteps(before)
        self.handler.run(job, steps)
        self.handler.clear(self.job(job.id))
        return steps

    def job(self, job_id: str) -> Job:
        return self.record.read(lambda read: jobs.get_job(read, job_id))

    def document(self, document_id: str) -> Document:
        found = self.record.read(lambda read: repository.find_document(read, document_id))
        assert found is not None
        return found

    def texts(self, document_id: str) -> list[str]:
        set_id = self.document(document_id).current_chunk_set_id
        statement = select(chunks.c.text).where(chunks.c.chunk_set_id == set_id).order_by(chunks.c.ordinal)
        return self.record.read(lambda read: list(read.execute(statement).scalars()))

    def embeddings(self, document_id: str) -> list[bytes]:
        set_id = self.document(document_id).current_chunk_set_id
        statement = select(chunks.c.embedding).where(chunks.c.chunk_set_id == set_id).order_by(chunks.c.ordinal)
        return self.record.read(lambda read: list(read.execute(statement).scalars()))

    def token_counts(self, document_id: str) -> list[int]:
        set_id = self.document(document_id).current_chunk_set_id
        statement = select(chunks.c.token_count).where(chunks.c.chunk_set_id == set_id).order_by(chunks.c.ordinal)
        return self.record.read(lambda read: list(read.execute(statement).scalars()))

    def token_bytes(self, document_id: str) -> list[int]:
        """How long the token vectors of each passage are that has some."""
        statement = (
            select(func.length(chunk_tokens.c.tokens))
            .join(chunks, chunks.c.key == chunk_tokens.c.chunk_key)
            .where(chunks.c.chunk_set_id == self.document(document_id).current_chunk_set_id)
            .order_by(chunks.c.ordinal)
        )
        return self.record.read(lambda read: list(read.execute(statement).scalars()))

    def failed(self, document_id: str, **values: Any) -> DocumentStatus:
        """What becomes of a document with these values when its job fails."""
        job_values: dict[str, Any] = {"document_id": document_id, "created_by": self.actor.user_id}
        job_id = self.record.write(lambda unit: jobs.create_job(unit, INGEST_JOB, **job_values))

        def fail(unit: UnitOfWork) -> None:
            repository.update_document(unit, document_id, **values)
            self.ingestion.fail(unit, jobs.get_job(unit.connection, job_id), "TIMED_OUT", "It took too long.")

        self.record.write(fail)
        return self.document(document_id).status

    def in_force(self) -> KbSettings:
        overrides = self.record.read(lambda read: settings_repository.find_overrides(read, self.kb_id))
        return DEFAULTS.overridden_by(overrides or {})

    def sets(self) -> int:
        return self.record.read(lambda read: read.execute(select(func.count()).select_from(chunk_sets)).scalar_one())

    def followed(self) -> set[int]:
        """Keys that a follower of the log holds."""
        held: set[int] = set()
        for entry in self.record.read(lambda read: changes_after(read, 0, 1000)):
            held -= set(entry.chunk_keys)
            keys = entry.chunk_keys
            rows = self.record.read(
                lambda read, keys=keys: live_rows(read, keys, with_text=False, with_embedding=False)
            )
            held |= {row.key for row in rows}
        return held

    def live(self) -> set[int]:
        keys = self.record.read(lambda read: list(read.execute(select(chunks.c.key)).scalars()))
        rows = self.record.read(lambda read: live_rows(read, keys, with_text=False, with_embedding=False))
        return {row.key for row in rows}


@pytest.fixture
def bench(record: Record, tmp_path: Path) -> Generator[Bench]:
    blobs = LocalBlobStore(tmp_path / "blobs", tmp_path / "incoming")
    blobs.open()
    yield Bench(record, blobs)
    blobs.close()
