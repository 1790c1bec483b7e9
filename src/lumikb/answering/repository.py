"""SQL of conversations and their messages."""

from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, func, insert, select, update

from lumikb.answering.models import Answer, Conversation, Message
from lumikb.kit import clock
from lumikb.kit.ids import new_id
from lumikb.kit.pages import Page, PageRequest
from lumikb.store.record.engine import UnitOfWork
from lumikb.store.record.rows import as_dict
from lumikb.store.record.tables.answering import conversations, messages

_COLUMNS = [conversations.c[name] for name in ("id", "user_id", "title", "kb_ids", "created_at", "updated_at")]
_ALIVE = conversations.c.deleted_at.is_(None)


def create_conversation(
    unit: UnitOfWork, conversation_id: str, user_id: str, title: str, kb_ids: list[str] | None
) -> Conversation:
    """A new, empty conversation."""
    moment = clock.now()
    conversation = Conversation(conversation_id, user_id, title, kb_ids, moment, moment)
    unit.connection.execute(insert(conversations).values(**conversation.__dict__))
    return conversation


def find_conversation(connection: Connection, user_id: str, conversation_id: str) -> Conversation | None:
    """The user's conversation, or None."""
    row = connection.execute(
        select(*_COLUMNS).where(conversations.c.id == conversation_id, conversations.c.user_id == user_id, _ALIVE)
    ).first()
    return None if row is None else Conversation(**as_dict(row))


def list_conversations(
    connection: Connection, user_id: str, page: PageRequest, *, within: frozenset[str] | None = None
) -> Page[Conversation]:
    """The user's conversations, the one used last first; those limited to knowledge bases `within`, unless None."""
    owned: list[ColumnElement[bool]] = [conversations.c.user_id == user_id, _ALIVE]
    if within is not None:
        limited = connection.execute(select(conversations.c.id, conversations.c.kb_ids).where(*owned))
        inside = [row.id for row in limited if row.kb_ids is not None and within.issuperset(row.kb_ids)]
        owned.append(conversations.c.id.in_(inside))
    total = connection.execute(select(func.count()).select_from(conversations).where(*owned)).scalar_one()
    rows = connection.execute(
        select(*_COLUMNS)
        .where(*owned)
        .order_by(conversations.c.updated_at.desc(), conversations.c.id)
        .limit(page.limit)
        .offset(page.offset)
    )
    return Page([Conversation(**as_dict(row)) for row in rows], total, page)


def update_conversation(unit: UnitOfWork, conversation_id: str, **values: Any) -> None:
    """Set columns of a conversation."""
    unit.connection.execute(
        update(conversations)
        .where(conversations.c.id == conversation_id)
        .values(**({"updated_at": clock.now()} | values))
    )


def append_turn(unit: UnitOfWork, conversation_id: str, question: str, answer: Answer) -> str:
    """Store question and answer as the conversation's next two messages; gives the answer's id."""
    unit.connection.execute(select(conversations.c.id).where(conversations.c.id == conversation_id).with_for_update())
    last = unit.connection.execute(
        select(func.coalesce(func.max(messages.c.ordinal), 0)).where(messages.c.conversation_id == conversation_id)
    ).scalar_one()
    question_id, answer_id, moment = new_id(), new_id(), clock.now()
    common = {"conversation_id": conversation_id, "created_at": moment}
    unit.connection.execute(
        insert(messages),
        [
            common | {"id": question_id, "ordinal": last + 1, "role": "user", "content": question, "answer": None},
            common
            | {
                "id": answer_id,
                "ordinal": last + 2,
                "role": "assistant",
                "content": answer.answer,
                "answer": msgspec.to_builtins(answer),
            },
        ],
    )
    update_conversation(unit, conversation_id)
    return answer_id


def list_messages(connection: Connection, conversation_id: str) -> list[Message]:
    """All messages, oldest first."""
    rows = connection.execute(_messages_of(conversation_id).order_by(messages.c.ordinal))
    return [Message(*row) for row in rows]


def latest_messages(connection: Connection, conversation_id: str, count: int) -> list[Message]:
    """The last messages, `count` at most, oldest first."""
    rows = connection.execute(_messages_of(conversation_id).order_by(messages.c.ordinal.desc()).limit(count))
    return [Message(*row) for row in rows][::-1]


def _messages_of(conversation_id: str) -> Select[Any]:
    return select(messages.c.id, messages.c.role, messages.c.content, messages.c.answer, messages.c.created_at).where(
        messages.c.conversation_id == conversation_id, messages.c.cleared_at.is_(None)
    )
