"""Token vectors, one bit a dimension, and late interaction over them.

A token's vector is the embedding model's last hidden state. Of a passage's tokens only the signs are kept, 48 bytes
each: on Cranfield they rank as well as float16 does (docs/decisions). A query's tokens stay in float32.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lumikb.compute.embed.graph import DIMENSIONS

BITS_BYTES = DIMENSIONS // 8
TOKEN_BYTES = 2 + BITS_BYTES
"""Of a stored token: where it begins in its passage, and its signs."""

_START_MAX = 0xFFFF

# The signs in a byte, at the length that makes a row of `DIMENSIONS` a unit one.
_SIGNS = (np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(np.float32) * 2 - 1) / DIMENSIONS**0.5


def sign_bits(states: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The signs of hidden states, shape (tokens, `BITS_BYTES`)."""
    return np.packbits(states > 0, axis=1)


@dataclass(frozen=True)
class TokenVectors:
    """A passage's tokens: where each begins, in code points from the passage's start, and its signs."""

    starts: NDArray[np.uint16]
    bits: NDArray[np.uint8]

    @staticmethod
    def of(starts: Sequence[int], bits: NDArray[np.uint8]) -> "TokenVectors":
        """Those of tokens that begin at `starts`, whose signs are `bits`."""
        return TokenVectors(np.minimum(starts, _START_MAX).astype("<u2"), bits)

    def pack(self) -> bytes:
        """The starts as little-endian uint16, then the bits: `TOKEN_BYTES` a token."""
        return self.starts.tobytes() + self.bits.tobytes()

    @staticmethod
    def unpack(packed: bytes) -> "TokenVectors | None":
        """What `pack` packed; None for what has another length than it can have."""
        count, rest = divmod(len(packed), TOKEN_BYTES)
        if rest or not count:
            return None
        starts = np.frombuffer(packed, "<u2", count)
        return TokenVectors(starts, np.frombuffer(packed, np.uint8, offset=2 * count).reshape(count, BITS_BYTES))


def unit_rows(states: NDArray[np.float32]) -> NDArray[np.float32]:
    """Hidden states at unit length."""
    norms = np.linalg.norm(states, axis=1, keepdims=True)
    return states / np.maximum(norms, 1e-12)


def token_similarities(query: NDArray[np.float32], bits: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Cosines of each of the query's tokens, unit rows, to each token's signs: shape (query tokens, tokens)."""
    return _similarities(np.ascontiguousarray(query.T), bits, np.empty((len(bits), BITS_BYTES, 8), np.float32)).T


def _similarities(
    turned: NDArray[np.float32], bits: NDArray[np.uint8], room: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Shape (tokens, query tokens); the query is `turned`, and the signs are written out in `room`."""
    signs = np.take(_SIGNS, bits, axis=0, out=room[: len(bits)], mode="clip")
    return signs.reshape(len(bits), DIMENSIONS) @ turned


def max_similarities(
    query: NDArray[np.float32], weights: NDArray[np.float32], passages: Sequence[NDArray[np.uint8]]
) -> list[float]:
    """MaxSim of each passage: the mean over the query's tokens of their best match (Khattab and Zaharia, 2020).

    The mean is weighted by `weights`; where these are all zero, and for a passage without tokens, it is 0.
    """
    shares = weights / max(float(weights.sum()), 1e-12)
    # One passage at a time, in the same place: it stays in the second-level cache.
    room = np.empty((max(map(len, passages), default=0), BITS_BYTES, 8), np.float32)
    turned = np.ascontiguousarray(query.T)
    return [float(_similarities(turned, bits, room).max(axis=0) @ shares) if len(bits) else 0.0 for bits in passages]
