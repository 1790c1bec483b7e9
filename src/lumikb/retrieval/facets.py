"""Facets: how many of the documents that a search found have which property."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, select

from lumikb.compute.parse.formats import Format
from lumikb.knowledge.repository import DOCUMENT_DATE
from lumikb.store.record.tables.knowledge import (
    chunk_sets,
    chunks,
    document_tags,
    document_versions,
    documents,
    knowledge_bases,
)

Facet = Literal["kb", "type", "tag", "year"]

# Of each facet, those of most documents.
VALUES_MAX = 50
_TYPE_LABELS = {kind.mime_type: kind.extensions[0].removeprefix(".") for kind in Format}


@dataclass(frozen=True)
class FacetCount:
    """A value with the number of documents that have it. `value` is what filters take, `label` what people read."""

    value: str
    label: str
    count: int


def count_facets(
    connection: Connection, chunk_keys: Sequence[int], wanted: Iterable[Facet]
) -> dict[str, list[FacetCount]]:
    """The counts over the documents of these chunks, which have passed the gate in the same transaction.

    The value of `kb` is its id, of `type` the MIME type of the version that answers, of `year` that of the document's
    own date, else of its upload. A document without tags counts nowhere in `tag`.
    """
    rows = connection.execute(
        select(
            documents.c.id,
            documents.c.kb_id,
            knowledge_bases.c.name,
            document_versions.c.mime_type,
            DOCUMENT_DATE.label("moment"),
        )
        .join(chunks, chunks.c.document_id == documents.c.id)
        .join(chunk_sets, chunk_sets.c.id == chunks.c.chunk_set_id)
        .join(document_versions, document_versions.c.id == chunk_sets.c.version_id)
        .join(knowledge_bases, knowledge_bases.c.id == documents.c.kb_id)
        .where(chunks.c.key.in_(chunk_keys))
        .distinct()
    ).all()
    counts: dict[str, list[FacetCount]] = {}
    for facet in wanted:
        match facet:
            case "kb":
                labels = {row.kb_id: row.name for row in rows}
                counts[facet] = _most(Counter(row.kb_id for row in rows), labels)
            case "type":
                counts[facet] = _most(Counter(row.mime_type for row in rows), _TYPE_LABELS)
            case "tag":
                counts[facet] = _most(Counter(_tags(connection, [row.id for row in rows])), {})
            case "year":
                counts[facet] = _most(Counter(f"{row.moment.year:04}" for row in rows), {})
    return counts


def _tags(connection: Connection, document_ids: Sequence[str]) -> Iterable[str]:
    statement = select(document_tags.c.tag).where(document_tags.c.document_id.in_(document_ids))
    return connection.execute(statement).scalars()


def _most(counts: Counter[str], labels: dict[str, str]) -> list[FacetCount]:
    found = [FacetCount(value, labels.get(value, value), count) for value, count in counts.items()]
    return sorted(found, key=lambda one: (-one.count, one.label, one.value))[:VALUES_MAX]
