"""Range requests (RFC 9110, section 14): one range of bytes."""

import re

from lumikb.kit.errors import LumiError

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class RangeNotSatisfiableError(LumiError):
    """The range lies outside of the file; `details["size"]` is the file's length in bytes."""

    code = "RANGE_NOT_SATISFIABLE"


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """`[start, end)` of a `Range` header, None for the whole file (no header, or a kind that may be ignored)."""
    found = _RANGE.fullmatch(header.strip()) if header else None
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if first == "":
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
    if start >= end:
        raise RangeNotSatisfiableError("The range lies outside of the file.", size=size)
    return start, end
