"""Use cases of answering: from a question to a checked answer, and its turn in a conversation."""

from collections.abc import Sequence

from sqlalchemy import Connection

from lumikb.answering import repository
from lumikb.answering.citations import Place, abstain, compose, still_verbatim
from lumikb.answering.errors import ConversationNotFoundError
from lumikb.answering.extraction import PASSAGES_READ, Sentence, candidate_sentences, choose_support
from lumikb.answering.finding import find_passages
from lumikb.answering.listening import Answered, Listener, NobodyListens
from lumikb.answering.model_answers import ModelAnswers
from lumikb.answering.models import Answer, Conversation, Message
from lumikb.answering.nearness import nearness
from lumikb.answering.prompting import Exchange
from lumikb.answering.proofs import Proofs
from lumikb.compute.parse.models import Heading
from lumikb.http.permission import Permission
from lumikb.identity.models import Actor
from lumikb.kit import clock
from lumikb.kit.errors import InvalidInputError
from lumikb.kit.ids import new_id
from lumikb.kit.pages import Page, PageRequest
from lumikb.llm.errors import UnknownModelError
from lumikb.retrieval.models import Passage, SearchRequest
from lumikb.retrieval.service import RetrievalService, settled
from lumikb.store.record.engine import UnitOfWork

TITLE_CHARS_MAX = 255
TITLE_CHARS_FROM_QUESTION = 80
# Turns that a follow-up is understood by.
TURNS_REMEMBERED = 3


class AnswerService:
    """Answers questions: by the model where there is one, else by extraction.

    `passages` is how many passages an answer may draw on.
    """

    def __init__(
        self, retrieval: RetrievalService, proofs: Proofs, *, passages: int, by_model: ModelAnswers | None = None
    ) -> None:
        self._retrieval = retrieval
        self._proofs = proofs
        self._passages = passages
        self._by_model = by_model

    @property
    def condenses(self) -> bool:
        """Whether an answer makes use of the turns before its question."""
        return self._by_model is not None

    def check_model(self, model_id: str | None) -> None:
        """Raise `UnknownModelError` for another model than the one there is. Extraction takes any name."""
        if not model_id or self._by_model is None:
            return
        name = self._by_model.model.name
        if model_id != name:
            raise UnknownModelError(
                f"This server answers with {name}. Leave model_id out, or name that.",
                field="model_id",
                available=[name],
            )

    async def check(self, actor: Actor, request: SearchRequest, permission: Permission) -> None:
        """Raise what `answer` would for knowledge bases the actor may not use: before a stream has begun."""
        await self._retrieval.check(actor, request, permission)

    async def answer(
        self,
        actor: Actor,
        request: SearchRequest,
        permission: Permission,
        *,
        earlier: Sequence[Exchange] = (),
        listener: Listener | None = None,
    ) -> Answered:
        """Search, then answer; abstains when nothing supports an answer. `earlier` turns are the oldest first.

        Raises what `LanguageModel.stream` does.
        """
        listener = listener or NobodyListens()
        if self._by_model is not None:
            return await self._by_model.answer(actor, request, permission, earlier, listener)
        answered = await self._retrieval.in_pool(lambda: self._answer(actor, request, permission))
        listener.found(answered.hits)
        return answered

    def _answer(self, actor: Actor, request: SearchRequest, permission: Permission) -> Answered:
        return settled(lambda: self._answer_once(actor, request, permission))

    def _answer_once(self, actor: Actor, request: SearchRequest, permission: Permission) -> tuple[Answered, bool]:
        """An answer, and whether all that it was to quote was still there in the end."""
        hits, shown = find_passages(self._retrieval, actor, request, permission, self._passages)
        legible = [hit for hit in hits if self._proofs.legible(hit.passage)]
        sentences = candidate_sentences(legible, self._headings)
        if not sentences:  # nothing to compare: an empty knowledge base loads no engine
            return Answered(abstain(), shown), True
        tokens = self._retrieval.tokens_of([hit.passage for hit in hits[:PASSAGES_READ]])
        near = nearness(sentences, tokens, *self._retrieval.query_tokens(request.words))
        terms_of = self._retrieval.terms
        supports = choose_support(terms_of(request.words), sentences, near, terms_of)
        # Read again at the last moment: what was deleted or forbidden since is not quoted.
        record = self._retrieval.still_there(actor, [support.sentence.hit.passage for support in supports])
        checked = [support for support in supports if still_verbatim(support.sentence, record)]
        whole = len(checked) == len(supports)
        proven = self._proofs.proven(support.sentence.hit.passage for support in checked)
        checked = [support for support in checked if support.sentence.hit.passage.key in proven]
        return Answered(compose(checked, self._place, self._retrieval.text_vectors), shown), whole

    def _headings(self, passage: Passage) -> list[Heading]:
        return self._proofs.map_of(passage).headings

    def _place(self, sentence: Sentence) -> Place:
        text_map = self._proofs.map_of(sentence.hit.passage)
        return Place(text_map.page_at(sentence.start), text_map.section_header_at(sentence.start))


class ConversationService:
    """Conversations belong to one user; nobody else, of whatever level, reads them.

    A key that is limited to knowledge bases reads those conversations only that were limited to them, too.
    """

    def create(self, unit: UnitOfWork, actor: Actor, title: str, kb_ids: list[str] | None) -> Conversation:
        """A new, empty conversation."""
        kb_ids = _within(actor, kb_ids)
        return repository.create_conversation(unit, new_id(), actor.user_id, _checked_title(title), kb_ids)

    def list_conversations(self, connection: Connection, actor: Actor, page: PageRequest) -> Page[Conversation]:
        """One's own, the one used last first."""
        return repository.list_conversations(connection, actor.user_id, page, within=actor.kb_ids)

    def get(self, connection: Connection, actor: Actor, conversation_id: str) -> Conversation:
        """One of one's own; raises `ConversationNotFoundError`."""
        conversation = repository.find_conversation(connection, actor.user_id, conversation_id)
        if conversation is None or not _is_within(conversation.kb_ids, actor.kb_ids):
            raise ConversationNotFoundError("There is no such conversation.")
        return conversation

    def latest(self, connection: Connection, actor: Actor, conversation_id: str) -> list[Exchange]:
        """The last turns of one of one's own, oldest first; none of one that is not there yet."""
        if repository.find_conversation(connection, actor.user_id, conversation_id) is None:
            return []
        found = repository.latest_messages(connection, conversation_id, 2 * TURNS_REMEMBERED)
        pairs = zip(found[::2], found[1::2], strict=False)
        return [Exchange(question.content, answer.content) for question, answer in pairs]

    def messages(self, connection: Connection, actor: Actor, conversation_id: str) -> list[Message]:
        """All messages of one of one's own, oldest first."""
        return repository.list_messages(connection, self.get(connection, actor, conversation_id).id)

    def rename(self, unit: UnitOfWork, actor: Actor, conversation_id: str, title: str) -> Conversation:
        """Give it another title."""
        conversation = self.get(unit.connection, actor, conversation_id)
        repository.update_conversation(unit, conversation.id, title=_checked_title(title))
        return self.get(unit.connection, actor, conversation_id)

    def delete(self, unit: UnitOfWork, actor: Actor, conversation_id: str) -> None:
        """Hide it from its owner."""
        conversation = self.get(unit.connection, actor, conversation_id)
        repository.update_conversation(unit, conversation.id, deleted_at=clock.now())

    def store_turn(
        self,
        unit: UnitOfWork,
        actor: Actor,
        conversation_id: str,
        kb_ids: list[str] | None,
        question: str,
        answer: Answer,
    ) -> str:
        """Store a whole turn, in a new conversation if there is none with this id yet; gives the answer's id."""
        if repository.find_conversation(unit.connection, actor.user_id, conversation_id) is None:
            title = " ".join(question.split())[:TITLE_CHARS_FROM_QUESTION]
            repository.create_conversation(unit, conversation_id, actor.user_id, title, _within(actor, kb_ids))
        return repository.append_turn(unit, conversation_id, question, answer)


def _within(actor: Actor, kb_ids: list[str] | None) -> list[str] | None:
    """The knowledge bases of a conversation: those that were named, or else all that the actor's key is limited to."""
    return sorted(actor.kb_ids) if kb_ids is None and actor.kb_ids is not None else kb_ids


def _is_within(kb_ids: list[str] | None, limit: frozenset[str] | None) -> bool:
    return limit is None or (kb_ids is not None and limit.issuperset(kb_ids))


def _checked_title(title: str) -> str:
    title = " ".join(title.split())
    if not 1 <= len(title) <= TITLE_CHARS_MAX:
        raise InvalidInputError(f"A title has 1 to {TITLE_CHARS_MAX} characters.", field="title")
    return title
