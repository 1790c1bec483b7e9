"""Okapi BM25 over analysed rows, from statistics that do not depend on an index's history."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from lumikb.store.index.analysis import AnalysedRow, Clause, counted
from lumikb.store.index.statistics import Statistics

# tantivy's constants (bm25.rs), so that what it brings first is also first by these scores.
_K1 = 1.2
_B = 0.75


@dataclass(frozen=True)
class Scored:
    """The score of each row, 0 for no match, and the clauses that no row matches."""

    scores: list[float]
    unmatched: list[Clause] = field(default_factory=list[Clause])


def bm25(clauses: Sequence[Clause], rows: Sequence[AnalysedRow], statistics: Statistics) -> Scored:
    """Scores rows; a phrase weighs as much as its terms together."""
    scored = Scored([0.0] * len(rows))
    scores = scored.scores
    for clause in clauses:
        matched = False
        weight = sum(idf(statistics.doc_freq[clause.field, term], statistics.rows) for term in clause.terms)
        weight *= clause.boost * (_K1 + 1)
        average, wanted = statistics.average_length(clause.field), counted(clause.terms)
        for at, row in enumerate(rows):
            if count := row.terms(clause.field).count(wanted):
                matched = True
                ratio = row.lengths[clause.field] / average
                scores[at] += weight * count / (count + _K1 * (1 - _B + _B * ratio))
        if not matched:
            scored.unmatched.append(clause)
    return scored


def idf(doc_freq: int, rows: int) -> float:
    """How rare a term is that `doc_freq` of `rows` rows hold."""
    # A row that was changed since the counts were taken may hold a term that they miss.
    doc_freq = min(doc_freq, rows)
    return math.log(1 + (rows - doc_freq + 0.5) / (doc_freq + 0.5))
