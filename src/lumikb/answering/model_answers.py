"""Answers by a language model over the passages of a search, each sentence checked against what it cites."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

import msgspec

from lumikb.answering.citations import ABSTENTION, Place, abstain
from lumikb.answering.context import Source, estimated_tokens, pack
from lumikb.answering.finding import find_passages
from lumikb.answering.listening import Answered, Listener
from lumikb.answering.markers import MarkerStream
from lumikb.answering.model_citations import cite
from lumikb.answering.models import Answer, Usage
from lumikb.answering.prompting import (
    ANSWER_PROMPT,
    Exchange,
    answer_messages,
    condense_messages,
    prompt_tokens,
    source_tokens,
)
from lumikb.answering.proofs import Proofs
from lumikb.answering.verification import CheckedClaim, check_claims, confidence, without_orphans
from lumikb.http.permission import Permission
from lumikb.identity.models import Actor
from lumikb.kit.errors import LumiError
from lumikb.kit.telemetry import get_logger
from lumikb.llm.port import ChatMessage, Delta, Ended, LanguageModel
from lumikb.retrieval.models import QUERY_CHARS_MAX, Found, Passage, SearchRequest
from lumikb.retrieval.service import RetrievalService

CONDENSE_SECONDS_MAX = 10.0
CONDENSE_TOKENS_MAX = 200
# A server that does not keep to the bound on tokens is read up to so many characters a token.
TOKEN_CHARS_MAX = 16
# Little freedom: an answer is to say what the passages say.
TEMPERATURE = 0.1
# A longer answer without any citation is taken for one, and its sentences are marked as unsupported.
UNKNOWING_CHARS_MAX = 300

# How models say that they do not know, where they do not keep to the sentence they were given.
_UNKNOWING = re.compile(
    r"\bnot found in (?:your|the) (?:documents|passages)"
    r"|\bI (?:do not|don['’]t|cannot|can['’]t) (?:know|find|answer|tell)"
    r"|\b(?:passages?|documents?|context|text)\b.{0,40}\b(?:do|does|did)(?: not|n['’]t) "
    r"(?:contain|answer|say|mention|provide|state|include|specify)",
    re.IGNORECASE,
)

log = get_logger(__name__)


@dataclass(frozen=True)
class _Draft:
    """What the model said: its text as it was shown, and the sources that it cites, by the numbers shown."""

    text: str
    cited: dict[int, Source]
    usage: Usage


class ModelAnswers:
    """Answers by one language model. `passages` is how many it may draw on; tokens are the model's, estimated."""

    def __init__(
        self,
        model: LanguageModel,
        retrieval: RetrievalService,
        proofs: Proofs,
        *,
        passages: int,
        context_tokens: int,
        answer_tokens_max: int,
    ) -> None:
        self.model = model
        self._retrieval = retrieval
        self._proofs = proofs
        self._passages = passages
        self._context_tokens = context_tokens
        self._answer_tokens_max = answer_tokens_max

    async def answer(
        self,
        actor: Actor,
        request: SearchRequest,
        permission: Permission,
        earlier: Sequence[Exchange],
        listener: Listener,
    ) -> Answered:
        """Search, and let the model answer from what is found; abstains without asking it when nothing is.

        A question after `earlier` turns is first made understandable alone. Raises what `LanguageModel.stream` does.
        """
        full, usage = await self._condensed(request.query, earlier)
        wanted = request if full == request.query else replace(request, query=full, ranking_words="")
        found, sources = await self._retrieval.in_pool(lambda: self._sources(actor, wanted, permission, request.query))
        listener.found(found.hits)
        if not sources:
            return Answered(msgspec.structs.replace(abstain(), usage=usage), found)
        draft = await self._drafted(answer_messages(request.query, full, sources), sources, usage, listener)
        answer = await self._retrieval.in_pool(lambda: self._checked(actor, draft))
        return Answered(answer, found)

    async def _condensed(self, question: str, earlier: Sequence[Exchange]) -> tuple[str, Usage]:
        """The question as it can be understood alone; as it is where there are no turns, or the model fails."""
        if not earlier:
            return question, Usage()
        messages = condense_messages(question, earlier)
        text, end = "", Ended()
        try:
            async with (
                asyncio.timeout(CONDENSE_SECONDS_MAX),
                aclosing(self.model.stream(messages, tokens_max=CONDENSE_TOKENS_MAX, temperature=0.0)) as pieces,
            ):
                async for piece in pieces:
                    if isinstance(piece, Ended):
                        end = piece
                    elif not piece.thinking:
                        text += piece.text
        except (LumiError, TimeoutError) as error:
            code = error.stable_code if isinstance(error, LumiError) else "TIMED_OUT"
            log.warning("question not condensed", code=code)
            return question, Usage()
        full = " ".join(text.split()).strip("\"'“”„«»")
        usage = _counted(Usage(), end, messages, text)
        return (full if 0 < len(full) <= QUERY_CHARS_MAX else question), usage

    def _sources(
        self, actor: Actor, request: SearchRequest, permission: Permission, question: str
    ) -> tuple[Found, list[Source]]:
        """What is found, and what of it the model is shown."""
        hits, shown = find_passages(self._retrieval, actor, request, permission, self._passages)
        tokens = self._context_tokens - self._answer_tokens_max - prompt_tokens(question, request.query)
        return shown, pack(hits, tokens, source_tokens)

    async def _drafted(
        self, messages: list[ChatMessage], sources: list[Source], usage: Usage, listener: Listener
    ) -> _Draft:
        markers = MarkerStream(range(1, len(sources) + 1))
        chars_max = self._answer_tokens_max * TOKEN_CHARS_MAX
        text, written, end = "", "", Ended()
        pieces = self.model.stream(messages, tokens_max=self._answer_tokens_max, temperature=TEMPERATURE)
        async with aclosing(pieces):
            async for piece in pieces:
                if isinstance(piece, Ended):
                    end = piece
                    continue
                written += piece.text
                if piece.thinking:
                    listener.heard(piece)
                    continue
                shown = markers.feed(piece.text)[: chars_max - len(text)]
                if shown:
                    listener.heard(Delta(shown))
                    text += shown
                if len(text) == chars_max:
                    end = Ended(cut=True)
                    break
        if end.cut:
            log.warning("answer cut", tokens_max=self._answer_tokens_max)
        cited = {shown: sources[number - 1] for number, shown in markers.shown.items()}
        return _Draft(text, cited, _counted(usage, end, messages, written))

    def _checked(self, actor: Actor, draft: _Draft) -> Answer:
        """The draft with its verdicts and citations; what it cites is read again at the last moment.

        Sources that were deleted, changed or forbidden since the search are not quoted, and their marks are removed. If
        none is left of those it rested on, neither is the answer.
        """
        bare = without_orphans(draft.text, ())
        if _is_unknowing(bare, cites=bool(draft.cited)):
            return self._answer(bare if any(map(str.isalnum, bare)) else ABSTENTION, draft.usage)
        text, cited = draft.text, draft.cited
        while True:
            texts = {number: source.text for number, source in cited.items()}
            claims = check_claims(text, texts, self._retrieval.text_vectors)
            standing = self._standing(actor, cited)
            if len(standing) == len(cited):
                break
            text, cited = without_orphans(text, standing), standing
        if draft.cited and not cited:
            return self._answer(ABSTENTION, draft.usage)
        return self._answer(text, draft.usage, claims, cited)

    def _answer(
        self,
        text: str,
        usage: Usage,
        checked: Sequence[CheckedClaim] | None = None,
        cited: Mapping[int, Source] | None = None,
    ) -> Answer:
        """The answer; without claims it abstains."""
        citations, claims = cite(checked or [], cited or {}, self._place)
        return Answer(
            answer=text,
            answered_by="model",
            abstained=checked is None,
            citations=citations,
            claims=claims,
            confidence=round(confidence(checked or []), 4),
            model_id=self.model.name,
            prompt=ANSWER_PROMPT,
            usage=usage,
        )

    def _standing(self, actor: Actor, cited: dict[int, Source]) -> dict[int, Source]:
        """Those whose passages the record, read again, still shows to the actor, and their documents' texts prove.

        Only what is cited is looked up: texts of all that was found would take longer than the search.
        """
        passages = [hit.passage for source in cited.values() for hit in source.hits]
        record = self._retrieval.still_there(actor, passages) if passages else {}
        proven = self._proofs.proven(record.values())

        def stands(passage: Passage) -> bool:
            now = record.get(passage.key)
            same = now is not None and (now.text, now.char_start) == (passage.text, passage.char_start)
            return same and passage.key in proven and self._proofs.legible(passage)

        return {number: one for number, one in cited.items() if all(stands(hit.passage) for hit in one.hits)}

    def _place(self, passage: Passage, start: int) -> Place:
        text_map = self._proofs.map_of(passage)
        return Place(text_map.page_at(start), text_map.section_header_at(start))


def _is_unknowing(text: str, *, cites: bool) -> bool:
    """Whether the model says, with these words but for its marks, that the passages do not answer, or nothing."""
    if text.casefold().rstrip(". ") in {"", ABSTENTION.casefold().rstrip(".")}:
        return True
    return not cites and len(text) <= UNKNOWING_CHARS_MAX and bool(_UNKNOWING.search(text))


def _counted(usage: Usage, end: Ended, messages: Sequence[ChatMessage], written: str) -> Usage:
    """With the tokens of a call, as its server counted them or else estimated."""
    if end.prompt_tokens is not None and end.completion_tokens is not None:
        return usage.plus(end.prompt_tokens, end.completion_tokens, estimated=False)
    prompt = sum(estimated_tokens(message.content) for message in messages)
    return usage.plus(prompt, estimated_tokens(written), estimated=True)
