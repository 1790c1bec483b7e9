"""How near the sentences of passages are to a question, by the vectors of their tokens."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lumikb.answering.extraction import Sentence
from lumikb.compute.embed.tokens import TokenVectors, token_similarities


def nearness(
    sentences: Sequence[Sentence],
    tokens: Mapping[int, TokenVectors],
    query: NDArray[np.float32],
    weights: NDArray[np.float32],
) -> NDArray[np.float32]:
    """MaxSim of each sentence, shape (sentences,).

    `tokens` are those of the passages by key, `query` has a unit row for each token of the question, (tokens,
    dimensions), and `weights` how much each counts. A sentence without tokens of its own has 0.
    """
    near = np.zeros(len(sentences), np.float32)
    shares = weights / max(float(weights.sum()), 1e-12)
    similar = {key: token_similarities(query, own.bits) for key, own in tokens.items()}
    for at, sentence in enumerate(sentences):
        passage = sentence.hit.passage
        if passage.key not in tokens:
            continue
        # They stand in the order of the text, but for those past 65,535 characters, which share one place.
        places = sentence.start - passage.char_start, sentence.end - passage.char_start
        first, last = np.searchsorted(tokens[passage.key].starts, places).tolist()
        if first < last:
            near[at] = similar[passage.key][:, first:last].max(axis=1) @ shares
    return near
