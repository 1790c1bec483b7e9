"""SQL of a knowledge base's own settings, and of the documents that were made with others."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, false, func, literal, or_, select, update

from lumikb.compute.chunk.models import ChunkStrategy
from lumikb.compute.embed.models import EmbeddingModel
from lumikb.kit import clock
from lumikb.knowledge.models import KbSettings, KbStatus
from lumikb.store.record.engine import UnitOfWork
from lumikb.store.record.tables.knowledge import chunk_sets, documents, knowledge_bases


def find_overrides(connection: Connection, kb_id: str) -> dict[str, Any] | None:
    """What the active knowledge base sets by itself, or None without one."""
    statement = select(knowledge_bases.c.settings).where(
        knowledge_bases.c.id == kb_id, knowledge_bases.c.status == KbStatus.ACTIVE
    )
    return connection.execute(statement).scalar()


def set_overrides(unit: UnitOfWork, kb_id: str, overrides: dict[str, Any]) -> None:
    """Put settings in force: what is made from now on is made with them."""
    unit.connection.execute(
        update(knowledge_bases).where(knowledge_bases.c.id == kb_id).values(settings=overrides, updated_at=clock.now())
    )


def made_otherwise(settings: KbSettings) -> ColumnElement[bool]:
    """Condition on `chunk_sets`: made with other settings, as far as these have a part in it."""
    params = chunk_sets.c.params
    strategy = func.coalesce(params["chunk_strategy"].as_string(), ChunkStrategy.HEADINGS)
    model = func.coalesce(params["embedding_model"].as_string(), EmbeddingModel.FULL)
    return or_(
        params["chunk_tokens"].as_integer() != settings.chunk_tokens,
        params["chunk_overlap"].as_integer() != settings.chunk_overlap,
        strategy != settings.chunk_strategy,
        model != settings.embedding_model,
        func.coalesce(params["token_vectors"].as_boolean(), false()) != literal(settings.token_vectors),
        func.coalesce(params["ocr_languages"].as_string(), settings.ocr_languages) != settings.ocr_languages,
    )


def count_behind(connection: Connection, kb_id: str, settings: KbSettings) -> int:
    """Documents whose readers see what was made with other settings; deleted ones too, which may be restored."""
    statement = (
        select(func.count())
        .select_from(documents)
        .join(chunk_sets, chunk_sets.c.id == documents.c.current_chunk_set_id)
        .where(documents.c.kb_id == kb_id, made_otherwise(settings))
    )
    return connection.execute(statement).scalar_one()
