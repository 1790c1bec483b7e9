"""Late interaction: the tokens of a query against those of the best passages, mixed with what fusion says of these."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lumikb.compute.embed.tokenizer import Tokens
from lumikb.compute.embed.tokens import TokenVectors, max_similarities
from lumikb.retrieval.fusion import min_max

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


def mixed(
    fused: Sequence[tuple[int, float]],
    tokens: Mapping[int, TokenVectors],
    query: QueryTokens,
    weights: NDArray[np.float32],
) -> list[tuple[int, float]]:
    """`fused`, best first, in the order of fusion and MaxSim together: keys and scores in [0, 1].

    A passage without token vectors counts by its fused score alone. Those beyond `WINDOW` keep their order behind.
    """
    window = [(key, score) for key, score in fused[:WINDOW] if key in tokens]
    if not window or not len(query.states):
        return list(fused)
    found = max_similarities(query.states, weights, [tokens[key].bits for key, _ in window])
    late = min_max(dict(zip((key for key, _ in window), found, strict=True)))
    best = [(key, (1 - SHARE) * score + SHARE * late.get(key, score)) for key, score in fused[:WINDOW]]
    best.sort(key=lambda item: (-item[1], item[0]))
    floor = best[-1][1]
    return best + [(key, min((1 - SHARE) * score, floor)) for key, score in fused[WINDOW:]]
