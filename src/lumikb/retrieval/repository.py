"""The gate: whatever an index says, what is found is read again from the record, with permission and filters."""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Select, select

from lumikb.compute.embed.tokens import TokenVectors
from lumikb.compute.embed.unit_vectors import unit_vectors
from lumikb.knowledge.models import KbStatus
from lumikb.knowledge.repository import DOCUMENT_DATE, has_all_tags, is_by, is_called
from lumikb.retrieval.models import Filters, Passage
from lumikb.store.index.follower import DIMENSIONS
from lumikb.store.record.changes import alive
from lumikb.store.record.json import has_entry
from lumikb.store.record.rows import as_dict
from lumikb.store.record.tables.knowledge import (
    chunk_sets,
    chunk_tokens,
    chunks,
    document_versions,
    documents,
    knowledge_bases,
)

Row = TypeVar("Row", bound=tuple[Any, ...])


def filter_conditions(filters: Filters) -> list[ColumnElement[bool]]:
    """The filters as conditions on `documents` and `document_versions`."""
    conditions: list[ColumnElement[bool]] = []
    if filters.document_ids is not None:
        conditions.append(documents.c.id.in_(filters.document_ids))
    if filters.tags:
        conditions.append(has_all_tags(filters.tags))
    if filters.mime_types:
        conditions.append(document_versions.c.mime_type.in_(filters.mime_types))
    if filters.types:
        conditions.append(document_versions.c.mime_type.in_(filters.types))
    if filters.date_from is not None:
        conditions.append(filters.date_from <= DOCUMENT_DATE)
    if filters.date_to is not None:
        conditions.append(filters.date_to >= DOCUMENT_DATE)
    if filters.language is not None:
        conditions.append(documents.c.language == filters.language)
    if filters.author:
        conditions.append(is_by(filters.author))
    conditions += [is_by(author) for author in filters.authors]
    conditions += [is_called(part) for part in filters.titles]
    conditions += [has_entry(documents.c.metadata, key, value) for key, value in filters.metadata]
    return conditions


def matching_document_ids(connection: Connection, kb_ids: Sequence[str], filters: Filters) -> list[str]:
    """Documents of the knowledge bases that pass the filters: the allow list of both legs."""
    statement = select(documents.c.id).where(
        documents.c.kb_id.in_(kb_ids), documents.c.deleted_at.is_(None), *filter_conditions(filters)
    )
    if (
        filters.mime_types or filters.types
    ):  # of the version that answers, as in the gate; to join it always takes as long as all else
        statement = statement.join(chunk_sets, chunk_sets.c.id == documents.c.current_chunk_set_id)
        statement = statement.join(document_versions, document_versions.c.id == chunk_sets.c.version_id)
    return list(connection.execute(statement).scalars())


def read_cosines(
    connection: Connection,
    readable: ColumnElement[bool],
    condition: ColumnElement[bool],
    vector: NDArray[np.float32],
) -> dict[int, float | None]:
    """The chunks that `read_passages` gives, by key, with their cosine to a unit vector; None without a sound one."""
    rows = connection.execute(_passing(select(chunks.c.key, chunks.c.embedding), readable, condition)).all()
    vectors, sound = unit_vectors([row.embedding for row in rows], DIMENSIONS)
    cosines: list[float] = (vectors @ vector).tolist()
    return {
        row.key: cosine if is_sound else None
        for row, cosine, is_sound in zip(rows, cosines, sound.tolist(), strict=True)
    }


def read_tokens(connection: Connection, keys: Sequence[int]) -> dict[int, TokenVectors]:
    """Token vectors of chunks that have passed the gate, by key, as far as these have sound ones."""
    wanted = select(chunk_tokens.c.chunk_key, chunk_tokens.c.tokens).where(chunk_tokens.c.chunk_key.in_(keys))
    rows = connection.execute(wanted).all()
    return {row.chunk_key: found for row in rows if (found := TokenVectors.unpack(row.tokens)) is not None}


def read_passages(
    connection: Connection, readable: ColumnElement[bool], condition: ColumnElement[bool]
) -> list[Passage]:
    """Live chunks that meet `condition` and lie in knowledge bases that meet `readable`, in the order of their keys."""
    wanted = select(
        chunks.c.key,
        chunks.c.chunk_id,
        chunks.c.chunk_set_id,
        chunks.c.document_id,
        documents.c.name.label("document_name"),
        document_versions.c.number.label("version"),
        chunks.c.kb_id,
        knowledge_bases.c.name.label("kb_name"),
        chunks.c.text,
        chunks.c.text_sha256,
        chunks.c.ordinal,
        chunk_sets.c.chunk_count.label("total_chunks"),
        chunks.c.char_start,
        chunks.c.char_end,
        chunks.c.page_number,
        chunks.c.section_header,
        document_versions.c.parsed_sha256,
        documents.c.metadata,
        chunks.c.embedding,
    )
    found = [
        as_dict(row) for row in connection.execute(_passing(wanted, readable, condition).order_by(chunks.c.key)).all()
    ]
    vectors, sound = unit_vectors([values.pop("embedding") for values in found], DIMENSIONS)
    return [
        Passage(**values, vector=vector if is_sound else None)
        for values, vector, is_sound in zip(found, vectors, sound, strict=True)
    ]


def _passing(wanted: Select[Row], readable: ColumnElement[bool], condition: ColumnElement[bool]) -> Select[Row]:
    return (
        wanted.join(documents, documents.c.id == chunks.c.document_id)
        .join(chunk_sets, chunk_sets.c.id == chunks.c.chunk_set_id)
        .join(document_versions, document_versions.c.id == chunk_sets.c.version_id)
        .join(knowledge_bases, knowledge_bases.c.id == chunks.c.kb_id)
        .where(alive(), knowledge_bases.c.status == KbStatus.ACTIVE, readable, condition)
    )
