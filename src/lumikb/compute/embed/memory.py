"""Giving memory back to the system where the engines keep it; a no-op where the system has no such call."""

import ctypes
import sys
from pathlib import Path

_MADV_DONTNEED = 4


def drop_mapped_pages(path: Path) -> None:
    """Unload what this process holds of a mapped, unwritten file; a later access reads it again from the page cache.

    OpenVINO keeps the weights mapped after it has packed its own copy of them, and does not read them again: 40 MB.
    """
    if sys.platform != "linux":
        return
    madvise = ctypes.CDLL(None).madvise
    suffix = f" {path.resolve()}"
    with Path("/proc/self/maps").open() as maps:
        ranges = [line.split(maxsplit=2) for line in maps if line.rstrip("\n").endswith(suffix)]
    for addresses, permissions, _ in ranges:
        if "w" in permissions:
            continue
        start, end = (int(address, 16) for address in addresses.split("-"))
        madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _MADV_DONTNEED)
