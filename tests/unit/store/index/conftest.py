"""A record with documents whose chunks the index follows."""

from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import delete, insert, select, update

from lumikb.kit import clock, ids
from lumikb.store.record.changes import append_change
from lumikb.store.record.engine import Record, UnitOfWork, sqlite_url
from lumikb.store.record.migrate import migrate
from lumikb.store.record.tables.identity import users
from lumikb.store.record.tables.knowledge import (
    change_log,
    chunk_sets,
    chunks,
    document_versions,
    documents,
    knowledge_bases,
)

DIMENSIONS = 384


def vector_of(text: str) -> NDArray[np.float32]:
    """A unit vector that only the text decides."""
    vector = np.random.default_rng(list(text.encode())).standard_normal(DIMENSIONS).astype(np.float32)
    return vector / np.linalg.norm(vector)


class Library:
    """Puts documents into a record and takes them out, each in one unit of work with its change."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self._user_id = ids.new_id()
        self._kbs: dict[str, str] = {}
        now = clock.now()
        flags = ("is_superuser", "is_active", "is_verified", "onboarding_completed")
        record.write(
            lambda unit: unit.connection.execute(
                insert(users).values(
                    id=self._user_id, email="a@b.c", password_hash="", permission_level=1,
                    created_at=now, updated_at=now, **dict.fromkeys(flags, True),
                )
            )
        )  # fmt: skip

    def kb(self, name: str) -> str:
        if name not in self._kbs:
            kb_id, now = ids.new_id(), clock.now()
            self.record.write(
                lambda unit: unit.connection.execute(
                    insert(knowledge_bases).values(
                        id=kb_id, name=name, active_name=name, description="", owner_id=self._user_id, status="active",
                        settings={}, created_at=now, updated_at=now,
                    )
                )
            )  # fmt: skip
            self._kbs[name] = kb_id
        return self._kbs[name]

    def add(self, texts: Sequence[str], kb: str = "one") -> str:
        """A document with these chunks; returns its id."""
        document_id, kb_id, now = ids.new_id(), self.kb(kb), clock.now()

        def write(unit: UnitOfWork) -> None:
            unit.connection.execute(
                insert(documents).values(
                    id=document_id, kb_id=kb_id, name="d", status="READY", progress=100.0, warnings=[], retry_count=0,
                    latest_version_id=ids.new_id(), metadata={}, created_by=self._user_id,
                    created_at=now, updated_at=now,
                )
            )  # fmt: skip
            self._put_chunks(unit, document_id, kb_id, texts, number=1)

        self.record.write(write)
        return document_id

    def replace(self, document_id: str, texts: Sequence[str]) -> None:
        """A new version, which becomes the current one."""

        def write(unit: UnitOfWork) -> None:
            statement = select(documents.c.kb_id, documents.c.current_chunk_set_id).where(documents.c.id == document_id)
            kb_id, old = unit.connection.execute(statement).one()
            number = len(unit.connection.execute(select(document_versions.c.id)).all()) + 1
            self._put_chunks(unit, document_id, kb_id, texts, number)
            gone = unit.connection.execute(select(chunks.c.key).where(chunks.c.chunk_set_id == old)).scalars().all()
            append_change(unit, kb_id, "remove", gone)

        self.record.write(write)

    def delete(self, document_id: str) -> None:
        self._mark(document_id, clock.now(), "remove")

    def restore(self, document_id: str) -> None:
        self._mark(document_id, None, "add")

    def forget_changes(self) -> None:
        """Make the log what it was before anything was written: an older backup."""

        def write(unit: UnitOfWork) -> None:
            unit.connection.execute(delete(change_log))

        self.record.write(write)

    def keys(self, document_id: str) -> list[int]:
        statement = (
            select(chunks.c.key)
            .join(documents, documents.c.current_chunk_set_id == chunks.c.chunk_set_id)
            .where(documents.c.id == document_id)
            .order_by(chunks.c.ordinal)
        )
        return list(self.record.read(lambda connection: connection.execute(statement).scalars().all()))

    def _mark(self, document_id: str, deleted_at: object, op: str) -> None:
        keys = self.keys(document_id)

        def write(unit: UnitOfWork) -> None:
            statement = update(documents).where(documents.c.id == document_id).values(deleted_at=deleted_at)
            unit.connection.execute(statement)
            append_change(unit, next(iter(self._kbs.values())), op, keys)  # type: ignore[arg-type]

        self.record.write(write)

    def _put_chunks(self, unit: UnitOfWork, document_id: str, kb_id: str, texts: Sequence[str], number: int) -> None:
        version_id, chunk_set_id, now = ids.new_id(), ids.new_id(), clock.now()
        execute = unit.connection.execute
        execute(
            insert(document_versions).values(
                id=version_id, document_id=document_id, number=number, sha256="0" * 64, size_bytes=1,
                mime_type="text/plain", filename="d.txt", status="READY", created_by=self._user_id, created_at=now,
            )
        )  # fmt: skip
        execute(
            insert(chunk_sets).values(
                id=chunk_set_id, version_id=version_id, document_id=document_id, model_id="m", model_tier="fp32",
                params={}, chunk_count=len(texts), created_at=now,
            )
        )  # fmt: skip
        keys: list[int] = []
        for ordinal, text in enumerate(texts):
            statement = insert(chunks).values(
                chunk_id=ids.new_id(), chunk_set_id=chunk_set_id, document_id=document_id, kb_id=kb_id,
                ordinal=ordinal, char_start=0, char_end=len(text), text=text, text_sha256="0" * 64, token_count=1,
                embedding=vector_of(text).astype("<f2").tobytes(),
            )  # fmt: skip
            keys.append(execute(statement.returning(chunks.c.key)).scalar_one())
        execute(update(documents).where(documents.c.id == document_id).values(current_chunk_set_id=chunk_set_id))
        append_change(unit, kb_id, "add", keys)


@pytest.fixture
def library(tmp_path: Path) -> Generator[Library]:
    record = Record(sqlite_url(tmp_path / "record.sqlite3"), readers=2)
    record.open()
    migrate(record)
    yield Library(record)
    record.close()
