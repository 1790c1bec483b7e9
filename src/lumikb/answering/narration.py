"""Telling an answer as events of a run, in the two dialects that clients speak."""

from typing import Any

import msgspec

from lumikb.answering.models import Answer, Claim
from lumikb.kit.words import counted
from lumikb.retrieval.models import Hit
from lumikb.retrieval.wire import result_body
from lumikb.runs.models import Run


def tell_in_chunks(run: Run, answer: Answer, hits: list[Hit]) -> None:
    """The dialect of `/chat` and `/query`: `context`, `chunk`s with their citations, `done`."""
    run.emit("context", {"results": [msgspec.to_builtins(result_body(hit)) for hit in hits]})
    pieces = _pieces(answer)
    for at, (text, claim) in enumerate(pieces):
        cited = _citations(answer, claim)
        data = {"type": "CHUNK_TYPE_TEXT", "content": text, "is_final": at == len(pieces) - 1, "citations": cited}
        run.emit("chunk", data)
    run.emit(
        "done",
        {
            "conversation_id": run.conversation_id,
            "confidence": answer.confidence,
            "citations_count": len(answer.citations),
            "abstained": answer.abstained,
            "answered_by": answer.answered_by,
            "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        },
    )


def tell_in_tokens(run: Run, answer: Answer, hits: list[Hit], facts: dict[str, Any]) -> None:
    """The dialect of `/chat/stream` and `/search?stream=true`: `status`, `token`, `citation`, `claim`, `done`."""
    run.emit("status", {"message": f"{counted(len(hits), 'passage')} read", "result_count": len(hits)})
    for text, claim in _pieces(answer):
        run.emit("token", {"content": text})
        for citation in _citations(answer, claim):
            run.emit("citation", citation)
        if claim is not None:
            run.emit("claim", msgspec.to_builtins(claim))
    done = {
        "confidence": answer.confidence,
        "confidence_counts": answer.confidence_counts,
        "citations_count": len(answer.citations),
        "abstained": answer.abstained,
        "answered_by": answer.answered_by,
        "result_count": len(hits),
    }
    run.emit("done", done | facts)


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
