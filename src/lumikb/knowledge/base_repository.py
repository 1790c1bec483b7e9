"""SQL of knowledge bases."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from lumikb.kit import clock
from lumikb.kit.ids import new_id
from lumikb.kit.pages import Page, PageRequest
from lumikb.knowledge.errors import KbNameTakenError
from lumikb.knowledge.models import DocumentStatus, KbStats, KbStatus, KnowledgeBase
from lumikb.store.record.engine import UnitOfWork
from lumikb.store.record.rows import as_dict
from lumikb.store.record.tables.knowledge import chunk_sets, document_versions, documents, knowledge_bases

_COLUMNS = [
    knowledge_bases.c[name] for name in ("id", "name", "description", "owner_id", "status", "created_at", "updated_at")
]
_ACTIVE = knowledge_bases.c.status == KbStatus.ACTIVE


def create_kb(unit: UnitOfWork, name: str, description: str, owner_id: str) -> KnowledgeBase:
    """A new knowledge base; raises `KbNameTakenError`."""
    moment = clock.now()
    kb = KnowledgeBase(new_id(), name, description, owner_id, KbStatus.ACTIVE, moment, moment)
    try:
        with unit.connection.begin_nested():
            unit.connection.execute(
                insert(knowledge_bases).values(
                    id=kb.id,
                    name=name,
                    active_name=name.casefold(),
                    description=description,
                    owner_id=owner_id,
                    status=KbStatus.ACTIVE,
                    settings={},
                    created_at=moment,
                    updated_at=moment,
                )
            )
    except IntegrityError as exc:
        raise KbNameTakenError("There is a knowledge base with this name. Choose another one.", name=name) from exc
    return kb


def find_kb(connection: Connection, kb_id: str, *, lock: bool = False) -> KnowledgeBase | None:
    """The active knowledge base, or None; `lock` keeps others from changing or filling it until the commit."""
    statement = _with_size().where(knowledge_bases.c.id == kb_id, _ACTIVE)
    if lock:
        lock_kb(connection, kb_id)
    row = connection.execute(statement).first()
    return None if row is None else _kb(row)


def lock_kb(connection: Connection, kb_id: str) -> None:
    """Keep others from changing, filling or switching the knowledge base until the commit (SQLite: one writes)."""
    connection.execute(select(knowledge_bases.c.id).where(knowledge_bases.c.id == kb_id).with_for_update())


def find_kb_by_name(connection: Connection, name: str) -> KnowledgeBase | None:
    """The active knowledge base with this name in any case, or None."""
    row = connection.execute(_with_size().where(knowledge_bases.c.active_name == name.casefold())).first()
    return None if row is None else _kb(row)


def list_kbs(connection: Connection, readable: ColumnElement[bool], page: PageRequest) -> Page[KnowledgeBase]:
    """Active knowledge bases within the condition, by name."""
    total = connection.execute(select(func.count()).select_from(knowledge_bases).where(_ACTIVE, readable)).scalar_one()
    rows = connection.execute(
        _with_size()
        .where(_ACTIVE, readable)
        .order_by(knowledge_bases.c.active_name)
        .limit(page.limit)
        .offset(page.offset)
    )
    return Page([_kb(row) for row in rows], total, page)


def kb_names(connection: Connection, readable: ColumnElement[bool]) -> dict[str, str]:
    """Id -> name of the active knowledge bases within the condition."""
    rows = connection.execute(select(knowledge_bases.c.id, knowledge_bases.c.name).where(_ACTIVE, readable))
    return {row[0]: row[1] for row in rows}


def update_kb(unit: UnitOfWork, kb_id: str, values: dict[str, str]) -> None:
    """Change name or description; raises `KbNameTakenError`."""
    changes: dict[str, Any] = {**values, "updated_at": clock.now()}
    if "name" in values:
        changes["active_name"] = values["name"].casefold()
    try:
        with unit.connection.begin_nested():
            unit.connection.execute(update(knowledge_bases).where(knowledge_bases.c.id == kb_id).values(**changes))
    except IntegrityError as exc:
        raise KbNameTakenError("There is a knowledge base with this name. Choose another one.") from exc


def archive_kb(unit: UnitOfWork, kb_id: str) -> None:
    """Take the knowledge base out of use; its name is free again."""
    unit.connection.execute(
        update(knowledge_bases)
        .where(knowledge_bases.c.id == kb_id)
        .values(status=KbStatus.ARCHIVED, active_name=None, updated_at=clock.now())
    )


def kb_stats(connection: Connection, kb_id: str) -> KbStats:
    """Counts of what the knowledge base holds."""
    alive = (documents.c.kb_id == kb_id) & documents.c.deleted_at.is_(None)
    by_status = connection.execute(select(documents.c.status, func.count()).where(alive).group_by(documents.c.status))
    counts = dict.fromkeys((str(status) for status in DocumentStatus), 0) | {row[0]: row[1] for row in by_status}
    size = connection.execute(
        select(func.coalesce(func.sum(document_versions.c.size_bytes), 0))
        .join(documents, documents.c.latest_version_id == document_versions.c.id)
        .where(alive)
    ).scalar_one()
    chunks = connection.execute(
        select(func.coalesce(func.sum(chunk_sets.c.chunk_count), 0))
        .join(documents, documents.c.current_chunk_set_id == chunk_sets.c.id)
        .where(alive)
    ).scalar_one()
    return KbStats(sum(counts.values()), counts, int(chunks), int(chunks), int(size))


def _with_size() -> Select[Any]:
    sizes = (
        select(
            documents.c.kb_id,
            func.count().label("document_count"),
            func.sum(document_versions.c.size_bytes).label("total_size_bytes"),
        )
        .join(document_versions, document_versions.c.id == documents.c.latest_version_id)
        .where(documents.c.deleted_at.is_(None))
        .group_by(documents.c.kb_id)
        .subquery()
    )
    return select(
        *_COLUMNS,
        func.coalesce(sizes.c.document_count, 0).label("document_count"),
        func.coalesce(sizes.c.total_size_bytes, 0).label("total_size_bytes"),
    ).join_from(knowledge_bases, sizes, sizes.c.kb_id == knowledge_bases.c.id, isouter=True)


def _kb(row: Row[Any]) -> KnowledgeBase:
    values = as_dict(row)
    values["status"] = KbStatus(row.status)
    values["total_size_bytes"] = int(row.total_size_bytes)
    return KnowledgeBase(**values)
