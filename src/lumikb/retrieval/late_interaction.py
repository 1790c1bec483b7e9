"""Late interaction: the tokens of a query against those of the best passages, mixed with what fusion says of these."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lumikb.compute.embed.tokenizer import Tokens
from lumikb.compute.embed.tokens import TokenVectors, max_similarities
from lumikb.retrieval.fusion import min_max
from lumikb.retrieval.models import Ranked

# Passages that are looked at. Of a hundred tokens each they take 3 ms; with 50 Cranfield gains nothing more.
WINDOW = 30
# The share of the tokens in the score of such a passage.
SHARE = 0.3

_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class QueryTokens:
    """A query's tokens as unit rows, float32 (tokens, dimensions), and the word that each is a part of.

    A token outside of any word, such as a question mark, has an empty one.
    """

    states: NDArray[np.float32]
    words: list[str]

    def weights(self, rarity: Callable[[Sequence[str]], list[float]]) -> NDArray[np.float32]:
        """How much each token counts: as much as its word is rare, and all the same if none has a word."""
        named = [word for word in self.words if word]
        if not named:
            return np.ones(len(self.words), np.float32)
        by_word = dict(zip(named, rarity(named), strict=True))
        return np.array([by_word.get(word, 0.0) for word in self.words], np.float32)


def words_of(text: str, tokens: Tokens) -> list[str]:
    """The word of `text` that each of its tokens begins in, empty where there is none."""
    spans = [(match.start(), match.end()) for match in _WORD.finditer(text)]
    words: list[str] = []
    at = 0
    for start, _ in tokens.offsets:
        while at < len(spans) and spans[at][1] <= start:
            at += 1
        inside = at < len(spans) and spans[at][0] <= start
        words.append(text[slice(*spans[at])] if inside else "")
    return words


def late_scores(
    tokens: Mapping[int, TokenVectors], query: QueryTokens, weights: NDArray[np.float32]
) -> dict[int, float]:
    """MaxSim of each passage, by key."""
    if not len(query.states):
        return {}
    found = max_similarities(query.states, weights, [own.bits for own in tokens.values()])
    return dict(zip(tokens, found, strict=True))


def mixed(fused: Sequence[Ranked], late: Mapping[int, float]) -> list[Ranked]:
    """`fused`, best first, in the order of fusion and MaxSim together; scores stay in [0, 1].

    A passage of the first `WINDOW` that has no MaxSim counts by its fused score alone; those beyond stay behind.
    """
    if not late:
        return list(fused)
    scaled = min_max(late)
    best = [
        replace(one, score=(1 - SHARE) * one.score + SHARE * scaled.get(one.key, one.score)) for one in fused[:WINDOW]
    ]
    best.sort(key=lambda one: (-one.score, one.key))
    floor = best[-1].score
    return best + [replace(one, score=min((1 - SHARE) * one.score, floor)) for one in fused[WINDOW:]]


def late_share(fused: Sequence[int], late: Mapping[int, float], key: int) -> float:
    """The share of MaxSim in the score of a passage, as `mixed` gives it."""
    return 0.0 if not late or (key in fused[:WINDOW] and key not in late) else SHARE
