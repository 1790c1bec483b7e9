"""What a file says of itself, if it can be believed: title, author, date."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone

from lumikb.compute.parse.models import ParsedText

TITLE_CHARS_MAX = 300
AUTHOR_CHARS_MAX = 300
YEAR_MIN = 1900
# A first line that is longer is a paragraph, and a heading that comes later is not the document's.
LINE_CHARS_MAX = 120
LINE_WORDS_MAX = 20
TITLE_PLACE_MAX = 2_000

# Names of dates that parsers give, the one that says most about the document first.
_DATES = ("date", "created", "modified")
_DATE = re.compile(
    r"(\d{4})(?:-?(\d\d)(?:-?(\d\d)(?:[T ]\s*(\d\d):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?\s*(Z|[+-]\d\d:?\d\d)?)?)?)?\s*",
    re.IGNORECASE,
)
# What programs write for want of a title or an author.
_BY_PROGRAMS = re.compile(r"\A(?:Microsoft (?:Office )?\w+|\w+ Writer) - ")
_NO_TITLE = re.compile(
    r"\W*|untitled(?: document)?|unknown|title|(?:document|(?:powerpoint )?presentation) ?\d*|(?:blank|new) page|"
    r"(?:slide|sheet|page|tabelle|feuil|hoja|folie) ?\d*|\(anonymous\)|"
    r".*\.(?:docx?|odt|rtf|indd|pdf|tex|dvi|pptx?|xlsx?|qxd|p65|fm|wpd|txt|md|html?|eps|ps|cdr|pub|pages)",
    re.IGNORECASE | re.DOTALL,
)
_NO_AUTHOR = re.compile(
    r"\W*|unknown|anonymous|author|(?:windows |microsoft office )?user|admin(?:istrator)?|root|owner|none|n/a|"
    r"python-docx|openpyxl|xlsxwriter|apache poi|steve canny",
    re.IGNORECASE,
)
_LETTERS = re.compile(r"[^\W\d_]{2}")
# How a line of a title page does not look: a mark of lists and code in front, a sentence, an address, a field's name.
_NO_LINE = re.compile(r"[-*+•<>{}\[\]|=#/\\@&$%~]|.*(?:[.,;:?{}=|]|://.*|[^\s@]@[^\s@]+)$", re.DOTALL)


def title_of(parsed: ParsedText, *, prose: bool) -> str | None:
    """The file's own title, else, where the text is `prose`, its first heading or a first line that looks like one."""
    own = _BY_PROGRAMS.sub("", parsed.title or "", count=1)
    if _LETTERS.search(own) and not _NO_TITLE.fullmatch(own):
        return _bounded(own, TITLE_CHARS_MAX)
    if not prose:
        return None
    for heading in parsed.headings[:1]:
        if heading.start < TITLE_PLACE_MAX and _LETTERS.search(heading.title):
            return _bounded(heading.title, TITLE_CHARS_MAX)
    return _first_line(parsed.text[:TITLE_PLACE_MAX])


def author_of(metadata: Mapping[str, str]) -> str | None:
    """Whom the file names as its author."""
    author = metadata.get("author", "")
    return None if _NO_AUTHOR.fullmatch(author) else _bounded(author, AUTHOR_CHARS_MAX)


def date_of(metadata: Mapping[str, str], now: datetime) -> datetime | None:
    """When the document was written or sent, as the file says; none before `YEAR_MIN` or after `now`."""
    dates = (_date(metadata.get(name, "")) for name in _DATES)
    return next((date for date in dates if date is not None and date <= now), None)


def _date(value: str) -> datetime | None:
    """A date of ISO 8601, as precise as it is; UTC where it names no zone."""
    found = _DATE.fullmatch(value)
    if found is None:
        return None
    *numbers, zone = found.groups()
    year, month, day, hour, minute, second = (int(number or 0) for number in numbers)
    try:
        date = datetime(year, month or 1, day or 1, hour, minute, min(second, 59), tzinfo=_zone(zone or "Z"))
        return date.astimezone(UTC) if year >= YEAR_MIN else None
    except (ValueError, OverflowError):  # there is no such day, or no such day in UTC
        return None


def _zone(zone: str) -> timezone:
    if zone in "Zz":
        return UTC
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
    return timezone(-offset if zone[0] == "-" else offset)


def _first_line(text: str) -> str | None:
    """The first line that is not blank, if it stands like a title: short, with words, and no sentence."""
    line, _, rest = text.strip().partition("\n")
    line = line.strip()
    if not _LETTERS.search(line) or len(line) > LINE_CHARS_MAX or len(line.split()) > LINE_WORDS_MAX:
        return None
    if _NO_LINE.match(line) or _NO_TITLE.fullmatch(line) or line[0].islower():
        return None
    # A line that the next one goes on is the beginning of a paragraph.
    following = rest[:1].isspace() or not rest[:1].islower()
    return " ".join(line.split()) if rest and following else None


def _bounded(value: str, chars_max: int) -> str | None:
    return " ".join(value.split())[:chars_max].rstrip() or None
