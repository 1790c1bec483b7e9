"""Who computes next: one forward pass at a time has all the cores, and what somebody waits for goes first."""

from collections.abc import Generator
from contextlib import contextmanager
from threading import Condition
from time import monotonic

# So that questions without a pause do not stop all work on documents.
INTERACTIVE_IN_A_ROW_MAX = 8
# Somebody who asked asks again, most likely.
ASKED_SECONDS = 10.0


class Turns:
    """Grants forward passes one after the other, to any number of threads and engines.

    Engines have queues of their own, in which a query stands behind the passes of documents, or beside them on the same
    cores.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._running = False
        self._interactive_waiting = 0
        self._bulk_waiting = 0
        self._interactive_in_a_row = 0
        self._asked_until = 0.0

    @property
    def asked_lately(self) -> bool:
        """Whether there was a pass that somebody waited for in the last `ASKED_SECONDS`."""
        return monotonic() < self._asked_until

    @contextmanager
    def turn(self, *, interactive: bool) -> Generator[None]:
        """Wait until it is one's turn, and have it until the block ends."""
        with self._changed:
            if interactive:
                self._asked_until = monotonic() + ASKED_SECONDS
                self._interactive_waiting += 1
                self._changed.wait_for(lambda: not self._running and not self._bulk_is_due())
                self._interactive_waiting -= 1
                self._interactive_in_a_row += 1
            else:
                self._bulk_waiting += 1
                self._changed.wait_for(
                    lambda: not self._running and (not self._interactive_waiting or self._bulk_is_due())
                )
                self._bulk_waiting -= 1
                self._interactive_in_a_row = 0
            self._running = True
        try:
            yield
        finally:
            with self._changed:
                self._running = False
                self._changed.notify_all()

    def _bulk_is_due(self) -> bool:
        return bool(self._bulk_waiting) and self._interactive_in_a_row >= INTERACTIVE_IN_A_ROW_MAX
