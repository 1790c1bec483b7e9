"""Parsers in processes of their own: a hostile document costs its own process, its own seconds and nothing else."""

import os
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from lumikb.compute.parse.errors import MemoryLimitError
from lumikb.compute.parse.models import ParsedText
from lumikb.compute.parse.ocr_options import OcrOptions
from lumikb.kit.telemetry import get_logger
from lumikb.store.workers.errors import ParseCancelledError, ParserUnavailableError
from lumikb.store.workers.parser_handle import POLL_SECONDS, ParseLimits, ParserHandle
from lumikb.store.workers.protocol import ParseFailure, ParseRequest, ParseSuccess, to_error

__all__ = ["ParseLimits", "ParserPool"]

CLOSE_SECONDS_MAX = 10.0
TAKE_ATTEMPTS_MAX = 3

log = get_logger(__name__)


class ParserPool:
    """At most `processes` documents are parsed at the same time; more callers wait. Safe to call from any thread."""

    def __init__(self, processes: int, limits: ParseLimits) -> None:
        self._processes = processes
        self._limits = limits
        self._slots = threading.Semaphore(processes)
        self._idle: list[ParserHandle] = []
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def parse(
        self,
        path: Path,
        filename: str,
        *,
        password: str | None = None,
        ocr_languages: str = OcrOptions.languages,
        cancelled: Callable[[], bool] | None = None,
    ) -> ParsedText:
        """Parse the file at `path`, which was uploaded as `filename`, in a process of the pool. Blocks.

        `password` opens an encrypted file, `ocr_languages` are Tesseract's names of languages joined by "+".

        Raises any `ParseError` of the parsers, `TimeLimitError`, `MemoryLimitError` and `ParserDiedError` when the
        document ended its process, `ParseCancelledError` soon after `cancelled()` turns true or the pool is closed, and
        `ParserUnavailableError` when no process starts.
        """

        def check() -> None:
            if self._closed.is_set() or (cancelled is not None and cancelled()):
                raise ParseCancelledError("Reading the file was cancelled.")

        request = ParseRequest(
            os.fsencode(path.absolute()), filename.encode("utf-8", "replace").decode(), password, ocr_languages
        )
        with self._slot(check):
            reply = self._exchange(request, check)
        if isinstance(reply, ParseSuccess):
            return reply.parsed
        if reply.traceback:
            log.error("parser.failed", filename=request.filename, traceback=reply.traceback)
        raise to_error(reply)

    def close(self) -> None:
        """End every process. Callers that wait for a document get `ParseCancelledError`. May be called again."""
        with self._lock:
            if self._closed.is_set():
                return
            self._closed.set()
            idle, self._idle = self._idle, []
        for process in idle:
            process.kill()
        # A caller holds its slot until its process is gone.
        deadline = time.monotonic() + CLOSE_SECONDS_MAX
        for _ in range(self._processes):
            self._slots.acquire(timeout=max(0.0, deadline - time.monotonic()))

    @contextmanager
    def _slot(self, check: Callable[[], None]) -> Generator[None]:
        check()
        while not self._slots.acquire(timeout=POLL_SECONDS):
            check()
        try:
            yield
        finally:
            self._slots.release()

    def _exchange(self, request: ParseRequest, check: Callable[[], None]) -> ParseSuccess | ParseFailure:
        for _ in range(TAKE_ATTEMPTS_MAX):
            process = self._take(check)
            healthy = False
            try:
                if process.submit(request, check):
                    reply = process.receive_answer(check)
                    # What Python's allocator refused may be held by what it left behind.
                    refused = isinstance(reply, ParseFailure) and reply.error == MemoryLimitError.__name__
                    healthy = not refused and not process.is_swollen()
                    return reply
            finally:
                self._give_back(process, healthy=healthy)
        raise ParserUnavailableError("No parser took the file. Try again.", service="parser")

    def _take(self, check: Callable[[], None]) -> ParserHandle:
        while True:
            with self._lock:
                process = self._idle.pop() if self._idle else None
            if process is None:
                return self._start(check)
            if process.is_alive():
                return process
            process.kill()

    def _start(self, check: Callable[[], None]) -> ParserHandle:
        process = ParserHandle(self._limits)
        ready = False
        try:
            ready = process.wait_ready(check)
        finally:
            if not ready:
                process.kill()
        if not ready:
            raise ParserUnavailableError("A parser's process did not start. Try again.", service="parser")
        return process

    def _give_back(self, process: ParserHandle, *, healthy: bool) -> None:
        with self._lock:
            keep = healthy and not self._closed.is_set() and process.documents < self._limits.documents_per_process
            if keep:
                self._idle.append(process)
        if not keep:
            process.kill()
