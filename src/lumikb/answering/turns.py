"""A question in a conversation, answered and stored as a whole turn."""

from dataclasses import dataclass

from lumikb.answering.models import Answer
from lumikb.answering.service import AnswerService, ConversationService
from lumikb.http.permission import Permission
from lumikb.identity.models import Actor
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

    async def begin(self, actor: Actor, wanted: SearchRequest, given: str | None) -> str:
        """The conversation of the turn: the given one, which must be the actor's own, or one that it will create.

        Raises for knowledge bases the actor may not use, while an error can still be an answer and not an event.
        """
        await self._answers.check(actor, wanted, Permission.KB_GENERATE)
        if given is None:
            return new_id()
        await self._record.read_async(lambda connection: self._conversations.get(connection, actor, given))
        return given

    async def take(self, actor: Actor, wanted: SearchRequest, conversation_id: str) -> Turn:
        """Answer, and store question and answer in one unit of work."""
        found = await self._answers.answer(actor, wanted, Permission.KB_GENERATE)
        message_id = await self._record.write_async(
            lambda unit: self._conversations.store_turn(
                unit, actor, conversation_id, wanted.kb_ids, wanted.query, found.answer
            )
        )
        return Turn(found.answer, found.hits, message_id)
