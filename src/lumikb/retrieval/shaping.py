"""What a list of hits becomes for its readers: near-duplicates folded, passages of one document grouped.

Each step looks at a hit and those before it alone, so a longer list only appends: pages stay where they are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from lumikb.retrieval.models import Hit, SearchRequest
from lumikb.store.index.analysis import Analysis

# Passages of a document that a group shows; the others are counted.
GROUP_PASSAGES_MAX = 5
# Words in a row that are compared, and the share of them that two near-duplicates have in common.
_SHINGLE_WORDS = 3
_ALIKE_MIN = 0.95
# Vectors that are farther apart are of no near-duplicates: it spares comparing their words.
_COSINE_MIN = 0.9


def shape(hits: Sequence[Hit], request: SearchRequest, analysis: Analysis) -> list[Hit]:
    """The hits as the request wants them, best first."""
    shaped = list(hits)
    if request.fold_duplicates:
        shaped = fold_duplicates(shaped, analysis)
    if request.group_by is not None:
        return group_by_document(shaped)
    if request.max_per_document is not None:
        return at_most_of_each(shaped, request.max_per_document)
    return shaped


def fold_duplicates(hits: Iterable[Hit], analysis: Analysis) -> list[Hit]:
    """One hit, the best, of passages of different documents that say the same; `folded` counts the others.

    The same: 19 in 20 of their runs of three words, and all their words with digits. Two invoices that differ in a
    number are two things, however near their vectors.
    """
    kept: list[_Kept] = []
    for hit in hits:
        words = [word.exact for word in analysis.located(hit.passage.text)]
        numbers = sorted(word for word in words if any(letter.isdigit() for letter in word))
        shingles = frozenset(zip(*(words[at:] for at in range(_SHINGLE_WORDS)), strict=False)) or frozenset([*words])
        twin = next((one for one in kept if one.is_like(hit, numbers, shingles)), None)
        if twin is None:
            kept.append(_Kept(hit, numbers, shingles))
        else:
            twin.folded.append(hit)
    return [replace(one.hit, folded=len(one.folded)) for one in kept]


def group_by_document(hits: Iterable[Hit]) -> list[Hit]:
    """The best hit of each document, with the document's `others`, best first."""
    groups: dict[str, list[Hit]] = {}
    for hit in hits:
        groups.setdefault(hit.passage.document_id, []).append(hit)
    return [replace(best, others=tuple(others)) for best, *others in groups.values()]


def at_most_of_each(hits: Iterable[Hit], most: int) -> list[Hit]:
    """Up to `most` hits of each document, the best ones."""
    counts: dict[str, int] = {}
    kept: list[Hit] = []
    for hit in hits:
        count = counts[hit.passage.document_id] = counts.get(hit.passage.document_id, 0) + 1
        if count <= most:
            kept.append(hit)
    return kept


@dataclass
class _Kept:
    hit: Hit
    numbers: list[str]
    shingles: frozenset[object]
    folded: list[Hit] = field(default_factory=list[Hit])

    def is_like(self, hit: Hit, numbers: list[str], shingles: frozenset[object]) -> bool:
        own, other = self.hit.passage, hit.passage
        if own.document_id == other.document_id or self.numbers != numbers or not shingles:
            return False
        if own.vector is not None and other.vector is not None and np.dot(own.vector, other.vector) < _COSINE_MIN:
            return False
        return len(self.shingles & shingles) >= _ALIKE_MIN * len(self.shingles | shingles)
