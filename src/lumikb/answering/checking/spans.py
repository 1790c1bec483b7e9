"""Where sentences begin and end, for the check: neither a date nor a German sum of money is cut."""

import re

from lumikb.answering.checking.dates import MONTHS
from lumikb.compute.chunk.sentences import sentence_spans

# Enough of a sentence's end to see a numeral and an abbreviation.
_TAIL_CHARS = 8
_DAY = re.compile(r"(?<!\d)\d{1,2}\.\Z")
_MAGNITUDE = re.compile(r"\d\s(?:Mio|Mrd|Tsd|Bio)\.\Z")
_FIRST_WORD = re.compile(r"[^\W\d_]+")


def spans_of(text: str) -> list[tuple[int, int]]:
    """`[start, end)` of each sentence, as `sentence_spans` gives them, but for `1. April` and `3 Mio. Euro`."""
    spans: list[tuple[int, int]] = []
    for start, end in sentence_spans(text):
        if spans and _goes_on(text, spans[-1], start):
            start = spans.pop()[0]
        spans.append((start, end))
    return spans


def _goes_on(text: str, before: tuple[int, int], start: int) -> bool:
    word = _FIRST_WORD.match(text, start)
    tail = text[max(before[0], before[1] - _TAIL_CHARS) : before[1]]
    if word is None or "\n" in text[before[1] : start]:
        return False
    return bool(_MAGNITUDE.search(tail) or (word[0].lower() in MONTHS and _DAY.search(tail)))
