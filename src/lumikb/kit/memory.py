"""What a server asks of the system's libraries; a no-op where these have no such call (musl, macOS, Windows)."""

import ctypes
import os
import sys
from typing import Any

_M_ARENA_MAX = -8  # malloc.h of glibc
_HEAPS_MAX = 2


def share_heaps() -> None:
    """Let all threads of this process share two heaps instead of having up to eight a core.

    Freed pieces of many heaps add up: after four manuals were ingested and 36 questions asked the server held 530 MB,
    with shared heaps 465.
    """
    mallopt = _libc_function("mallopt")
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _HEAPS_MAX)


def multiply_in_one_thread() -> None:
    """Have NumPy multiply in the thread that asks: to be called before NumPy is loaded.

    A search's products are small, and threads that wait for each other cost more than they save: 11 ms instead of 1.5
    for the sentences of an answer, while documents are embedded.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def return_freed_memory() -> None:
    """Return freed heap pages to the system.

    Buffers of a bulk run are below glibc's threshold for a mapping of their own and stay in the heap when freed: after
    500 chunks this call took ONNX Runtime from 207 to 136 MB and OpenVINO from 273 to 261.
    """
    trim = _libc_function("malloc_trim")
    if trim is not None:
        trim(0)


def _libc_function(name: str) -> Any:
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
