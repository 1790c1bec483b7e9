"""Token vectors of one bit a dimension, and MaxSim, against their definitions."""

import numpy as np
import pytest

from lumikb.compute.embed.graph import DIMENSIONS
from lumikb.compute.embed.tokens import (
    BITS_BYTES,
    TokenVectors,
    max_similarities,
    sign_bits,
    token_similarities,
    unit_rows,
)


@pytest.fixture
def states() -> np.ndarray:
    return np.random.default_rng(7).standard_normal((9, DIMENSIONS)).astype(np.float32)


def signs(states: np.ndarray) -> np.ndarray:
    return np.where(states > 0, 1, -1) / DIMENSIONS**0.5


def test_a_token_keeps_its_signs_in_48_bytes(states: np.ndarray):
    bits = sign_bits(states)
    assert bits.shape == (9, BITS_BYTES)
    assert BITS_BYTES == 48
    assert (np.unpackbits(bits, axis=1).astype(bool) == (states > 0)).all()


def test_similarities_are_cosines_to_the_signs(states: np.ndarray):
    query = unit_rows(states[:3])
    found = token_similarities(query, sign_bits(states))
    assert np.allclose(found, query @ signs(states).T, atol=1e-5)


def test_the_mean_of_the_best_matches_is_weighted(states: np.ndarray):
    query, weights = unit_rows(states[:2]), np.array([1, 3], np.float32)
    passages = [states[:4], states[4:5], states[:0], states[5:]]
    found = max_similarities(query, weights, [sign_bits(passage) for passage in passages])
    best = [(query @ signs(passage).T).max(axis=1) if len(passage) else np.zeros(2) for passage in passages]
    assert np.allclose(found, [row @ [0.25, 0.75] for row in best], atol=1e-5)
    assert max_similarities(query, weights, []) == []


def test_tokens_are_kept_in_fifty_bytes_with_their_place(states: np.ndarray):
    bits = sign_bits(states)
    packed = TokenVectors.of([*range(8), 70_000], bits).pack()
    assert len(packed) == 50 * 9
    found = TokenVectors.unpack(packed)
    assert found is not None
    assert found.starts.tolist() == [*range(8), 65_535]
    assert np.array_equal(found.bits, bits)


@pytest.mark.parametrize("packed", [b"", b"x", b"x" * 49, b"x" * 51])
def test_what_cannot_be_tokens_is_none(packed: bytes):
    assert TokenVectors.unpack(packed) is None


def test_a_zero_state_has_no_direction():
    assert (unit_rows(np.zeros((1, DIMENSIONS), np.float32)) == 0).all()
