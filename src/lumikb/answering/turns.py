"""A question in a conversation, answered and stored as a whole turn."""

from dataclasses import dataclass, replace

from lumikb.answering.listening import Answered, Listener
from lumikb.answering.prompting import Exchange
from lumikb.answering.service import AnswerService, ConversationService
from lumikb.http.permission import Permission
from lumikb.identity.models import Actor
from lumikb.kit.errors import InvalidInputError
from lumikb.kit.ids import new_id
from lumikb.retrieval.models import SearchRequest
from lumikb.store.record.engine import Record


@dataclass(frozen=True)
class Turn:
    """A stored turn: what was answered, and its message's id."""

    answered: Answered
    message_id: str


class Turns:
    """Takes turns in conversations."""

    def __init__(self, answers: AnswerService, conversations: ConversationService, record: Record) -> None:
        self._answers = answers
        self._conversations = conversations
        self._record = record

    async def begin(
        self, actor: Actor, wanted: SearchRequest, given: str | None, model_id: str | None = None
    ) -> tuple[str, SearchRequest]:
        """The conversation of the turn, the actor's own or one to be created, and the search within its limits.

        A conversation about some knowledge bases stays with them. Raises for knowledge bases the actor may not use and
        for a model that is not there, while an error can still be an answer and not an event.
        """
        self._answers.check_model(model_id)
        conversation_id = given or new_id()
        if given is not None:
            conversation = await self._record.read_async(lambda read: self._conversations.get(read, actor, given))
            wanted = _within(conversation.kb_ids, wanted)
        await self._answers.check(actor, wanted, Permission.KB_GENERATE)
        return conversation_id, wanted

    async def take(
        self, actor: Actor, wanted: SearchRequest, conversation_id: str, listener: Listener | None = None
    ) -> Turn:
        """Answer, and store question and answer in one unit of work: of a turn that fails or is stopped nothing."""
        earlier: list[Exchange] = []
        if self._answers.condenses:
            earlier = await self._record.read_async(
                lambda read: self._conversations.latest(read, actor, conversation_id)
            )
        found = await self._answers.answer(actor, wanted, Permission.KB_GENERATE, earlier=earlier, listener=listener)
        message_id = await self._record.write_async(
            lambda unit: self._conversations.store_turn(
                unit, actor, conversation_id, wanted.kb_ids, wanted.query, found.answer
            )
        )
        return Turn(found, message_id)


def _within(kb_ids: list[str] | None, wanted: SearchRequest) -> SearchRequest:
    if kb_ids is None:
        return wanted
    if wanted.kb_ids is not None and not set(wanted.kb_ids) <= set(kb_ids):
        raise InvalidInputError("This conversation is about other knowledge bases.", field="kb_ids")
    return replace(wanted, kb_ids=kb_ids if wanted.kb_ids is None else wanted.kb_ids)
