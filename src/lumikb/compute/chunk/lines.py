"""What a line of text is by its own form: a row of a table, an item of a list, a line of a contents list, or prose."""

import re
from enum import Enum

_ITEM = re.compile(r"(?:[-*+•‣◦▪]|#{1,6}|\(?\d{1,3}[.)]|\(?[a-zA-Z]\))[ \t]")
_CODE = re.compile("`[^`]*`")
_BETWEEN_CELLS = re.compile(r" \|(?: |\s*\Z)")
_LABEL = re.compile(r"[^:;]{1,80}: ")
# Of the first cell of a row, which is an index without a header in what pandas writes.
_LABEL_CHARS_MAX = 80
_SENTENCE_END_WITHIN = re.compile(r"[.!?]\s+\w")
_LEADERS = re.compile(r"\.{4,}|(?:\. ){3,}|…{2,}")
_PAGE_ENDS = frozenset("0123456789ivxlc")
_PAGE_NUMBER = re.compile(r"\S\s+(?:\d{1,4}|[ivxlc]{1,6})\Z")

# Longer ones are prose that happens to look like a line of a list.
_CONTENTS_CHARS_MAX = 160


class LineKind(Enum):
    """Rows and contents lines stand alone; items may go on in the next line."""

    PROSE = 0
    ROW = 1
    ITEM = 2
    CONTENTS = 3


def kind_of_line(line: str) -> LineKind:
    """The kind of `line`, which has neither its line end nor white space in front. Linear in its length."""
    if _is_row(line):
        return LineKind.ROW
    if len(line) <= _CONTENTS_CHARS_MAX and _LEADERS.search(line):
        return LineKind.CONTENTS
    return LineKind.ITEM if _ITEM.match(line) else LineKind.PROSE


def names_page(line: str) -> bool:
    """Whether `line` ends with what may be a page number."""
    bare = line.rstrip()
    return len(bare) <= _CONTENTS_CHARS_MAX and bare[-1:] in _PAGE_ENDS and _PAGE_NUMBER.search(bare) is not None


def first_label(line: str) -> str:
    """`Name` of the row `Name: Pen; Price: 3` (see `TableWriter`), empty for a line that does not begin so."""
    label = _LABEL.match(line) if ": " in line else None
    return label[0][:-2] if label and not _SENTENCE_END_WITHIN.search(label[0]) else ""


def cell_starts(line: str) -> list[int]:
    """Offsets in the row `line` at which its second and further cells begin."""
    separator = " | " if " | " in line else "; "
    starts: list[int] = []
    at = line.find(separator)
    while at >= 0:
        at += len(separator)
        starts.append(at)
        at = line.find(separator, at)
    return starts


def _is_row(line: str) -> bool:
    if line.startswith("|") or (" |" in line and _BETWEEN_CELLS.search(_CODE.sub("", line))):
        return True
    if ": " not in line or "; " not in line:
        return False
    first, *others = line.split("; ")
    if not first_label(first) and (len(first) > _LABEL_CHARS_MAX or _SENTENCE_END_WITHIN.search(first)):
        return False
    labelled = bool(first_label(first)) + sum(bool(first_label(part)) for part in others)
    return labelled > 1 and 2 * labelled > len(others)
