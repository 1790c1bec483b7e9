"""A parser's process: reads requests from standard input, parses, writes replies to standard output.

Started by `ParserPool` as `python -m lumikb.store.workers.parser_process`, with the limits as arguments. It writes
no file, and it ends by itself when it is idle for long or when its parent is gone.
"""

import fcntl
import math
import os
import resource
import select
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import msgspec

from lumikb.compute.parse.errors import OutputLimitError, ParseError
from lumikb.compute.parse.ocr_options import OcrOptions
from lumikb.compute.parse.parse import parse
from lumikb.store.workers.protocol import (
    LENGTH,
    REQUEST_BYTES_MAX,
    Arguments,
    PageRecognition,
    ParseFailure,
    ParseRequest,
    ParseSuccess,
    Ready,
    Taken,
    memory_limit_error,
    reply_bytes_max,
    to_failure,
    write_message,
)


def main() -> None:
    """Serve requests until standard input ends or nothing came for `idle_seconds_max`."""
    arguments = msgspec.json.decode(sys.argv[1], type=Arguments)
    _die_with_parent(arguments.lifeline)
    requests, replies = _take_pipes()
    _limit(resource.RLIMIT_AS, arguments.memory_bytes_max)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    bytes_max = reply_bytes_max(arguments.text_chars_max)
    write_message(replies, Ready(), bytes_max)
    while (request := _read_request(requests, arguments.idle_seconds_max)) is not None:
        write_message(replies, Taken(), bytes_max)
        reply = _answer(request, arguments, _processor_bound(arguments, replies))
        if not write_message(replies, reply, bytes_max):
            too_long = OutputLimitError("This file has more headings and pages than can be kept. Split it into parts.")
            write_message(replies, to_failure(too_long), bytes_max)


def _answer(
    request: ParseRequest, arguments: Arguments, before_page: Callable[[], None]
) -> ParseSuccess | ParseFailure:
    try:
        data = Path(os.fsdecode(request.path)).read_bytes()
        parsed = parse(
            data,
            request.filename,
            text_chars_max=arguments.text_chars_max,
            password=request.password,
            ocr=OcrOptions(request.ocr_languages, arguments.ocr_data_dir, before_page),
        )
        return ParseSuccess(parsed)
    except ParseError as exc:
        return to_failure(exc)
    except MemoryError:
        return to_failure(memory_limit_error())
    except Exception:  # noqa: BLE001 - the edge of the job: no file may end the process's loop
        unforeseen = ParseError("This file could not be read. Save it again from the program that made it.")
        return msgspec.structs.replace(to_failure(unforeseen), traceback=traceback.format_exc())


def _take_pipes() -> tuple[int, int]:
    """Move the protocol off descriptors 0 and 1, so that a library that prints cannot garble it."""
    requests, replies = os.dup(0), os.dup(1)
    os.dup2(2, 0)
    os.dup2(2, 1)
    return requests, replies


def _die_with_parent(lifeline: int) -> None:
    """Have the kernel end this process when the parent is gone, even in the middle of native code.

    The pipe turns readable when its last writer closes, and the signal for that, SIGIO, ends a process that does not
    handle it. PR_SET_PDEATHSIG would not do: it fires when the *thread* that started the process ends.
    """
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([lifeline], [], [], 0)[0]:
        sys.exit(0)


def _limit(kind: int, amount: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        amount = min(amount, hard)
    resource.setrlimit(kind, (amount, amount))


def _processor_bound(arguments: Arguments, replies: int) -> Callable[[], None]:
    """Bound the time of the document that begins; what is given moves the bound on for a page that OCR reads."""
    used = _processor_seconds()
    _limit_processor_time(used + arguments.seconds_max)
    end = used + max(arguments.seconds_max, arguments.ocr_seconds_max)

    def before_page() -> None:
        _limit_processor_time(min(_processor_seconds() + arguments.seconds_max, end))
        write_message(replies, PageRecognition(), REQUEST_BYTES_MAX)

    return before_page


def _processor_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _limit_processor_time(seconds: float) -> None:
    # The kernel counts from the start of the process, so the bound moves on with each document. Passing the soft limit
    # sends SIGXCPU, which ends the process.
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = math.ceil(seconds)
    if hard == resource.RLIM_INFINITY or soft <= hard:
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def _read_request(fd: int, idle_seconds_max: float) -> ParseRequest | None:
    if not select.select([fd], [], [], idle_seconds_max)[0]:
        return None
    header = _read_exactly(fd, LENGTH.size)
    if header is None:
        return None
    (length,) = LENGTH.unpack(header)
    body = _read_exactly(fd, length) if length <= REQUEST_BYTES_MAX else None
    return None if body is None else msgspec.msgpack.decode(body, type=ParseRequest)


def _read_exactly(fd: int, size: int) -> bytes | None:
    received = b""
    while len(received) < size:
        piece = os.read(fd, size - len(received))
        if not piece:
            return None
        received += piece
    return received


if __name__ == "__main__":
    main()
