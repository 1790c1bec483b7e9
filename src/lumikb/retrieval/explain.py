"""Why a passage stands where it stands: the parts of its score, and the words that match."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lumikb.retrieval.fusion import min_max
from lumikb.retrieval.models import Passage
from lumikb.store.index.analysis import Analysis, Clause, Word

# Of one term.
PLACES_MAX = 100


@dataclass(frozen=True)
class LegPart:
    """What a leg gives a passage: its own value, that value scaled among the candidates, and the leg's weight.

    `scaled` is None for a passage that the leg did not bring; it counts as 0. `part` is what stands in the score.
    """

    value: float | None
    scaled: float | None
    weight: float

    @property
    def part(self) -> float:
        """The leg's share of the fused score."""
        return self.weight * (self.scaled or 0.0)


@dataclass(frozen=True)
class MatchedTerm:
    """A term or phrase of the query that the passage has, with its share of the BM25 score.

    `exact` says whether the word itself counts, or its stem. Places are `[start, end)` of the document's text.
    """

    term: str
    exact: bool
    boost: float
    score: float
    places: list[tuple[int, int]]


@dataclass(frozen=True)
class Explanation:
    """A passage with what made its score. `rank` counts from 1 among the candidates that passed, None for no candidate.

    `reason` says why it is none.
    """

    passage: Passage
    dense: LegPart
    keyword: LegPart
    tokens: LegPart
    rank: int | None
    candidates: int
    matched: list[MatchedTerm]
    reason: str | None

    @property
    def score(self) -> float | None:
        """The score: its parts together."""
        return None if self.rank is None else self.dense.part + self.keyword.part + self.tokens.part


def leg_part(scores: Mapping[int, float], key: int, value: float | None, weight: float) -> LegPart:
    """What a leg gives the chunk `key`; `scores` are those of all that the leg brought, as they are fused."""
    return LegPart(scores.get(key, value), min_max(scores).get(key), weight)


def matched_terms(passage: Passage, parts: Sequence[tuple[Clause, float]], analysis: Analysis) -> list[MatchedTerm]:
    """The parts of a query that a passage matches, the weightiest first, with their places."""
    words = analysis.located(passage.text)
    found = [
        MatchedTerm(
            " ".join(clause.terms),
            clause.field == "exact",
            clause.boost,
            score,
            [(passage.char_start + start, passage.char_start + end) for start, end in _places(words, clause)],
        )
        for clause, score in parts
    ]
    return sorted(found, key=lambda one: (-one.score, one.term))


def _places(words: Sequence[Word], clause: Clause) -> list[tuple[int, int]]:
    terms = [word.exact if clause.field == "exact" else word.body for word in words]
    length = len(clause.terms)
    starts = (at for at in range(len(words) - length + 1) if tuple(terms[at : at + length]) == clause.terms)
    return [(words[at].start, words[at + length - 1].end) for at in starts][:PLACES_MAX]
