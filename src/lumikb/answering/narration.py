"""Telling an answer as events of a run, in the two dialects that clients speak.

An answer that is made piece by piece is told as it comes, its citations and claims when it is whole; another claim by
claim.
"""

from typing import Any

import msgspec

from lumikb.answering.listening import Answered
from lumikb.answering.models import Answer, Claim
from lumikb.kit.words import counted
from lumikb.llm.port import Delta
from lumikb.retrieval.models import Hit
from lumikb.retrieval.wire import result_body
from lumikb.runs.models import Run


class InChunks:
    """The dialect of `/chat` and `/query`: `context`, `chunk`s with their citations, `done`. A `Listener`."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._heard = False

    def found(self, hits: list[Hit]) -> None:
        """See `Listener`."""
        self._run.emit("context", {"results": [msgspec.to_builtins(result_body(hit)) for hit in hits]})

    def heard(self, delta: Delta) -> None:
        """See `Listener`."""
        self._heard = self._heard or not delta.thinking
        self._chunk("CHUNK_TYPE_THINKING" if delta.thinking else "CHUNK_TYPE_TEXT", delta.text)

    def end(self, answered: Answered) -> None:
        """Tell what has not been told yet, and that this is all."""
        answer = answered.answer
        if self._heard:
            citations = [msgspec.to_builtins(citation) for citation in answer.citations]
            self._chunk("CHUNK_TYPE_TEXT", "", citations, final=True)
        else:
            pieces = _pieces(answer)
            for at, (text, claim) in enumerate(pieces):
                self._chunk("CHUNK_TYPE_TEXT", text, _citations(answer, claim), final=at == len(pieces) - 1)
        self._run.emit("done", {"conversation_id": self._run.conversation_id} | _summary(answer))

    def _chunk(
        self, kind: str, text: str, citations: list[dict[str, Any]] | None = None, *, final: bool = False
    ) -> None:
        data = {"type": kind, "content": text, "is_final": final, "citations": citations or []}
        self._run.emit("chunk", data)


class InTokens:
    """The dialect of `/chat/stream` and `/search?stream=true`: `status`, `token`, `citation`, `claim`, `done`."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._heard = False

    def found(self, hits: list[Hit]) -> None:
        """See `Listener`."""
        self._run.emit("status", {"message": f"{counted(len(hits), 'passage')} read", "result_count": len(hits)})

    def heard(self, delta: Delta) -> None:
        """See `Listener`."""
        if delta.thinking:
            self._run.emit("status", {"message": "Thinking", "thought": delta.text})
        else:
            self._heard = True
            self._run.emit("token", {"content": delta.text})

    def end(self, answered: Answered, facts: dict[str, Any]) -> None:
        """Tell what has not been told yet, and that this is all; `facts` go with it."""
        answer = answered.answer
        if self._heard:
            for citation in answer.citations:
                self._run.emit("citation", msgspec.to_builtins(citation))
            for claim in answer.claims:
                self._run.emit("claim", msgspec.to_builtins(claim))
        else:
            for text, claim in _pieces(answer):
                self._run.emit("token", {"content": text})
                for citation in _citations(answer, claim):
                    self._run.emit("citation", citation)
                if claim is not None:
                    self._run.emit("claim", msgspec.to_builtins(claim))
        self._run.emit("done", _summary(answer) | {"result_count": len(answered.hits)} | facts)


def _summary(answer: Answer) -> dict[str, Any]:
    """What both dialects end with. The `answer` counts: it lacks marks of sources that went while it was told."""
    return {
        "answer": answer.answer,
        "confidence": answer.confidence,
        "confidence_counts": answer.confidence_counts,
        "citations_count": len(answer.citations),
        "abstained": answer.abstained,
        "answered_by": answer.answered_by,
        "model_id": answer.model_id,
        "usage": msgspec.to_builtins(answer.usage),
    }


def _pieces(answer: Answer) -> list[tuple[str, Claim | None]]:
    """The answer's text cut after each claim's markers; the pieces joined are the answer."""
    if not answer.claims:
        return [(answer.answer, None)]
    pieces: list[tuple[str, Claim | None]] = []
    at = 0
    for claim, following in zip(answer.claims, [*answer.claims[1:], None], strict=True):
        end = following.start if following is not None else len(answer.answer)
        pieces.append((answer.answer[at:end], claim))
        at = end
    return pieces


def _citations(answer: Answer, claim: Claim | None) -> list[dict[str, Any]]:
    if claim is None:
        return []
    return [msgspec.to_builtins(citation) for citation in answer.citations if citation.number in claim.citations]
