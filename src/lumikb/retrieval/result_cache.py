"""Rankings of the last searches: never stale, and never across permissions.

What is kept is an order with its scores. A ranking depends on the query, the candidates and the passages that there
are, and the key holds all of it: what ranks and narrows, the caller, the knowledge bases that he may read *now*, the
documents that pass the filters *now*, and the newest entry of the change log. So a delete, an ingest, a grant and its
end each make another key. Passages, names and facets are read from the record again behind the gate, whether there is
a ranking or not. Whoever comes to restrict single documents must put what decides it into the key.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from lumikb.identity.models import Actor
from lumikb.kit.recent import Recent
from lumikb.retrieval.candidates import Scope
from lumikb.retrieval.models import Ranked, SearchRequest

# A search whose filters let more documents pass is not kept: its key would be too large.
DOCUMENTS_MAX = 1_000

Key = tuple[object, ...]


@dataclass(frozen=True)
class Ranking:
    """All candidates that passed the gate, best first; the other fields are those of `Found`.

    In arrays: hundreds of kept rankings as objects would be gone through by every collection of garbage.
    """

    keys: "array[int]"
    scores: "array[float]"
    relevances: "array[float]"
    relaxed: bool
    deeper: bool

    @classmethod
    def of(cls, ranked: Sequence[Ranked], *, relaxed: bool, deeper: bool) -> "Ranking":
        """What was ranked, to keep."""
        scores, relevances = (one.score for one in ranked), (one.relevance for one in ranked)
        keys = array("q", [one.key for one in ranked])
        return cls(keys, array("d", scores), array("d", relevances), relaxed, deeper)

    def best(self, count: int) -> list[Ranked]:
        """The first `count`."""
        return list(map(Ranked, self.keys[:count], self.scores[:count], self.relevances[:count]))


class RankingCache:
    """Up to `kept` rankings, the last used ones, some 5 kB each. May be used from any thread."""

    def __init__(self, kept: int) -> None:
        self._rankings: Recent[Key, Ranking] = Recent(kept)

    def find(self, key: Key | None) -> Ranking | None:
        """The ranking under this key."""
        return None if key is None else self._rankings.get([key]).get(key)

    def keep(self, key: Key | None, ranking: Ranking) -> None:
        """Keep a ranking, if there is a key for it."""
        if key is not None:
            self._rankings.put({key: ranking})

    def forget(self, key: Key | None) -> None:
        """Let go of a ranking whose passages are no longer what they were."""
        if key is not None:
            self._rankings.forget([key])


def key_of(actor: Actor, request: SearchRequest, scope: Scope, depth: int) -> Key | None:
    """All that a ranking depends on; None for one that is not to be kept."""
    if scope.document_ids is not None and len(scope.document_ids) > DOCUMENTS_MAX:
        return None
    return (
        scope.seq,
        actor.user_id,
        tuple(scope.kb_ids),
        None if scope.document_ids is None else tuple(scope.document_ids),
        request.words,
        request.required,
        request.excluded,
        request.min_score,
        request.hybrid,
        request.keyword_weight,
        depth,
    )
