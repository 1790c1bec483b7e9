"""What the index reads of the record: its log page by page, all live rows, and single rows, analysed."""

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection

from lumikb.kit.recent import Recent
from lumikb.store.index.analysis import AnalysedRow, LexicalRow
from lumikb.store.record.changes import IndexRow, changes_after, live_rows, live_rows_after, max_seq
from lumikb.store.record.engine import Record

# Of the log at a time: whatever comes first. Their rows are held in memory, some 10 kB each with their terms.
CHANGES_PER_READ = 256
CHUNKS_PER_READ = 4_000
ROWS_PER_READ = 2_000
# Analysed rows of the last searches, some 3 kB each.
ROWS_KEPT = 4_096


@dataclass(frozen=True)
class LogPage:
    """Some entries of the log, as the keys they name and the rows of these that are alive now."""

    newest: int
    seq: int
    keys: list[int]
    rows: list[IndexRow]


def read_page(connection: Connection, after: int) -> LogPage:
    """The entries that follow `after`; none at the end of the log."""
    changes = changes_after(connection, after, CHANGES_PER_READ)
    total = np.cumsum([len(change.chunk_keys) for change in changes])
    changes = changes[: max(1, int(np.searchsorted(total, CHUNKS_PER_READ, side="right")))]
    keys = list(dict.fromkeys(key for change in changes for key in change.chunk_keys))
    rows = live_rows(connection, keys, with_text=True, with_embedding=True)
    newest = max_seq(connection)
    # An empty page is the end of the log, whatever its newest entry is numbered.
    return LogPage(newest, changes[-1].seq if changes else newest, keys, rows)


def all_lexical_rows(connection: Connection) -> Generator[LexicalRow]:
    """Every live row, by key."""
    key = -1
    while rows := live_rows_after(connection, key, ROWS_PER_READ, with_text=True, with_embedding=False):
        yield from (lexical_row(row) for row in rows)
        key = rows[-1].key


def lexical_row(row: IndexRow) -> LexicalRow:
    """What the lexical side takes of a row that was read with its text."""
    return LexicalRow(row.key, row.kb_id, row.document_id, row.text or "")


class AnalysedRows:
    """Rows by key, analysed; the last ones are kept, for to read and analyse them takes half of a search's time."""

    def __init__(self, record: Record, analyse: Callable[[LexicalRow], AnalysedRow]) -> None:
        self._record = record
        self._analyse = analyse
        self._kept: Recent[int, AnalysedRow] = Recent(ROWS_KEPT)

    def of(self, keys: Sequence[int]) -> list[AnalysedRow]:
        """Those that were alive when they were read, lately or now."""
        rows = self._kept.get(keys)
        if missing := [key for key in keys if key not in rows]:
            texts = self._record.read(lambda read: live_rows(read, missing, with_text=True, with_embedding=False))
            fresh = {row.key: self._analyse(lexical_row(row)) for row in texts}
            self._kept.put(fresh)
            rows |= fresh
        return list(rows.values())

    def forget(self, keys: Iterable[int]) -> None:
        """Let go of rows that the record changed."""
        self._kept.forget(keys)

    def clear(self) -> None:
        """Let go of all: the record is another one, whose keys name other rows."""
        self._kept.clear()
