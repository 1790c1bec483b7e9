"""The numbers of passages in an answer, as it streams: `[3]`, also in pieces, also several as `[1, 3]`."""

import re
from collections.abc import Collection

# A mark has a few numbers of a few digits; what is longer is no mark and is not waited for.
HELD_CHARS_MAX = 40

_MARK = re.compile(r"\[ {0,2}(\d{1,4}(?: {0,2}[,;] {0,2}\d{1,4}){0,7}) {0,2}\]")
_IN_MARK = frozenset("0123456789,; ")
_NUMBER = re.compile(r"\d+")


class MarkerStream:
    """Passes text on with its marks put right: numbers count from 1 as they first appear, those of no passage are gone.

    `numbers` are those of the passages. White space, and what may become a mark, waits for what follows it: what waits
    when there is no more is not shown.
    """

    def __init__(self, numbers: Collection[int]) -> None:
        self._numbers = numbers
        self._held = ""
        self._begun = False
        # The number of each passage that was cited, as the reader sees it, by its number for the model.
        self.shown: dict[int, int] = {}

    def feed(self, piece: str) -> str:
        """What can be shown of the text so far."""
        text = self._held + piece
        cut = _held_from(text)
        self._held = text[cut:]
        return self._put_right(text[:cut])

    def _put_right(self, text: str) -> str:
        shown, at = "", 0
        for mark in _MARK.finditer(text):
            shown += text[at : mark.start()]
            numbers = dict.fromkeys(map(int, _NUMBER.findall(mark[1])))
            known = [number for number in numbers if number in self._numbers]
            if known:
                shown += "".join(f"[{self.shown.setdefault(number, len(self.shown) + 1)}]" for number in known)
            else:
                shown = shown.rstrip(" \t")
            at = mark.end()
        shown += text[at:]
        if not self._begun:
            shown = shown.lstrip()
            self._begun = shown != ""
        return shown


def _held_from(text: str) -> int:
    """Where the end of the text begins that may be a part of a mark, with the white space before it."""
    least = max(0, len(text) - HELD_CHARS_MAX)
    cut = len(text)
    bracket = text.rfind("[", least)
    if bracket >= 0 and _IN_MARK.issuperset(text[bracket + 1 :]):
        cut = bracket
    while cut > least and text[cut - 1].isspace():
        cut -= 1
    return cut
