"""The page and the headings of a passage."""

import re
from bisect import bisect_right

from lumikb.compute.chunk.sections import heading_paths
from lumikb.compute.parse.models import ParsedText

_WORD = re.compile(r"[^\W_]")


class Places:
    """Looks up passages of one text."""

    def __init__(self, parsed: ParsedText) -> None:
        self._parsed = parsed
        self._paths = heading_paths(parsed.headings)
        self._starts = [heading.start for heading in parsed.headings]

    def of(self, start: int, end: int) -> tuple[int | None, str | None]:
        """The page of the first character of `[start, end)`, and the path of headings that hold its first word."""
        # A heading's own marks (`## `) come before its title.
        word = _WORD.search(self._parsed.text, start, end)
        heading = bisect_right(self._starts, word.start() if word else start) - 1
        return self._parsed.page_at(start), self._paths[heading] if heading >= 0 else None
