"""The data directory: one process at a time, and how the command line finds the one that runs."""

import fcntl
import json
import os
import secrets
from pathlib import Path
from typing import IO

from lumikb.kit.errors import LumiError


class DataDirBusyError(LumiError):
    """Another process holds the data directory."""

    code = "DATA_DIR_BUSY"


class DataDirUnusableError(LumiError):
    """The data directory cannot be made or written."""

    code = "DATA_DIR_UNUSABLE"


class DataDir:
    """Holds the lock of a data directory from `acquire` to `release` (or the end of the process)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._announcement = path / "server.json"
        self._lock: IO[str] | None = None

    def acquire(self) -> None:
        """Take the lock; raises `DataDirBusyError` and `DataDirUnusableError`."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = (self.path / "lock").open("w")
        except OSError as exc:
            raise self._unusable(exc) from exc
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            lock.close()
            raise DataDirBusyError(
                f"Another LumiKB process uses {self.path}. Stop it, or set LUMIKB_DATA_DIR to another directory."
            ) from exc
        try:
            # Shows that files can be written here, and takes down what a server that was killed had announced.
            _write_private(self._announcement, "")
            self._announcement.unlink()
        except OSError as exc:
            lock.close()
            raise self._unusable(exc) from exc
        self._lock = lock

    def release(self) -> None:
        """Give the lock back, and take down what was announced."""
        if self._lock is not None:
            self._announcement.unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def announce(self, url: str) -> str:
        """Tell the command line where this server listens; gives the token that it will send."""
        token = secrets.token_urlsafe(32)
        _write_private(self._announcement, json.dumps({"url": url, "token": token, "pid": os.getpid()}))
        return token

    def _unusable(self, error: OSError) -> DataDirUnusableError:
        return DataDirUnusableError(
            f"The data directory {self.path} cannot be written ({error.strerror}). Change its owner or make room, or "
            "set LUMIKB_DATA_DIR to another directory."
        )

    def running_server(self) -> tuple[str, str] | None:
        """URL and token of the server that was announced, or None."""
        try:
            found = json.loads(self._announcement.read_text())
            return found["url"], found["token"]
        except (OSError, ValueError, KeyError):
            return None


def _write_private(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    fresh.replace(path)
