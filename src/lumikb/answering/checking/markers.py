"""Citation markers in the text of an answer: `[1]`, `[2, 3]`, `[4-6]`, `[1][2]`."""

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

# A range that names more passages than an answer can draw on is none.
RANGE_MAX = 20

_MARKER = re.compile(r"\[\s*(\d{1,3}(?:\s*[,;–-]\s*\d{1,3})*)\s*\](?![(=])")
_PART = re.compile(r"(\d+)(?:\s*[–-]\s*(\d+))?")
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)


class Marker(NamedTuple):
    """`[start, end)` of a marker in a text, and the numbers it names, in their order."""

    start: int
    end: int
    numbers: list[int]


def find_markers(text: str) -> Iterator[Marker]:
    """Markers in their order. Square brackets in code and before a link's address are none, nor is `[0]`."""
    code = [match.span() for match in _CODE.finditer(text)] if "`" in text else []
    for match in _MARKER.finditer(text):
        numbers = _numbers(match[1])
        if numbers and not any(left <= match.start() < right for left, right in code):
            yield Marker(*match.span(), numbers)


def without_markers(text: str) -> str:
    """The text with spaces in place of its markers: all else keeps its offsets."""
    for start, end, _ in find_markers(text):
        text = f"{text[:start]}{' ' * (end - start)}{text[end:]}"
    return text


def without_orphans(answer: str, numbers: Collection[int]) -> str:
    """The answer without the numbers of markers that are none of `numbers`; a marker of none goes with its space."""
    pieces: list[str] = []
    at = 0
    for start, end, named in find_markers(answer):
        kept = [number for number in named if number in numbers]
        if len(kept) == len(named):
            continue
        before = answer[at:start]
        if kept:
            before += f"[{', '.join(map(str, kept))}]"
        elif start == 0 or answer[start - 1] == "\n":
            end += answer[end : end + 1] == " "
        else:
            before = before.rstrip(" \t\u00a0")
        pieces.append(before)
        at = end
    return "".join([*pieces, answer[at:]])


def without_references(sentence: str) -> str:
    """A document's sentence without its own numbers in brackets, which would be read as markers of an answer.

    What is attached to a word stays: it may be an index, as in `row[1]`.
    """
    pieces: list[str] = []
    at = 0
    for start, end, _ in find_markers(sentence):
        if start == 0 or not (sentence[start - 1].isalnum() or sentence[start - 1] in "_)]"):
            pieces.append(sentence[at:start].rstrip())
            at = end
    return "".join([*pieces, sentence[at:]]).lstrip() if at else sentence


def _numbers(inside: str) -> list[int]:
    numbers: list[int] = []
    for match in _PART.finditer(inside):
        first = int(match[1])
        last = int(match[2] or first)
        if not 0 < first <= last < first + RANGE_MAX:
            return []
        numbers += range(first, last + 1)
    return list(dict.fromkeys(numbers))
