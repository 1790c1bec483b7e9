"""The relay: tells subscribers what the outbox holds, in order, at least once, and keeps house."""

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from lumikb.kit.errors import LumiError
from lumikb.kit.telemetry import get_logger
from lumikb.store.record.engine import Record
from lumikb.store.record.outbox import (
    TOPIC,
    OutboxEvent,
    forget_delivered,
    mark_delivered,
    undelivered,
)

BATCH = 200
IDLE_SECONDS = 5.0
FAILURE_PAUSE_SECONDS = 5.0
KEPT_FOR = timedelta(days=7)

log = get_logger(__name__)

Subscriber = Callable[[OutboxEvent], None]


class OutboxRelay:
    """A background thread; woken by commits that write to the outbox.

    An event may be told twice (after a crash between telling and noting it), never out of order and never not at all.
    """

    def __init__(self, record: Record, subscribers: Mapping[str, Sequence[Subscriber]]) -> None:
        self._record = record
        self._subscribers = subscribers
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="outbox-relay", daemon=True)

    def open(self) -> None:
        """Start telling."""
        self._record.listen(TOPIC, self._wake.set)
        self._thread.start()

    def close(self) -> None:
        """Stop; what was not told is told after the next start."""
        self._stop.set()
        self._wake.set()
        self._thread.join()

    def deliver(self) -> int:
        """Tell what waits; gives how many events that were."""
        events = self._record.read(lambda connection: undelivered(connection, BATCH))
        for event in events:
            for subscriber in self._subscribers.get(event.topic, ()):
                subscriber(event)
        if events:
            self._record.write(lambda unit: mark_delivered(unit, [event.seq for event in events]))
            self._record.write(lambda unit: forget_delivered(unit, KEPT_FOR))
        return len(events)

    def _loop(self) -> None:
        while not self._stop.is_set():
            try:
                if self.deliver() < BATCH:
                    self._wake.wait(IDLE_SECONDS)
                    self._wake.clear()
            except LumiError as error:
                log.error("outbox relay waits", reason=error.message)
                self._stop.wait(FAILURE_PAUSE_SECONDS)
            except Exception:
                log.exception("outbox relay failed")
                self._stop.wait(FAILURE_PAUSE_SECONDS)
