"""Sections of a document: which may share a chunk, and the path of headings above each."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from lumikb.compute.parse.models import Heading

# 64 tokens are some three sentences: fewer are too little to answer from alone.
_SHORT_TOKENS = 64


def short_tokens(tokens_max: int) -> int:
    """Below this a section joins a neighbour, and no chunk is cut off."""
    return min(_SHORT_TOKENS, tokens_max // 4)


@dataclass
class _Group:
    first: int
    last: int
    level: int

    @property
    def size(self) -> int:
        return self.last - self.first


def group_sections(starts: Sequence[int], levels: Sequence[int], count: int, tokens_max: int) -> list[tuple[int, int]]:
    """Token ranges that chunks must not leave, in order; together they are `[0, count)`.

    `starts` are the token indexes where a heading begins, in order, `levels` their ranks. Each section is a range of
    its own, but a short one takes in what follows as long as that is its subsection or its sibling (a bare title goes
    with what it is the title of); the short last one of its parent joins the one before.
    """
    short = short_tokens(tokens_max)
    groups: list[_Group] = []
    for section in _sections(starts, levels, count):
        if groups and _joins(groups[-1], section, short, is_first=len(groups) == 1):
            groups[-1].last = section.last
        else:
            _fold_short_last(groups, short)
            groups.append(section)
    _fold_short_last(groups, short)
    return [(group.first, group.last) for group in groups]


def _sections(starts: Sequence[int], levels: Sequence[int], count: int) -> list[_Group]:
    bounds = [(0, 0), *zip(starts, levels, strict=True), (count, 0)]
    return [_Group(first, last, level) for (first, level), (last, _) in pairwise(bounds) if first < last]


def _joins(group: _Group, section: _Group, short: int, *, is_first: bool) -> bool:
    return group.size < short and (section.level >= group.level or is_first)


def _fold_short_last(groups: list[_Group], short: int) -> None:
    if len(groups) > 1 and groups[-1].size < short:
        last = groups.pop()
        groups[-1].last = last.last


def heading_paths(headings: Sequence[Heading]) -> list[str]:
    """For each heading the titles from the outermost down to its own, joined by " > ".

    The rule is that of `ParsedText.heading_path_at`, for all headings in one pass.
    """
    paths: list[str] = []
    above: list[Heading] = []
    for heading in headings:
        while above and above[-1].level >= heading.level:
            above.pop()
        above.append(heading)
        paths.append(" > ".join(entry.title for entry in above))
    return paths
