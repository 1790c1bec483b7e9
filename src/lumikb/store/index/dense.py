"""Dense retrieval: a quantised scan over all vectors of a process."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lumikb.store.index.errors import IndexEngineError
from lumikb.store.index.slots import EVERYTHING, Allowed, SlotTable

Hits = tuple[NDArray[np.int64], NDArray[np.float32]]

# Components of a unit vector of 384 dimensions: .051 on average, and beyond .3 a handful in a million of MiniLM's.
_COMPONENT_MAX = 0.3
# A component's rounding error is at most half a step, and the errors of 384 of them add up to some .002 of a cosine.
_CANARY_TOLERANCE = 0.02
_CANARY_ROWS = 16
# NumPy has no int8 product: blocks are widened in a buffer that fits the second-level cache (6.5 ms for 100,000 rows
# in blocks of 1,024, 106 ms in blocks of 8,192 that are allocated anew).
_BLOCK_ROWS = 1_024


class VectorScan(Protocol):
    """Nearest rows by approximate cosine, among those a filter allows; exact but for the quantisation.

    Vectors are float32 of unit length, one a row. Scores differ from the true cosine by about .002: over-fetch and
    re-score. All methods may be called from any thread, searches run beside each other, and a search sees a change
    wholly or not at all. A vendor's error leaves as `IndexEngineError`, after which the scan is not to be trusted.
    """

    def add(
        self,
        keys: NDArray[np.int64],
        kb: NDArray[np.int32],
        document: NDArray[np.int32],
        vectors: NDArray[np.float32],
    ) -> None:
        """Add rows; a key that is there is replaced. Keys are 0 or more and distinct within one call."""
        ...

    def remove(self, keys: NDArray[np.int64]) -> None:
        """Remove rows; keys that are not there are passed over."""
        ...

    def search(self, query: NDArray[np.float32], k: int, allowed: Allowed) -> Hits:
        """Keys and scores of up to `k` allowed rows, best first; fewer only when fewer are allowed."""
        ...

    def allows(self, keys: NDArray[np.int64], allowed: Allowed) -> NDArray[np.bool_]:
        """Per key, whether it is there and `allowed` lets it pass."""
        ...

    def keys(self) -> NDArray[np.int64]:
        """All keys, in no given order."""
        ...

    def __len__(self) -> int:
        """Rows that are there."""
        ...


class FaissVectorScan:
    """`VectorScan` on FAISS's scalar quantiser: one byte a component, one thread a query, no training."""

    def __init__(self, dimensions: int) -> None:
        self._dimensions = dimensions
        self._lock = _ReadWriteLock()
        self._slots = SlotTable()
        # Imported by whoever makes the first scan, off the path of the first request: .2 s, 41 MB.
        import faiss

        self._faiss = faiss
        self._index = faiss.IndexScalarQuantizer(
            dimensions, faiss.ScalarQuantizer.QT_8bit_uniform, faiss.METRIC_INNER_PRODUCT
        )
        # What training would find: the least value and the width of the range. Setting it makes every build alike.
        value_range = np.array([-_COMPONENT_MAX, 2 * _COMPONENT_MAX], np.float32)
        faiss.copy_array_to_vector(value_range, self._index.sq.trained)
        self._index.is_trained = True

    def add(
        self,
        keys: NDArray[np.int64],
        kb: NDArray[np.int32],
        document: NDArray[np.int32],
        vectors: NDArray[np.float32],
    ) -> None:
        """See the port."""
        _check_shapes(keys, vectors, self._dimensions)
        with self._lock.writing(), _engine_errors_translated():
            self._slots.release(keys)
            slots, reused = self._slots.assign(keys, kb, document)
            vectors = np.ascontiguousarray(vectors, np.float32)
            if reused:
                self._overwrite(slots[:reused], self._index.sa_encode(vectors[:reused]))
            if reused < len(keys):
                self._index.add(vectors[reused:])

    def remove(self, keys: NDArray[np.int64]) -> None:
        """See the port."""
        with self._lock.writing():
            self._slots.release(keys)

    def search(self, query: NDArray[np.float32], k: int, allowed: Allowed) -> Hits:
        """See the port."""
        row = _as_row(query, self._dimensions)
        with self._lock.reading(), _engine_errors_translated():
            mask = self._slots.mask(allowed)
            k = min(k, self._slots.live_count if mask is None else int(np.count_nonzero(mask)))
            if k <= 0:
                return _NO_HITS
            parameters = None
            if mask is not None:
                selector = self._faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))
                parameters = self._faiss.SearchParameters(sel=selector)
            # The count of OpenMP threads belongs to the calling thread; a team for one query only costs.
            self._faiss.omp_set_num_threads(1)
            scores, slots = self._index.search(row, k, params=parameters)
            found = slots[0] >= 0
            return self._slots.keys[slots[0][found]], scores[0][found]

    def allows(self, keys: NDArray[np.int64], allowed: Allowed) -> NDArray[np.bool_]:
        """See the port."""
        with self._lock.reading():
            return self._slots.allows(keys, allowed)

    def keys(self) -> NDArray[np.int64]:
        """See the port."""
        with self._lock.reading():
            return self._slots.live_keys()

    def __len__(self) -> int:
        return self._slots.live_count

    def _overwrite(self, slots: NDArray[np.int64], codes: NDArray[np.uint8]) -> None:
        # A view of the engine's own memory, taken anew each time: adding may move it.
        flat = self._faiss.rev_swig_ptr(self._index.codes.data(), self._index.ntotal * self._index.code_size)
        flat.reshape(-1, self._index.code_size)[slots] = codes


class NumpyVectorScan:
    """`VectorScan` in plain NumPy, int8: slower, and runs wherever NumPy does."""

    def __init__(self, dimensions: int) -> None:
        self._dimensions = dimensions
        self._lock = _ReadWriteLock()
        self._slots = SlotTable()
        self._codes: NDArray[np.int8] = np.empty((0, dimensions), np.int8)

    def add(
        self,
        keys: NDArray[np.int64],
        kb: NDArray[np.int32],
        document: NDArray[np.int32],
        vectors: NDArray[np.float32],
    ) -> None:
        """See the port."""
        _check_shapes(keys, vectors, self._dimensions)
        codes = np.rint(np.clip(vectors, -_COMPONENT_MAX, _COMPONENT_MAX) * (127 / _COMPONENT_MAX)).astype(np.int8)
        with self._lock.writing():
            self._slots.release(keys)
            slots, _ = self._slots.assign(keys, kb, document)
            if self._slots.size > len(self._codes):
                grown = np.zeros((max(self._slots.size, 2 * len(self._codes)), self._dimensions), np.int8)
                grown[: len(self._codes)] = self._codes
                self._codes = grown
            self._codes[slots] = codes

    def remove(self, keys: NDArray[np.int64]) -> None:
        """See the port."""
        with self._lock.writing():
            self._slots.release(keys)

    def search(self, query: NDArray[np.float32], k: int, allowed: Allowed) -> Hits:
        """See the port."""
        row = _as_row(query, self._dimensions)[0] * np.float32(_COMPONENT_MAX / 127)
        with self._lock.reading():
            mask = self._slots.mask(allowed)
            slots = np.arange(self._slots.size) if mask is None else np.flatnonzero(mask)
            k = min(k, len(slots))
            if k <= 0:
                return _NO_HITS
            scores = self._scores(row, slots)
            best = np.argpartition(-scores, k - 1)[:k]
            best = best[np.argsort(-scores[best], kind="stable")]
            return self._slots.keys[slots[best]], scores[best]

    def allows(self, keys: NDArray[np.int64], allowed: Allowed) -> NDArray[np.bool_]:
        """See the port."""
        with self._lock.reading():
            return self._slots.allows(keys, allowed)

    def keys(self) -> NDArray[np.int64]:
        """See the port."""
        with self._lock.reading():
            return self._slots.live_keys()

    def __len__(self) -> int:
        return self._slots.live_count

    def _scores(self, row: NDArray[np.float32], slots: NDArray[np.int64]) -> NDArray[np.float32]:
        scores = np.empty(len(slots), np.float32)
        block = np.empty((min(_BLOCK_ROWS, len(slots)), self._dimensions), np.float32)
        dense = len(slots) == self._slots.size
        for at in range(0, len(slots), _BLOCK_ROWS):
            size = min(_BLOCK_ROWS, len(slots) - at)
            block[:size] = self._codes[at : at + size] if dense else self._codes[slots[at : at + size]]
            np.dot(block[:size], row, out=scores[at : at + size])
        return scores


def prove(scan: VectorScan, rows: int, sample: NDArray[np.float32]) -> None:
    """Check that `scan` holds `rows` rows and finds those of `sample`, some vectors it was given.

    Raises `IndexEngineError`: vector engines have returned wrong numbers, without an error, on processors that lack
    an instruction set.
    """
    if len(scan) != rows:
        raise IndexEngineError("a vector engine holds another number of rows than it was given")
    for at in np.linspace(0, len(sample) - 1, min(len(sample), _CANARY_ROWS)).astype(np.int64):
        vector = sample[at]
        expected = float(np.clip(vector, -_COMPONENT_MAX, _COMPONENT_MAX) @ vector)
        # Rows with the same text share a vector, so the score is the proof: the key may be any of theirs.
        _, scores = scan.search(vector, 1, EVERYTHING)
        if len(scores) == 0 or not scores[0] >= expected - _CANARY_TOLERANCE * max(1.0, expected):
            raise IndexEngineError("a vector engine cannot find its own rows")


_NO_HITS: Hits = (np.empty(0, np.int64), np.empty(0, np.float32))


class _ReadWriteLock:
    """Many readers or one writer; a waiting writer goes before new readers, so searches cannot starve it."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._readers = 0
        self._writers_waiting = 0
        self._writer = False

    @contextmanager
    def reading(self) -> Generator[None]:
        with self._condition:
            self._condition.wait_for(lambda: not self._writer and not self._writers_waiting)
            self._readers += 1
        try:
            yield
        finally:
            with self._condition:
                self._readers -= 1
                self._condition.notify_all()

    @contextmanager
    def writing(self) -> Generator[None]:
        with self._condition:
            self._writers_waiting += 1
            self._condition.wait_for(lambda: not self._writer and not self._readers)
            self._writers_waiting -= 1
            self._writer = True
        try:
            yield
        finally:
            with self._condition:
                self._writer = False
                self._condition.notify_all()


@contextmanager
def _engine_errors_translated() -> Generator[None]:
    try:
        yield
    except RuntimeError as exc:
        # SWIG turns every C++ exception of FAISS into RuntimeError.
        raise IndexEngineError("the vector engine failed") from exc


def _check_shapes(keys: NDArray[np.int64], vectors: NDArray[np.float32], dimensions: int) -> None:
    if vectors.shape != (len(keys), dimensions):
        raise ValueError(f"expected {len(keys)} vectors of {dimensions} components, not {vectors.shape}")


def _as_row(query: NDArray[np.float32], dimensions: int) -> NDArray[np.float32]:
    if query.shape != (dimensions,):
        raise ValueError(f"expected a vector of {dimensions} components, not {query.shape}")
    return np.ascontiguousarray(query, np.float32)[np.newaxis]
