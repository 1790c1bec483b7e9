"""The statements of an answer: its sentences that claim something, and the citations that bear on each."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from lumikb.answering.checking.markers import find_markers, without_markers
from lumikb.answering.checking.spans import spans_of

# A line of so few words without a full stop, above other lines, is a heading.
HEADING_WORDS_MAX = 6

_BULLET = re.compile(r"(?:[-*+•‣◦▪–—>]|#{1,6}|\(?\d{1,3}[.)]|\(?[a-zA-Z]\))\s+")
_HEADING = re.compile(r"[ \t>]*#{1,6}\s|[ \t]*(?:\*\*|__)[^*_]+(?:\*\*|__):?[ \t]*\Z")
_ENDS = re.compile(r"[.!?;。！？…]['\"”’»)\]*_]*\Z")
_QUESTION = re.compile(r"[?？]['\"”’»)\]*_]*\Z")
_RULE = re.compile(r"[-|:\s]+\Z|```\w*\Z")
# What an answer says about itself or its sources, not about what they say.
_REMARKS = re.compile(
    r"""
    (?:sure|of\ course|certainly|okay|ok|great\ question|gerne|natürlich|selbstverständlich)\b[\s\w]{0,40}[.!,]?\Z
    | here(?:'s|’s|\ is|\ are)\ (?:what|a|an|the|some|my)\b
    | (?:i\ hope|let\ me\ know|feel\ free|please\ (?:let|note\ that\ i|ask)|if\ you\ (?:have|need|want)
        |would\ you\ like)
    | (?:i|we)\ (?:could|can|was|were|am|did|do)\s?(?:not|n't|n’t|unable|not\ able)\b
    | (?:sorry|unfortunately,?\ (?:i|the\ (?:documents|sources|passages|context)))\b
    | not\ found\ in\ (?:your|the)\ documents | nicht\ in\ (?:ihren|den)\ dokumenten
    | (?:ich\ hoffe|hier\ (?:ist|sind|finden\ sie)|ich\ (?:konnte|kann)|leider\b|wenn\ sie\ (?:weitere|noch|fragen))
    """,
    re.IGNORECASE | re.VERBOSE,
)
# "The passages do not say how much it costs": there is no place that could prove it.
_SILENCE = re.compile(
    r"""
    \b(?:documents?|sources?|passages?|context|texts?|excerpts?|files?)\b [^.]{0,40}?
    \b(?:(?:do|does|did)(?:\ not|n't|n’t)|not|no|nothing)\b [^.]{0,30}?
    \b(?:say|mention|contain|state|specify|tell|provide|include|give|describe|cover|mentioned|information|about)\b
    | \b(?:dokumente?n?|quellen?|passagen?|texte?n?|auszüge?n?)\b [^.]{0,60}? \b(?:nicht|keine?n?r?|nichts)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True)
class Statement:
    """A sentence at `[start, end)` of an answer, its text without markers, and the numbers cited for it."""

    start: int
    end: int
    text: str
    numbers: list[int] = field(default_factory=list[int])


def statements_of(answer: str) -> list[Statement]:
    """The sentences that claim something, in their order.

    Left out are headings, questions, announcements ("These are the terms:"), remarks of the answer about itself, and
    what says that the sources are silent. A marker belongs to the sentence in or after which it stands, at the
    beginning of a line to the one that follows. `[start, end)` has neither a bullet in front nor markers behind.
    """
    text = without_markers(answer)
    spans = [_without_bullet(text, start, end) for start, end in spans_of(text)]
    spans = [(start, end) for start, end in spans if start < end]
    cited = _citations(answer, spans)
    return [
        Statement(start, end, _plain(text[start:end]), numbers)
        for at, ((start, end), numbers) in enumerate(zip(spans, cited, strict=True))
        if _claims(text, spans, at, cited=bool(numbers))
    ]


def _without_bullet(text: str, start: int, end: int) -> tuple[int, int]:
    while bullet := _BULLET.match(text, start, end):
        start = bullet.end()
    return start, end


def _citations(answer: str, spans: Sequence[tuple[int, int]]) -> list[list[int]]:
    cited: list[list[int]] = [[] for _ in spans]
    for marker in find_markers(answer):
        at = _owner(answer, spans, marker.start)
        if at is not None:
            cited[at] += [number for number in marker.numbers if number not in cited[at]]
    return cited


def _owner(answer: str, spans: Sequence[tuple[int, int]], place: int) -> int | None:
    before = max((at for at, (start, _) in enumerate(spans) if start <= place), default=None)
    following = 0 if before is None else before + 1
    line = answer.rfind("\n", 0, place) + 1
    begins_line = before is None or spans[before][1] <= line
    ends = answer.find("\n", place)
    if begins_line and following < len(spans) and (ends < 0 or spans[following][0] < ends):
        return following
    return before


def _claims(text: str, spans: Sequence[tuple[int, int]], at: int, *, cited: bool) -> bool:
    start, end = spans[at]
    sentence = text[start:end]
    if not any(map(str.isalnum, sentence)) or _RULE.match(sentence) or _QUESTION.search(sentence):
        return False
    if _SILENCE.search(sentence):
        return False
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", end)
    line = text[line_start : len(text) if line_end < 0 else line_end]
    if _HEADING.match(line):
        return False
    if cited:
        return True
    if sentence.rstrip("*_ ").endswith((":", "：")) or _REMARKS.match(sentence):
        return False
    is_line = line.strip() == sentence
    short = len(sentence.split()) <= HEADING_WORDS_MAX and not _ENDS.search(sentence)
    return not (is_line and short and at + 1 < len(spans) and not any(map(str.isdigit, sentence)))


def _plain(sentence: str) -> str:
    """Without emphasis, white space as single spaces, none before a full stop that a marker stood before."""
    bare = re.sub(r"\*\*|__|(?<!\w)\*(?=\S)|(?<=\S)\*(?!\w)", "", sentence)
    return re.sub(r"\s+([.,;:!?])(?=\s|\Z)", r"\1", " ".join(bare.split()))
