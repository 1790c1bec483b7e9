"""The contract of `VectorScan`, for both engines."""

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lumikb.store.index.dense import FaissVectorScan, NumpyVectorScan, VectorScan, prove
from lumikb.store.index.errors import IndexEngineError
from lumikb.store.index.slots import EVERYTHING, Allowed

DIMENSIONS = 384
OVER_FETCH = 50
MakeScan = Callable[[int], VectorScan]

pytestmark = pytest.mark.parametrize("make_scan", [FaissVectorScan, NumpyVectorScan])


def unit_vectors(count: int, seed: int) -> NDArray[np.float32]:
    vectors = np.random.default_rng(seed).standard_normal((count, DIMENSIONS)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class Model:
    """What the scan should hold, in a dict; answers exactly."""

    def __init__(self) -> None:
        self.rows: dict[int, tuple[int, int, NDArray[np.float32]]] = {}

    def best(self, query: NDArray[np.float32], k: int, allowed: Allowed) -> list[int]:
        kbs = None if allowed.kb is None else set(allowed.kb.tolist())
        documents = None if allowed.document is None else set(allowed.document.tolist())
        scores = {
            key: float(vector @ query)
            for key, (kb, document, vector) in self.rows.items()
            if (kbs is None or kb in kbs) and (documents is None or document in documents)
        }
        return sorted(scores, key=lambda key: -scores[key])[:k]

    def rescored(self, keys: NDArray[np.int64], query: NDArray[np.float32], k: int) -> list[int]:
        return sorted(keys.tolist(), key=lambda key: -float(self.rows[key][2] @ query))[:k]


def fill(scan: VectorScan, model: Model, keys: list[int], seed: int) -> None:
    vectors = unit_vectors(len(keys), seed)
    kb = np.array([key % 3 for key in keys], np.int32)
    document = np.array([key % 17 for key in keys], np.int32)
    scan.add(np.array(keys, np.int64), kb, document, vectors)
    model.rows.update({key: (key % 3, key % 17, vectors[at]) for at, key in enumerate(keys)})


@st.composite
def ordinals(draw: st.DrawFn, limit: int) -> NDArray[np.int32] | None:
    chosen = draw(st.none() | st.lists(st.integers(0, limit), max_size=6))
    return None if chosen is None else np.array(chosen, np.int32)


batches = st.lists(
    st.tuples(st.booleans(), st.lists(st.integers(0, 300), min_size=1, max_size=120, unique=True)),
    min_size=1,
    max_size=8,
)


@settings(max_examples=40, deadline=None)
@given(batches=batches, kb=ordinals(4), document=ordinals(20), seed=st.integers(0, 1000))
def test_after_any_history_the_answer_is_the_exact_one_after_rescoring(
    make_scan: MakeScan,
    batches: list[tuple[bool, list[int]]],
    kb: NDArray[np.int32] | None,
    document: NDArray[np.int32] | None,
    seed: int,
) -> None:
    scan, model = make_scan(DIMENSIONS), Model()
    for number, (adds, keys) in enumerate(batches):
        if adds:
            fill(scan, model, keys, seed + number)
        else:
            scan.remove(np.array(keys, np.int64))
            for key in keys:
                model.rows.pop(key, None)
    query = unit_vectors(1, seed + 5000)[0]
    allowed = Allowed(kb, document)
    keys, scores = scan.search(query, OVER_FETCH, allowed)
    assert len(keys) == len(model.best(query, OVER_FETCH, allowed))
    assert model.rescored(keys, query, 10) == model.best(query, 10, allowed)
    assert list(scores) == sorted(scores, reverse=True)
    assert scores == pytest.approx([float(model.rows[key][2] @ query) for key in keys.tolist()], abs=0.005)
    assert sorted(scan.keys().tolist()) == sorted(model.rows)
    assert len(scan) == len(model.rows)


def test_recall_is_whole_among_many_rows(make_scan: MakeScan) -> None:
    scan, model = make_scan(DIMENSIONS), Model()
    fill(scan, model, list(range(1, 5001)), seed=1)
    for query in unit_vectors(20, seed=2):
        for allowed in (EVERYTHING, Allowed(kb=np.array([1], np.int32)), Allowed(document=np.array([4, 5], np.int32))):
            keys, _ = scan.search(query, OVER_FETCH, allowed)
            assert model.rescored(keys, query, 10) == model.best(query, 10, allowed)


def test_an_empty_scan_finds_nothing(make_scan: MakeScan) -> None:
    scan = make_scan(DIMENSIONS)
    keys, scores = scan.search(unit_vectors(1, 0)[0], 10, EVERYTHING)
    assert len(keys) == len(scores) == len(scan) == 0
    scan.remove(np.array([1, 2], np.int64))


def test_an_empty_allow_list_finds_nothing(make_scan: MakeScan) -> None:
    scan = make_scan(DIMENSIONS)
    fill(scan, Model(), [1, 2, 3], seed=0)
    nothing = np.empty(0, np.int32)
    assert len(scan.search(unit_vectors(1, 0)[0], 10, Allowed(kb=nothing))[0]) == 0
    assert len(scan.search(unit_vectors(1, 0)[0], 10, Allowed(document=nothing))[0]) == 0


def test_slots_of_removed_rows_are_used_again(make_scan: MakeScan) -> None:
    scan, model = make_scan(DIMENSIONS), Model()
    for number in range(20):
        fill(scan, model, list(range(number * 100, number * 100 + 100)), seed=number)
        gone = list(range(number * 100, number * 100 + 100))
        if number < 19:
            scan.remove(np.array(gone, np.int64))
            for key in gone:
                del model.rows[key]
    assert scan._slots.size == 100  # type: ignore[attr-defined]
    query = unit_vectors(1, 99)[0]
    assert model.rescored(scan.search(query, OVER_FETCH, EVERYTHING)[0], query, 10) == model.best(query, 10, EVERYTHING)


def test_keys_are_sifted_by_a_filter(make_scan: MakeScan) -> None:
    scan = make_scan(DIMENSIONS)
    fill(scan, Model(), [1, 2, 3, 4], seed=0)
    scan.remove(np.array([4], np.int64))
    keys = np.array([1, 4, 2, -5, 10**9], np.int64)
    assert scan.allows(keys, EVERYTHING).tolist() == [True, False, True, False, False]
    assert scan.allows(keys, Allowed(kb=np.array([2], np.int32))).tolist() == [False, False, True, False, False]


@pytest.mark.parametrize("shape", [(2, DIMENSIONS), (1, 7)])
def test_vectors_of_another_shape_are_refused(make_scan: MakeScan, shape: tuple[int, int]) -> None:
    scan = make_scan(DIMENSIONS)
    one = np.zeros(1, np.int32)
    with pytest.raises(ValueError, match="components"):
        scan.add(np.array([1], np.int64), one, one, np.zeros(shape, np.float32))
    with pytest.raises(ValueError, match="components"):
        scan.search(np.zeros(7, np.float32), 1, EVERYTHING)


def test_searches_run_while_rows_come_and_go(make_scan: MakeScan) -> None:
    scan, model = make_scan(DIMENSIONS), Model()
    fill(scan, model, list(range(500)), seed=3)
    query, wrong = unit_vectors(1, 4)[0], list[int]()
    stop = time.monotonic() + 0.5

    def search() -> None:
        while time.monotonic() < stop:
            keys, _ = scan.search(query, OVER_FETCH, EVERYTHING)
            if len(keys) != OVER_FETCH or len(set(keys.tolist())) != OVER_FETCH:
                wrong.append(len(keys))

    threads = [threading.Thread(target=search) for _ in range(2)]
    for thread in threads:
        thread.start()
    number = 0
    while time.monotonic() < stop:
        fresh = list(range(1000 + number, 1200 + number))
        fill(scan, Model(), fresh, seed=number)
        scan.remove(np.array(fresh, np.int64))
        number += 150
    for thread in threads:
        thread.join()
    assert wrong == []
    assert model.rescored(scan.search(query, OVER_FETCH, EVERYTHING)[0], query, 10) == model.best(query, 10, EVERYTHING)


def test_a_sound_engine_passes_the_canary(make_scan: MakeScan) -> None:
    scan, vectors = make_scan(DIMENSIONS), unit_vectors(100, 5)
    # Same text, same vector.
    vectors[50] = vectors[51]
    # Beyond the range of the codes.
    vectors[99] = np.eye(DIMENSIONS, dtype=np.float32)[0]
    keys, zeros = np.arange(100), np.zeros(100, np.int32)
    scan.add(keys, zeros, zeros, vectors)
    prove(scan, 100, vectors)


def test_an_engine_with_wrong_numbers_fails_the_canary(make_scan: MakeScan) -> None:
    scan, vectors = make_scan(DIMENSIONS), unit_vectors(100, 5)
    keys, zeros = np.arange(100), np.zeros(100, np.int32)
    scan.add(keys, zeros, zeros, np.roll(vectors, 1, axis=1))
    with pytest.raises(IndexEngineError, match="own rows"):
        prove(scan, 100, vectors)
    with pytest.raises(IndexEngineError, match="another number"):
        prove(make_scan(DIMENSIONS), 100, vectors)
