"""Uploading files and following them until they are READY or FAILED."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
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
# More files than these are a bulk, which whatever is uploaded by hand overtakes.
BULK_FILES_MIN = 5
PRIORITY_BULK = 100

# These concern every file alike.
_FATAL = (UnreachableError, errors.UnauthenticatedError, errors.ForbiddenError, errors.NotFoundError)


Change = Literal["new", "adopted", "changed", "unchanged", "moved", "shared", "gone", "refused"]


@dataclass(frozen=True)
class Upload:
    """A file to upload: as a new document, or as the next version of the one with `document_id`."""

    file: Path
    change: Change | None = None
    document_id: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Outcome:
    """What became of one file.

    `change` is how it differed, when a folder is mirrored: `adopted` when its bytes were there as a document that
    mirrored no file, `shared` when they are the document of the file `shared_with`, `refused` when no document came of
    it. The document of a file that is gone is `deleted`, or `kept` as another mirrored folder has its bytes.
    `duplicate`: these bytes were there already. `error` has a code and a message.
    """

    path: str
    result: Literal["ready", "failed", "pending", "deleted", "kept"]
    change: Change | None = None
    duplicate: bool = False
    shared_with: str | None = None
    document_id: str | None = None
    passages: int = 0
    warnings: tuple[str, ...] = ()
    error: dict[str, str] | None = None


async def upload_files(client: Client, kb_id: str, uploads: list[Upload], *, wait: bool = True) -> list[Outcome]:
    """Upload files to a knowledge base and, with `wait`, follow them to their end; outcomes in the order of `uploads`.

    Shows progress on a terminal. A file that is refused or fails is an outcome; what concerns them all is raised.
    """
    with _progress() as progress:
        return await _Uploader(client, kb_id, progress, wait=wait).run(uploads)


class _Uploader:
    def __init__(self, client: Client, kb_id: str, progress: Progress, *, wait: bool) -> None:
        self._client = client
        self._kb_id = kb_id
        self._progress = progress
        self._wait = wait
        self._uploads = asyncio.Semaphore(UPLOADS)

    async def run(self, uploads: list[Upload]) -> list[Outcome]:
        outcomes: dict[int, Outcome] = {}
        waiting = iter(list(enumerate(uploads)))
        # One file is asked for by somebody who waits; a whole folder lets others pass.
        self._fields = {"priority": str(PRIORITY_BULK)} if len(uploads) > BULK_FILES_MIN else {}
        total = self._progress.add_task("Files", total=len(uploads), state="")

        async def work(numbered: Iterable[tuple[int, Upload]]) -> None:
            for at, upload in numbered:
                outcomes[at] = await self._one(upload)
                self._progress.advance(total)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(IN_FLIGHT, len(uploads))):
                    group.create_task(work(waiting))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures
        return [outcomes[at] for at in range(len(uploads))]

    async def _one(self, upload: Upload) -> Outcome:
        file = upload.file
        path = os.fsencode(file).decode("utf-8", "replace")
        row = self._progress.add_task(escape(one_line(file.name, NAME_CHARS_SHOWN)), total=100, state="waiting")
        try:
            async with self._uploads:
                self._progress.update(row, state="uploading")
                document = await self._send(upload)
            status = await self._follow(document, row, replaced=upload.document_id is not None)
            return outcome_of(path, upload.change, status, duplicate=document["duplicate_of"] is not None)
        except OSError as error:
            return _refused(path, upload, "UNREADABLE", f"The file cannot be read ({error.strerror}).")
        except _FATAL:
            raise
        except errors.LumiError as error:
            return _refused(path, upload, error.stable_code, error.message)
        finally:
            self._progress.remove_task(row)

    async def _send(self, upload: Upload) -> Body:
        fields = dict(self._fields)
        address = f"/knowledge-bases/{self._kb_id}/documents"
        if upload.document_id is not None:
            return await self._client.upload(f"{address}/{upload.document_id}/reupload", upload.file, fields)
        fields["metadata"] = json.dumps(upload.metadata)
        return await self._client.upload(address, upload.file, fields)

    async def _follow(self, document: Body, row: TaskID, *, replaced: bool) -> Body:
        """The document's status when it has ended, or when nobody waits any longer.

        A document whose version is `replaced` stays READY meanwhile.
        """
        status, changed_at = document, time.monotonic()
        while self._wait and (status["status"] in {"PENDING", "PROCESSING"} or (replaced and _is_under_way(status))):
            self._progress.update(row, completed=status["progress"], state=status["current_step"] or "queued")
            await asyncio.sleep(POLL_SECONDS)
            path = f"/knowledge-bases/{self._kb_id}/documents/{document['id']}/status"
            former, status = status, await self._client.get(path)
            if _moved(former, status):
                changed_at = time.monotonic()
            elif time.monotonic() - changed_at > STALL_SECONDS_MAX:
                break
        return status


def _refused(path: str, upload: Upload, code: str, message: str) -> Outcome:
    """No document came of it: each mirroring of its folder tries again."""
    change = None if upload.change is None else "refused"
    return Outcome(path, "failed", change, error={"code": code, "message": message})


def _moved(former: Body, latter: Body) -> bool:
    return any(former[name] != latter[name] for name in ("status", "current_step", "progress"))


def _is_under_way(status: Body) -> bool:
    return status["progress"] < 100 and status["last_error"] is None


def outcome_of(path: str, change: Change | None, status: Body, *, duplicate: bool = False) -> Outcome:
    """What a document's status, or all its facts, tell about its file."""
    results: dict[str, Any] = {"READY": "ready", "FAILED": "failed"}
    return Outcome(
        path,
        "failed" if status["last_error"] else results.get(status["status"], "pending"),
        change,
        duplicate=duplicate,
        document_id=status["id"],
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
