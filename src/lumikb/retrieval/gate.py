"""The gate of one search: what an index or a cache brings is read again, with permission and filters of now."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, and_

from lumikb.identity.models import Actor
from lumikb.identity.policy import readable
from lumikb.retrieval.candidates import Scope
from lumikb.retrieval.models import Hit, Passage, Ranked, SearchRequest
from lumikb.retrieval.repository import filter_conditions, read_cosines, read_passages
from lumikb.store.record.changes import removed_since
from lumikb.store.record.tables.knowledge import chunks


@dataclass(frozen=True)
class Gate:
    """Reads the chunks that an actor may see, within a search's scope. `sound` leaves out what is damaged."""

    actor: Actor
    request: SearchRequest
    scope: Scope
    sound: Callable[[list[Passage]], list[Passage]]

    def cosines(
        self, connection: Connection, keys: Iterable[int], vector: NDArray[np.float32]
    ) -> dict[int, float | None]:
        """Those of the chunks that pass, with their cosine to a unit vector; None without a sound one."""
        return read_cosines(connection, readable(self.actor), self._wanted(sorted(keys)), vector)

    def hits(self, connection: Connection, best: Sequence[Ranked]) -> tuple[list[Hit], list[int]]:
        """The passages of these chunks, and the keys of those that do not pass or are damaged."""
        read = read_passages(connection, readable(self.actor), self._wanted([one.key for one in best]))
        passages = {passage.key: passage for passage in self.sound(read)}
        hits = [Hit(passages[one.key], one.score, one.relevance) for one in best if one.key in passages]
        return hits, [one.key for one in best if one.key not in passages]

    def is_whole(self, connection: Connection) -> bool:
        """Whether nothing in reach was removed since the scope was read."""
        return not removed_since(connection, self.scope.seq, self.scope.kb_ids)

    def _wanted(self, keys: Sequence[int]) -> ColumnElement[bool]:
        within = chunks.c.kb_id.in_(self.scope.kb_ids)
        return and_(within, *filter_conditions(self.request.filters), chunks.c.key.in_(keys))
