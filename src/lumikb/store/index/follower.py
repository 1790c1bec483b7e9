"""The in-process index: a follower of the record's change log, dense and lexical.

Dense rows are in memory and take every change at once. The lexical index commits in groups behind the record; until
then its *tail*, the rows changed since its watermark, is scored beside its candidates. So a search sees every change
that was committed before it began, in every process.
"""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from lumikb.kit.telemetry import get_logger
from lumikb.store.index.analysis import NO_DEMANDS, AnalysedRow, Clause, Demands, counted
from lumikb.store.index.dense import VectorScan
from lumikb.store.index.errors import (
    IndexDamagedError,
    IndexEngineError,
    IndexGapError,
    IndexLockedError,
    IndexNotOpenError,
)
from lumikb.store.index.lexical import FILTER_TERMS_MAX, Hit, TantivyLexicalIndex
from lumikb.store.index.replica import DenseReplica
from lumikb.store.index.rows import AnalysedRows, LogPage, all_lexical_rows, lexical_row, read_page
from lumikb.store.index.scope import Scope
from lumikb.store.index.typos import distance_allowed, guesses
from lumikb.store.record.changes import max_seq
from lumikb.store.record.engine import Record

DIMENSIONS = 384

# Scoring the tail costs some 6 µs a row, so at most 6 ms a search; past this the search that meets it commits it first.
_TAIL_ROWS_MAX = 1_000
# A commit costs 14-22 ms however many rows it holds, and searches see the tail: changes of half a second share one.
_GROUP_SECONDS = 0.5
_FAILURE_PAUSE_SECONDS_MAX = 60.0
# A search whose lexical index is unreadable while another process mends it waits this long.
_LOCK_WAIT_SECONDS = 10.0
_LOCK_POLL_SECONDS = 0.1
# Searches that come while the index is being built wait this long for it.
_OPEN_WAIT_SECONDS = 30.0
# Candidates are fetched half as many again as wanted, for their order changes once they are scored exactly, and this
# many times over when they are sifted by a list too long to be a filter.
_SIFT_FACTOR = 10
# Rows in which the words near to a mistyped one are looked up.
_NEAR_ROWS_MAX = 50

Result = TypeVar("Result")

log = get_logger(__name__)


@dataclass(frozen=True)
class _TailEntry:
    """A key changed at `seq`, with its row when it is alive. Stands until the lexical watermark reaches `seq`."""

    seq: int
    row: AnalysedRow | None


class LocalIndex:
    """Dense and lexical search over the record's live chunks. Cheap to make; `open` builds, `close` ends its thread.

    All methods block and may be called from any thread. Hits are (chunk key, score), best first; the caller re-reads
    them from the record, for a chunk may die between the search and the answer. Allow lists: None allows all, an empty
    collection nothing.
    """

    def __init__(
        self, record: Record, directory: Path, *, poll_seconds: float = 1.0, dimensions: int = DIMENSIONS
    ) -> None:
        self._record = record
        self._replica = DenseReplica(dimensions)
        self._lexical = TantivyLexicalIndex(directory, self._note_damage)
        self._rows = AnalysedRows(record, self._lexical.analyse)
        self._poll_seconds = poll_seconds
        self._seq = 0
        # Never changed in place: a search works on the one it found.
        self._tail: Mapping[int, _TailEntry] = {}
        self._lexical_lost = False
        # What was wrong with the lexical index when it was last built anew, until somebody asks.
        self._damage: str | None = None
        # Held while changes are applied. Taken inside `_commit_lock`, never around it.
        self._apply_lock = threading.Lock()
        # Held while the lexical index is written.
        self._commit_lock = threading.Lock()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._opened = threading.Event()
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Build the dense side from the record, bring the lexical side to it, and start following."""
        self._dense, self._seq = self._record.read(self._build_dense)
        with self._commit_lock:
            watermark = self._lexical.open()
            if watermark == 0 or watermark > self._seq:
                self._rebuild_lexical(accept_other=watermark == 0)
            self._seq = min(self._seq, self._lexical.watermark)
        self._opened.set()
        self.catch_up()
        self._closing.clear()
        self._thread = threading.Thread(target=self._follow, name="index-follower", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the background thread; what it has not committed is replayed at the next start. May be repeated."""
        self._closing.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def wake(self) -> None:
        """Tell the background thread that the record changed; returns at once."""
        self._wake.set()

    def search_dense(
        self,
        vector: NDArray[np.float32],
        k: int,
        kb_ids: Collection[str] | None = None,
        document_ids: Collection[str] | None = None,
        *,
        newest: int | None = None,
    ) -> list[Hit]:
        """Up to `k` chunks by approximate cosine with a float32 vector of unit length; `newest` as in `catch_up`."""
        self.catch_up(newest)
        keys, scores = self._dense.search(vector, k, self._replica.allowed(kb_ids, document_ids))
        return list(zip(keys.tolist(), scores.tolist(), strict=True))

    def search_lexical(
        self,
        query: str,
        k: int,
        kb_ids: Collection[str] | None = None,
        document_ids: Collection[str] | None = None,
        *,
        newest: int | None = None,
        demands: Demands = NO_DEMANDS,
    ) -> list[Hit]:
        """Up to `k` chunks by BM25, of those that meet the demands. Any text is a valid query.

        A word that no allowed chunk has is looked for by its neighbours. `newest` as in `catch_up`.
        """
        self.catch_up(newest)
        scope = Scope(kb_ids, document_ids)
        return self._mended(lambda: self._search_lexical(query, k, scope, demands))

    def rarity(self, words: Sequence[str]) -> list[float]:
        """How rare each word is, as it is written: BM25's idf, 0 for what is no word."""
        return self._mended(lambda: self._lexical.rarity(words, self._tail_rows()))

    def _mended(self, work: Callable[[], Result]) -> Result:
        """What `work` gives on the lexical index, which is made anew where it turns out to be damaged."""
        generation = self._lexical.generation
        try:
            return work()
        except IndexDamagedError as exc:
            damage = exc
        with self._commit_lock:
            # Of several searches that fail together, the first mends.
            if self._lexical.generation == generation:
                self._note_damage(damage)
                self._lexical.recreate()
                self._rebuild_lexical()
        return work()

    def _tail_rows(self) -> dict[int, AnalysedRow | None]:
        return {key: entry.row for key, entry in self._tail.items()}

    def keyword_parts(
        self,
        query: str,
        key: int,
        kb_ids: Collection[str] | None = None,
        document_ids: Collection[str] | None = None,
    ) -> list[tuple[Clause, float]]:
        """What each matching part of the query adds to a chunk's BM25 score; [] for one that is not alive."""
        self.catch_up()
        scope = Scope(kb_ids, document_ids)
        tail = self._tail_rows()
        late = [row for row in tail.values() if row is not None and scope.allows(row)]
        rows = self._rows.of([key])
        if not rows:
            return []
        stems = [stem for stem in self._lexical.terms(query) if not any(counted([stem]) in row.body for row in late)]
        return self._lexical.parts(query, rows[0], tail, self._guessed(query, stems, late, tail, scope))

    def completions(self, head: Sequence[str], prefix: str, kb_ids: Collection[str], k: int) -> list[str]:
        """Words that begin with the prefix in chunks of the knowledge bases with all of `head`, frequent ones first.

        From the lexical side as it was committed; empty while that is damaged.
        """
        self.catch_up()
        try:
            return self._lexical.completions(head, prefix, k, kb_ids)
        except IndexDamagedError as exc:  # the next search mends it
            log.warning("index.completions_unavailable", reason=exc.message)
            return []

    def passages_with(self, head: Sequence[str], words: Sequence[str], kb_ids: Collection[str], k: int) -> list[int]:
        """Up to `k` chunks of the knowledge bases with all of `head` and any of the words; as `completions`."""
        try:
            return self._lexical.having(head, words, k, kb_ids)
        except IndexDamagedError as exc:
            log.warning("index.completions_unavailable", reason=exc.message)
            return []

    def demands(self, required: Sequence[str], excluded: Sequence[str]) -> Demands:
        """Phrases that a chunk must hold, and such as it must not, as `search_lexical` and `meeting` take them."""
        return self._lexical.demands(required, excluded)

    def meeting(self, keys: Sequence[int], demands: Demands) -> set[int]:
        """Those of the chunks that are alive and meet the demands."""
        return {row.key for row in self._rows.of(keys) if demands.met_by(row)}

    def _search_lexical(self, query: str, k: int, scope: Scope, demands: Demands) -> list[Hit]:
        # The tail first: an entry leaves it only after the index that holds its row is in use.
        tail = self._tail_rows()
        late = [row for row in tail.values() if row is not None and scope.allows(row)]
        keys = self._lexical_candidates(query, k, tail, scope, demands)
        rows = self._rows.of(keys) + late
        unmatched: list[Clause] = []
        hits = self._lexical.score(query, rows, tail, demands=demands, unmatched=unmatched)
        stems = {clause.terms[0] for clause in unmatched if clause.field == "body"}
        if stems and (meant := self._guessed(query, stems, late, tail, scope)):
            keys = self._lexical_candidates(query, k, tail, scope, demands, meant)
            rows = self._rows.of(keys) + late
            hits = self._lexical.score(query, rows, tail, demands=demands, guesses=meant)
        return hits[:k]

    def _guessed(
        self,
        query: str,
        stems: Collection[str],
        late: Sequence[AnalysedRow],
        tail: Collection[int],
        scope: Scope,
    ) -> list[Clause]:
        """What to look for beside the words of the query that no allowed row has.

        Only words of these stems may be missing; `late` are the rows of the tail that are allowed.
        """
        meant: list[Clause] = []
        for word, stem in self._lexical.guessable(query).items():
            if stem not in stems or self._lexical.holds(("body", stem), *scope.ids):
                continue
            near = self._lexical.near(word, distance_allowed(word), _NEAR_ROWS_MAX, *scope.ids)
            sources = [row for row in self._rows.of([key for key in near if key not in tail]) if scope.allows(row)]
            meant += guesses(word, [*sources, *late])
        return meant

    def catch_up(self, newest: int | None = None) -> None:
        """Apply what the record logged since the last time; all that was committed before the call is visible after.

        With the number of the newest entry that the caller has read, all that it could read of the record is visible.
        Waits for `open` in another thread; raises `IndexNotOpenError` when that takes too long.
        """
        if not self._opened.wait(_OPEN_WAIT_SECONDS):
            raise IndexNotOpenError
        if newest is None:
            newest = self._record.read(max_seq)
        if newest != self._seq:
            self._advance()
        if not self._lexical.intact():
            self._lexical_lost = True
        if self._tail or self._lexical_lost:
            self._wake.set()

    def flush(self) -> None:
        """Commit the lexical tail now, if no other process is at it."""
        self.catch_up()
        self._commit_tail()

    def rebuild(self) -> None:
        """Build both sides anew from the record. Searches go on with the old ones until each is ready."""
        self._rebuild_dense()
        with self._commit_lock:
            self._lexical.open()
            self._rebuild_lexical()
        self.catch_up()

    def check(self) -> None:
        """Raise `IndexNotOpenError` while the index is being built."""
        if not self._opened.is_set():
            raise IndexNotOpenError

    def indexed_keys(self) -> NDArray[np.int64]:
        """Keys of all chunks that the dense side holds, after catching up."""
        self.catch_up()
        return self._dense.keys()

    def lexical_keys(self) -> NDArray[np.int64]:
        """Keys of all chunks that the lexical side holds, after a commit.

        Raises `IndexDamagedError` when its files are not what was written.
        """
        self.flush()
        return np.array(self._lexical.keys(), np.int64)

    def __len__(self) -> int:
        """Chunks that the dense side holds, without looking at the record; 0 while it is being built."""
        return len(self._dense) if self._opened.is_set() else 0

    def take_damage(self) -> str | None:
        """What was wrong with files of the lexical index that was built anew since the last call, None for nothing."""
        damage, self._damage = self._damage, None
        return damage

    def status(self) -> dict[str, int | str]:
        """Rows and watermarks; `lag` counts the changes that neither side has taken in, 0 after any search."""
        newest = self._record.read(max_seq)
        return {
            "engine": type(self._dense).__name__,
            "rows": len(self._dense),
            "lexical_rows": len(self._lexical),
            "tail_rows": len(self._tail),
            "record_seq": newest,
            "seq": self._seq,
            "lexical_watermark": self._lexical.watermark,
            "lag": max(0, newest - self._seq),
        }

    # Following the log

    def _advance(self) -> None:
        while True:
            with self._apply_lock:
                page = self._record.read(lambda connection: read_page(connection, self._seq))
                # Read under the lock, so no other thread is ahead: the record itself went back (a restored backup).
                went_back = page.newest < self._seq
                if not went_back:
                    self._apply(page)
            if went_back:
                log.warning("index.record_went_back", record_seq=page.newest, seq=self._seq)
                self._start_over()
                return
            if len(self._tail) > _TAIL_ROWS_MAX:
                self._commit_tail()
            if page.seq >= page.newest:
                return

    def _apply(self, page: LogPage) -> None:
        if page.keys:
            alive = {row.key for row in page.rows}
            try:
                self._replica.apply(self._dense, [key for key in page.keys if key not in alive], page.rows)
            except (IndexEngineError, MemoryError) as exc:
                log.error("index.dense_apply_failed", reason=str(exc))
                self._dense, _ = self._record.read(self._build_dense)
            rows = {row.key: self._lexical.analyse(lexical_row(row)) for row in page.rows}
            self._rows.forget(page.keys)
            self._tail = {**self._tail, **{key: _TailEntry(page.seq, rows.get(key)) for key in page.keys}}
        self._seq = page.seq

    def _start_over(self) -> None:
        with self._commit_lock:
            with self._apply_lock:
                self._dense, self._seq = self._record.read(self._build_dense)
                self._tail = {}
                self._rows.clear()
            self._rebuild_lexical()

    # The dense side

    def _build_dense(self, connection: Connection) -> tuple[VectorScan, int]:
        return self._replica.build(connection), max_seq(connection)

    def _rebuild_dense(self) -> None:
        scan, seq = self._record.read(self._build_dense)
        with self._apply_lock:
            # What was applied to the old scan while the new one was built.
            while seq < self._seq:
                page = self._record.read(lambda connection, after=seq: read_page(connection, after))
                alive = {row.key for row in page.rows}
                self._replica.apply(scan, [key for key in page.keys if key not in alive], page.rows)
                seq = page.seq
            self._dense = scan

    # The lexical side

    def _lexical_candidates(
        self,
        query: str,
        k: int,
        tail: Collection[int],
        scope: Scope,
        demands: Demands,
        meant: Sequence[Clause] = (),
    ) -> list[int]:
        """Keys outside the tail among which the best `k` are."""
        sifted = any(len(names) > FILTER_TERMS_MAX for names in scope.ids if names is not None)
        wanted = (k * _SIFT_FACTOR if sifted else k + k // 2) + len(tail)
        found = self._lexical.candidates(query, wanted, *scope.ids, demands=demands, guesses=meant)
        keys = [key for key in found if key not in tail]
        if sifted and keys:
            allowed = self._replica.allowed(*scope.ids)
            passed = self._dense.allows(np.array(keys, np.int64), allowed).tolist()
            keys = [key for key, passes in zip(keys, passed, strict=True) if passes]
        return keys

    def _commit_tail(self) -> None:
        with self._commit_lock:
            if self._lexical_lost:
                self._restore_lexical()
            with self._apply_lock:
                tail, seq = self._tail, self._seq
            if not tail:
                return
            rows = [entry.row for entry in tail.values() if entry.row is not None]
            try:
                self._lexical.apply(list(tail), rows, seq, base=self._lexical.watermark)
            except IndexLockedError:
                self._lexical.refresh()
            except (IndexGapError, IndexDamagedError) as exc:
                log.warning("index.lexical_unusable", reason=exc.message)
                self._restore_lexical()
            self._forget_committed()

    def _restore_lexical(self) -> None:
        # Another process may have mended it: then opening suffices.
        needed = self._lexical.watermark
        if self._lexical.open() < max(1, needed):
            self._rebuild_lexical(accept_other=True)
        self._lexical_lost = False

    def _note_damage(self, error: IndexDamagedError) -> None:
        log.warning("index.lexical_damaged", reason=error.message)
        self._damage = error.message

    def _rebuild_lexical(self, *, accept_other: bool = False) -> None:
        """Write all live rows, in one read transaction; waits for another process that writes, within bounds.

        With `accept_other`, what that process leaves is taken when it is no older than the state in use.
        """
        for attempt in range(int(_LOCK_WAIT_SECONDS / _LOCK_POLL_SECONDS) + 1):
            try:
                self._record.read(self._write_lexical)
                break
            except IndexLockedError:
                if attempt * _LOCK_POLL_SECONDS >= _LOCK_WAIT_SECONDS:
                    raise
                self._closing.wait(_LOCK_POLL_SECONDS)
            if accept_other and self._lexical.refresh() >= max(1, self._lexical.watermark):
                break
        self._forget_committed()

    def _write_lexical(self, connection: Connection) -> None:
        self._lexical.rebuild(all_lexical_rows(connection), max_seq(connection))

    def _forget_committed(self) -> None:
        with self._apply_lock:
            watermark = self._lexical.watermark
            self._tail = {key: entry for key, entry in self._tail.items() if entry.seq > watermark}

    # The background thread

    def _follow(self) -> None:
        failures = 0
        while not self._closing.is_set():
            self._wake.wait(self._poll_seconds)
            self._wake.clear()
            if self._closing.wait(_GROUP_SECONDS):
                return
            try:
                self.flush()
                failures = 0
            except Exception:
                log.exception("index.follow_failed")
                failures += 1
                self._closing.wait(min(self._poll_seconds * 2**failures, _FAILURE_PAUSE_SECONDS_MAX))
