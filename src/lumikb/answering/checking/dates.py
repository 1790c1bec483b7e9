"""Dates and times of day, in English, German and in numbers."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_NAMES = (
    "january jan januar jänner",
    "february feb februar",
    "march mar märz",
    "april apr",
    "may mai",
    "june jun juni",
    "july jul juli",
    "august aug",
    "september sept sep",
    "october oct oktober okt",
    "november nov",
    "december dec dezember dez",
)
MONTHS = {name: number for number, names in enumerate(_NAMES, 1) for name in names.split()}
_MONTH = "|".join(sorted((name.capitalize() for name in MONTHS), key=len, reverse=True))
_DAY = r"\d{1,2}(?!\d)"

_FORMS = [
    re.compile(
        rf"(?<!\w)(?P<day>{_DAY})(?:st|nd|rd|th|\.)?\s+(?:of\s+)?(?P<month>{_MONTH})\b\.?(?:,?\s+(?P<year>\d{{4}})\b)?"
    ),
    re.compile(
        rf"\b(?P<month>{_MONTH})\b\.?\s+(?P<day>{_DAY})(?:st|nd|rd|th)?(?![\d:.]\d)(?:,?\s+(?P<year>\d{{4}})\b)?"
    ),
    re.compile(rf"\b(?P<month>{_MONTH})\b\.?\s+(?:of\s+)?(?P<year>\d{{4}})\b"),
    re.compile(r"(?<![\w-])(?P<year>\d{4})-(?P<number>\d{2})-(?P<day>\d{2})(?![\w-])"),
    re.compile(r"(?<![\w.])(?P<day>\d{1,2})\.\s?(?P<number>\d{1,2})\.\s?(?P<year>\d{4}|\d{2})(?![\w])"),
    re.compile(r"(?<![\w/])(?P<day>\d{1,2})(?P<slash>/)(?P<number>\d{1,2})/(?P<year>\d{4})(?![\w/])"),
    # "May" alone is a verb more often.
    re.compile(rf"\b(?!May\b)(?P<month>{_MONTH})\b|\b(?<=[a-z]\s)(?P<may>May|Mai)\b(?!\s[a-z])"),
]
_CLOCK = re.compile(
    r"(?<![\w:.,])(?P<hour>\d{1,2})(?::(?P<minute>\d{2})(?!\d))?\s?(?P<half>[ap]\.?m\b\.?|Uhr\b|o['’]clock)"
    r"|(?<![\w:.,])(?P<plain>\d{1,2}):(?P<minutes>\d{2})(?![\w:])|(?P<noon>\bnoon\b)|(?P<midnight>\bmidnight\b)"
)


@dataclass(frozen=True)
class Date:
    """A date at `[start, end)` of its text, as far as it is told. `12/11/2024` has two readings."""

    start: int
    end: int
    readings: tuple[tuple[int | None, int | None, int | None], ...]


@dataclass(frozen=True)
class ClockTime:
    """A time of day at `[start, end)`, in minutes after midnight."""

    start: int
    end: int
    minutes: int


def dates(text: str) -> list[Date]:
    """Dates of a text in their order; a month alone is one, a year alone is a number."""
    found: list[Date] = []
    for form in _FORMS:
        for match in form.finditer(text):
            start, end = match.span()
            if any(start < date.end and date.start < end for date in found):
                continue
            readings = tuple(_readings(match.groupdict()))
            if readings:
                found.append(Date(start, end, readings))
    return sorted(found, key=lambda date: date.start)


def clock_times(text: str) -> list[ClockTime]:
    """Times of day of a text, in their order: `14:30`, `2:30 pm`, `9 Uhr`."""
    return [ClockTime(match.start(), match.end(), minutes) for match, minutes in _clock_matches(text)]


def agree(claimed: Date, given: Iterable[Date], years: Iterable[float]) -> bool:
    """Whether one of the given dates is the claimed one, as far as it tells; its year may stand elsewhere."""
    elsewhere = set(years)
    return any(_agree(one, other, elsewhere) for date in given for one in claimed.readings for other in date.readings)


def _agree(
    one: tuple[int | None, int | None, int | None], other: tuple[int | None, int | None, int | None], years: set[float]
) -> bool:
    year, month, day = one
    if month != other[1] or (day is not None and day != other[2]):
        return False
    return year is None or year == other[0] or (other[0] is None and year in years)


def _readings(parts: dict[str, str | None]) -> Iterator[tuple[int | None, int | None, int | None]]:
    year = _whole(parts.get("year"))
    if year is not None and year < 100:
        year += 2000 if year < 70 else 1900
    day = _whole(parts.get("day"))
    month = _whole(parts.get("number"))
    if name := parts.get("month") or parts.get("may"):
        yield year, MONTHS[name.lower()], day
    elif month is not None and day is not None:
        if month <= 12 and 1 <= day <= 31:
            yield year, month, day
        if parts.get("slash") and day <= 12 and month <= 31 and day != month:
            yield year, day, month


def _whole(digits: str | None) -> int | None:
    return int(digits) if digits else None


def _clock_matches(text: str) -> Iterator[tuple[re.Match[str], int]]:
    for match in _CLOCK.finditer(text):
        if match["noon"] or match["midnight"]:
            yield match, 720 if match["noon"] else 0
            continue
        hour = int(match["hour"] or match["plain"])
        minute = int(match["minute"] or match["minutes"] or 0)
        half = (match["half"] or "").lower()
        if half.startswith("p") and hour < 12:
            hour += 12
        elif half.startswith("a") and hour == 12:
            hour = 0
        if hour <= 24 and minute < 60:
            yield match, hour * 60 + minute
