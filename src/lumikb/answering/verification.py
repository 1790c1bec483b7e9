"""The check of an answer: each of its sentences against the passages that it cites.

A claim is compared with the sentences of its passages by their words and by their vectors. Then come the facts, which
vectors hardly show: numbers as values, names, negation. Pure functions; the vectors come from the caller.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lumikb.answering.checking import facts
from lumikb.answering.checking.markers import without_orphans
from lumikb.answering.checking.sentences import CitedPassage, Coverage, Given, Sentence, nearest
from lumikb.answering.checking.statements import Statement, statements_of
from lumikb.answering.models import Verdict

__all__ = [
    "CheckedClaim",
    "Embed",
    "Quote",
    "Reason",
    "Statement",
    "check_claims",
    "check_statements",
    "confidence",
    "without_orphans",
]

Reason = Literal["number_differs", "name_absent", "negated", "no_overlap", "no_citation"]
Embed = Callable[[Sequence[str]], NDArray[np.float32]]

# Sentences of its passages that a claim is compared with by vectors: those that share most words with it.
CANDIDATES_MAX = 8
# Sentences that a claim may draw on together, and what a further one must add: a share of the claim's words.
EVIDENCE_MAX = 3
ADDED_SHARE_MIN = 0.15
# A sentence is about the same as the best one from this share of its cosine.
SAME_TOPIC_SHARE = 0.75
# How near a claim is to its evidence: half by the cosine to the best sentence, half by the share of its words there.
# From the first bound it is supported, below the second it has nothing to do with it (docs/decisions/0016).
SUPPORTED_MIN = 0.5
PARTLY_MIN = 0.33
# A claim so little near is compared no further: its numbers and names are about something else.
RELATED_MIN = 0.25

WEIGHTS: Mapping[Verdict, float] = {"supported": 1.0, "partly": 0.5, "unsupported": 0.0}


class Quote(NamedTuple):
    """A sentence at `[start, end)` of the text of the passage with this number, in code points."""

    number: int
    start: int
    end: int


@dataclass(frozen=True)
class CheckedClaim:
    """A sentence of an answer at `[start, end)`, without the markers behind it, and what the check found.

    `citations` are the numbers of passages that it cites. `quotes` are the sentences that support it, the best one
    first; of an unsupported claim the one that it was compared with, none when it is near to none.
    """

    start: int
    end: int
    verdict: Verdict
    reason: Reason | None = None
    citations: list[int] = field(default_factory=list[int])
    quotes: list[Quote] = field(default_factory=list[Quote])


def check_claims(answer: str, passages: Mapping[int, str], embed: Embed) -> list[CheckedClaim]:
    """The claims of an answer with markers such as `[1]` or `[2, 3]`, in their order, each with its verdict.

    `passages` are the texts by their numbers; markers of others count as none. `embed` gives unit vectors of texts,
    shape (texts, dimensions); it is called once, and not at all when every claim is word for word in a passage.
    """
    return check_statements(statements_of(answer), passages, embed)


def check_statements(statements: Sequence[Statement], passages: Mapping[int, str], embed: Embed) -> list[CheckedClaim]:
    """The verdict of each statement, in their order; `passages` and `embed` as for `check_claims`."""
    cited = {
        number: CitedPassage(number, passages[number])
        for one in statements
        for number in one.numbers
        if number in passages
    }
    checked: list[CheckedClaim | None] = []
    open_claims: dict[int, _Open] = {}
    for at, statement in enumerate(statements):
        some = [cited[number] for number in statement.numbers if number in cited]
        checked.append(_without_vectors(statement, some))
        if checked[at] is None:
            claim = Sentence(statement.text)
            given = [one for passage in some for one in passage.sentences]
            coverage = Coverage(claim)
            open_claims[at] = _Open(statement, claim, coverage, some, nearest(coverage, given, CANDIDATES_MAX))
    vectors = _vectors(open_claims.values(), embed)
    for at, one in open_claims.items():
        own = vectors[one.claim.text]
        checked[at] = _judged(one, [float(own @ vectors[given.text]) for given in one.given])
    return [one for one in checked if one is not None]


def confidence(claims: Sequence[CheckedClaim]) -> float:
    """The mean of the claims' verdicts, 0 to 1: 1 for a supported one, half for partly, 0 for an unsupported one.

    0 without any claim.
    """
    if not claims:
        return 0.0
    return round(sum(WEIGHTS[claim.verdict] for claim in claims) / len(claims), 4)


@dataclass(frozen=True)
class _Open:
    """A claim that stands in no passage word for word, with the sentences it is compared with."""

    statement: Statement
    claim: Sentence
    coverage: Coverage
    passages: list[CitedPassage]
    given: list[Given]

    def ends(self, verdict: Verdict, reason: Reason | None = None, evidence: Sequence[Given] = ()) -> CheckedClaim:
        return _checked(
            self.statement,
            self.passages,
            verdict,
            reason,
            [Quote(one.number, one.start, one.end) for one in evidence],
        )


def _without_vectors(statement: Statement, passages: Sequence[CitedPassage]) -> CheckedClaim | None:
    """What needs no vectors: a claim without a passage, and one that stands there word for word."""
    if not passages:
        return _checked(statement, passages, "unsupported", "no_citation", [])
    quotes = [Quote(one.number, *span) for one in passages if (span := one.find(statement.text))]
    if quotes:
        return _checked(statement, passages, "supported", None, quotes)
    if not any(passage.sentences for passage in passages):
        return _checked(statement, passages, "unsupported", "no_overlap", [])
    return None


def _checked(
    statement: Statement,
    passages: Sequence[CitedPassage],
    verdict: Verdict,
    reason: Reason | None,
    quotes: list[Quote],
) -> CheckedClaim:
    numbers = [passage.number for passage in passages]
    return CheckedClaim(statement.start, statement.end, verdict, reason, numbers, quotes)


def _vectors(claims: Iterable[_Open], embed: Embed) -> dict[str, NDArray[np.float32]]:
    """The vectors of claims and of the sentences they are compared with, by their texts."""
    texts = list(dict.fromkeys(text for one in claims for text in (one.claim.text, *(each.text for each in one.given))))
    return dict(zip(texts, embed(texts), strict=True)) if texts else {}


def _judged(one: _Open, cosines: Sequence[float]) -> CheckedClaim:
    evidence, near = _evidence(one.coverage, one.given, cosines)
    if near < RELATED_MIN:
        return one.ends("unsupported", "no_overlap")
    best = evidence[0]
    if facts.number_differs(one.claim, evidence, one.passages):
        return one.ends("unsupported", "number_differs", evidence[:1])
    if facts.name_absent(one.claim, best, one.passages):
        return one.ends("unsupported", "name_absent", evidence[:1])
    if facts.denied(one.claim, best):
        return one.ends("unsupported", "negated", evidence[:1])
    if near < PARTLY_MIN:
        return one.ends("unsupported", "no_overlap", evidence[:1])
    # What was not read of an endless claim is not proven.
    whole = near >= SUPPORTED_MIN and not one.claim.is_cut
    return one.ends("supported" if whole else "partly", None, evidence)


def _evidence(claim: Coverage, given: Sequence[Given], cosines: Sequence[float]) -> tuple[list[Given], float]:
    """The sentences that together say most of a claim, the best first, and how near they are to it."""
    said = [(claim.words(one), claim.numbers(one)) for one in given]

    def score(at: int) -> float:
        return (cosines[at] + sum(map(len, said[at])) / claim.size) / 2

    order = sorted(range(len(given)), key=lambda at: (-score(at), at))
    chosen = order[:1]
    stems, numbers = said[chosen[0]]
    for _ in range(EVIDENCE_MAX - 1):
        rest = [at for at in order if at not in chosen]
        best = max(
            rest, key=lambda at: (len(said[at][0] - stems) + len(said[at][1] - numbers), score(at)), default=None
        )
        if best is None:
            break
        new_words, new_numbers = len(said[best][0] - stems), len(said[best][1] - numbers)
        # A number alone adds nothing, as it may be that of something else, unless its sentence is about the same.
        same_topic = bool(said[best][0]) and cosines[best] >= SAME_TOPIC_SHARE * cosines[chosen[0]]
        if not ((new_numbers and (new_words or same_topic)) or new_words / claim.size >= ADDED_SHARE_MIN):
            break
        chosen.append(best)
        stems, numbers = stems | said[best][0], numbers | said[best][1]
    near = (max(0.0, *(cosines[at] for at in chosen)) + (len(stems) + len(numbers)) / claim.size) / 2
    return [given[at] for at in chosen], near
