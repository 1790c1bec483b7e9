"""Where sentences begin and end, by rules; one pass over the text, no model and no language setting."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from lumikb.compute.chunk.lines import LineKind, cell_starts, first_label, kind_of_line, names_page

# Everything that may end a sentence. Runs are consumed whole and judged in code: a pattern that looks ahead would
# scan a run of dots once for each of its dots.
_STOP = re.compile(r"[.!?…‽]+[\"'”’»)\]]*|[。！？｡]+[”’」』）】]*")
_LINE_BREAK = re.compile(r"(?>\r\n?|\n)\s*")

_LINE_MARKER = re.compile(r"(?:[-*+•‣◦▪–—]|#{1,6}|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])[ \t]")
_WORD_BEFORE = re.compile(r"[\w.&]+\Z")
_INITIALS = re.compile(r"(?:\w\.)*\w")
# A number in front of a line, as of lists and headings: `7`, `4.2`, `xii`.
_ROMAN = r"(?=[ivx])x{0,3}(?:ix|iv|v?i{0,3})"
_ORDINAL = re.compile(rf"\(?(?:\d{{1,3}}(?:\.\d{{1,3}})*|{_ROMAN}|{_ROMAN.upper()})")
_ORDINAL_LINE = re.compile(rf"[\r\n][ \t]*{_ORDINAL.pattern}\Z")

# Longer than any abbreviation below, with room for "U.S.A" and the like.
_WORD_CHARS_MAX = 16

# An abbreviation that is not listed has fewer letters.
_WORD_CHARS_SURE = 5

# A wrapped line is long; a line that ends early ends on purpose. Ideographs are as wide as two letters.
_WRAPPED_CHARS_MIN = 50
_WRAPPED_IDEOGRAPHS_MIN = 20

# A row or item up to this length is one span; a longer row is cut between cells, a longer item into its sentences.
ROW_CHARS_MAX = 600
ITEM_CHARS_MAX = 200


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Never end a sentence.
_TITLES = _words(
    "dr mr mrs ms mx prof st sr jr rev hon capt col gen lt sgt maj gov sen rep pres messrs mme mlle hr fr vs cf e.g eg "
    "i.e ie viz approx resp incl excl ca bzw z.b d.h u.a s.o s.u vgl eig p.ex"
)
# End one unless a number follows.
_BEFORE_NUMBERS = _words(
    "no nos nr vol pp p fig figs eq eqs sec secs ch chap art tab para par ver v op jan feb mar apr jun jul aug sep "
    "sept oct nov dec abs kap abb"
)
# End one if the next word looks like a beginning.
_EITHER_WAY = _words("etc inc ltd co corp al ed eds est dept univ bros usw ff min max")

_BEGINNINGS = _words(
    "The A An This That These Those It He She We They You I In On At By For From With As If When While After Before "
    "But And However Its His Her Their Our My There Here Der Die Das Ein Eine Es Er Sie Wir Le La Les Un Une El Los Las"
)


class _Line(NamedTuple):
    """`text[start:end]`, without white space in front and without its line end."""

    start: int
    end: int
    kind: LineKind


def sentence_spans(text: str, start: int = 0, end: int | None = None) -> list[tuple[int, int]]:
    """`[start, end)` of each sentence of `text[start:end]`, in code points of `text`, trimmed of white space.

    Spans are in order, do not overlap, and together hold every character that is not white space. A blank line, a list
    item, a Markdown heading and a line that ends early are boundaries; a wrapped line is not. The row of a table, the
    line of a contents list and a short list item are a span each. Line ends are `\\n`, `\\r\\n` or `\\r`. Linear in
    the length.
    """
    end = len(text) if end is None else end
    spans: list[tuple[int, int]] = []
    for left, right, kind in _blocks(text, start, end):
        at = left
        for cut in _cuts_within(text, left, right, end, kind):
            _append_trimmed(spans, text, at, cut)
            at = cut
        _append_trimmed(spans, text, at, right)
    return spans


def _append_trimmed(spans: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    piece = text[start:end]
    bare = piece.strip()
    if bare:
        left = start + len(piece) - len(piece.lstrip())
        spans.append((left, left + len(bare)))


def _blocks(text: str, start: int, end: int) -> Iterator[tuple[int, int, LineKind]]:
    """Stretches of lines that belong together, each with the kind of its first line."""
    first: _Line | None = None
    last: _Line | None = None
    for line in _lines(text, start, end):
        if first is None or last is None:
            first = line
        elif _is_line_boundary(text, last, line, end):
            yield first.start, last.end, first.kind
            first = line
        last = line
    if first is not None and last is not None:
        yield first.start, last.end, first.kind


def _lines(text: str, start: int, end: int) -> Iterator[_Line]:
    left = start
    for match in _LINE_BREAK.finditer(text, start, end):
        yield _line(text, left, match.start())
        left = match.end()
    yield _line(text, left, end)


def _line(text: str, start: int, end: int) -> _Line:
    return _Line(start, end, kind_of_line(text[start:end].lstrip()))


def _cuts_within(text: str, left: int, right: int, end: int, kind: LineKind) -> Iterator[int]:
    """Where the block `[left, right)` of `text[:end]` is cut."""
    length = right - left
    if kind is LineKind.CONTENTS or (kind is LineKind.ITEM and length <= ITEM_CHARS_MAX):
        return
    if kind is not LineKind.ROW:
        yield from _stops(text, left, right, end)
    elif length > ROW_CHARS_MAX:
        yield from _cuts_of_row(text, left, right, end)


def _cuts_of_row(text: str, left: int, right: int, end: int) -> Iterator[int]:
    """As few cuts as leave no piece over the bound; a cell that is longer alone is cut into its sentences."""
    piece = cell = left
    for following in [*(left + start for start in cell_starts(text[left:right])), right]:
        if following - piece > ROW_CHARS_MAX and cell > piece:
            yield cell
            piece = cell
        if following - cell > ROW_CHARS_MAX:
            yield from _stops(text, cell, following, end)
            piece = following
            yield following
        cell = following


def _stops(text: str, left: int, right: int, end: int) -> Iterator[int]:
    for match in _STOP.finditer(text, left, right):
        at, after = match.span()
        if text[at] in "。！？｡" or (after < end and text[after].isspace() and _is_stop(text, left, at, after, end)):
            yield after


def _is_line_boundary(text: str, line: _Line, following: _Line, end: int) -> bool:
    """Whether the line break between two lines separates sentences."""
    at, after = line.end, following.start
    if after >= end or LineKind.CONTENTS is line.kind or LineKind.ROW in (line.kind, following.kind):
        return True
    if _line_ends(text, at, after) > 1 or _LINE_MARKER.match(text, after, end) or text.startswith("#", line.start):
        return True
    if _are_rows(text[line.start : at], text[after : following.end]):
        return True
    if text[after].islower():
        return False
    length = at - line.start
    last = text[at - 1] if at > line.start else ""
    if last in ":;":
        return True
    return length < (_WRAPPED_IDEOGRAPHS_MIN if _is_ideograph(last) else _WRAPPED_CHARS_MIN)


def _are_rows(first: str, second: str) -> bool:
    """Whether two successive lines are rows or contents lines that do not look so each on its own."""
    label = first_label(first)
    if (label and label == first_label(second)) or (names_page(first) and names_page(second)):
        return True
    return first.count("; ") > 1 and second.count("; ") > 1


def _line_ends(text: str, start: int, end: int) -> int:
    return text.count("\n", start, end) + text.count("\r", start, end) - text.count("\r\n", start, end)


def _is_ideograph(character: str) -> bool:
    return "\u3040" <= character <= "\u9fff"


def _is_stop(text: str, start: int, at: int, after: int, end: int) -> bool:
    """Whether the punctuation at `[at, after)`, which white space follows, ends a sentence."""
    following = _first_after_space(text, after, end)
    continues = text[following : following + 1].islower()
    if text[at] != "." or after - at > 1:
        return not continues
    window = max(start, at - _WORD_CHARS_MAX)
    before = _WORD_BEFORE.search(text, window, at)
    if before is None:
        return True
    word = before[0].lower()
    if continues:
        # Text all in lower case: a full stop after a long word is one; an abbreviation not listed here is short.
        return len(word) >= _WORD_CHARS_SURE and word.isalpha() and word not in _TITLES
    if word in _TITLES or _ORDINAL.fullmatch(text, start, at) or _ORDINAL_LINE.search(text, max(start, window - 4), at):
        return False
    if word in _BEFORE_NUMBERS:
        return not text[following : following + 1].isdigit()
    if word in _EITHER_WAY or (_INITIALS.fullmatch(before[0]) and not word.isdigit()):
        return _looks_like_beginning(text, following, end) and not (len(word) == 1 and before[0].isupper())
    return True


def _first_after_space(text: str, after: int, end: int) -> int:
    # White space longer than this is layout, and what follows it no continuation.
    limit = min(end, after + 8)
    while after < limit and text[after].isspace():
        after += 1
    return after


def _looks_like_beginning(text: str, at: int, end: int) -> bool:
    stop = at
    limit = min(end, at + _WORD_CHARS_MAX)
    while stop < limit and text[stop].isalpha():
        stop += 1
    return text[at:stop] in _BEGINNINGS
