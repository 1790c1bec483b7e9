"""What both legs bring to the fusion, within what a query demands."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lumikb.retrieval.models import SearchRequest
from lumikb.store.index.analysis import Demands
from lumikb.store.index.follower import LocalIndex

# The dense leg knows no words: it brings so many times over what is wanted, to be sifted by what is left out.
_EXCLUDING_FACTOR = 3


@dataclass(frozen=True)
class Scope:
    """Where a search looks: knowledge bases and, where filters narrow, documents; and the newest entry of the log."""

    kb_ids: list[str]
    document_ids: list[str] | None
    seq: int

    @property
    def is_empty(self) -> bool:
        """Whether nothing can be found."""
        return not self.kb_ids or self.document_ids == []


@dataclass(frozen=True)
class Candidates:
    """Keys of the dense leg, best first, and of the keyword leg with their scores.

    `relaxed` says that no passage holds what was required, and that these are passages without it; `deeper` that a leg
    brought as many as it was asked for.
    """

    dense: list[int]
    keyword: dict[int, float]
    relaxed: bool = False
    deeper: bool = False


def bring_candidates(
    index: LocalIndex, request: SearchRequest, vector: NDArray[np.float32], k: int, scope: Scope
) -> Candidates:
    """Up to `k` of each leg; with required phrases the dense leg ranks all that the keyword leg found by them."""
    search = k, scope.kb_ids, scope.document_ids
    if not (request.required or request.excluded):
        dense = index.search_dense(vector, *search, newest=scope.seq)
        keyword = index.search_lexical(request.words, *search, newest=scope.seq) if request.hybrid else []
        return Candidates([key for key, _ in dense], dict(keyword), deeper=max(len(dense), len(keyword)) >= k)
    demands = index.demands(request.required, request.excluded)
    keyword = []
    if request.hybrid or demands.required:
        keyword = index.search_lexical(request.words, *search, newest=scope.seq, demands=demands)
    found = _dense_meeting(index, demands, vector, k, scope)
    if demands.required:
        found = list(dict.fromkeys([*found, *(key for key, _ in keyword)]))
        if not found:
            relaxed = bring_candidates(index, replace(request, required=()), vector, k, scope)
            return replace(relaxed, relaxed=True)
    deeper = max(len(found), len(keyword)) >= k
    return Candidates(found, dict(keyword) if request.hybrid else {}, deeper=deeper)


def _dense_meeting(index: LocalIndex, demands: Demands, vector: NDArray[np.float32], k: int, scope: Scope) -> list[int]:
    dense = index.search_dense(vector, k * _EXCLUDING_FACTOR, scope.kb_ids, scope.document_ids, newest=scope.seq)
    keys = [key for key, _ in dense]
    meeting: Collection[int] = index.meeting(keys, demands)
    return [key for key in keys if key in meeting][:k]
