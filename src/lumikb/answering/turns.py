"""A question in a conversation, answered and stored as a whole turn."""

from dataclasses import dataclass, replace

from lumikb.answering.models import Answer
from lumikb.answering.service import AnswerService, ConversationService
from lumikb.http.permission import Permission
from lumikb.identity.models import Actor
from lumikb.kit.errors import InvalidInputError
from lumikb.kit.ids import new_id
from lumikb.retrieval.models import Hit, SearchRequest
from lumikb.store.record.engine import Record


@dataclass(frozen=True)
class Turn:
    """A stored turn: the answer, the passages it was drawn from, and its message's id."""

    answer: Answer
    hits: list[Hit]
    message_id: str


class Turns:
    """Takes turns in conversations."""

    def __init__(self, answers: AnswerService, conversations: ConversationService, record: Record) -> None:
        self._answers = answers
        self._conversations = conversations
        self._record = record

    async def begin(self, actor: Actor, wanted: SearchRequest, given: str | None) -> tuple[str, SearchRequest]:
        """The conversation of the turn, the actor's own or one to be created, and the search within its limits.

        A conversation about some knowledge bases stays with them. Raises for knowledge bases the actor may not use,
        while an error can still be an answer and not an event.
        """
        conversation_id = given or new_id()
        if given is not None:
            conversation = await self._record.read_async(lambda read: self._conversations.get(read, actor, given))
            wanted = _within(conversation.kb_ids, wanted)
        await self._answers.check(actor, wanted, Permission.KB_GENERATE)
        return conversation_id, wanted

    async def take(self, actor: Actor, wanted: SearchRequest, conversation_id: str) -> Turn:
        """Answer, and store question and answer in one unit of work."""
        found = await self._answers.answer(actor, wanted, Permission.KB_GENERATE)
        message_id = await self._record.write_async(
            lambda unit: self._conversations.store_turn(
                unit, actor, conversation_id, wanted.kb_ids, wanted.query, found.answer
            )
        )
        return Turn(found.answer, found.hits, message_id)


def _within(kb_ids: list[str] | None, wanted: SearchRequest) -> SearchRequest:
    if kb_ids is None:
        return wanted
    if wanted.kb_ids is not None and not set(wanted.kb_ids) <= set(kb_ids):
        raise InvalidInputError("This conversation is about other knowledge bases.", field="kb_ids")
    return replace(wanted, kb_ids=kb_ids if wanted.kb_ids is None else wanted.kb_ids)
