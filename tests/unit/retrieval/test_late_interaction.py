"""Which passages the tokens of a query bring forward."""

import numpy as np
import pytest

from lumikb.compute.embed.graph import DIMENSIONS
from lumikb.compute.embed.model_files import find_model_files
from lumikb.compute.embed.tokenizer import Tokenizer
from lumikb.compute.embed.tokens import TokenVectors, sign_bits, unit_rows
from lumikb.retrieval.late_interaction import SHARE, WINDOW, QueryTokens, late_scores, mixed, words_of
from lumikb.retrieval.models import Ranked

TOKENIZER = Tokenizer(find_model_files().tokenizer)
STATES = np.random.default_rng(3).standard_normal((12, DIMENSIONS)).astype(np.float32)


def passage(*tokens: int) -> TokenVectors:
    return TokenVectors(np.arange(len(tokens), dtype=np.uint16), sign_bits(STATES[list(tokens)]))


def query(*tokens: int) -> QueryTokens:
    return QueryTokens(unit_rows(STATES[list(tokens)]), [f"w{token}" for token in tokens])


def test_tokens_know_their_words() -> None:
    text = "Do herons' transmogrifications matter, Nr. 7?"
    tokens = TOKENIZER.encode(text)
    words = words_of(text, tokens)
    assert [word for at, word in enumerate(words) if at == 0 or words[at - 1] != word] == [
        *("Do", "herons", "", "transmogrifications", "matter", "", "Nr", "", "7", "")
    ]
    assert words.count("transmogrifications") > 1


def test_a_token_counts_as_much_as_its_word_is_rare() -> None:
    asked = QueryTokens(STATES[:3], ["the", "heron", ""])
    assert asked.weights(lambda words: [float(len(word)) for word in words]).tolist() == [3, 5, 0]
    assert QueryTokens(STATES[:2], ["", ""]).weights(lambda words: []).tolist() == [1, 1]


def ranked(*fused: tuple[int, float]) -> list[Ranked]:
    return [Ranked(key, score, 0.5) for key, score in fused]


def test_words_that_are_in_every_passage_leave_the_order_as_it_is() -> None:
    late = late_scores({1: passage(1), 2: passage(0)}, query(0), np.zeros(1, np.float32))
    assert [one.key for one in mixed(ranked((1, 0.9), (2, 0.8)), late)] == [1, 2]


def test_the_passage_that_has_the_query_s_tokens_comes_first() -> None:
    late = late_scores({1: passage(5, 6), 2: passage(0, 1, 7), 3: passage(8, 9)}, query(0, 1), np.ones(2, np.float32))
    found = mixed(ranked((1, 0.9), (2, 0.8), (3, 0.1)), late)
    assert [one.key for one in found] == [2, 1, 3]
    assert found[0].score == pytest.approx((1 - SHARE) * 0.8 + SHARE)


def test_a_passage_without_tokens_counts_by_its_fused_score() -> None:
    fused = ranked((1, 0.9), (2, 0.8), (3, 0.7))
    late = late_scores({1: passage(5), 3: passage(0)}, query(0), np.ones(1, np.float32))
    found = {one.key: one.score for one in mixed(fused, late)}
    assert found[2] == pytest.approx(0.8)
    assert mixed(fused, {}) == fused
    assert mixed([], {}) == []
    assert late_scores({1: passage(5)}, QueryTokens(STATES[:0], []), np.ones(0, np.float32)) == {}


def test_what_lies_beyond_the_window_stays_behind_in_its_order() -> None:
    fused = ranked(*((key, 1 - key / 100) for key in range(WINDOW + 5)))
    late = late_scores({key: passage(key % 12) for key in range(WINDOW)}, query(0, 3), np.ones(2, np.float32))
    found = mixed(fused, late)
    assert [one.key for one in found[WINDOW:]] == list(range(WINDOW, WINDOW + 5))
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
