"""The lexical index on real directories."""

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
import tantivy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lumikb.store.index.analysis import AnalysedRow, Analysis, LexicalRow, normalise
from lumikb.store.index.errors import IndexDamagedError, IndexGapError, IndexLockedError
from lumikb.store.index.lexical import FILTER_TERMS_MAX, Hit, TantivyLexicalIndex
from lumikb.store.record.errors import RecordUnavailableError

TEXTS = {
    1: "The connections are retried with exponential backoff.",
    2: "Error E-1042 means that the connection was refused, see RFC 7807 for problem details.",
    3: "Problem details for HTTP APIs are defined in RFC 9457, which replaced an older document.",
    4: "Exponential growth of retries is to be avoided.",
    5: "The value 7807 is the port of the RFC test server, where connecting is slow.",
}


def row(key: int, text: str | None = None) -> LexicalRow:
    return LexicalRow(key, f"kb-{key % 2}", f"doc-{key}", TEXTS[key] if text is None else text)


def opened(directory: Path) -> TantivyLexicalIndex:
    index = TantivyLexicalIndex(directory)
    index.open()
    return index


def put(
    index: TantivyLexicalIndex, remove: list[int], rows: list[LexicalRow], watermark: int, *, base: int | None = None
) -> None:
    index.apply(remove, [index.analyse(row) for row in rows], watermark, base=base)


def found(index: TantivyLexicalIndex, query: str, k: int = 10) -> list[int]:
    return index.candidates(query, k, None, None)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "lexical"


@pytest.fixture
def index(directory: Path) -> TantivyLexicalIndex:
    index = opened(directory)
    put(index, [], [row(key) for key in TEXTS], 7)
    return index


def test_words_match_by_stem_and_rare_ones_weigh_more(index: TantivyLexicalIndex) -> None:
    assert set(found(index, "connect")) == {1, 2, 5}
    assert found(index, "what are retries with a backoff?")[0] == 1
    assert index.terms("What are the connections of connected systems?") == ["connect", "system"]


def test_identifiers_match_exactly_and_together(index: TantivyLexicalIndex) -> None:
    assert found(index, "RFC 7807")[0] == 2
    assert found(index, "what is E-1042?")[0] == 2


def test_a_quoted_phrase_goes_before_its_words(index: TantivyLexicalIndex) -> None:
    put(index, [], [row(6, "details of the problem"), row(7, "here are problem details")], 8)
    hits = found(index, '"problem details"')
    assert hits[0] in {2, 3, 7}
    assert hits.index(6) == 3


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("Le cafe\u0301 du the\u0301a\u0302tre", "caf\xe9"),
        ("Le caf\xe9 du th\xe9\xe2tre", "theatre"),
        ("Donau\xaddampf\xadschiff", "Donaudampfschiff"),
        ("zero\u200bwidth", "zerowidth"),
        ("\uff37\uff29\uff24\uff27\uff25\uff34", "widget"),
        ("the o\ufb03ce of \ufb02ow", "office"),
        ("Stra\xdfe", "Strasse"),
        ("\u0401\u043b\u043a\u0438\u043d\u043e", "\u0435\u043b\u043a\u0438\u043d\u043e"),
        ("\u0130STANBUL", "istanbul"),
        ("\u6771\u4eac\u306e\u706b\u66dc\u65e5\u306b\u4f1a\u3046\u3002", "\u706b\u66dc\u65e5"),
        ("\ud55c\uad6d\uc5b4 \ubb38\uc11c", "\ubb38\uc11c"),
    ],
)
def test_what_looks_alike_is_alike(index: TantivyLexicalIndex, text: str, query: str) -> None:
    put(index, [], [LexicalRow(99, "kb-1", "d-99", text)], 8)
    assert found(index, query) == [99]
    assert found(index, f'"{query}"') == [99]


def test_stopwords_alone_are_looked_for_as_they_stand(index: TantivyLexicalIndex) -> None:
    assert found(index, "to be") == [4]


def test_hits_are_restricted_to_knowledge_bases_and_documents(index: TantivyLexicalIndex) -> None:
    assert set(index.candidates("connection", 10, {"kb-1"}, None)) == {1, 5}
    assert index.candidates("connection", 10, None, {"doc-2", "doc-4"}) == [2]
    assert index.candidates("connection", 10, {"kb-1"}, {"doc-2"}) == []
    assert index.candidates("connection", 10, set(), None) == []
    assert index.candidates("connection", 10, None, []) == []
    many = [f"other-{number}" for number in range(FILTER_TERMS_MAX + 1)]
    assert set(index.candidates("connection", 10, None, many)) == {1, 2, 5}


@pytest.mark.parametrize(
    "query",
    [
        "",
        "   ",
        "AND OR NOT",
        "(((",
        '"',
        '"" ""',
        "body:",
        "a:b~2^3",
        "*",
        "\\",
        "\ud800",
        "日本語",
        "\x00",
        "-",
        "+a -b",
    ],
)
def test_no_query_is_a_syntax_error(index: TantivyLexicalIndex, query: str) -> None:
    index.candidates(query, 10, None, None)
    index.score(query, [index.analyse(row(1))], {})


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.text(max_size=200))
def test_any_text_is_a_query(index: TantivyLexicalIndex, query: str) -> None:
    rows = {key: index.analyse(row(key)) for key in index.candidates(query, 3, None, None)}
    hits = index.score(query, list(rows.values()), {})
    assert {key for key, _ in hits} == rows.keys()


def test_a_pasted_page_is_a_query(index: TantivyLexicalIndex) -> None:
    assert found(index, " ".join(f"word{number}" for number in range(20_000)) + " connection") == []
    assert 1 in found(index, "connection " * 5_000)


def test_applying_twice_is_applying_once(index: TantivyLexicalIndex) -> None:
    put(index, [2], [row(1, "changed words")], 8)
    put(index, [2], [row(1, "changed words")], 8)
    assert len(index) == 4
    assert found(index, "changed") == [1]
    assert found(index, "refused") == []
    assert index.watermark == 8


def test_rows_and_watermark_survive(index: TantivyLexicalIndex, directory: Path) -> None:
    again = opened(directory)
    assert again.watermark == 7
    assert len(again) == 5
    assert found(again, "refused") == [2]


def test_a_batch_that_another_process_applied_is_left(index: TantivyLexicalIndex, directory: Path) -> None:
    other = opened(directory)
    put(other, [], [row(6, "newer text")], 9, base=7)
    put(index, [6], [], 8, base=7)
    assert index.watermark == 9
    assert found(index, "newer") == [6]


def test_a_batch_that_skips_changes_is_refused(index: TantivyLexicalIndex, directory: Path) -> None:
    opened(directory).delete_all()
    with pytest.raises(IndexGapError):
        put(index, [], [row(6, "x")], 12, base=7)
    assert found(index, "refused") == [2]


def test_deleting_all_and_rebuilding(index: TantivyLexicalIndex) -> None:
    index.delete_all()
    assert (len(index), index.watermark, found(index, "connection")) == (0, 0, [])
    index.rebuild((row(key) for key in (1, 2)), 20)
    assert (len(index), index.watermark, set(found(index, "connection"))) == (2, 20, {1, 2})


def test_while_another_process_writes_reads_go_on(index: TantivyLexicalIndex, directory: Path) -> None:
    script = (
        "import sys, tantivy\n"
        "writer = tantivy.Index.open(sys.argv[1]).writer(15_000_000, 1)\n"
        "print('locked', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == b"locked\n"
        with pytest.raises(IndexLockedError):
            put(index, [], [row(6, "x")], 8)
        assert found(index, "refused") == [2]
        index.refresh()
        process.stdin.close()
    put(index, [], [row(6, "unlocked")], 8)
    assert found(index, "unlocked") == [6]


def test_a_failed_rebuild_changes_nothing_and_frees_the_lock(index: TantivyLexicalIndex) -> None:
    def rows() -> Generator[LexicalRow]:
        yield row(6, "half")
        raise RecordUnavailableError("gone")

    with pytest.raises(RecordUnavailableError):
        index.rebuild(rows(), 8)
    assert found(index, "half") == []
    assert found(index, "refused") == [2]
    put(index, [], [row(6, "whole")], 8)
    assert found(index, "whole") == [6]
    assert found(index, "refused") == [2]


def test_a_missing_directory_is_opened_empty(index: TantivyLexicalIndex, directory: Path) -> None:
    assert index.intact()
    shutil.rmtree(directory)
    assert not index.intact()
    assert (opened(directory).watermark, len(opened(directory))) == (0, 0)


@pytest.mark.parametrize("content", ["", "{", "{}", "null"])
def test_a_damaged_directory_is_opened_empty(index: TantivyLexicalIndex, directory: Path, content: str) -> None:
    (directory / "meta.json").write_text(content)
    with pytest.raises(IndexDamagedError, match=r"meta\.json"):
        index.keys()
    assert opened(directory).watermark == 0
    assert list(directory.parent.iterdir()) == [directory]


def test_lost_segments_are_opened_empty(index: TantivyLexicalIndex, directory: Path) -> None:
    for path in directory.glob("*.idx"):
        path.unlink()
    assert opened(directory).watermark == 0


def test_another_schema_is_opened_empty(directory: Path) -> None:
    directory.mkdir()
    schema = tantivy.SchemaBuilder().add_text_field("body").build()
    tantivy.Index(schema, path=str(directory))
    index = opened(directory)
    put(index, [], [row(1)], 1)
    assert found(index, "backoff") == [1]
    assert "lumikb_english_2" in json.dumps(json.loads((directory / "meta.json").read_text()))


def test_files_that_are_written_into_are_never_read_again(index: TantivyLexicalIndex, directory: Path) -> None:
    for path in directory.iterdir():
        path.write_bytes(b"nonsense")  # truncated in place: reading what is mapped would end the process
    assert not index.intact()
    with pytest.raises(IndexDamagedError):
        found(index, "refused")
    with pytest.raises(IndexDamagedError):
        index.refresh()
    with pytest.raises(IndexDamagedError):
        put(index, [], [row(6, "x")], 8)
    index.recreate()
    with pytest.raises(IndexDamagedError):  # until it is whole again
        found(index, "refused")
    index.rebuild([row(key) for key in TEXTS], 8)
    assert found(index, "refused") == [2]


@pytest.mark.parametrize("suffix", ["fast", "term", "idx", "pos", "fieldnorm", "store"])
@pytest.mark.parametrize("damage", ["zeros", "half", "byte"])
def test_files_that_were_damaged_at_rest_are_not_opened(
    index: TantivyLexicalIndex, directory: Path, suffix: str, damage: str
) -> None:
    index.keys()
    path = max(directory.glob(f"*.{suffix}"), key=lambda path: path.stat().st_size)
    content = bytearray(path.read_bytes())
    if damage == "half":
        del content[len(content) // 2 :]
    elif damage == "byte":
        content[len(content) // 4] ^= 1
    else:
        content[: len(content) // 2] = bytes(len(content) // 2)
    path.write_bytes(content)
    with pytest.raises(IndexDamagedError):
        index.keys()
    assert opened(directory).watermark == 0


@pytest.mark.parametrize("suffix", ["fast", "term", "idx", "pos", "fieldnorm", "store"])
def test_a_file_that_is_gone_is_named(index: TantivyLexicalIndex, directory: Path, suffix: str) -> None:
    path = next(directory.glob(f"*.{suffix}"))
    path.unlink()
    with pytest.raises(IndexDamagedError, match=f"are gone: {path.name}"):
        index.keys()


def test_a_segment_without_any_file_is_named(index: TantivyLexicalIndex, directory: Path) -> None:
    segment = next(directory.glob("*.idx")).stem
    for path in directory.glob(f"{segment}.*"):
        path.unlink()
    with pytest.raises(IndexDamagedError, match=f"are gone: {segment}"):
        index.keys()


@pytest.mark.parametrize("damage", ["truncated", "gone", "all gone", "meta"])
def test_what_is_wrong_with_an_index_is_told_when_it_is_opened(
    index: TantivyLexicalIndex, directory: Path, damage: str
) -> None:
    told: list[str] = []
    path = max(directory.glob("*.fieldnorm"), key=lambda path: path.stat().st_size)
    other = TantivyLexicalIndex(directory, lambda error: told.append(error.message))
    other.open()
    assert told == []
    if damage == "truncated":
        path.write_bytes(b"")
    elif damage == "gone":
        path.unlink()
    elif damage == "meta":
        (directory / "meta.json").write_text("{}")
    else:
        shutil.rmtree(directory)
    assert other.open() == 0
    assert len(told) == 1
    named = {
        "truncated": f"written: {path.name}",
        "gone": f"gone: {path.name}",
        "meta": "meta.json",
        "all gone": "gone",
    }
    assert named[damage] in told[0]


def test_keys_are_those_of_the_rows(index: TantivyLexicalIndex) -> None:
    put(index, [2], [row(6, "more")], 8)
    assert sorted(index.keys()) == [1, 3, 4, 5, 6]


def test_damage_behind_the_back_is_reported_and_the_old_state_stays(
    index: TantivyLexicalIndex, directory: Path
) -> None:
    shutil.rmtree(directory)
    assert found(index, "refused") == [2]
    with pytest.raises(IndexDamagedError):
        index.refresh()
    with pytest.raises(IndexDamagedError):
        put(index, [], [row(6, "x")], 8)
    assert index.open() == 0
    assert found(index, "refused") == [2]
    index.rebuild([row(1)], 8)
    assert found(index, "refused") == []


QUERIES = ["connection refused", "RFC 7807", '"problem details"', "retries retries backoff", "what is E-1042"]


def all_scores(index: TantivyLexicalIndex, rows: list[LexicalRow], tail: list[LexicalRow]) -> list[list[Hit]]:
    """What each query gives for the rows, some of them in the tail."""
    analysed = [index.analyse(row) for row in rows]
    changed: dict[int, AnalysedRow | None] = {row.key: index.analyse(row) for row in tail}
    return [index.score(query, analysed, changed) for query in QUERIES]


def test_scores_are_okapi_bm25(index: TantivyLexicalIndex) -> None:
    # "backoff" stands once, in one of five rows; row 1 has 4 of the 35 stems.
    lengths = [index.analyse(row(key)).lengths["body"] for key in TEXTS]
    ratio = lengths[0] / (sum(lengths) / 5)
    expected = math.log(1 + (5 - 1 + 0.5) / (1 + 0.5)) * 2.2 / (1 + 1.2 * (0.25 + 0.75 * ratio))
    assert index.score("backoff", [index.analyse(row(1))], {}) == [(1, pytest.approx(expected))]


def test_scores_do_not_depend_on_what_was_there_before(index: TantivyLexicalIndex, tmp_path: Path) -> None:
    fillers = [LexicalRow(100 + number, "kb", f"d{number}", f"filler {number} connection RFC") for number in range(60)]
    for at, filler in enumerate(fillers):
        put(index, [], [filler], 8 + at)
    put(index, [filler.key for filler in fillers[10:]] + [4], [row(5, "RFC 7807 anew")], 90)
    kept = [row(1), row(2), row(3), row(5, "RFC 7807 anew"), *fillers[:10]]
    new = opened(tmp_path / "new")
    new.rebuild(kept, 90)
    assert all_scores(index, kept, []) == all_scores(new, kept, [])


def test_rows_outside_the_index_score_as_they_will_inside(index: TantivyLexicalIndex) -> None:
    fresh = LexicalRow(6, "kb", "doc", TEXTS[2] + " And problem details again: retries, retries. " + "word " * 60)
    rows = [*(row(key) for key in (1, 3, 5)), row(2, "Another connection."), fresh]
    changed: dict[int, AnalysedRow | None] = {row.key: index.analyse(row) for row in rows[-2:]}
    before = [index.score(query, [index.analyse(row) for row in rows], {**changed, 4: None}) for query in QUERIES]
    put(index, [4], rows[-2:], 8)
    assert all_scores(index, rows, []) == before
    # Between the commit and the tail's end a row is in both.
    assert all_scores(index, rows, rows[-2:]) == before


def test_rows_that_do_not_match_have_no_score(index: TantivyLexicalIndex) -> None:
    assert index.score("connection", [index.analyse(row(9, "nothing of it"))], {}) == []
    assert index.score("connection", [], {}) == []


def test_an_empty_index_scores_its_tail(directory: Path) -> None:
    index = opened(directory)
    best = index.score("connection refused", [tail := index.analyse(row(2))], {2: tail})
    assert [key for key, _ in best] == [2]


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=60) | st.text(st.characters(max_codepoint=127), max_size=60))
def test_rows_have_the_terms_that_the_analysers_give(text: str) -> None:
    analysis = Analysis()
    analysed = analysis.row(LexicalRow(1, "kb", "doc", text))
    assert analysed.body.split() == analysis.body.analyze(normalise(text))
    assert analysed.exact.split() == analysis.exact.analyze(normalise(text))


def test_the_words_of_a_text_are_as_good_as_the_text() -> None:
    """What is written to the index are the words: each letter there is, alone and within a word."""
    analysis = Analysis()
    letters = [chr(code) for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF and chr(code).isalpha()]
    for at in range(0, len(letters), 200):
        text = " ".join(f"x{letter}Y {letter}" for letter in letters[at : at + 200])
        words = analysis.row(LexicalRow(1, "kb", "document", text)).exact
        for analyser in (analysis.exact, analysis.body):
            assert analyser.analyze(words) == analyser.analyze(normalise(text))


def test_required_and_excluded_phrases_hold_of_every_candidate(index: TantivyLexicalIndex) -> None:
    required = index.demands(["Problem details"], [])
    assert set(index.candidates("document", 10, None, None, demands=required)) == {2, 3}
    assert index.candidates("zzz", 10, {"kb-0"}, None, demands=required) == [2]
    assert found(index, "retries connection")
    excluded = index.demands([], ["exponential backoff", "RFC"])
    assert set(index.candidates("retries connection", 10, None, None, demands=excluded)) == {4}
    rows = [index.analyse(row(key)) for key in TEXTS]
    assert {key for key, _ in index.score("zzz", rows, {}, demands=required)} == {2, 3}
    assert {key for key, _ in index.score("retries connection", rows, {}, demands=excluded)} == {4}
    assert not index.demands(["..."], ["!"])


def test_near_words_and_whole_ones_are_found_within_what_is_allowed(index: TantivyLexicalIndex) -> None:
    assert index.near("backof", 1, 10, None, None) == [1]
    assert index.near("backof", 1, 10, {"kb-0"}, None) == []
    assert index.holds(("body", "backoff"), None, None)
    assert not index.holds(("body", "backoff"), {"kb-0"}, None)
    assert index.guessable("the RFC 7807 conections of a car") == {"conections": "conect"}


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_words_are_located_in_the_order_in_which_they_are_indexed(text: str) -> None:
    analysis = Analysis()
    words = analysis.located(text)
    assert all(0 <= word.start < word.end <= len(text) for word in words)
    assert [word.start for word in words] == sorted(word.start for word in words)


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("Caf\u00e9 e\u0301tude, E-1042", ["Caf\u00e9", "e\u0301tude", "E", "1042"]),
        ("max_seq", ["max", "seq"]),
        ("\u6771\u4eac tower", ["\u6771", "\u4eac", "tower"]),
    ],
)
def test_words_are_located_as_they_are_indexed(text: str, spans: list[str]) -> None:
    analysis = Analysis()
    words = analysis.located(text)
    assert [text[word.start : word.end] for word in words] == spans
    assert [word.exact for word in words] == analysis.row(LexicalRow(1, "kb", "d", text)).exact.split()
