"""Answers with their citations and claims, and conversations."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec

Verdict = Literal["supported", "partly", "unsupported"]


class Citation(msgspec.Struct, frozen=True, kw_only=True):
    """A place in a document that supports a claim.

    `quoted_text` is the document's text at `[char_start, char_end)`, verbatim, in code points; `excerpt` is the passage
    around it. Scores lie between 0 and 1.
    """

    number: int
    document_id: str
    document_name: str
    version: int
    chunk_id: str
    page_number: int | None
    section_header: str | None
    excerpt: str
    quoted_text: str
    char_start: int
    char_end: int
    relevance_score: float
    confidence: float
    verdict: Verdict


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A sentence of the answer at `[start, end)` in code points, with the citations that bear on it."""

    start: int
    end: int
    verdict: Verdict
    citations: list[int]
    reason: str | None = None


class Usage(msgspec.Struct, frozen=True):
    """Tokens that the language model read and wrote for an answer; `estimated` where its server did not count them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    estimated: bool = False

    def plus(self, prompt_tokens: int, completion_tokens: int, *, estimated: bool) -> "Usage":
        """With those of another call."""
        prompt, completion = self.prompt_tokens + prompt_tokens, self.completion_tokens + completion_tokens
        return Usage(prompt, completion, prompt + completion, self.estimated or estimated)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer. One that abstains has no citations and says so.

    One by a model tells which, by which prompt, and what it took.
    """

    answer: str
    answered_by: Literal["model", "extraction"]
    abstained: bool
    citations: list[Citation]
    claims: list[Claim]
    confidence: float
    model_id: str | None = None
    prompt: str | None = None
    usage: Usage = Usage()

    @property
    def confidence_counts(self) -> dict[str, int]:
        """How many claims have each verdict."""
        verdicts = [claim.verdict for claim in self.claims]
        return {name: verdicts.count(name) for name in ("supported", "partly", "unsupported")}


@dataclass(frozen=True)
class Conversation:
    """A conversation of one user."""

    id: str
    user_id: str
    title: str
    kb_ids: list[str] | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Message:
    """One turn's half: what the user asked, or what was answered (then `answer` has the whole `Answer`)."""

    id: str
    role: Literal["user", "assistant"]
    content: str
    answer: dict[str, Any] | None
    created_at: datetime
