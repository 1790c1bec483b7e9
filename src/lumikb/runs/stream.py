"""A run as an HTTP response."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from lumikb.http.sse import EventStream, ServerSentEvent
from lumikb.identity.models import Actor
from lumikb.runs.models import Run
from lumikb.runs.service import RunService


@dataclass(frozen=True)
class RunStreamer:
    """Makes responses of runs, all with the same heartbeat.

    A response waits `hold_seconds` at most for the run's first result: of one that fails before, it is the error.
    """

    runs: RunService
    heartbeat_seconds: float
    hold_seconds: float

    def stream(self, actor: Actor, run: Run, *, cancel_on_disconnect: bool) -> EventStream:
        """The run's events; leaving stops the run only where the client asked for that."""

        def cancel() -> None:
            self.runs.cancel(actor, run.id)

        return EventStream(
            run.follow(),
            heartbeat_seconds=self.heartbeat_seconds,
            before=lambda: run.settle(self.hold_seconds),
            on_disconnect=cancel if cancel_on_disconnect else None,
            headers={"X-Run-Id": run.id},
        )

    def resume(self, run_id: str, events: AsyncIterator[ServerSentEvent]) -> EventStream:
        """Events of a run that was started earlier."""
        return EventStream(events, heartbeat_seconds=self.heartbeat_seconds, headers={"X-Run-Id": run_id})
