"""Embeddings as they are stored, told from bytes that are none."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Of the square of the length. Storing rounds a component by at most 2^-11 of itself; an engine that divides in bfloat16
# rounds it, and the length that it divides by, by at most 2^-8 each.
_SQUARE_TOLERANCE = 0.02


def unit_vectors(packed: Sequence[bytes], dimensions: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """A row for each embedding, packed as little-endian float16, and which of them are vectors of unit length.

    The others (of another number of bytes, not of unit length, with a component that is no number) are rows of zeros.
    """
    size_bytes = 2 * dimensions
    empty = bytes(size_bytes)
    joined = b"".join(one if len(one) == size_bytes else empty for one in packed)
    vectors = np.frombuffer(joined, "<f2").astype(np.float32).reshape(-1, dimensions)
    # A length that is no number is never near to 1.
    with np.errstate(invalid="ignore", over="ignore"):
        sound = np.abs(np.einsum("ij,ij->i", vectors, vectors) - 1) <= _SQUARE_TOLERANCE
    vectors[~sound] = 0
    return vectors, sound
