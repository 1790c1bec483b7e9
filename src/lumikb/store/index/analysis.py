"""Text to terms, the same way for rows and for queries, and the BM25 of rows that the index does not hold yet."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import tantivy

from lumikb.store.index.english import STOPWORDS

Field = Literal["body", "exact"]

# Past this many distinct terms a query is cut: a pasted page is no better a query than its first hundred words.
QUERY_TERMS_MAX = 128
QUERY_CHARS_MAX = 10_000
PHRASE_TERMS_MAX = 16

# tantivy's constants (bm25.rs), which cannot be changed.
_K1 = 1.2
_B = 0.75

_PHRASE_BOOST = 2.0
_QUOTED = re.compile(r'["“”„]([^"“”„]+)["“”„]')
# Digits (7807, v2.3), acronyms (RFC), inner dots or underscores (os.path, max_seq), camel case (getUserId).
_IDENTIFIER = re.compile(r"\d|^\W*[A-Z][A-Z\W]*[A-Z]\W*$|\w[._]\w|[a-z][A-Z]")


@dataclass(frozen=True)
class LexicalRow:
    """One row to index."""

    key: int
    kb_id: str
    document_id: str
    text: str


@dataclass(frozen=True)
class Clause:
    """One part of a query: a term, or a phrase when there are several; a row may match any of a query's clauses."""

    field: Field
    terms: tuple[str, ...]
    boost: float


@dataclass(frozen=True)
class AnalysedRow:
    """A row with its terms, ready to be scored without the index.

    `body` counts the terms of the body field. `exact` holds the terms of the exact field in order, each between two
    spaces, so that counting a substring counts a term or a phrase.
    """

    row: LexicalRow
    body: Counter[str]
    exact: str
    lengths: Mapping[Field, int]


@dataclass(frozen=True)
class Statistics:
    """What BM25 needs of a collection: its rows, in how many of them a term occurs, and mean lengths in terms."""

    rows: int
    doc_freq: Mapping[tuple[Field, str], int]
    average_length: Mapping[Field, float]


class Analysis:
    """The two analysers. `body`: simple tokens, lower case, no stopwords, Snowball stems. `exact`: lower case only."""

    def __init__(self) -> None:
        simple, lower = tantivy.Tokenizer.simple, tantivy.Filter.lowercase
        self.body = (
            tantivy.TextAnalyzerBuilder(simple())
            .filter(lower())
            .filter(tantivy.Filter.custom_stopword(list(STOPWORDS)))
            .filter(tantivy.Filter.stemmer("english"))
            .build()
        )
        self.exact = tantivy.TextAnalyzerBuilder(simple()).filter(lower()).build()

    def row(self, row: LexicalRow) -> AnalysedRow:
        """The terms of a row."""
        text = clean(row.text)
        body, exact = self.body.analyze(text), self.exact.analyze(text)
        lengths: dict[Field, int] = {"body": len(body), "exact": len(exact)}
        return AnalysedRow(row, Counter(body), "".join(f" {term} " for term in exact), lengths)

    def lengths(self, text: str) -> dict[Field, int]:
        """Terms of each field."""
        text = clean(text)
        return {"body": len(self.body.analyze(text)), "exact": len(self.exact.analyze(text))}

    def terms(self, query: str) -> list[str]:
        """The distinct body terms of a query, in order of appearance, up to `QUERY_TERMS_MAX`."""
        return list(dict.fromkeys(self.body.analyze(clean(query[:QUERY_CHARS_MAX]))))[:QUERY_TERMS_MAX]

    def clauses(self, query: str) -> list[Clause]:
        """What to look for. Any text is a query; none of it is syntax but quotation marks.

        Stems of all words; the words themselves when all are stopwords; identifiers unstemmed, neighbouring ones as a
        phrase too; what stands in quotation marks as a phrase.
        """
        query = clean(query[:QUERY_CHARS_MAX])
        stems = Counter(self.body.analyze(query))
        clauses = [Clause("body", (term,), float(count)) for term, count in list(stems.items())[:QUERY_TERMS_MAX]]
        if not stems:
            clauses = [Clause("exact", (term,), 1.0) for term in dict.fromkeys(self.exact.analyze(query))]
        phrases = [self.exact.analyze(quoted) for quoted in _QUOTED.findall(query)]
        phrases += [self.exact.analyze(" ".join(run)) for run in _identifier_runs(query)]
        for terms in phrases:
            if 2 <= len(terms) <= PHRASE_TERMS_MAX:
                clauses.append(Clause("exact", tuple(terms), _PHRASE_BOOST))
            clauses += [Clause("exact", (term,), 1.0) for term in terms if len(term) > 1 and term not in STOPWORDS]
        return list(dict.fromkeys(clauses))[: 2 * QUERY_TERMS_MAX]


def clean(text: str) -> str:
    """Text that can be encoded: a lone surrogate (from a broken PDF or a JSON escape) would make tantivy raise."""
    return text.encode("utf-8", "replace").decode("utf-8")


def combined(statistics: Statistics, rows: Sequence[AnalysedRow]) -> Statistics:
    """The statistics of a collection with some rows more."""
    doc_freq: dict[tuple[Field, str], int] = {
        (field, term): count + sum(_frequency(row, field, (term,)) > 0 for row in rows)
        for (field, term), count in statistics.doc_freq.items()
    }
    total = statistics.rows + len(rows)
    lengths: dict[Field, float] = {}
    for field, average in statistics.average_length.items():
        lengths[field] = (average * statistics.rows + sum(row.lengths[field] for row in rows)) / max(total, 1)
    return Statistics(total, doc_freq, lengths)


def bm25(clauses: Sequence[Clause], row: AnalysedRow, statistics: Statistics) -> float:
    """Okapi BM25 as tantivy computes it (k1 = 1.2, b = .75, lengths rounded as it stores them); 0 for no match."""
    score = 0.0
    for clause in clauses:
        frequency = _frequency(row, clause.field, clause.terms)
        if not frequency:
            continue
        weight = sum(_idf(statistics.doc_freq[clause.field, term], statistics.rows) for term in clause.terms)
        ratio = stored_length(row.lengths[clause.field]) / max(statistics.average_length[clause.field], 1.0)
        score += clause.boost * weight * (_K1 + 1) * frequency / (frequency + _K1 * (1 - _B + _B * ratio))
    return score


def stored_length(length: int) -> int:
    """A field's length as an index keeps it, in one byte (Lucene's norms): exact below 40, then four bits."""
    if length < 40:
        return length
    shift = (length - 24).bit_length() - 4
    return 24 + ((length - 24) >> shift << shift)


def _idf(doc_freq: int, rows: int) -> float:
    # Deleted rows count in doc_freq until their segment is merged, so it may exceed the live rows.
    doc_freq = min(doc_freq, rows)
    return math.log(1 + (rows - doc_freq + 0.5) / (doc_freq + 0.5))


def _frequency(row: AnalysedRow, field: Field, terms: tuple[str, ...]) -> int:
    if field == "body":
        return row.body[terms[0]] if len(terms) == 1 else 0
    return row.exact.count("".join(f" {term} " for term in terms))


def _identifier_runs(query: str) -> list[list[str]]:
    runs: list[list[str]] = []
    previous = False
    for word in query.split():
        if not (matches := _IDENTIFIER.search(word) is not None):
            previous = False
            continue
        if previous:
            runs[-1].append(word)
        else:
            runs.append([word])
        previous = matches
    return runs
