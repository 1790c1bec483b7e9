"""The language of queries: what of a text ranks, what must be there, what must not, and what narrows.

`"a phrase"` must stand in a passage word for word; `-word` and `-"a phrase"` must not. `title:`, `type:`, `tag:`,
`author:`, `kb:`, `after:` and `before:` narrow, each with a word or with several in quotation marks. Everything else is
plain words, also what only looks like one of these: any text is a query.
"""

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from lumikb.compute.parse.formats import Format

# A sign counts at the start of a word, or behind a bracket: "5" and 6" pipes", "e-mail" and "9-to-5" have none.
_PART = re.compile(
    r"""(?<![^\s(\[{])
    (?P<sign>-)?
    (?:(?P<field>title|type|tag|author|kb|after|before):)?
    (?:["“”„](?P<quoted>[^"“”„]+)["“”„](?!\w)|(?P<word>[^\s"“”„]+))""",
    re.VERBOSE | re.IGNORECASE,
)
# Without any of these a text is plain words.
_SIGNS = re.compile(r"""["“”„:-]""")
# An option of a command (`-x`, `--force`) and a number below zero are no words to be left out.
_EXCLUDED_WORD = re.compile(r"[^\W\d_][-'./\w]*\w")
_BARE_FIELD_VALUE_END = ".,;:!?)]}"
_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")
_TYPE_WORDS = {
    "word": (Format.DOCX,),
    "powerpoint": (Format.PPTX,),
    "excel": (Format.XLSX,),
    "markdown": (Format.MARKDOWN,),
    "text": (Format.TEXT,),
    "mail": (Format.MAIL,),
    "email": (Format.MAIL,),
    "code": (Format.SOURCE,),
    "image": (Format.PNG, Format.JPEG, Format.GIF, Format.TIFF, Format.WEBP, Format.BMP),
}
_MIME_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+")


@dataclass(frozen=True)
class ParsedQuery:
    """A query in its parts. `words` ranks, with the required phrases in quotation marks where they stood.

    Each of `titles`, `authors` is a part of a name that must be there; of `mime_types` and `kb_names` one must be met.
    """

    words: str
    required: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()
    mime_types: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    kb_names: tuple[str, ...] = ()
    date_from: datetime | None = None
    date_to: datetime | None = None


def parse_query(text: str) -> ParsedQuery:
    """The parts of any text. Where no words are left, the text as a whole ranks."""
    if not _SIGNS.search(text):
        return ParsedQuery(text)
    query, words, end = ParsedQuery(""), "", 0
    for part in _PART.finditer(text):
        taken = _taken(query, part)
        if taken is None:
            continue
        query, kept = taken
        words += text[end : part.start()] + kept
        end = part.end()
    if end == 0:
        return ParsedQuery(text)
    words = " ".join((words + text[end:]).split())
    return replace(query, words=words if _has_word(words) else text)


def types_called(name: str) -> tuple[str, ...]:
    """MIME types by a name: an extension, a common word, or the type itself; () for none of these."""
    name = name.lower().lstrip(".")
    if _MIME_TYPE.fullmatch(name):
        return (name,)
    kinds = _TYPE_WORDS.get(name) or tuple(kind for kind in Format if f".{name}" in kind.extensions)
    return tuple(kind.mime_type for kind in kinds)


def _taken(query: ParsedQuery, part: re.Match[str]) -> tuple[ParsedQuery, str] | None:
    """The query with this part in its place, and what of the part ranks; None when the part is plain words."""
    sign, field, quoted, word = part["sign"], part["field"], part["quoted"], part["word"]
    if field:
        value = quoted if quoted is not None else word.rstrip(_BARE_FIELD_VALUE_END)
        narrowed = None if sign or not _has_word(value) else _narrowed(query, field.lower(), value.strip())
        return None if narrowed is None else (narrowed, "")
    if quoted is not None:
        if not _has_word(quoted):
            return None
        if sign:
            return replace(query, excluded=(*query.excluded, quoted)), ""
        return replace(query, required=(*query.required, quoted)), f'"{quoted}"'
    if not sign:
        return None
    bare = word.rstrip(_BARE_FIELD_VALUE_END)
    if not _EXCLUDED_WORD.fullmatch(bare):
        return None
    return replace(query, excluded=(*query.excluded, bare)), ""


def _narrowed(query: ParsedQuery, field: str, value: str) -> ParsedQuery | None:
    """The query with a field's value; None for a value that this field does not have."""
    match field:
        case "title":
            return replace(query, titles=(*query.titles, value))
        case "tag":
            return replace(query, tags=(*query.tags, value))
        case "author":
            return replace(query, authors=(*query.authors, value))
        case "kb":
            return replace(query, kb_names=(*query.kb_names, value))
        case "type":
            types = types_called(value)
            return replace(query, mime_types=(*query.mime_types, *types)) if types else None
        case _:
            begin = _first_moment(value)
            if begin is None:
                return None
            if field == "after":
                return replace(query, date_from=max(begin, query.date_from or begin))
            end = begin - timedelta(microseconds=1)
            return replace(query, date_to=min(end, query.date_to or end))


def _first_moment(value: str) -> datetime | None:
    """When the year, month or day begins, in UTC; None for what is none."""
    found = _DATE.fullmatch(value)
    if found is None:
        return None
    try:
        day = date(int(found[1]), int(found[2] or 1), int(found[3] or 1))
    except ValueError:
        return None
    # What lies before the first day of the calendar cannot be written.
    return None if day == date.min else datetime(day.year, day.month, day.day, tzinfo=UTC)


def _has_word(text: str) -> bool:
    return any(character.isalnum() for character in text)
