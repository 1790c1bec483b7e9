"""A run: work that answers in a stream of events and belongs to the server, not to the connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from typing import Any

from lumikb.http.sse import ServerSentEvent
from lumikb.identity.models import Actor
from lumikb.kit import clock
from lumikb.kit.errors import LumiError

TERMINAL = frozenset({"done", "error"})
# What is told of a run before its first result.
PRELIMINARY = frozenset({"status", "context"})


class RunStatus(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Run:
    """One run and its events. `emit` and `follow` belong to the event loop; ids of events count from 1.

    The first event carries `run_id` and, when known, `conversation_id`. Exactly one terminal event ends the run; what
    is emitted after it is dropped.
    """

    def __init__(self, run_id: str, actor: Actor, kind: str, conversation_id: str | None) -> None:
        self.id = run_id
        self.user_id = actor.user_id
        self._kb_ids = actor.kb_ids
        self.kind = kind
        self.conversation_id = conversation_id
        self.created_at: datetime = clock.now()
        self.status = RunStatus.RUNNING
        self.events: list[ServerSentEvent] = []
        # What made it fail.
        self.failure: LumiError | None = None
        self.task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._settled = asyncio.Event()

    @property
    def ended(self) -> bool:
        """Whether the terminal event has been emitted."""
        return bool(self.events) and self.events[-1].name in TERMINAL

    def is_open_to(self, actor: Actor) -> bool:
        """Whether the actor is its owner, by a key that is limited like the one that began it."""
        return actor.user_id == self.user_id and actor.kb_ids == self._kb_ids

    def emit(self, name: str, data: dict[str, Any]) -> None:
        """Add an event; `type` repeats its name unless the data says otherwise."""
        if self.ended:
            return
        head: dict[str, Any] = {"type": name}
        if not self.events:
            head["run_id"] = self.id
            if self.conversation_id is not None:
                head["conversation_id"] = self.conversation_id
        self.events.append(ServerSentEvent(len(self.events) + 1, name, head | data))
        if name not in PRELIMINARY:
            self._settled.set()
        self._changed.set()
        self._changed = asyncio.Event()

    async def settle(self, seconds_max: float) -> None:
        """Wait for the first result, so long at most; raises the run's error when it failed before any."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds_max):
                await self._settled.wait()
        if self.failure is not None and all(event.name in PRELIMINARY for event in self.events[:-1]):
            raise self.failure

    async def follow(self, after: int = 0) -> AsyncIterator[ServerSentEvent]:
        """Events with a larger id than `after`, those to come included, up to the terminal one.

        Who has seen that one is told it again: a stream without one would be asked for for ever.
        """
        at = min(after, len(self.events) - 1) if self.ended else after
        while True:
            while at < len(self.events):
                event = self.events[at]
                at += 1
                yield event
            if self.ended:
                return
            await self._changed.wait()
