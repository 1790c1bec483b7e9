"""Questions, answers and conversations on the wire."""

from datetime import datetime
from typing import Any

import msgspec

from lumikb.answering.listening import Answered
from lumikb.answering.models import Citation, Claim, Conversation, Message, Usage
from lumikb.retrieval.wire import FacetCountBody, FiltersBody, GroupBody, ResultBody, result_body


class ChatBody(msgspec.Struct, forbid_unknown_fields=True):
    """A question, as `query` or `message`. `kb_id` is short for a list of one; none of both: all knowledge bases.

    `model_id` may name the configured language model. `stream` is heeded by `/chat` alone; the others always stream.
    """

    query: str | None = None
    message: str | None = None
    kb_ids: list[str] | None = None
    kb_id: str | None = None
    model_id: str | None = None
    conversation_id: str | None = None
    limit: int = 10
    filters: FiltersBody | None = None
    cancel_on_disconnect: bool | None = None
    stream: bool | None = None


class AnswerBody(msgspec.Struct, kw_only=True):
    """An answer with all that proves it. Offsets of claims count code points of `answer`.

    `model_id` and `usage` tell of the language model, where one answered.
    """

    answer: str
    answered_by: str
    abstained: bool
    citations: list[Citation]
    claims: list[Claim]
    confidence: float
    confidence_counts: dict[str, int]
    results: list[ResultBody]
    model_id: str | None
    usage: Usage
    conversation_id: str | None = None
    message_id: str | None = None
    run_id: str | None = None


class SearchAnswerBody(AnswerBody, kw_only=True):
    """A search with its answer; `message` says in a sentence what was found."""

    query: str
    result_count: int
    message: str
    facets: dict[str, list[FacetCountBody]] | None = None
    next_cursor: str | None = None
    groups: list[GroupBody] | None = None
    folded_count: int = 0


class ConversationForm(msgspec.Struct, forbid_unknown_fields=True):
    """A conversation to create."""

    title: str
    kb_ids: list[str] | None = None


class ConversationPatch(msgspec.Struct, forbid_unknown_fields=True):
    """What to change of a conversation; its knowledge bases stay."""

    title: str


class ConversationBody(msgspec.Struct, kw_only=True):
    """A conversation without its messages."""

    id: str
    title: str
    kb_ids: list[str] | None
    created_at: datetime
    updated_at: datetime


class MessageBody(msgspec.Struct, kw_only=True):
    """A message; an answer has its citations, claims and confidence."""

    id: str
    role: str
    content: str
    timestamp: datetime
    citations: list[Any]
    claims: list[Any]
    confidence: float | None
    abstained: bool | None
    answered_by: str | None


class ConversationDetail(ConversationBody, kw_only=True):
    """A conversation with its messages, oldest first."""

    messages: list[MessageBody]


def answer_fields(answered: Answered) -> dict[str, Any]:
    """The fields that every answer body has."""
    answer = answered.answer
    return {
        "answer": answer.answer,
        "answered_by": answer.answered_by,
        "abstained": answer.abstained,
        "citations": answer.citations,
        "claims": answer.claims,
        "confidence": answer.confidence,
        "confidence_counts": answer.confidence_counts,
        "results": [result_body(hit) for hit in answered.hits],
        "model_id": answer.model_id,
        "usage": answer.usage,
    }


def conversation_body(conversation: Conversation) -> ConversationBody:
    """A conversation on the wire."""
    return ConversationBody(**_facts(conversation))


def conversation_detail(conversation: Conversation, messages: list[Message]) -> ConversationDetail:
    """A conversation with its messages on the wire."""
    return ConversationDetail(**_facts(conversation), messages=[_message_body(message) for message in messages])


def _facts(conversation: Conversation) -> dict[str, Any]:
    return {name: value for name, value in conversation.__dict__.items() if name != "user_id"}


def _message_body(message: Message) -> MessageBody:
    answer = message.answer or {}
    return MessageBody(
        id=message.id,
        role=message.role,
        content=message.content,
        timestamp=message.created_at,
        citations=answer.get("citations", []),
        claims=answer.get("claims", []),
        confidence=answer.get("confidence"),
        abstained=answer.get("abstained"),
        answered_by=answer.get("answered_by"),
    )
