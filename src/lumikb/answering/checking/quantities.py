"""Numbers of a text as values with their units: 1,000 is 1000 is a thousand; 2 weeks are 14 days."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from lumikb.answering.checking.numerals import (
    FRACTIONS,
    MAGNITUDES,
    NUMBER_WORDS,
    ORDINALS,
    TIMES,
    readings,
    value_of_words,
)
from lumikb.answering.checking.units import BETWEEN, CURRENCIES, SHORT, Unit, unit_of
from lumikb.answering.checking.words import STOP, fold, stem

# Values this near are the same, and this near where the text says "about".
SAME_SHARE = 1e-6
ABOUT_SHARE = 0.05
# A number in words up to this without a unit counts things that a passage may list without counting them.
COUNT_MAX = 12

_DIGITS = re.compile(
    r"""
    (?<![\w.,])                                             # not within an identifier or another numeral
    (?P<before>[$€£¥]|(?:EUR|USD|GBP|CHF|JPY)\s?|US\$)?
    (?P<minus>(?<!\w)[-−](?=\d)|minus\s)?
    (?P<numeral>\d{1,3}(?:['’.,\u00a0\u202f\u2009\ ]\d{3})+(?!\d)(?:[.,]\d+(?!\d*[.,]\d))?|\d+(?:[.,]\d+)?)
    (?P<ordinal>(?:st|nd|rd|th)\b)?
    (?P<decade>s\b)?
    """,
    re.VERBOSE,
)
_AFTER = re.compile(r"[\s\u00a0\u202f-]{0,2}([^\W\d_]+\.?|°[CF]|[%€$£])")
_OF_A = re.compile(r"\s+(?:of\s+)?an?\s+")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)?")
_POWER = re.compile(r"\s?[x×·*]\s?10(?:\^|\*\*)?([-−]?\d+|[⁻⁰¹²³⁴-⁹]+)")
_SUPERSCRIPTS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
_RANGE = re.compile(r"\s*(?:-|–|—|to|and|or|bis|und|oder|through)\s*\Z", re.IGNORECASE)
_ABOUT = re.compile(
    r"\b(?:about|around|approximately|approx\.?|roughly|some|nearly|almost|circa|ca\.?|over|more\sthan|less\sthan|under|"
    r"just|rund|etwa|ungefähr|knapp|fast|gut|über|mehr\sals)\s+(?:the\s)?\Z|[~≈]\s?\Z",
    re.IGNORECASE,
)
_CENTURY = re.compile(r"\s*(?:-\s?)?centur|\s*Jahrhundert")
_ARTICLES = {"a", "an", "one", "each", "every", "ein", "eine", "einem", "einen", "einer", "eines"}


@dataclass(frozen=True)
class Quantity:
    """A number at `[start, end)` of its text.

    `values` are what it may mean; `unit` is None when there is none. `noun` is the stem of the word that it counts.
    A `weak` one is not missed when it is absent, only when the noun has another number: "both", "one", "the second".
    `about` are values between which another lies near enough.
    """

    start: int
    end: int
    values: tuple[float, ...]
    unit: Unit | None = None
    noun: str = ""
    weak: bool = False
    about: tuple[float, float] | None = None


def quantities(text: str, taken: Sequence[tuple[int, int]] = ()) -> list[Quantity]:
    """Numbers of a text in their order; none within the stretches `taken`, which are identifiers, dates and times."""
    found = [*_in_digits(text, taken), *_in_words(text, taken)]
    found.sort(key=lambda one: one.start)
    for at in range(len(found) - 2, -1, -1):
        # "10 to 15 days", "between 5 and 10 %": the unit stands behind the last one.
        one, following = found[at], found[at + 1]
        if one.unit is None and following.unit is not None and _RANGE.match(text[one.end : following.start]):
            found[at] = replace(one, unit=following.unit, weak=one.weak and following.weak)
    return found


def same(claimed: Quantity, given: Quantity) -> bool:
    """Whether a number of a passage is the one that is claimed."""
    share = None
    if claimed.unit and given.unit:
        if claimed.unit.dimension != given.unit.dimension:
            return False
    elif given.unit is None and claimed.unit and claimed.unit.dimension == "percent":
        share = 100.0
    elif claimed.unit is None and given.unit and given.unit.dimension == "percent":
        share = 0.01
    return any(_equal(claimed, one, other) for one, other in _pairs(claimed, given, share))


def same_kind(one: Quantity, other: Quantity) -> bool:
    """Whether two numbers measure or count the same kind of thing."""
    if one.unit and other.unit:
        return one.unit.dimension == other.unit.dimension
    return one.unit is None and other.unit is None and one.noun != "" and one.noun == other.noun


def _pairs(claimed: Quantity, given: Quantity, share: float | None) -> Iterator[tuple[float, float]]:
    both = claimed.unit is not None and given.unit is not None
    one_factor = claimed.unit.factor if both and claimed.unit else 1.0
    other_factor = given.unit.factor if both and given.unit else 1.0
    for value in claimed.values:
        for other in given.values:
            yield value * one_factor, other * other_factor
            if claimed.unit and not given.unit:
                # "The default is 300", of a setting in seconds.
                yield value * claimed.unit.factor, other
            if share and (value < 1 or other < 1):
                yield value, other * share


def _equal(claimed: Quantity, one: float, other: float) -> bool:
    if abs(one - other) <= SAME_SHARE * max(abs(one), abs(other)):
        return True
    if claimed.about is None:
        return False
    low, high = claimed.about
    return one != 0 and low <= other / one <= high


def _in_digits(text: str, taken: Sequence[tuple[int, int]]) -> Iterator[Quantity]:
    starts = [start for start, _ in taken]
    until = 0
    for match in _DIGITS.finditer(text):
        if match.start() < until:
            continue
        at = bisect_right(starts, match.start("numeral")) - 1
        if at >= 0 and match.start("numeral") < taken[at][1]:
            continue
        values, end = readings(match["numeral"]), match.end()
        power = _POWER.match(text, end)
        if power:
            exponent = int(power[1].translate(_SUPERSCRIPTS).replace("−", "-"))
            values, end = tuple(value * 10.0**exponent for value in values), power.end()
            until = end
        if match["minus"]:
            values = tuple(-value for value in values)
        before = unit_of((match["before"] or "").strip().removeprefix("US")) if match["before"] else None
        about = _about(text, match.start())
        if match["decade"] and not match["before"]:
            yield Quantity(match.start(), end, values, about=(1.0, 1 + 9.5 / max(values)))
            continue
        if match["ordinal"] and _CENTURY.match(text, end):
            years = (values[0] - 1) * 100 + 1
            yield Quantity(match.start(), end, (*values, years), about=(1.0, 1 + 99 / years))
            continue
        yield _with_unit(text, Quantity(match.start(), end, values, before, about=about), digits=True)


def _in_words(text: str, taken: Sequence[tuple[int, int]]) -> Iterator[Quantity]:
    found = list(_WORD.finditer(text))
    lower = [match[0].lower() for match in found]
    at = 0
    while at < len(found):
        word = lower[at]
        if not _may_begin(word):
            at += 1
            continue
        last, value = _run(lower, at)
        start, end = found[at].start(), found[last].end()
        if value is None or any(left < end and start < right for left, right in taken):
            if word in ORDINALS and not any(left < end and start < right for left, right in taken):
                yield _ordinal(text, found[at], lower[at - 1] if at else "")
            elif word in _ARTICLES and (unit := unit_of(lower[at + 1]) if at + 1 < len(lower) else None):
                yield Quantity(start, found[at + 1].end(), (1.0,), unit, weak=True)
            at += 1
            continue
        weak = value <= COUNT_MAX or word in FRACTIONS
        # "Half an hour", "a quarter of an hour".
        of = _OF_A.match(text, end) if lower[last] in FRACTIONS else None
        end = of.end() - 1 if of else end
        one = _with_unit(text, Quantity(start, end, (value,), weak=weak, about=_about(text, start)), digits=False)
        yield replace(
            one, weak=weak and (one.unit is None or word in FRACTIONS or (value == 1 and word not in {"one"}))
        )
        at = next((place for place in range(last + 1, len(found)) if found[place].start() >= one.end), len(found))


def _may_begin(word: str) -> bool:
    return (
        word in NUMBER_WORDS
        or word in FRACTIONS
        or word in TIMES
        or word in ORDINALS
        or word in _ARTICLES
        or word in MAGNITUDES
        or "-" in word
    )


def _run(lower: Sequence[str], at: int) -> tuple[int, float | None]:
    """The last word of the number that begins at `at`, and its value, None when it is none."""
    word = lower[at]
    following = lower[at + 1] if at + 1 < len(lower) else ""
    if word in TIMES:
        return at, TIMES[word]
    count = value_of_words(word.split("-")) if word not in MAGNITUDES else None
    if following in FRACTIONS and count is not None and following not in ORDINALS:
        return at + 1, count * FRACTIONS[following]
    if word in FRACTIONS and word not in ORDINALS:
        return at, FRACTIONS[word]
    if word in _ARTICLES and word != "one":
        if following in FRACTIONS and following.rstrip("s") not in {"second"}:
            return at + 1, FRACTIONS[following]
        return (at + 1, MAGNITUDES[following]) if following in MAGNITUDES else (at, None)
    last, parts, value = at, [*word.split("-")], count
    for place in range(at + 1, len(lower)):
        more = [*parts, *lower[place].split("-")]
        longer = value_of_words(more)
        if lower[place] == "and":
            if parts[-1] != "hundred":
                break
        elif longer is None or value is None or not _goes_on(parts[-1], lower[place]):
            break
        else:
            last, value = place, longer
        parts = more
    return last, value


def _goes_on(before: str, word: str) -> bool:
    """Whether the next number word belongs to the same number: "three" after "two" begins another one."""
    return word in MAGNITUDES or before in MAGNITUDES or before == "and"


def _ordinal(text: str, match: re.Match[str], before: str) -> Quantity:
    value = float(ORDINALS[match[0].lower()])
    # "60 calls per second": no place in a row.
    values = () if before in {"per", "each", "every"} or before in NUMBER_WORDS else (value,)
    return Quantity(match.start(), match.end(), values, noun=_noun(text, match.end()), weak=True)


def _with_unit(text: str, one: Quantity, *, digits: bool) -> Quantity:
    """The number with its magnitude and unit: "3 million euros"."""
    values, end, unit = one.values, one.end, one.unit
    for _ in range(3):
        after = _AFTER.match(text, end)
        if after is None:
            break
        name = after[1]
        bare = name.rstrip(".")
        attached = after.start(1) - end <= 1
        magnitude = MAGNITUDES.get(bare.lower())
        if magnitude is None and digits and unit and unit.dimension.isupper() and bare in {"m", "k"} and attached:
            magnitude = 1e6 if bare == "m" else 1e3
        if magnitude is None and digits and bare == "k" and after.start(1) == end:
            magnitude = 1e3
        if magnitude is not None and digits:
            values, end = tuple(value * magnitude for value in values), after.start(1) + len(bare)
            end += text.startswith(".", end) and bare.lower() in {"mio", "mrd", "tsd"}
        elif bare.lower() == "per" and re.match(r"\s+cent\b", text[after.end(1) :]):
            unit, end = unit_of("%"), after.end(1) + len(" cent")
            break
        elif bare.lower() in BETWEEN:
            end = after.end(1)
        else:
            found = unit_of(bare)
            if (
                found
                and (unit is None or found.dimension == unit.dimension)
                and (bare not in SHORT or (digits and attached) or bare in CURRENCIES or bare == "%")
            ):
                unit, end = found, after.start(1) + len(bare)
            break
    return replace(one, values=values, end=max(one.end, end), unit=unit, noun="" if unit else _noun(text, one.end))


def _noun(text: str, end: int) -> str:
    """The stem of the word that a number counts: the first with content behind it."""
    for match in _WORD.finditer(text, end, min(len(text), end + 40)):
        folded = fold(match[0])
        if "." in text[end : match.start()] or "," in text[end : match.start()]:
            break
        if folded not in STOP:
            return stem(folded)
    return ""


def _about(text: str, start: int) -> tuple[float, float] | None:
    said = _ABOUT.search(text, max(0, start - 20), start)
    return (1 - ABOUT_SHARE, 1 + ABOUT_SHARE) if said else None
