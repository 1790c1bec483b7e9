"""Words that somebody may have meant: the nearest ones that rows have."""

from collections import Counter
from collections.abc import Iterable

from lumikb.store.index.analysis import AnalysedRow, Clause

# A word of so many letters may be off by two, a shorter one by one.
_LONG_CHARS_MIN = 8
_GUESSES_MAX = 5
# A guess weighs less than a word that was typed, and less the farther it lies.
_WEIGHT = 0.5


def distance_allowed(word: str) -> int:
    """How many letters may be wrong, missing, too many, or changed over with their neighbour."""
    return 2 if len(word) >= _LONG_CHARS_MIN else 1


def guesses(word: str, rows: Iterable[AnalysedRow]) -> list[Clause]:
    """The nearest words of the rows, up to a few of the same distance, those of most rows first; () for none.

    They are terms of the exact field, with the same digits: a number that differs is another number.
    """
    allowed = distance_allowed(word)
    letters, digits = set(word), _digits(word)
    words = Counter(other for row in rows for other in set(row.exact.split()))
    near: dict[str, int] = {}
    for other in words:
        # Each step changes the length by one at most, and the letters by one each way.
        if abs(len(other) - len(word)) > allowed or len(letters ^ set(other)) > 2 * allowed:
            continue
        if _digits(other) == digits and (steps := distance(word, other, allowed)) <= allowed:
            near[other] = steps
    least = min(near.values(), default=0)
    found = sorted((other for other, steps in near.items() if steps == least), key=lambda other: (-words[other], other))
    return [Clause("exact", (other,), _WEIGHT / max(least, 1)) for other in found[:_GUESSES_MAX]]


def _digits(word: str) -> str:
    return "".join(letter for letter in word if letter.isdigit())


def distance(one: str, other: str, most: int) -> int:
    """Steps from one word to the other: a letter put in, left out, changed, or two neighbours changed over.

    Any number above `most` stands for all of them (optimal string alignment; tantivy's fuzzy query counts alike).
    """
    before: list[int] = []
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, 1):
        older, before, row = before, row, [at]
        for there, second in enumerate(other, 1):
            cost = min(before[there] + 1, row[there - 1] + 1, before[there - 1] + (letter != second))
            if at > 1 and there > 1 and letter == other[there - 2] and one[at - 2] == second:
                cost = min(cost, older[there - 2] + 1)
            row.append(cost)
        if min(row) > most and min(before) > most:
            return most + 1
    return row[-1]
