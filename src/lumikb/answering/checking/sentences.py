"""Sentences as the check reads them: of a claim, and of the passages that it cites."""

from collections.abc import Sequence
from functools import cached_property

from lumikb.answering.checking import polarity
from lumikb.answering.checking.dates import ClockTime, Date, clock_times, dates
from lumikb.answering.checking.markers import without_markers
from lumikb.answering.checking.names import Name, NameBook, identifiers, is_german, proper_names
from lumikb.answering.checking.quantities import Quantity, quantities, same
from lumikb.answering.checking.spans import spans_of
from lumikb.answering.checking.words import Word, words
from lumikb.answering.tables import rows_of

# What is longer is no sentence, and its comparison would take seconds.
SENTENCE_CHARS_MAX = 1000
# Letters of a part of a German compound.
COMPOUND_PART_MIN = 5
# Both ends of a sentence, where what is quoted word for word begins and ends.
_STOPS = ".!?:;…。！？|"
_CLOSERS = "\"'”’»)]*_"


class Sentence:
    """A sentence and what it says: words, numbers, names, negations; each is read when it is first asked for.

    Of an endless one only the first `SENTENCE_CHARS_MAX` characters are read.
    """

    def __init__(self, text: str) -> None:
        self.text = text[:SENTENCE_CHARS_MAX]
        self.is_cut = len(text) > SENTENCE_CHARS_MAX

    @cached_property
    def words(self) -> list[Word]:
        """Its words, in their order."""
        return words(self.text)

    @cached_property
    def stems(self) -> frozenset[str]:
        """Stems of its words with content."""
        return frozenset(word.stem for word in self.words if word.stem)

    @cached_property
    def folded(self) -> str:
        """Its words, folded, a space between them."""
        return " ".join(word.folded for word in self.words)

    @cached_property
    def codes(self) -> list[Name]:
        """Its identifiers."""
        return identifiers(self.text)

    @cached_property
    def names(self) -> list[Name]:
        """Its identifiers and proper names."""
        return [*self.codes, *proper_names(self.text, self.codes)]

    @cached_property
    def dates(self) -> list[Date]:
        """Its dates."""
        return dates(self.text)

    @cached_property
    def clock_times(self) -> list[ClockTime]:
        """Its times of day."""
        return clock_times(self.text)

    @cached_property
    def quantities(self) -> list[Quantity]:
        """Its numbers, those of dates, times and identifiers left out."""
        taken = [(one.start, one.end) for one in (*self.codes, *self.dates, *self.clock_times)]
        return quantities(self.text, sorted(taken))

    @cached_property
    def years(self) -> set[float]:
        """Its numbers and the years of its dates: where a year may stand."""
        found = {value for one in self.quantities for value in one.values}
        return found | {float(year) for date in self.dates for year, _, _ in date.readings if year}

    @cached_property
    def polarity(self) -> polarity.Read:
        """Its negations."""
        return polarity.read(self.text)

    @cached_property
    def is_german(self) -> bool:
        """Whether its small words are German."""
        return is_german(self.text)


class Given(Sentence):
    """A sentence at `[start, end)` of the passage with this number; a table's row says its columns' headers, too."""

    def __init__(self, text: str, number: int, start: int, end: int) -> None:
        super().__init__(text)
        self.number = number
        self.start = start
        self.end = end


class CitedPassage:
    """A passage's text as claims are compared with it."""

    def __init__(self, number: int, text: str) -> None:
        self.number = number
        self.text = text
        # Numbers in brackets are the document's own references.
        self._bare = without_markers(text)

    @cached_property
    def sentences(self) -> list[Given]:
        """Its sentences, in their order."""
        spans = spans_of(self._bare)
        rows = rows_of(self._bare, spans, text_start=0)
        return [
            Given(row.statement if row else " ".join(self._bare[start:end].split()), self.number, start, end)
            for (start, end), row in zip(spans, rows, strict=True)
        ]

    @cached_property
    def names(self) -> NameBook:
        """The names it holds."""
        return NameBook(self._bare)

    @cached_property
    def _places(self) -> tuple[str, list[int]]:
        """Its text without white space, and where each of the characters stands."""
        places = [at for at, char in enumerate(self._bare) if not char.isspace()]
        return "".join(map(self._bare.__getitem__, places)), places

    def find(self, statement: str) -> tuple[int, int] | None:
        """`[start, end)` of a statement that stands here word for word, as whole sentences; None when it does not."""
        squeezed, places = self._places
        wanted = "".join(without_markers(statement).split())
        for form in (wanted, wanted.rstrip(".")):
            at = squeezed.find(form) if form else -1
            while at >= 0:
                start, end = places[at], places[at + len(form) - 1] + 1
                if self._begins(start) and self._ends(end):
                    return start, end
                at = squeezed.find(form, at + 1)
        return None

    def _begins(self, start: int) -> bool:
        before = self._bare[:start].rstrip()
        if not before or "\n" in self._bare[len(before) : start] or "\r" in self._bare[len(before) : start]:
            return True
        return before.rstrip(_CLOSERS)[-1:] in set(_STOPS) or before[-1] in "-*+•>#"

    def _ends(self, end: int) -> bool:
        if self._bare[:end].rstrip(_CLOSERS)[-1:] in set(_STOPS):
            return True
        rest = self._bare[end:]
        after = rest.lstrip(" \t")
        return not after or after[0] in "\r\n" or after[0] in _STOPS


class Coverage:
    """What of a claim other sentences say: its words with content, and its numbers."""

    def __init__(self, claim: Sentence) -> None:
        self._claim = claim
        self._numbers = [one for one in claim.quantities if one.values and not one.weak]
        self.size = max(1, len(claim.stems) + len(self._numbers))

    def words(self, given: Sentence) -> frozenset[str]:
        """The stems of the claim that a sentence has, of German also within compounds."""
        found = self._claim.stems & given.stems
        if not self._claim.is_german:
            return found
        missing = {word for word in self._claim.words if word.stem and word.stem not in found}
        return found | {word.stem for word in missing if _part_of(word.folded, given)}

    def numbers(self, given: Sentence) -> frozenset[int]:
        """Which of the claim's numbers a sentence has."""
        return frozenset(
            at for at, one in enumerate(self._numbers) if any(same(one, other) for other in given.quantities)
        )


def _part_of(folded: str, given: Sentence) -> bool:
    """Whether a German word is a part of a compound of a sentence, or has one of its words as a part."""
    root = folded.removeprefix("ge") if len(folded) > COMPOUND_PART_MIN + 2 else folded
    root = root[: max(COMPOUND_PART_MIN, len(root) - 2)]
    if len(root) >= COMPOUND_PART_MIN and root in given.folded:
        return True
    return any(len(word.stem) >= COMPOUND_PART_MIN and word.stem in folded for word in given.words)


def nearest(claim: Coverage, given: Sequence[Given], count: int) -> list[Given]:
    """Those of the sentences that say most of a claim, at most `count`, in their order."""
    shared = [len(claim.words(one)) + len(claim.numbers(one)) for one in given]
    best = sorted(range(len(given)), key=lambda at: (-shared[at], at))[:count]
    return [given[at] for at in sorted(best)]
