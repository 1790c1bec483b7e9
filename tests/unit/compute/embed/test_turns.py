"""Whose pass is next."""

import threading
import time

import pytest

from lumikb.compute.embed import turns as module
from lumikb.compute.embed.turns import INTERACTIVE_IN_A_ROW_MAX, Turns

WAIT_SECONDS = 10.0


class Passes:
    """Threads that each want one pass, and the order in which they had it."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.order: list[str] = []
        self._threads: list[threading.Thread] = []

    def want(self, name: str, *, interactive: bool) -> None:
        """Let a thread wait for its pass; returns once it waits."""
        before = self._waiting()

        def work() -> None:
            with self.turns.turn(interactive=interactive):
                self.order.append(name)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        self._threads.append(thread)
        until = time.monotonic() + WAIT_SECONDS
        while self._waiting() == before:
            assert time.monotonic() < until
            time.sleep(0.001)

    def _waiting(self) -> int:
        return self.turns._interactive_waiting + self.turns._bulk_waiting  # pyright: ignore[reportPrivateUsage]

    def join(self) -> None:
        for thread in self._threads:
            thread.join(WAIT_SECONDS)
            assert not thread.is_alive()


def test_a_query_goes_before_the_documents_that_wait() -> None:
    passes = Passes()
    with passes.turns.turn(interactive=False):
        passes.want("document", interactive=False)
        passes.want("query", interactive=True)
    passes.join()
    assert passes.order == ["query", "document"]


def test_documents_have_their_turn_among_queries_without_end() -> None:
    passes = Passes()
    with passes.turns.turn(interactive=False):
        passes.want("document", interactive=False)
        for _ in range(INTERACTIVE_IN_A_ROW_MAX + 3):
            passes.want("query", interactive=True)
    passes.join()
    assert passes.order.index("document") == INTERACTIVE_IN_A_ROW_MAX


def test_a_pass_that_fails_ends_its_turn() -> None:
    passes = Passes()
    with pytest.raises(ZeroDivisionError), passes.turns.turn(interactive=True):
        raise ZeroDivisionError
    for _ in range(INTERACTIVE_IN_A_ROW_MAX + 1):
        with passes.turns.turn(interactive=True):
            passes.order.append("query")
    assert len(passes.order) == INTERACTIVE_IN_A_ROW_MAX + 1


def test_only_queries_count_as_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(module, "monotonic", lambda: now)
    turns = Turns()
    with turns.turn(interactive=False):
        assert not turns.asked_lately
    with turns.turn(interactive=True):
        assert turns.asked_lately
    now += module.ASKED_SECONDS + 1
    assert not turns.asked_lately
