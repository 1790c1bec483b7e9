"""Uploads between their storing and their acceptance: blobs that no document refers to yet."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from weakref import WeakValueDictionary

from lumikb.store.blobs.port import StoredBlob, is_address
from lumikb.store.blobs.spool import os_errors_translated


class Arrivals:
    """What this process has stored, or is about to, and no document refers to yet; thread-safe.

    An empty file of the blob's name in `directory` outlives a death of the process, so that the next one can tell what
    was cut off from what it only does not know. None keeps no files: for stores that several processes share.
    """

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        # By weak reference: an upload that breaks off in whatever way leaves nothing here.
        self._held: WeakValueDictionary[int, StoredBlob] = WeakValueDictionary()

    def add(self, blob: StoredBlob) -> None:
        """Note a blob before it is stored. It counts as arriving as long as the caller holds `blob`."""
        self._held[id(blob)] = blob
        if self._directory is not None:
            with os_errors_translated():
                self._directory.mkdir(parents=True, exist_ok=True)
                (self._directory / blob.sha256).touch()

    def end(self, sha256: str) -> None:
        """Forget a blob that was accepted or erased."""
        if self._directory is not None:
            with os_errors_translated():
                (self._directory / sha256).unlink(missing_ok=True)

    def now(self) -> set[str]:
        """Addresses of what arrives in this process."""
        held = [reference() for reference in self._held.valuerefs()]
        return {blob.sha256 for blob in held if blob is not None}

    def cut_off(self, older_than_seconds: float) -> Iterator[str]:
        """Addresses noted longer ago than this and not ended since; what else lies there is passed over."""
        if self._directory is None or not self._directory.is_dir():
            return
        newest = time.time() - older_than_seconds
        with os_errors_translated():
            for path in list(self._directory.iterdir()):
                if not is_address(path.name):
                    continue
                with contextlib.suppress(FileNotFoundError):
                    if path.stat().st_mtime <= newest:
                        yield path.name
