"""Pages far down: more candidates are brought until the page is full, behind those that came before."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from lumikb.retrieval.cursor import decode_cursor, encode_cursor
from lumikb.retrieval.models import Found, Hit, SearchRequest

Shape = Callable[[Sequence[Hit]], list[Hit]]
# Candidates of each leg and hits wanted -> what was found, and whether nothing was removed meanwhile.
Rank = Callable[[int, int], tuple[Found, bool]]


def find_page(
    rank: Rank, shape: Shape, request: SearchRequest, count: int, depth: int, depth_max: int
) -> tuple[Found, bool]:
    """The page that the cursor names, with `count` hits if there are, and whether nothing was removed meanwhile.

    How candidates are ranked depends on how many there are, so a page that reached deeper would move those before it.
    Therefore what a deeper look adds stands behind what the shallower one found, however it would rank; its scores do
    not exceed those before. `depth` doubles up to `depth_max`. `shape` folds and groups, and must append to its result
    where more is appended to its hits.
    """
    first, whole = rank(depth, 2 * depth)
    offset = decode_cursor(request.cursor, first.binding) if request.cursor is not None else 0
    hits = {hit.passage.key: hit for hit in first.hits}
    found, shaped, cached = first, shape(first.hits), first.cached
    while len(shaped) <= offset + count and found.deeper and depth < depth_max:
        depth = min(2 * depth, depth_max)
        found, still = rank(depth, 2 * depth)
        whole, cached = whole and still, cached and found.cached
        _append(hits, found.hits)
        shaped = shape(list(hits.values()))
    behind = offset + request.limit
    cursor = encode_cursor(behind, first.binding) if len(shaped) > behind else None
    return replace(first, hits=shaped[offset : offset + count], next_cursor=cursor, cached=cached), whole


def _append(hits: dict[int, Hit], more: list[Hit]) -> None:
    floor = min((hit.score for hit in hits.values()), default=1.0)
    for hit in more:
        hits.setdefault(hit.passage.key, replace(hit, score=min(hit.score, floor)))
