"""What a user searched for: noted beside the searches, which never wait for it."""

import threading
from collections import deque

from sqlalchemy import Connection

from lumikb.identity.models import Actor
from lumikb.kit import clock
from lumikb.kit.errors import LumiError
from lumikb.kit.pages import Page, PageRequest
from lumikb.kit.telemetry import get_logger
from lumikb.retrieval import history_repository as repository
from lumikb.retrieval.errors import PastSearchNotFoundError
from lumikb.retrieval.models import Found, PastSearch, SearchRequest
from lumikb.store.record.engine import Record, UnitOfWork

# Searches that wait to be written; past it the oldest are let go.
WAITING_MAX = 1_000
# Searches of this time share a unit of work.
GROUP_SECONDS = 0.5

log = get_logger(__name__)


class SearchHistory:
    """Histories, each its user's own: nobody else reads them, of whatever level. `kept` 0 notes nothing.

    A key that is limited to knowledge bases sees those searches alone that were limited to them, too. `open` starts a
    thread that writes, `close` ends it after what waits.
    """

    def __init__(self, record: Record, *, kept: int) -> None:
        self._record = record
        self._kept = kept
        self._waiting: deque[tuple[str, PastSearch]] = deque(maxlen=WAITING_MAX)
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._writing = threading.Lock()
        self._thread = threading.Thread(target=self._loop, name="search-history", daemon=True)

    def open(self) -> None:
        """Start writing."""
        self._thread.start()

    def close(self) -> None:
        """Write what waits, and stop."""
        self._stop.set()
        self._wake.set()
        self._thread.join()

    def note(self, actor: Actor, request: SearchRequest, found: Found) -> None:
        """Remember a search; returns at once. Further pages of one are not noted."""
        if not self._kept or request.cursor is not None:
            return
        kb_ids = sorted(actor.kb_ids) if request.kb_ids is None and actor.kb_ids is not None else request.kb_ids
        query = " ".join(request.query.split())
        self._waiting.append((actor.user_id, PastSearch(0, query, kb_ids, len(found.hits), clock.now())))
        self._wake.set()

    def flush(self) -> None:
        """Write what waits now: who reads a history finds the search of a moment ago."""
        with self._writing:
            waiting: dict[str, list[PastSearch]] = {}
            while self._waiting:
                user_id, search = self._waiting.popleft()
                waiting.setdefault(user_id, []).append(search)
            if waiting:
                self._record.write(lambda unit: self._write(unit, waiting))

    def _write(self, unit: UnitOfWork, waiting: dict[str, list[PastSearch]]) -> None:
        for user_id, searches in waiting.items():
            repository.add_searches(unit, user_id, searches, self._kept)

    def list_searches(self, connection: Connection, actor: Actor, page: PageRequest) -> Page[PastSearch]:
        """One's own, newest first."""
        return repository.list_searches(connection, actor.user_id, page, actor.kb_ids)

    def own(self, connection: Connection, actor: Actor) -> list[PastSearch]:
        """All of one's own, newest first."""
        return repository.own_searches(connection, actor.user_id, actor.kb_ids)

    def forget(self, unit: UnitOfWork, actor: Actor, search_id: str | None) -> None:
        """Forget one of one's own searches, or all that the actor may see."""
        seen = [one.id for one in self.own(unit.connection, actor) if search_id in (None, str(one.id))]
        if search_id is not None and not seen:
            raise PastSearchNotFoundError("There is no such search in your history.")
        repository.delete_searches(unit, seen)

    def _loop(self) -> None:
        while not self._stop.is_set():
            self._wake.wait()
            self._wake.clear()
            self._stop.wait(GROUP_SECONDS)
            try:
                self.flush()
            except LumiError as error:
                log.error("searches not noted", reason=error.message)
            except Exception:
                log.exception("searches not noted")
