"""The follower on a real record."""

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, update

from lumikb.store.index import follower, rows
from lumikb.store.index.dense import FaissVectorScan, NumpyVectorScan
from lumikb.store.index.errors import IndexDamagedError, IndexEngineError, IndexLockedError
from lumikb.store.index.follower import LocalIndex
from lumikb.store.index.lexical import TantivyLexicalIndex
from lumikb.store.record.tables.knowledge import chunks

from .conftest import Library, vector_of

pytestmark = pytest.mark.thorough

ANSWER_SECONDS = 20.0


@contextmanager
def running(library: Library, directory: Path, poll_seconds: float = 30.0) -> Generator[LocalIndex]:
    """An index whose background thread, at the default here, only works when it is woken."""
    index = LocalIndex(library.record, directory, poll_seconds=poll_seconds)
    index.open()
    yield index
    index.close()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "index"


@pytest.fixture
def index(library: Library, directory: Path) -> Generator[LocalIndex]:
    with running(library, directory) as index:
        yield index


@pytest.fixture
def without_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lexical index is always held by another process."""

    def locked(*_: object, **__: object) -> NoReturn:
        raise IndexLockedError

    monkeypatch.setattr(TantivyLexicalIndex, "apply", locked)


def words(index: LocalIndex, query: str, **allowed: list[str]) -> list[int]:
    return [key for key, _ in index.search_lexical(query, 20, **allowed)]


def nearest(index: LocalIndex, text: str, **allowed: list[str]) -> list[int]:
    """Chunks that are as good as the text itself."""
    return [key for key, score in index.search_dense(vector_of(text), 20, **allowed) if score > 0.9]


def eventually(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + ANSWER_SECONDS
    while not condition():
        assert time.monotonic() < until, "took too long"
        time.sleep(0.01)


def assert_same_as_new(library: Library, index: LocalIndex, tmp_path: Path) -> None:
    """The index answers as one that is built from nothing."""
    with running(library, tmp_path / f"new-{time.monotonic_ns()}") as new:
        for text in ("alpha", "beta", "gamma"):
            assert sorted(nearest(index, text)) == sorted(nearest(new, text))
            assert sorted(words(index, text)) == sorted(words(new, text))


def test_a_commit_is_found_by_the_next_search(library: Library, index: LocalIndex) -> None:
    keys = library.keys(library.add(["alpha beta", "gamma"]))
    assert nearest(index, "gamma") == [keys[1]]
    assert words(index, "beta") == [keys[0]]


def test_a_deleted_document_is_gone_and_comes_back(library: Library, index: LocalIndex) -> None:
    document_id = library.add(["alpha"])
    library.add(["beta"])
    keys = library.keys(document_id)
    index.flush()
    library.delete(document_id)
    assert (nearest(index, "alpha"), words(index, "alpha")) == ([], [])
    library.restore(document_id)
    assert (nearest(index, "alpha"), words(index, "alpha")) == (keys, keys)


def test_a_new_version_takes_the_place_of_the_old(library: Library, index: LocalIndex) -> None:
    document_id = library.add(["alpha", "beta"])
    index.flush()
    library.replace(document_id, ["beta", "gamma"])
    keys = library.keys(document_id)
    assert set(words(index, "alpha beta gamma")) == set(keys)
    assert (nearest(index, "alpha"), nearest(index, "beta")) == ([], keys[:1])


def test_searches_are_restricted(library: Library, index: LocalIndex) -> None:
    first, second = library.add(["alpha"], "one"), library.add(["alpha"], "two")
    one, two = library.keys(first), library.keys(second)
    for _ in ("in the tail", "in the index"):
        assert words(index, "alpha", kb_ids=[library.kb("two")]) == two
        assert nearest(index, "alpha", kb_ids=[library.kb("two")]) == two
        assert words(index, "alpha", document_ids=[first]) == one
        assert nearest(index, "alpha", document_ids=[first]) == one
        assert words(index, "alpha", kb_ids=["unknown"]) == nearest(index, "alpha", kb_ids=["unknown"]) == []
        assert words(index, "alpha", kb_ids=[]) == nearest(index, "alpha", kb_ids=[]) == []
        long_list = [f"other-{number}" for number in range(2_500)] + [first]
        assert words(index, "alpha", document_ids=long_list) == one
        assert nearest(index, "alpha", document_ids=long_list) == one
        index.flush()


@pytest.mark.usefixtures("without_commits")
def test_without_a_commit_the_tail_answers(library: Library, index: LocalIndex) -> None:
    documents = [library.add([f"alpha number{number}"]) for number in range(5)]
    assert len(words(index, "alpha")) == 5
    library.delete(documents[0])
    library.replace(documents[1], ["beta"])
    assert len(words(index, "alpha")) == 3
    assert words(index, "beta") == library.keys(documents[1])
    assert index.status()["lexical_watermark"] == 0
    assert index.status()["tail_rows"] == 6


def test_tail_and_index_are_ranked_together(library: Library, index: LocalIndex) -> None:
    for number in range(30):
        library.add([f"{'alpha' if number % 3 == 0 else 'beta'} filler{number}"])
    index.flush()
    best = library.keys(library.add(["alpha rare rare"]))
    library.add(["alpha again"])
    assert words(index, "alpha rare")[0] == best[0]
    tail = [score for _, score in index.search_lexical("alpha", 40)]
    index.flush()
    assert [score for _, score in index.search_lexical("alpha", 40)] == pytest.approx(tail, rel=0.1)


def test_the_tail_is_committed_in_the_background(library: Library, directory: Path) -> None:
    with running(library, directory, poll_seconds=0.05) as index:
        library.add(["alpha"])
        # The watermark moves a moment before the rows leave the tail.
        eventually(lambda: index.status()["lexical_watermark"] == 1 and index.status()["tail_rows"] == 0)
        assert index.status() == {
            "engine": "FaissVectorScan",
            "rows": 1,
            "lexical_rows": 1,
            "tail_rows": 0,
            "record_seq": 1,
            "seq": 1,
            "lexical_watermark": 1,
            "lag": 0,
        }


def test_waking_commits_without_waiting_for_the_poll(library: Library, index: LocalIndex) -> None:
    library.record.listen("changes", index.wake)
    library.add(["alpha"])
    eventually(lambda: index.status()["lexical_watermark"] == 1)


def test_a_long_tail_is_committed_by_the_search_that_meets_it(
    library: Library, index: LocalIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "_TAIL_ROWS_MAX", 10)
    library.add([f"alpha number{number}" for number in range(11)])
    assert len(words(index, "alpha")) == 11
    assert index.status()["tail_rows"] == 0


def test_a_long_log_is_taken_in_by_pages_that_bound_their_rows(
    library: Library, index: LocalIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "CHUNKS_PER_READ", 5)
    sizes: list[int] = []
    read_page = rows.read_page

    def counted(connection: Connection, after: int) -> rows.LogPage:
        page = read_page(connection, after)
        sizes.append(len(page.keys))
        return page

    monkeypatch.setattr(follower, "read_page", counted)
    for size in (2, 2, 2, 8, 1):
        library.add([f"heron {size} {number}" for number in range(size)])
    assert len(index.search_lexical("heron", 20)) == 15
    assert sizes == [4, 2, 8, 1]


def test_a_restart_goes_on_where_it_stopped(library: Library, directory: Path) -> None:
    with running(library, directory) as index:
        kept = library.add(["alpha"])
        gone = library.add(["alpha beta"])
        index.flush()
        library.delete(gone)
        library.add(["gamma"])
    with running(library, directory) as index:
        assert words(index, "alpha") == library.keys(kept)
        assert len(words(index, "gamma")) == 1
        assert nearest(index, "alpha") == library.keys(kept)


def test_two_indexes_share_a_directory(library: Library, directory: Path) -> None:
    with (
        running(library, directory, poll_seconds=0.05) as first,
        running(library, directory, poll_seconds=0.07) as second,
    ):
        for number in range(12):
            document_id = library.add([f"alpha number{number}"])
            assert words(first, f"number{number}") == words(second, f"number{number}") == library.keys(document_id)
            if number % 3 == 0:
                library.delete(document_id)
                assert words(second, f"number{number}") == words(first, f"number{number}") == []
        eventually(lambda: first.status()["tail_rows"] == second.status()["tail_rows"] == 0)
        assert len(words(first, "alpha")) == len(words(second, "alpha")) == 8


def test_a_lost_directory_changes_no_answer_and_is_built_again(library: Library, directory: Path) -> None:
    with running(library, directory) as index:
        keys = library.keys(library.add(["alpha", "alpha beta"]))
        index.flush()
        shutil.rmtree(directory)
        assert set(words(index, "alpha")) == set(keys)
        more = library.keys(library.add(["alpha gamma"]))
        assert set(words(index, "alpha")) == {*keys, *more}
        eventually(lambda: (directory / "meta.json").exists() and index.status()["tail_rows"] == 0)
        assert set(words(index, "alpha")) == {*keys, *more}
    with running(library, directory) as index:
        assert set(words(index, "alpha")) == {*keys, *more}


def test_a_damaged_directory_is_built_again(library: Library, index: LocalIndex, directory: Path) -> None:
    keys = library.keys(library.add(["alpha", "alpha beta"]))
    index.flush()
    (directory / "meta.json").write_text("{")
    more = library.keys(library.add(["alpha gamma"]))
    assert set(words(index, "alpha")) == {*keys, *more}
    eventually(lambda: index.status()["tail_rows"] == 0)
    assert set(words(index, "alpha")) == {*keys, *more}
    assert index.status()["lexical_rows"] == 3


def test_a_file_that_is_gone_changes_no_answer_and_is_named_until_a_rebuild(
    library: Library, index: LocalIndex, directory: Path
) -> None:
    keys = library.keys(library.add(["alpha"]))
    index.flush()
    path = next(directory.glob("*.fieldnorm"))
    path.unlink()
    assert words(index, "alpha") == keys
    library.add(["beta"])
    index.flush()
    assert words(index, "alpha") == keys
    with pytest.raises(IndexDamagedError, match=path.name):
        index.lexical_keys()
    index.rebuild()
    assert len(index.lexical_keys()) == 2


@pytest.mark.parametrize("damage", ["truncated", "directory gone"])
def test_damage_that_was_mended_by_itself_is_told_once(
    library: Library, index: LocalIndex, directory: Path, damage: str
) -> None:
    keys = library.keys(library.add(["alpha"]))
    index.flush()
    assert index.take_damage() is None
    path = next(directory.glob("*.fieldnorm"))
    if damage == "truncated":
        path.write_bytes(b"")
    else:
        shutil.rmtree(directory)
    index.flush()
    assert list(index.lexical_keys()) == words(index, "alpha") == keys
    told = index.take_damage() or ""
    assert (path.name if damage == "truncated" else "gone") in told
    assert index.take_damage() is None


def test_a_search_that_meets_damage_mends_it(
    library: Library, index: LocalIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = library.keys(library.add(["alpha"]))
    index.flush()
    search, failures = TantivyLexicalIndex.candidates, [IndexDamagedError("inconsistent")]

    def fails_once(self: TantivyLexicalIndex, *arguments: object, **options: object) -> object:
        if failures:
            raise failures.pop()
        return search(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(TantivyLexicalIndex, "candidates", fails_once)
    assert words(index, "alpha") == keys
    assert failures == []
    assert index.take_damage() == "inconsistent"


def test_an_index_ahead_of_the_record_is_built_again(library: Library, directory: Path) -> None:
    with running(library, directory) as index:
        kept = library.add(["alpha"])
        index.flush()
    TantivyLexicalIndex(directory).open()
    other = TantivyLexicalIndex(directory)
    other.open()
    other.rebuild([], 99)
    with running(library, directory) as index:
        assert words(index, "alpha") == library.keys(kept)
        assert index.status()["lexical_watermark"] == 1


def test_a_record_that_goes_back_under_a_running_index(library: Library, index: LocalIndex) -> None:
    keys = library.keys(library.add(["alpha"]))
    index.flush()
    library.forget_changes()
    assert words(index, "alpha") == nearest(index, "alpha") == keys
    assert index.status()["seq"] == index.status()["lexical_watermark"] == 0


def test_a_dense_batch_that_fails_midway_is_healed(
    library: Library, index: LocalIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = library.keys(library.add(["alpha"]))
    assert nearest(index, "alpha") == first
    failures = [IndexEngineError("out of memory")]
    add = FaissVectorScan.add

    def fails_once(self: FaissVectorScan, *arguments: object) -> None:
        if failures:
            self._slots.release(np.array(first))
            raise failures.pop()
        add(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(FaissVectorScan, "add", fails_once)
    second = library.keys(library.add(["beta"]))
    assert nearest(index, "beta") == second
    assert nearest(index, "alpha") == first


def test_an_engine_that_fails_the_canary_is_replaced(
    library: Library, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = library.keys(library.add(["alpha"]))
    nothing = (np.empty(0, np.int64), np.empty(0, np.float32))
    monkeypatch.setattr(FaissVectorScan, "search", lambda *_: nothing)
    with running(library, directory) as index:
        assert index.status()["engine"] == NumpyVectorScan.__name__
        assert nearest(index, "alpha") == keys


def test_rebuilding_while_searching_and_writing(library: Library, index: LocalIndex, tmp_path: Path) -> None:
    kept = library.keys(library.add(["alpha"]))
    wrong: list[object] = []
    done = threading.Event()

    def search() -> None:
        while not done.is_set():
            if words(index, "alpha") != kept or nearest(index, "alpha") != kept:
                wrong.append("lost")

    def write() -> None:
        for number in range(20):
            document_id = library.add([f"beta{number}", "gamma"])
            if words(index, f"beta{number}") != library.keys(document_id)[:1]:
                wrong.append(number)
            if number % 2:
                library.delete(document_id)

    searcher, writer = threading.Thread(target=search), threading.Thread(target=write)
    searcher.start()
    writer.start()
    while writer.is_alive():
        index.rebuild()
    done.set()
    searcher.join()
    writer.join()
    assert wrong == []
    assert_same_as_new(library, index, tmp_path)


def test_the_follower_survives_a_failure_in_the_background(
    library: Library, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(library, directory, poll_seconds=0.01) as index:
        flush, failures = index.flush, [OSError("disk"), OSError("disk")]

        def fails_twice() -> None:
            if failures:
                raise failures.pop()
            flush()

        monkeypatch.setattr(index, "flush", fails_twice)
        library.add(["alpha"])
        eventually(lambda: index.status()["lexical_watermark"] == 1)


steps = st.lists(
    st.tuples(st.sampled_from(["add", "delete", "restore", "replace", "flush", "reopen"]), st.integers(0, 5)),
    max_size=14,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_any_history_ends_as_if_built_from_nothing(
    library: Library, tmp_path: Path, steps: list[tuple[str, int]]
) -> None:
    directory = tmp_path / f"any-{time.monotonic_ns()}"
    documents = [library.add(["alpha"])]
    index = LocalIndex(library.record, directory, poll_seconds=30)
    index.open()
    for step, number in steps:
        document_id = documents[number % len(documents)]
        match step:
            case "add":
                documents.append(library.add(["alpha", "beta", "alpha gamma"][: number % 3 + 1]))
            case "delete":
                library.delete(document_id)
            case "restore":
                library.restore(document_id)
            case "replace":
                library.replace(document_id, ["gamma", "beta"][: number % 2 + 1])
            case "flush":
                index.flush()
            case _:
                index.close()
                index = LocalIndex(library.record, directory, poll_seconds=30)
                index.open()
    assert_same_as_new(library, index, tmp_path)
    index.close()


def test_a_lock_that_another_process_holds_delays_no_search(library: Library, directory: Path) -> None:
    script = (
        "import sys, tantivy\n"
        "writer = tantivy.Index.open(sys.argv[1]).writer(15_000_000, 1)\n"
        "print('locked', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with running(library, directory, poll_seconds=0.05) as index:
        library.add(["alpha"])
        index.flush()
        with subprocess.Popen(
            [sys.executable, "-c", script, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stdin is not None
            assert process.stdout.readline() == b"locked\n"
            keys = library.keys(library.add(["beta"]))
            for _ in range(10):
                assert words(index, "beta") == keys
                time.sleep(0.02)
            assert index.status()["lexical_watermark"] == 1
            process.stdin.close()
        eventually(lambda: index.status()["lexical_watermark"] == 2)


@pytest.mark.parametrize("broken", [b"\0", b"", bytes(768), np.full(384, np.nan, "<f2").tobytes(), b"\0\x7c" * 384])
def test_an_embedding_that_is_none_breaks_no_search_and_is_no_gap(
    library: Library, directory: Path, broken: bytes
) -> None:
    keys = library.keys(library.add(["alpha beta", "gamma"]))
    statement = update(chunks).where(chunks.c.key == keys[0]).values(embedding=broken)
    library.record.write(lambda unit: unit.connection.execute(statement))
    with running(library, directory) as index:
        assert index.status()["engine"] == "FaissVectorScan"
        assert sorted(index.indexed_keys()) == keys
        assert nearest(index, "alpha beta") == []
        assert nearest(index, "gamma") == [keys[1]]
        assert words(index, "beta") == [keys[0]]


def test_a_word_that_no_allowed_row_has_is_looked_for_by_its_neighbours(index: LocalIndex, library: Library) -> None:
    one = library.add(["the kestrel of the expedition", "nothing of it"], kb="one")
    other = library.add(["the kestrol is a brand"], kb="other")
    in_tail = library.keys(one)[0]
    for _ in range(2):  # of the tail first, of the index then
        assert [key for key, _ in index.search_lexical("kestrol", 5, [library.kb("one")])] == [in_tail]
        assert [key for key, _ in index.search_lexical("kestrol", 5)] == library.keys(other)
        assert index.search_lexical("kestrolxyz", 5) == []
        index.flush()


def test_a_guess_weighs_less_than_a_word(index: LocalIndex, library: Library) -> None:
    document = library.add(["the kestrel flies", "the lighthouse stands", "a heron waits"])
    index.flush()
    guessed, typed, _ = library.keys(document)
    hits = index.search_lexical("kestral lighthouse", 5)
    assert [key for key, _ in hits] == [typed, guessed]


@pytest.mark.parametrize(("query", "text"), [("RFC 7807", "as RFC 7807 says"), ("error E-1042", "error E-1042 means")])
def test_an_identifier_is_found_among_its_neighbours(
    index: LocalIndex, library: Library, query: str, text: str
) -> None:
    library.add([f"RFC {number} and error E-{number - 6700} say 7807 times what 1042 errors are" for number in
                 (*range(7700, 7730), *range(7780, 7807), *range(7808, 7850))])  # fmt: skip
    wanted = library.add([text])
    for _ in range(2):
        assert index.search_lexical(query, 5)[0][0] == library.keys(wanted)[0]
        index.flush()
