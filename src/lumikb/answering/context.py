"""What of the passages a model is shown: as much as its window holds, the most relevant for its tokens first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lumikb.retrieval.models import Hit

# Most models make a token of four letters of English, of one or two ideographs (three bytes each): this counts more.
BYTES_A_TOKEN = 3


@dataclass(frozen=True)
class Source:
    """A stretch of a document that a model is shown under a number: a passage, or neighbours that overlap, joined.

    `text` is the document's text from `char_start` on, in code points; `hits` are in the order of the text.
    """

    number: int
    hits: tuple[Hit, ...]
    char_start: int
    text: str


def estimated_tokens(text: str) -> int:
    """How many tokens a text has at most, in most models."""
    return -(-len(text.encode("utf-8", "replace")) // BYTES_A_TOKEN)


def pack(hits: Sequence[Hit], tokens_max: int, tokens_of: Callable[[Source], int]) -> list[Source]:
    """Sources numbered from 1, those of the best hit first, that take `tokens_max` together at most.

    The best hit comes first, cut if it must be; the others as they bring most relevance a token. A text that is there
    already is left out.
    """
    distinct = _distinct(hits)
    if not distinct:
        return []
    sizes = [tokens_of(_source([hit])) for hit in distinct]
    order = sorted(range(1, len(distinct)), key=lambda at: -distinct[at].score / sizes[at])
    chosen, left = [0], tokens_max - sizes[0]
    if left < 0:
        return _cut(distinct[0], tokens_max, tokens_of)
    for at in order:
        if sizes[at] <= left:
            chosen.append(at)
            left -= sizes[at]
    return _joined([distinct[at] for at in sorted(chosen)])


def _distinct(hits: Sequence[Hit]) -> list[Hit]:
    by_text: dict[str, Hit] = {}
    for hit in hits:
        by_text.setdefault(" ".join(hit.passage.text.split()), hit)
    return list(by_text.values())


def _joined(hits: Sequence[Hit]) -> list[Source]:
    """The hits as sources: those that overlap or touch in one document's text become one, at the place of the best."""
    rank = {hit.passage.key: at for at, hit in enumerate(hits)}
    groups: list[list[Hit]] = []
    for hit in sorted(hits, key=lambda hit: (hit.passage.chunk_set_id, hit.passage.char_start)):
        last = groups[-1][-1].passage if groups else None
        passage = hit.passage
        if (
            last
            and last.chunk_set_id == passage.chunk_set_id
            and passage.char_start <= last.char_end <= passage.char_end
        ):
            groups[-1].append(hit)
        else:
            groups.append([hit])
    groups.sort(key=lambda group: min(rank[hit.passage.key] for hit in group))
    return [_source(group, number) for number, group in enumerate(groups, 1)]


def _source(hits: Sequence[Hit], number: int = 1) -> Source:
    first = hits[0].passage
    text = first.text
    for hit in hits[1:]:
        text += hit.passage.text[first.char_start + len(text) - hit.passage.char_start :]
    return Source(number, tuple(hits), first.char_start, text)


def _cut(hit: Hit, tokens_max: int, tokens_of: Callable[[Source], int]) -> list[Source]:
    """The longest beginning of the passage that fits; nothing when none does."""
    passage = hit.passage
    fits, too_long = 0, len(passage.text)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if tokens_of(Source(1, (hit,), passage.char_start, passage.text[:middle])) <= tokens_max:
            fits = middle
        else:
            too_long = middle
    return [Source(1, (hit,), passage.char_start, passage.text[:fits])] if fits else []
