"""Range requests (RFC 9110, section 14): one range of bytes."""

import re

from lumikb.kit.errors import LumiError

# Names of units are case-insensitive.
_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)", re.IGNORECASE)
# No file has more digits of bytes, and Python reads no number of thousands of them.
_DIGITS_MAX = 19


class RangeNotSatisfiableError(LumiError):
    """The range lies outside of the file; `details["size"]` is the file's length in bytes."""

    code = "RANGE_NOT_SATISFIABLE"


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """`[start, end)` of a `Range` header, None for the whole file.

    That is without a header, and for one that may be ignored: another unit, several ranges, a range that is none or
    ends before it starts. A range that begins past the file's end raises `RangeNotSatisfiableError`.
    """
    found = _RANGE.fullmatch(header.strip()) if header else None
    if found is None or found.groups() == ("", ""):
        return None
    first, last = (_number(digits) for digits in found.groups())
    if first is not None and last is not None and last < first:
        return None
    if first is None:
        start, end = max(0, size - (last or 0)), size
    else:
        start, end = first, size if last is None else min(size, last + 1)
    if start >= end:
        raise RangeNotSatisfiableError("The range lies outside of the file.", size=size)
    return start, end


def _number(digits: str) -> int | None:
    return int(digits.lstrip("0")[:_DIGITS_MAX] or "0") if digits else None
