"""Lexical retrieval: tantivy brings the candidates, from a directory that the processes of one machine share."""

import json
import shutil
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import tantivy

from lumikb.kit import ids
from lumikb.store.index.analysis import (
    NO_DEMANDS,
    AnalysedRow,
    Analysis,
    Clause,
    Demands,
    LexicalRow,
    clean,
    normalise,
)
from lumikb.store.index.bm25 import bm25, idf
from lumikb.store.index.errors import IndexDamagedError, IndexGapError, IndexLockedError
from lumikb.store.index.held_files import HeldFiles
from lumikb.store.index.statistics import LiveStatistics, Statistics, Term

Hit = tuple[int, float]

# A set of 20,000 id terms costs 10.6 ms a query; below this the filter is cheap.
FILTER_TERMS_MAX = 2_000
# The watermark lies in a document under this key, which no chunk has: the record counts keys from 1, in 63 bits.
_RESERVED_KEY = 2**64 - 1
# Whoever changes an analyser changes its name: an index made with another is then seen as one of another schema.
_BODY_ANALYSER = "lumikb_english_2"
_EXACT_ANALYSER = "lumikb_exact_2"
_WRITER_BYTES = 64_000_000
# Damaged files that an error names.
_NAMES_MAX = 6
# Files that each segment has.
_SUFFIXES = ("fast", "term", "idx", "pos", "fieldnorm", "store")


class TantivyLexicalIndex:
    """Rows by their words, with the number of the last change that it holds (its watermark).

    Reads may run from any thread, beside one write at a time. Errors: `IndexDamagedError` (files missing or
    unreadable), `IndexLockedError` (another process writes; reads work on), and never one of tantivy's.
    """

    def __init__(self, directory: Path, tell: Callable[[IndexDamagedError], None] = lambda _: None) -> None:
        """`tell` is told by `open` what was wrong with an index that it puts an empty one in the place of."""
        self._directory = directory
        self._tell = tell
        self._analysis = Analysis()
        self._schema = _schema()
        self.watermark = 0
        self._held = HeldFiles([])
        # Grows with every change of the searcher.
        self.generation = 0

    def open(self) -> int:
        """Open or reopen; a missing or unreadable directory, or one of another schema, becomes an empty index.

        Returns the watermark on disk. When reopened, searches stay on the old state while that is the newer one.
        """
        if self.generation and not (self._directory / "meta.json").exists():
            self._tell(IndexDamagedError("the directory of the lexical index is gone, or what is in it"))
        try:
            return self._open_directory()
        except IndexDamagedError as exc:
            self._tell(self._named(exc))
            return self.recreate()

    def recreate(self) -> int:
        """Replace the directory by an empty index; the searches of now go on with the files they hold open."""
        if self._directory.exists():
            # Renamed first: another process sees the whole old index or none.
            discarded = self._directory.with_name(f"{self._directory.name}.{ids.new_id()}.discarded")
            self._directory.rename(discarded)
            shutil.rmtree(discarded, ignore_errors=True)
        return self._open_directory()

    def intact(self) -> bool:
        """Whether the directory still holds an index, and nobody wrote into the files that are in use."""
        return (self._directory / "meta.json").exists() and self._held.unchanged()

    def refresh(self) -> int:
        """Take up what another process committed; returns the watermark on disk. An older state is not taken up."""
        self._check_held()
        return self._refresh()

    def _refresh(self) -> int:
        with _translated():
            self._index.reload()
            searcher = self._index.searcher()
            watermark = _watermark(self._schema, searcher)
            if self.generation == 0 or watermark >= self.watermark:
                self._use(searcher, watermark)
        return watermark

    def apply(
        self, remove: Sequence[int], add: Sequence[AnalysedRow], watermark: int, *, base: int | None = None
    ) -> None:
        """Delete the keys, add the rows and set the watermark, in one commit. Repeating it changes nothing.

        The batch continues from `base`: an index that is already at `watermark` or further is left as it is, for
        another process applied the same changes; one below `base` raises `IndexGapError`.
        """
        self._check_held()
        with self._writing() as writer:
            if base is not None:
                on_disk = self.refresh()
                if on_disk >= watermark:
                    return
                if on_disk < base:
                    raise IndexGapError("the lexical index lacks changes", on_disk=on_disk, base=base)
            # By query, not by term: the wheel makes a signed term of an int, which matches nothing in this field.
            keys = sorted({*remove, *(row.key for row in add), _RESERVED_KEY})
            writer.delete_documents_by_query(tantivy.Query.term_set_query(self._schema, "key", keys))
            self._commit(writer, add, watermark)

    def rebuild(self, rows: Iterable[LexicalRow], watermark: int) -> None:
        """Replace everything in one commit; searches see the old state until then."""
        with self._writing() as writer:
            writer.delete_all_documents()
            self._commit(writer, map(self._analysis.row, rows), watermark)

    def delete_all(self) -> None:
        """Empty the index and set its watermark to 0."""
        self.rebuild([], 0)

    def candidates(
        self,
        query: str,
        k: int,
        kb_ids: Collection[str] | None,
        document_ids: Collection[str] | None,
        *,
        demands: Demands = NO_DEMANDS,
        guesses: Sequence[Clause] = (),
    ) -> list[int]:
        """Keys of up to `k` rows that match any part of the query, best first by tantivy's count, which is rough.

        Any text is a valid query; with required phrases the rows are those that hold them, whatever else they match.
        None allows all, an empty collection nothing. A restriction of more than `FILTER_TERMS_MAX` ids is not applied:
        the caller sifts the hits. `guesses` are parts of the query beside those of its text.
        """
        clauses = [*self._analysis.clauses(query), *guesses]
        if (
            not (clauses or demands.required)
            or k < 1
            or (kb_ids is not None and not kb_ids)
            or (document_ids is not None and not document_ids)
        ):
            return []
        self._check_held()
        with _translated():
            asked = tantivy.Occur.Should if demands.required else tantivy.Occur.Must
            parts = [(asked, self._any_of(clauses)), *self._demanded(demands), *self._within(kb_ids, document_ids)]
            return self._keys_of(self._searcher, tantivy.Query.boolean_query(parts), k)

    def holds(self, term: Term, kb_ids: Collection[str] | None, document_ids: Collection[str] | None) -> bool:
        """Whether any of the rows that are allowed has the term; long restrictions as in `candidates`."""
        with _translated():
            wanted = tantivy.Query.term_query(self._schema, *term)
            query = tantivy.Query.boolean_query([(tantivy.Occur.Must, wanted), *self._within(kb_ids, document_ids)])
            return bool(self._searcher.search(query, 1, count=False).hits)

    def near(
        self, word: str, distance: int, k: int, kb_ids: Collection[str] | None, document_ids: Collection[str] | None
    ) -> list[int]:
        """Keys of up to `k` rows with a word at most `distance` letters away; long restrictions as in `candidates`."""
        with _translated():
            wanted = tantivy.Query.fuzzy_term_query(self._schema, "exact", word, distance=distance)
            query = tantivy.Query.boolean_query([(tantivy.Occur.Must, wanted), *self._within(kb_ids, document_ids)])
            return self._keys_of(self._searcher, query, k)

    def completions(self, head: Sequence[str], prefix: str, k: int, kb_ids: Collection[str]) -> list[str]:
        """Up to `k` exact terms that begin with the prefix, those of most rows first, of rows that have all of `head`.

        Rows of the knowledge bases alone; a list past `FILTER_TERMS_MAX` gives nothing, for it could not be applied.
        """
        if not kb_ids or len(kb_ids) > FILTER_TERMS_MAX:
            return []
        with _translated():
            within = tantivy.Query.boolean_query([*self._having(head), *self._within(kb_ids, None)])
            return [term for term, _ in self._searcher.terms_with_prefix("exact", prefix, within, k)]

    def having(self, head: Sequence[str], any_of: Sequence[str], k: int, kb_ids: Collection[str]) -> list[int]:
        """Keys of up to `k` rows with all of `head` and any of the other exact terms, best first; as `completions`."""
        if not kb_ids or len(kb_ids) > FILTER_TERMS_MAX or not any_of:
            return []
        with _translated():
            ends = self._any_of([Clause("exact", (term,), 1.0) for term in any_of])
            parts = [(tantivy.Occur.Must, ends), *self._having(head), *self._within(kb_ids, None)]
            return self._keys_of(self._searcher, tantivy.Query.boolean_query(parts), k)

    def _having(self, terms: Sequence[str]) -> list[tuple[tantivy.Occur, tantivy.Query]]:
        return [(tantivy.Occur.Must, tantivy.Query.term_query(self._schema, "exact", term)) for term in terms]

    def _keys_of(self, searcher: tantivy.Searcher, query: tantivy.Query, k: int) -> list[int]:
        hits = searcher.search(query, k, count=False).hits
        keys = searcher.fast_field_values("key", [address for _, address in hits])
        return [int(key) for key in keys if key is not None]

    def _demanded(self, demands: Demands) -> list[tuple[tantivy.Occur, tantivy.Query]]:
        parts: list[tuple[tantivy.Occur, tantivy.Query]] = []
        for occurs, phrases in ((tantivy.Occur.Must, demands.required), (tantivy.Occur.MustNot, demands.excluded)):
            for terms in phrases:
                wanted = self._phrase("exact", terms)
                parts.append((occurs, tantivy.Query.const_score_query(wanted, 0.0)))
        return parts

    def _within(
        self, kb_ids: Collection[str] | None, document_ids: Collection[str] | None
    ) -> list[tuple[tantivy.Occur, tantivy.Query]]:
        parts: list[tuple[tantivy.Occur, tantivy.Query]] = []
        for field, allowed in (("kb_id", kb_ids), ("document_id", document_ids)):
            if allowed is not None and len(allowed) <= FILTER_TERMS_MAX:
                terms = tantivy.Query.term_set_query(self._schema, field, [clean(item) for item in allowed])
                parts.append((tantivy.Occur.Must, tantivy.Query.const_score_query(terms, 0.0)))
        return parts

    def demands(self, required: Sequence[str], excluded: Sequence[str]) -> Demands:
        """What a row must and must not hold, as its analyser sees it."""
        return self._analysis.demands(required, excluded)

    def guessable(self, query: str) -> dict[str, str]:
        """The words of a query that may have been mistyped, each with its body term."""
        return self._analysis.guessable(query)

    def terms(self, query: str) -> list[str]:
        """The distinct stems of a query, without stopwords."""
        return self._analysis.terms(query)

    def analyse(self, row: LexicalRow) -> AnalysedRow:
        """The terms of a row, for `apply` and `score`."""
        return self._analysis.row(row)

    def score(
        self,
        query: str,
        rows: Sequence[AnalysedRow],
        tail: Mapping[int, AnalysedRow | None],
        *,
        demands: Demands = NO_DEMANDS,
        guesses: Sequence[Clause] = (),
        unmatched: list[Clause] | None = None,
    ) -> list[Hit]:
        """Keys and BM25 scores of those rows that match, best first, equal ones by key.

        Of rows that hold all that is required, also those that match nothing else; `guesses` as in `candidates`.
        `unmatched` is given the parts of the query that no row matches.

        The collection is this index and its `tail`: rows that replace what it holds under their keys, None for none.
        Scores depend on the rows that are live, and not on what was there before.
        """
        clauses = [*self._analysis.clauses(query), *guesses]
        if demands:
            rows = [row for row in rows if demands.met_by(row)]
        if not (clauses or demands.required) or (not rows and unmatched is None):
            return []
        scored = bm25(clauses, rows, self._statistics_of(_terms_of(clauses), tail))
        if unmatched is not None:
            unmatched += scored.unmatched
        matching = [
            (row.key, score) for row, score in zip(rows, scored.scores, strict=True) if score > 0 or demands.required
        ]
        return sorted(matching, key=lambda hit: (-hit[1], hit[0]))

    def parts(
        self, query: str, row: AnalysedRow, tail: Mapping[int, AnalysedRow | None], guesses: Sequence[Clause] = ()
    ) -> list[tuple[Clause, float]]:
        """Each part of the query that the row matches, with what it adds to the row's score; as in `score`."""
        clauses = [*self._analysis.clauses(query), *guesses]
        statistics = self._statistics_of(_terms_of(clauses), tail)
        parts = [(clause, bm25([clause], [row], statistics).scores[0]) for clause in clauses]
        return [(clause, score) for clause, score in parts if score > 0]

    def rarity(self, words: Sequence[str], tail: Mapping[int, AnalysedRow | None]) -> list[float]:
        """BM25's idf of each word as it is written, in the collection that `score` looks at; 0 for what is no word."""
        terms = [next(iter(self._analysis.exact.analyze(normalise(word))), "") for word in words]
        statistics = self._statistics_of({("exact", term) for term in terms if term}, tail)
        return [idf(statistics.doc_freq["exact", term], statistics.rows) if term else 0.0 for term in terms]

    def keys(self) -> list[int]:
        """The keys of all rows, in no given order; reads all files and raises `IndexDamagedError` for a damaged one."""
        self._check_held()
        with _translated():
            self._check_files()
            searcher = self._searcher
            hits = searcher.search(tantivy.Query.all_query(), max(1, searcher.num_docs), count=False).hits
            keys = searcher.fast_field_values("key", [address for _, address in hits])
        return [int(key) for key in keys if key is not None and int(key) != _RESERVED_KEY]

    def __len__(self) -> int:
        return max(0, self._searcher.num_docs - (self.watermark > 0))

    def _statistics_of(self, terms: set[Term], tail: Mapping[int, AnalysedRow | None]) -> Statistics:
        self._check_held()
        with _translated():
            statistics = self._statistics.of(terms, without=tail)
        return statistics.plus([row for row in tail.values() if row is not None])

    def _open_directory(self) -> int:
        with _translated():
            self._directory.mkdir(parents=True, exist_ok=True)
            index = tantivy.Index(self._schema, path=str(self._directory))
            # Reloading on demand: the default policy keeps a thread that watches the directory.
            index.config_reader("manual", 0)
            index.register_tokenizer(_BODY_ANALYSER, self._analysis.body)
            index.register_tokenizer(_EXACT_ANALYSER, self._analysis.exact)
        self._index = index
        return self._refresh()

    def _use(self, searcher: tantivy.Searcher, watermark: int) -> None:
        held = HeldFiles(self._files_of(self._segments()), self._held)
        _raise_for(held.unsound, "are not what was written")
        self._held = held
        self._searcher = searcher
        self._statistics = LiveStatistics(self._schema, searcher)
        self.watermark = watermark
        self.generation += 1

    def _check_files(self) -> None:
        segments = self._segments()
        paths = list(self._files_of(segments))
        names = {f"{segment}.{suffix}" for segment in segments for suffix in _SUFFIXES}
        gone = names - {path.name for path in paths}
        if gone and self._segments() != segments:  # a commit came between, and took away what it replaced
            self._check_files()
            return
        _raise_for(gone, "are gone")
        _raise_for(HeldFiles(paths).unsound, "are not what was written")

    def _named(self, error: IndexDamagedError) -> IndexDamagedError:
        """The error with the names of the files that are its cause, where there are any: the wheel tells none."""
        try:
            self._check_files()
        except IndexDamagedError as found:
            return found
        return error

    def _segments(self) -> list[str]:
        try:
            meta = json.loads((self._directory / "meta.json").read_bytes())
            return [segment["segment_id"].replace("-", "") for segment in meta["segments"]]
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as exc:
            raise IndexDamagedError("files of the lexical index are not what was written: meta.json") from exc

    def _files_of(self, segments: Sequence[str]) -> Generator[Path]:
        for segment in segments:
            yield from self._directory.glob(f"{segment}.*")

    def _check_held(self) -> None:
        if not self._held.unchanged():
            _raise_for(self._held.changed(), "were changed behind its back")

    @contextmanager
    def _writing(self) -> Generator[tantivy.IndexWriter]:
        with _translated():
            writer = self._index.writer(_WRITER_BYTES, 1)
            try:
                yield writer
            finally:
                # Ends the merges and lets go of the directory's lock, after a failed batch too.
                writer.wait_merging_threads()

    def _commit(self, writer: tantivy.IndexWriter, rows: Iterable[AnalysedRow], watermark: int) -> None:
        for row in rows:
            writer.add_document(_document(row))
        if watermark:
            reserved = tantivy.Document()
            reserved.add_unsigned("key", _RESERVED_KEY)
            reserved.add_unsigned("watermark", watermark)
            writer.add_document(reserved)
        writer.commit()
        self._index.reload()
        self._use(self._index.searcher(), watermark)

    def _any_of(self, clauses: Sequence[Clause]) -> tantivy.Query:
        queries: list[tuple[tantivy.Occur, tantivy.Query]] = []
        for clause in clauses:
            query = self._phrase(clause.field, clause.terms)
            if clause.boost != 1.0:
                query = tantivy.Query.boost_query(query, clause.boost)
            queries.append((tantivy.Occur.Should, query))
        return tantivy.Query.boolean_query(queries)

    def _phrase(self, field: str, terms: Sequence[str]) -> tantivy.Query:
        if len(terms) == 1:
            return tantivy.Query.term_query(self._schema, field, terms[0])
        return tantivy.Query.phrase_query(self._schema, field, list(terms))


def _terms_of(clauses: Sequence[Clause]) -> set[Term]:
    return {(clause.field, term) for clause in clauses for term in clause.terms}


def _document(row: AnalysedRow) -> tantivy.Document:
    # The words instead of the text: the analysers make the same of them, and the text is normalised once.
    text, lengths = row.exact, row.lengths
    document = tantivy.Document()
    document.add_unsigned("key", row.key)
    document.add_text("kb_id", clean(row.kb_id))
    document.add_text("document_id", clean(row.document_id))
    document.add_text("body", text)
    document.add_text("exact", text)
    document.add_unsigned("body_length", lengths["body"])
    document.add_unsigned("exact_length", lengths["exact"])
    return document


def _raise_for(names: Collection[str], what: str) -> None:
    if names:
        more = f" and {len(names) - _NAMES_MAX} more" if len(names) > _NAMES_MAX else ""
        raise IndexDamagedError(f"files of the lexical index {what}: {', '.join(sorted(names)[:_NAMES_MAX])}{more}")


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("key", stored=True, indexed=True, fast=True)
    builder.add_unsigned_field("watermark", fast=True)
    builder.add_text_field("kb_id", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("document_id", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("body", tokenizer_name=_BODY_ANALYSER, index_option="freq")
    builder.add_text_field("exact", tokenizer_name=_EXACT_ANALYSER, index_option="position")
    builder.add_unsigned_field("body_length", fast=True)
    builder.add_unsigned_field("exact_length", fast=True)
    return builder.build()


def _watermark(schema: tantivy.Schema, searcher: tantivy.Searcher) -> int:
    hits = searcher.search(tantivy.Query.term_query(schema, "key", _RESERVED_KEY), 1, count=False).hits
    values = searcher.fast_field_values("watermark", [address for _, address in hits])
    return int(values[0] or 0) if values else 0


@contextmanager
def _translated() -> Generator[None]:
    try:
        yield
    except ValueError as exc:
        # The wheel knows one exception for everything.
        if "LockBusy" in str(exc):
            raise IndexLockedError from exc
        raise IndexDamagedError("the lexical index cannot be read or written") from exc
    except OSError as exc:
        raise IndexDamagedError("the directory of the lexical index cannot be used") from exc
    except BaseException as exc:
        # A Rust panic over inconsistent files arrives as PanicException, which cannot be imported.
        if type(exc).__name__ == "PanicException":
            raise IndexDamagedError("the lexical index is inconsistent") from exc
        raise
