import numpy as np
import pytest

from lumikb.compute.embed.unit_vectors import unit_vectors


@pytest.mark.parametrize("length", [1, 1 - 2**-8, 1 + 2**-8])
def test_any_vector_of_unit_length_survives_rounding(length: float) -> None:
    vectors = np.random.default_rng(7).standard_normal((500, 384)) ** 5
    vectors *= length / np.linalg.norm(vectors, axis=1, keepdims=True)
    found, sound = unit_vectors([row.astype("<f2").tobytes() for row in vectors], 384)
    assert sound.all()
    assert np.allclose(found, vectors, atol=1e-3)


@pytest.mark.parametrize("row", [[0, 0], [0.5, 0.5], [1, 0.2], [np.nan, 1], [np.inf, 0], [-np.inf, np.nan], [6e4, 6e4]])
def test_what_is_no_vector_of_unit_length_is_a_row_of_zeros(row: list[float]) -> None:
    packed = [np.array(one, "<f2").tobytes() for one in ([1, 0], row)]
    found, sound = unit_vectors(packed, 2)
    assert sound.tolist() == [True, False]
    assert found.tolist() == [[1, 0], [0, 0]]


@pytest.mark.parametrize("packed", [b"", b"\0", b"\0\x3c\0\0\0\0"])
def test_another_number_of_bytes_is_no_vector(packed: bytes) -> None:
    found, sound = unit_vectors([packed], 2)
    assert (sound.tolist(), found.tolist()) == ([False], [[0, 0]])


def test_no_embeddings_give_no_rows() -> None:
    found, sound = unit_vectors([], 2)
    assert (found.shape, sound.shape) == ((0, 2), (0,))
