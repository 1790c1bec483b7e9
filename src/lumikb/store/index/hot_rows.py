"""Rows that searches met lately, analysed: to read and analyse a hundred and fifty takes half of a search's time."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from threading import Lock

from lumikb.store.index.analysis import AnalysedRow

# Some 3 kB each.
ROWS_KEPT = 4_096


class HotRows:
    """The last used analysed rows by key. A key is never given twice, so a row is right as long as its text is.

    May be used from any thread.
    """

    def __init__(self, rows_kept: int = ROWS_KEPT) -> None:
        self._rows_kept = rows_kept
        self._rows: OrderedDict[int, AnalysedRow] = OrderedDict()
        self._lock = Lock()

    def get(self, keys: Sequence[int]) -> tuple[list[AnalysedRow], list[int]]:
        """The rows that are there, and the keys of those that are not."""
        found: list[AnalysedRow] = []
        missing: list[int] = []
        with self._lock:
            for key in keys:
                if (row := self._rows.get(key)) is None:
                    missing.append(key)
                else:
                    self._rows.move_to_end(key)
                    found.append(row)
        return found, missing

    def put(self, rows: Iterable[AnalysedRow]) -> None:
        """Keep these, and let go of those that were not used for longest."""
        with self._lock:
            for row in rows:
                self._rows[row.key] = row
            while len(self._rows) > self._rows_kept:
                self._rows.popitem(last=False)

    def forget(self, keys: Iterable[int]) -> None:
        """Let go of these: the record changed them."""
        with self._lock:
            for key in keys:
                self._rows.pop(key, None)

    def clear(self) -> None:
        """Let go of all: the record is another one, whose keys name other rows."""
        with self._lock:
            self._rows.clear()
