"""Every sentence of an answer against the passages that it cites: by the words and numbers that they share."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lumikb.answering.models import Verdict
from lumikb.compute.chunk.sentences import sentence_spans

Reason = Literal["number_differs", "name_absent", "negated", "no_overlap", "no_citation"]

SUPPORTED_MIN = 0.5
PARTLY_MIN = 0.25

_MARKER = re.compile(r"[ \t]?\[(\d{1,4})\]")
_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]{4,}")


class Quote(NamedTuple):
    """Characters `[start, end)` of the passage with this number."""

    number: int
    start: int
    end: int


@dataclass(frozen=True)
class CheckedClaim:
    """A sentence of the answer at `[start, end)`, what it cites, and the characters that prove it."""

    start: int
    end: int
    verdict: Verdict
    reason: Reason | None
    citations: list[int]
    quotes: list[Quote]


def check_claims(
    answer: str, passages: Mapping[int, str], embed: Callable[[Sequence[str]], NDArray[np.float32]]
) -> list[CheckedClaim]:
    """A claim for each sentence of the answer, in their order. Offsets count code points."""
    bare = _MARKER.sub(lambda match: " " * len(match[0]), answer)
    spans = [span for span in sentence_spans(bare) if any(map(str.isalnum, bare[slice(*span)]))]
    cited: list[list[int]] = [[] for _ in spans]
    for match in _MARKER.finditer(answer):
        at = max((at for at, span in enumerate(spans) if span[0] <= match.start()), default=None)
        number = int(match[1])
        if at is not None and number in passages and number not in cited[at]:
            cited[at].append(number)
    return [
        _checked(bare[start:end], start, end, numbers, passages)
        for (start, end), numbers in zip(spans, cited, strict=True)
    ]


def without_orphans(answer: str, numbers: Collection[int]) -> str:
    """The answer without the marks that name none of the numbers, and without the space before them."""
    return _MARKER.sub(lambda match: match[0] if int(match[1]) in numbers else "", answer)


def confidence(claims: Sequence[CheckedClaim]) -> float:
    """The share of claims that are supported, those that are so in part by half; 0 without claims."""
    worth = {"supported": 1.0, "partly": 0.5, "unsupported": 0.0}
    return sum(worth[claim.verdict] for claim in claims) / len(claims) if claims else 0.0


def _checked(sentence: str, start: int, end: int, numbers: list[int], passages: Mapping[int, str]) -> CheckedClaim:
    if not numbers:
        return CheckedClaim(start, end, "unsupported", "no_citation", [], [])
    wanted = _words(sentence)
    quotes: list[Quote] = []
    best = 0.0
    for number in numbers:
        text = passages[number]
        spans = sentence_spans(text)
        shares = [len(wanted & _words(text[left:right])) / max(1, len(wanted)) for left, right in spans]
        if shares and max(shares) > 0:
            quotes.append(Quote(number, *spans[shares.index(max(shares))]))
            best = max(best, *shares)
    known = set[str]().union(*(_words(passages[number]) for number in numbers))
    if any(word[0].isdigit() and word not in known for word in wanted):
        return CheckedClaim(start, end, "unsupported", "number_differs", numbers, quotes)
    if best < PARTLY_MIN:
        return CheckedClaim(start, end, "unsupported", "no_overlap", numbers, quotes)
    return CheckedClaim(start, end, "supported" if best >= SUPPORTED_MIN else "partly", None, numbers, quotes)


def _words(text: str) -> set[str]:
    return {word.casefold() for word in _WORD.findall(text)}
