"""How near sentences are to a question, by their own tokens only."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from lumikb.answering.extraction import candidate_sentences
from lumikb.answering.nearness import nearness
from lumikb.compute.embed.graph import DIMENSIONS
from lumikb.compute.embed.model_files import find_model_files
from lumikb.compute.embed.tokenizer import Tokenizer
from lumikb.compute.embed.tokens import TokenVectors, max_similarities, sign_bits, unit_rows
from lumikb.retrieval.models import Hit

TOKENIZER = Tokenizer(find_model_files().tokenizer)
TEXT = "Herons wait in shallow water. Cranes dance in spring, and storks nest on roofs. Owls hunt at night."


def test_a_sentence_is_as_near_as_its_own_tokens(hit: Callable[..., Hit]) -> None:
    sentences = candidate_sentences([hit(TEXT, char_start=50), hit("It has no tokens of its own.", key=2)])
    offsets = TOKENIZER.encode(TEXT).offsets
    states = np.random.default_rng(5).standard_normal((len(offsets), DIMENSIONS)).astype(np.float32)
    tokens = TokenVectors.of([start for start, _ in offsets], sign_bits(states))
    query, weights = unit_rows(states[[0, 9]]), np.array([1, 3], np.float32)
    found = nearness(sentences, {1: tokens}, query, weights)
    starts = [TEXT.index(sentence.text) for sentence in sentences[:3]]
    firsts = [next(at for at, (start, _) in enumerate(offsets) if start == wanted) for wanted in starts]
    spans = pairwise([*firsts, len(offsets)])
    alone = [max_similarities(query, weights, [tokens.bits[first:last]])[0] for first, last in spans]
    assert found.tolist() == pytest.approx([*alone, 0.0], abs=1e-5)
    assert found.argmax() == 1
