"""Use cases of runs: start, follow, resume, cancel."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

from lumikb.http.context import current_request
from lumikb.http.sse import ServerSentEvent
from lumikb.identity.models import Actor
from lumikb.kit.errors import BusyError, LumiError, NotFoundError
from lumikb.kit.ids import new_id
from lumikb.kit.telemetry import get_logger
from lumikb.runs import repository
from lumikb.runs.models import Run, RunStatus
from lumikb.store.record.engine import Record, UnitOfWork

KEPT_FOR = timedelta(days=1)

log = get_logger(__name__)

Produce = Callable[[Run], Awaitable[None]]


class RunNotFoundError(NotFoundError):
    """No such run, or not the caller's."""

    code = "RUN_NOT_FOUND"


class TooManyRunsError(BusyError):
    """As many runs as `runs_max` allows are under way."""

    code = "TOO_MANY_RUNS"


class RunService:
    """Runs of this process, at most `runs_max` of them, and those that the record keeps.

    Ended runs stay in memory until others need their place; then they are read from the record.
    """

    def __init__(self, record: Record, *, runs_max: int) -> None:
        self._record = record
        self._runs_max = runs_max
        self._runs: dict[str, Run] = {}

    def start(
        self, actor: Actor, kind: str, produce: Produce, *, conversation_id: str | None = None, keep: bool = True
    ) -> Run:
        """Start a run on the server; `produce` emits its events. A run that is not `keep` lives in memory only.

        Raises `TooManyRunsError`.
        """
        self._make_room()
        run = Run(new_id(), actor, kind, conversation_id)
        self._runs[run.id] = run
        run.task = asyncio.create_task(self._produce(run, produce, keep), name=f"run-{run.id}")
        run.task.add_done_callback(lambda _: _end_unbegun(run))
        return run

    async def events(self, actor: Actor, run_id: str, after: int) -> AsyncIterator[ServerSentEvent]:
        """The events after `after`; raises `RunNotFoundError`."""
        run = self._runs.get(run_id)
        if run is not None and run.is_open_to(actor):
            return run.follow(after)
        kept = await self._record.read_async(
            lambda connection: repository.find_events(connection, actor.user_id, run_id, after)
        )
        # What the record keeps does not tell which key began it.
        if kept is None or actor.kb_ids is not None:
            raise RunNotFoundError("There is no such run.")
        return _replay(kept)

    def cancel(self, actor: Actor, run_id: str) -> None:
        """Stop a run of the actor's; one that has ended stays as it is."""
        run = self._runs.get(run_id)
        if run is None or not run.is_open_to(actor):
            raise RunNotFoundError("There is no such run.")
        if run.task is not None:
            run.task.cancel()

    async def close(self) -> None:
        """Stop all runs."""
        tasks = [run.task for run in self._runs.values() if run.task is not None and not run.task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _make_room(self) -> None:
        """Forget the oldest run that has ended and been kept, if there are as many as there may be."""
        if len(self._runs) < self._runs_max:
            return
        done = (run.id for run in self._runs.values() if run.task is not None and run.task.done())
        oldest = next(done, None)
        if oldest is None:
            raise TooManyRunsError(
                f"{self._runs_max} streamed answers are under way, as many as the setting runs_max allows. Try again "
                "in a few seconds.",
                runs_max=self._runs_max,
            )
        del self._runs[oldest]

    async def _produce(self, run: Run, produce: Produce, keep: bool) -> None:
        try:
            await produce(run)
            run.status = RunStatus.DONE
            _fail(run, "INTERNAL_ERROR", "The answer ended early.")  # dropped when the run has ended as it should
        except asyncio.CancelledError:
            run.status = RunStatus.CANCELLED
            _fail(run, "CANCELLED", "The run was stopped.")
        except LumiError as error:
            run.status, run.failure = RunStatus.FAILED, error
            _fail(run, error.stable_code, error.message)
        except Exception:
            run.status = RunStatus.FAILED
            log.exception("run failed", run_id=run.id, kind=run.kind)
            run.failure = LumiError("Something went wrong inside LumiKB. The server's log has the cause.")
            _fail(run, run.failure.stable_code, run.failure.message)
        if keep:
            await self._record.write_async(lambda unit: self._keep(unit, run))

    def _keep(self, unit: UnitOfWork, run: Run) -> None:
        repository.forget_runs(unit, KEPT_FOR)
        repository.create_run(unit, run)


async def _replay(events: list[ServerSentEvent]) -> AsyncIterator[ServerSentEvent]:
    for event in events:
        yield event


def _end_unbegun(run: Run) -> None:
    """A task that is stopped before its first step runs none of its code, and those who follow it would wait."""
    if not run.ended:
        run.status = RunStatus.CANCELLED
        _fail(run, "CANCELLED", "The run was stopped.")


def _fail(run: Run, code: str, message: str) -> None:
    request = current_request.get()
    request_id = request.request_id if request else None
    run.emit("error", {"error": message, "code": code, "message": message, "request_id": request_id})
