"""The pool's end of one parser's process: start, send, receive within bounds, kill, and tell why it died."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from lumikb.compute.parse.errors import ParseError, ParserDiedError, TimeLimitError
from lumikb.store.workers.errors import ParserUnavailableError
from lumikb.store.workers.protocol import (
    LENGTH,
    REQUEST_BYTES_MAX,
    Arguments,
    PageRecognition,
    ParseFailure,
    ParseRequest,
    ParseSuccess,
    Ready,
    Reply,
    Taken,
    memory_limit_error,
    reply_bytes_max,
    write_message,
)

POLL_SECONDS = 0.1
"""How often a waiting caller looks at the caller's `check`, the clock and the process's size."""

IDLE_SECONDS_MAX = 60.0
"""A process that had nothing to do for this long ends by itself and gives its memory back."""

WALL_CLOCK_FACTOR = 2.0
"""What else runs on the machine may slow a parser down that much before it counts as stuck."""

START_SECONDS_MAX = 30.0
READ_BYTES = 1 << 20

# How an allocator that cannot fail softly ends a process: abort, or a deliberate illegal instruction.
_ALLOCATOR_SIGNALS = {signal.SIGABRT, signal.SIGILL, signal.SIGTRAP}
# Above this share of the bound a process that has nothing to do holds what its next document may need.
_IDLE_SHARE_MAX = 0.5
# A buffer that doubles fails while it holds a third of the bound, so such a death above a quarter is one of memory.
_MEMORY_SHARE_MIN = 0.25


@dataclass(frozen=True)
class ParseLimits:
    """Bounds on one document, and the number of documents after which its process is replaced.

    `seconds_max` bounds processor time, and the wall clock at `WALL_CLOCK_FACTOR` times as much; `memory_bytes_max` the
    process's address space. A document gets that time anew for each page that OCR reads, up to `ocr_seconds_max` in
    all. OCR takes its data from `ocr_data_dir`, empty for the usual directories.
    """

    seconds_max: float
    memory_bytes_max: int
    text_chars_max: int
    documents_per_process: int
    ocr_data_dir: str = ""
    ocr_seconds_max: float = 0


class ProcessEndedError(Exception):
    """The process closed its end of the pipe, or what it sends is not a reply."""


class ParserHandle:
    """One running process. Used by one thread at a time; `kill` releases everything and may be called again."""

    def __init__(self, limits: ParseLimits) -> None:
        """Start the process. Raises `ParserUnavailableError` when the system does not allow another one."""
        self.documents = 0
        self._limits = limits
        self._size_bytes = 0
        self._exit_code: int | None = None
        self._received = bytearray()
        requests, self._requests = os.pipe()
        self._replies, replies = os.pipe()
        lifeline, self._lifeline = os.pipe()
        arguments = Arguments(
            seconds_max=limits.seconds_max,
            ocr_seconds_max=limits.ocr_seconds_max,
            memory_bytes_max=limits.memory_bytes_max,
            text_chars_max=limits.text_chars_max,
            idle_seconds_max=IDLE_SECONDS_MAX,
            lifeline=lifeline,
            ocr_data_dir=limits.ocr_data_dir,
        )
        try:
            self._process = _spawn(arguments, requests, replies)
        except OSError as exc:
            self._close_pipes()
            raise ParserUnavailableError("A parser's process did not start. Try again.", service="parser") from exc
        finally:
            for fd in (requests, replies, lifeline):
                os.close(fd)
        self._poll = select.poll()
        self._poll.register(self._replies, select.POLLIN)

    def is_alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def is_swollen(self) -> bool:
        """Whether the documents read so far have left it so large that the next one should get a new process."""
        return _address_space_bytes(self._process.pid) > _IDLE_SHARE_MAX * self._limits.memory_bytes_max

    def wait_ready(self, check: Callable[[], None]) -> bool:
        """Return when the parsers are loaded; False when the process ended instead. Raises what `check` raises."""
        try:
            return isinstance(self._receive(START_SECONDS_MAX, check), Ready)
        except (ProcessEndedError, TimeLimitError):
            return False

    def submit(self, request: ParseRequest, check: Callable[[], None]) -> bool:
        """Hand over a document; False when the process did not take it, as it was gone. Raises what `check` raises."""
        self.documents += 1
        try:
            written = write_message(self._requests, request, REQUEST_BYTES_MAX)
            return written and isinstance(self._receive(START_SECONDS_MAX, check), Taken)
        except (BrokenPipeError, ProcessEndedError, TimeLimitError):
            return False

    def receive_answer(self, check: Callable[[], None]) -> ParseSuccess | ParseFailure:
        """The answer to the document that was taken.

        Raises what `check` raises, and when the process ended or must end because of the document, its `ParseError`.
        """
        try:
            reply = self._receive_result(check)
        except ProcessEndedError:
            raise self._death(self.kill()) from None
        if isinstance(reply, ParseSuccess | ParseFailure):
            return reply
        raise self._death(self.kill())

    def _receive_result(self, check: Callable[[], None]) -> Reply:
        seconds_max = self._limits.seconds_max
        whole_seconds_max = max(seconds_max, self._limits.ocr_seconds_max)
        end = time.monotonic() + WALL_CLOCK_FACTOR * whole_seconds_max
        wait = WALL_CLOCK_FACTOR * seconds_max
        reply: Reply = PageRecognition()
        while isinstance(reply, PageRecognition):
            left = end - time.monotonic()
            try:
                reply = self._receive(min(wait, left), check)
            except TimeLimitError:
                raise time_limit_error(seconds_max if left >= wait else whole_seconds_max) from None
        return reply

    def kill(self) -> int:
        """End the process and all it may have started, and return how it ended, a signal as a negative number."""
        if self._exit_code is None:
            # The group keeps its id until the process is waited for. SIGKILL does not change how a dead one ended.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._exit_code = self._process.wait()
            self._close_pipes()
        return self._exit_code

    def _death(self, exit_code: int) -> ParseError:
        if exit_code == -signal.SIGXCPU:
            return time_limit_error(self._limits.seconds_max)
        large = self._size_bytes >= _MEMORY_SHARE_MIN * self._limits.memory_bytes_max
        if large and -exit_code in _ALLOCATOR_SIGNALS:
            return memory_limit_error()
        return ParserDiedError(
            "This file made the program that reads it crash, so it is probably damaged. Save it again and upload that.",
            exit_code=exit_code,
        )

    def _receive(self, seconds_max: float, check: Callable[[], None]) -> Reply:
        deadline = time.monotonic() + seconds_max
        while (body := self._next_body()) is None:
            check()
            left = deadline - time.monotonic()
            if left <= 0:
                raise time_limit_error(seconds_max)
            if self._poll.poll(min(left, POLL_SECONDS) * 1000):
                piece = os.read(self._replies, READ_BYTES)
                if not piece:
                    raise ProcessEndedError
                self._received += piece
            else:
                self._size_bytes = _address_space_bytes(self._process.pid) or self._size_bytes
        try:
            return msgspec.msgpack.decode(body, type=Reply)
        except msgspec.MsgspecError as exc:
            raise ProcessEndedError from exc

    def _next_body(self) -> bytes | None:
        if len(self._received) < LENGTH.size:
            return None
        (length,) = LENGTH.unpack_from(self._received)
        if length > reply_bytes_max(self._limits.text_chars_max):
            raise ProcessEndedError
        end = LENGTH.size + length
        if len(self._received) < end:
            return None
        body = bytes(memoryview(self._received)[LENGTH.size : end])
        del self._received[:end]
        return body

    def _close_pipes(self) -> None:
        for fd in (self._requests, self._replies, self._lifeline):
            os.close(fd)


def time_limit_error(seconds_max: float) -> TimeLimitError:
    """The same sentence whether the bound on the wall clock or on processor time was met."""
    return TimeLimitError(
        f"Reading this file takes longer than {seconds_max:g} seconds. Split it into parts and upload them one by one.",
        seconds_max=seconds_max,
    )


def _spawn(arguments: Arguments, requests: int, replies: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            *(sys.executable, "-I", "-B", "-m", "lumikb.store.workers.parser_process"),
            msgspec.json.encode(arguments).decode(),
        ],
        stdin=requests,
        stdout=replies,
        stderr=subprocess.DEVNULL,
        pass_fds=(arguments.lifeline,),
        start_new_session=True,
        cwd="/",
        # Nothing of the server's environment, which may hold secrets. Two arenas of malloc: each further one reserves
        # 64 MiB of the address space that RLIMIT_AS bounds. One thread of Tesseract, as documents are what is parallel.
        env={"LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "2", "OMP_THREAD_LIMIT": "1"},
    )


def _address_space_bytes(pid: int) -> int:
    """What RLIMIT_AS counts, 0 when the system does not tell."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[0]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
