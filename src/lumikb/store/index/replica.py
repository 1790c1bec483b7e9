"""The dense side of the local index: all vectors of the record in memory, with names as ordinals."""

import threading
from collections.abc import Callable, Collection, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from lumikb.compute.embed.unit_vectors import unit_vectors
from lumikb.kit.telemetry import get_logger
from lumikb.store.index.dense import FaissVectorScan, NumpyVectorScan, VectorScan, prove
from lumikb.store.index.errors import IndexEngineError
from lumikb.store.index.slots import Allowed
from lumikb.store.record.changes import IndexRow, live_rows_after

_PAGE_ROWS = 5_000

# In order of preference; each is asked for rows it was given before it is trusted.
ENGINES: tuple[Callable[[int], VectorScan], ...] = (FaissVectorScan, NumpyVectorScan)

log = get_logger(__name__)


class Ordinals:
    """Names (ids of knowledge bases or documents) as small numbers, given in order of appearance. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: dict[str, int] = {}

    def assign(self, names: Iterable[str]) -> NDArray[np.int32]:
        """The number of each name; new names get new numbers."""
        with self._lock:
            return np.array([self._of.setdefault(name, len(self._of)) for name in names], np.int32)

    def known(self, names: Collection[str] | None) -> NDArray[np.int32] | None:
        """Numbers of those names that have one, for a filter; None stays None."""
        if names is None:
            return None
        return np.array([number for name in names if (number := self._of.get(name)) is not None], np.int32)


class DenseReplica:
    """Names and vectors of rows, on the way into an engine."""

    def __init__(self, dimensions: int) -> None:
        self._dimensions = dimensions
        self._kbs = Ordinals()
        self._documents = Ordinals()

    def allowed(self, kb_ids: Collection[str] | None, document_ids: Collection[str] | None) -> Allowed:
        """The filter for these ids."""
        return Allowed(self._kbs.known(kb_ids), self._documents.known(document_ids))

    def build(self, connection: Connection) -> VectorScan:
        """A scan over all live rows of the record, by the first engine that finds its own rows.

        Raises `IndexEngineError` when none does.
        """
        for engine in ENGINES:
            scan = engine(self._dimensions)
            try:
                rows, sample = self._fill(connection, scan)
                prove(scan, rows, sample)
            except IndexEngineError as exc:
                log.error("index.engine_refused", engine=type(scan).__name__, reason=exc.message)
                continue
            return scan
        raise IndexEngineError("no vector engine finds its own rows")

    def apply(self, scan: VectorScan, removed: Sequence[int], rows: Sequence[IndexRow]) -> None:
        """Take keys out and put rows in."""
        if removed:
            scan.remove(np.array(removed, np.int64))
        if rows:
            self._add(scan, rows)

    def _fill(self, connection: Connection, scan: VectorScan) -> tuple[int, NDArray[np.float32]]:
        count, key, sample = 0, -1, np.empty((0, self._dimensions), np.float32)
        while rows := live_rows_after(connection, key, _PAGE_ROWS, with_text=False, with_embedding=True):
            sample = self._add(scan, rows)
            count += len(sample)
            key = rows[-1].key
        return count, sample

    def _add(self, scan: VectorScan, rows: Sequence[IndexRow]) -> NDArray[np.float32]:
        vectors, sound = unit_vectors([row.embedding or b"" for row in rows], self._dimensions)
        if not sound.all():
            # As near to any query as to any other: these passages are found by their words.
            log.error("index.embeddings_damaged", rows=int(np.count_nonzero(~sound)))
        scan.add(
            np.array([row.key for row in rows], np.int64),
            self._kbs.assign(row.kb_id for row in rows),
            self._documents.assign(row.document_id for row in rows),
            vectors,
        )
        return vectors
