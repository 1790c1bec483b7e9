"""Uploading files and following them until they are READY or FAILED."""

import asyncio
import os
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from lumikb.cli.client import Body, Client, UnreachableError
from lumikb.cli.output import one_line
from lumikb.kit import errors

UPLOADS = 3
# Files that are followed at the same time; beyond that, uploading waits for the server.
IN_FLIGHT = 12
POLL_SECONDS = 0.25
# A document without any progress for so long is left to the server.
STALL_SECONDS_MAX = 1800.0
NAME_CHARS_SHOWN = 40

# These concern every file alike.
_FATAL = (UnreachableError, errors.UnauthenticatedError, errors.ForbiddenError, errors.NotFoundError)


@dataclass(frozen=True)
class Outcome:
    """What became of one file. `duplicate`: these bytes were there already. `error` has code and message."""

    path: str
    result: Literal["ready", "failed", "pending"]
    duplicate: bool = False
    document_id: str | None = None
    passages: int = 0
    warnings: tuple[str, ...] = ()
    error: dict[str, str] | None = None


async def upload_files(client: Client, kb_id: str, files: list[Path], *, wait: bool = True) -> list[Outcome]:
    """Upload files to a knowledge base and, with `wait`, follow them to their end; outcomes in the order of `files`.

    Shows progress on a terminal. A file that is refused or fails is an outcome; what concerns them all is raised.
    """
    with _progress() as progress:
        return await _Uploader(client, kb_id, progress, wait=wait).run(files)


class _Uploader:
    def __init__(self, client: Client, kb_id: str, progress: Progress, *, wait: bool) -> None:
        self._client = client
        self._kb_id = kb_id
        self._progress = progress
        self._wait = wait
        self._uploads = asyncio.Semaphore(UPLOADS)

    async def run(self, files: list[Path]) -> list[Outcome]:
        outcomes: dict[int, Outcome] = {}
        waiting = iter(list(enumerate(files)))
        total = self._progress.add_task("Files", total=len(files), state="")

        async def work(numbered: Iterable[tuple[int, Path]]) -> None:
            for at, file in numbered:
                outcomes[at] = await self._one(file)
                self._progress.advance(total)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(IN_FLIGHT, len(files))):
                    group.create_task(work(waiting))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures
        return [outcomes[at] for at in range(len(files))]

    async def _one(self, file: Path) -> Outcome:
        path = os.fsencode(file).decode("utf-8", "replace")
        row = self._progress.add_task(escape(one_line(file.name, NAME_CHARS_SHOWN)), total=100, state="waiting")
        try:
            async with self._uploads:
                self._progress.update(row, state="uploading")
                document = await self._client.upload(f"/knowledge-bases/{self._kb_id}/documents", file)
            return _outcome(path, document, await self._follow(document, row))
        except OSError as error:
            reason = {"code": "UNREADABLE", "message": f"The file cannot be read ({error.strerror})."}
            return Outcome(path, "failed", error=reason)
        except _FATAL:
            raise
        except errors.LumiError as error:
            return Outcome(path, "failed", error={"code": error.stable_code, "message": error.message})
        finally:
            self._progress.remove_task(row)

    async def _follow(self, document: Body, row: TaskID) -> Body:
        """The document's status when it has ended, or when nobody waits any longer."""
        status, changed_at = document, time.monotonic()
        while self._wait and status["status"] in {"PENDING", "PROCESSING"}:
            self._progress.update(row, completed=status["progress"], state=status["current_step"] or "queued")
            await asyncio.sleep(POLL_SECONDS)
            path = f"/knowledge-bases/{self._kb_id}/documents/{document['id']}/status"
            former, status = status, await self._client.get(path)
            if _moved(former, status):
                changed_at = time.monotonic()
            elif time.monotonic() - changed_at > STALL_SECONDS_MAX:
                break
        return status


def _moved(former: Body, latter: Body) -> bool:
    return any(former[name] != latter[name] for name in ("status", "current_step", "progress"))


def _outcome(path: str, document: Body, status: Body) -> Outcome:
    results: dict[str, Any] = {"READY": "ready", "FAILED": "failed"}
    return Outcome(
        path,
        results.get(status["status"], "pending"),
        duplicate=document["duplicate_of"] is not None,
        document_id=document["id"],
        passages=status["chunk_count"],
        warnings=tuple(status["warnings"]),
        error=status["last_error"],
    )


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[state]}"),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
