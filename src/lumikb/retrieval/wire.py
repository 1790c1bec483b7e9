"""Searches and their results on the wire."""

from typing import Annotated, Any

import msgspec

from lumikb.kit.clock import Moment
from lumikb.kit.words import counted
from lumikb.knowledge.models import wanted_language
from lumikb.retrieval.explain import Explanation, LegPart
from lumikb.retrieval.facets import Facet
from lumikb.retrieval.models import Filters, Found, GroupBy, Hit, SearchRequest
from lumikb.retrieval.shaping import GROUP_PASSAGES_MAX


class ResultBody(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A passage that was found.

    `score` ranks the results of one search, `relevance_score` is comparable between searches; both lie between 0 and 1.
    Offsets count Unicode code points of the document's text. `folded`, which is absent for 0, counts near-duplicates of
    other documents that are not shown.
    """

    chunk_id: str
    document_id: str
    document_name: str
    version: int
    kb_id: str
    kb_name: str
    chunk_text: str
    content: str
    score: float
    relevance_score: float
    page_number: int | None
    section_header: str | None
    char_start: int
    char_end: int
    chunk_index: int
    total_chunks: int
    metadata: dict[str, Any]
    folded: int = 0


class GroupBody(msgspec.Struct, kw_only=True):
    """The passages of a document that were found, best first; `passage_count` also counts those beyond the fifth."""

    document_id: str
    document_name: str
    kb_id: str
    kb_name: str
    score: float
    passage_count: int
    results: list[ResultBody]


# Far more than the model reads of it.
SIMILAR_CHARS_MAX = 20_000
# Past 64 bits SQLite has no integers.
Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class FiltersBody(msgspec.Struct, forbid_unknown_fields=True):
    """What narrows a search. `tags` must all be there; dates are inclusive, the document's own or of its upload.

    `language` (a code such as en) and `author` (a part of the name) are those that were extracted from the documents;
    `metadata` is the users' own, of which all these entries must be there.
    """

    document_ids: Annotated[list[str], msgspec.Meta(max_length=1000)] | None = None
    tags: Annotated[list[str], msgspec.Meta(max_length=50)] = []
    mime_types: Annotated[list[str], msgspec.Meta(max_length=50)] = []
    date_from: Moment | None = None
    date_to: Moment | None = None
    language: str | None = None
    author: str | None = None
    metadata: Annotated[dict[str, str | bool | Whole | float], msgspec.Meta(max_length=20)] = {}


class SearchBody(msgspec.Struct, forbid_unknown_fields=True):
    """A search. `kb_ids` null: all that the caller may read. `keyword_weight`: 0 is meaning alone, 1 words alone.

    `query` takes "a phrase" that must be there, -word, -"a phrase", and title:, type:, tag:, author:, kb:, after: and
    before:. `facets` names what documents are counted by. `cursor` is the `next_cursor` of the page before.
    `group_by` document lists documents, `max_per_document` bounds the passages of each, `fold_duplicates` shows one of
    the passages that say the same in several documents.
    """

    query: str
    kb_ids: list[str] | None = None
    limit: int = 20
    min_score: float = 0.0
    hybrid: bool = True
    keyword_weight: float = 0.5
    filters: FiltersBody | None = None
    facets: Annotated[list[Facet], msgspec.Meta(max_length=4)] = []
    cursor: str | None = None
    group_by: GroupBy | None = None
    max_per_document: int | None = None
    fold_duplicates: bool = False


class FacetCountBody(msgspec.Struct):
    """A value that a filter takes, what people read for it, and how many documents have it."""

    value: str
    label: str
    count: int


class ResultsBody(msgspec.Struct, kw_only=True):
    """Results of a search without an answer; `message` says in a sentence what was found.

    `facets` count the documents of all candidates that pass the filters and `min_score`, not only of those shown.
    `next_cursor` is null on the last page. With `group_by` the results are the best passage of each document, and
    `groups` has the others, in the same order. `folded_count` counts the near-duplicates that results stand for.
    """

    query: str
    message: str
    results: list[ResultBody]
    result_count: int
    total_count: int
    search_time_ms: float
    facets: dict[str, list[FacetCountBody]] | None = None
    next_cursor: str | None = None
    groups: list[GroupBody] | None = None
    folded_count: int = 0


class SimilarBody(msgspec.Struct, forbid_unknown_fields=True):
    """What to find neighbours of: a chunk, a document, or a text, of which the first 254 tokens count."""

    document_id: str | None = None
    chunk_id: str | None = None
    text: Annotated[str, msgspec.Meta(max_length=SIMILAR_CHARS_MAX)] | None = None
    kb_ids: list[str] | None = None
    limit: int = 10


class SimilarResults(msgspec.Struct):
    """Neighbours, nearest first."""

    results: list[ResultBody]
    total_count: int


class ExplainBody(SearchBody, forbid_unknown_fields=True, kw_only=True):
    """A search and a passage, which need not be among its results."""

    chunk_id: str


class LegBody(msgspec.Struct):
    """A leg's value for the passage (cosine or BM25), scaled among the candidates, times its weight: `part`.

    `scaled` is null when the leg did not bring the passage, which counts as 0.
    """

    value: float | None
    scaled: float | None
    weight: float
    part: float


class PlaceBody(msgspec.Struct):
    """A stretch of the document's text, in code points."""

    char_start: int
    char_end: int


class MatchedTermBody(msgspec.Struct):
    """A term or phrase that query and passage share, with its share of the BM25 score and its places.

    `exact`: the word as it is; otherwise its stem.
    """

    term: str
    exact: bool
    boost: float
    score: float
    places: list[PlaceBody]


class ExplanationBody(msgspec.Struct, kw_only=True):
    """What made a passage's score. `rank` counts from 1 among `candidates`; null for none of them, for `reason`."""

    query: str
    chunk_id: str
    document_id: str
    document_name: str
    version: int
    kb_id: str
    section_header: str | None
    page_number: int | None
    char_start: int
    char_end: int
    score: float | None
    relevance_score: float
    rank: int | None
    candidates: int
    dense: LegBody
    keyword: LegBody
    tokens: LegBody
    matched_terms: list[MatchedTermBody]
    reason: str | None


def search_request(body: SearchBody) -> SearchRequest:
    """The search that a body asks for, its query as plain words; raises `InvalidInputError` out of bounds."""
    filters = body.filters or FiltersBody()
    return SearchRequest(
        query=body.query,
        kb_ids=body.kb_ids,
        limit=body.limit,
        min_score=body.min_score,
        hybrid=body.hybrid,
        keyword_weight=body.keyword_weight,
        facets=tuple(dict.fromkeys(body.facets)),
        cursor=body.cursor,
        group_by=body.group_by,
        max_per_document=body.max_per_document,
        fold_duplicates=body.fold_duplicates,
        filters=Filters(
            document_ids=None if filters.document_ids is None else tuple(filters.document_ids),
            tags=tuple(filters.tags),
            mime_types=tuple(filters.mime_types),
            date_from=filters.date_from,
            date_to=filters.date_to,
            language=wanted_language(filters.language),
            author=filters.author,
            metadata=tuple(filters.metadata.items()),
        ),
    )


def facet_bodies(found: Found) -> dict[str, list[FacetCountBody]] | None:
    """The facets of a search on the wire."""
    if found.facets is None:
        return None
    return {
        facet: [FacetCountBody(one.value, one.label, one.count) for one in counts]
        for facet, counts in found.facets.items()
    }


def group_bodies(found: Found, request: SearchRequest) -> list[GroupBody] | None:
    """The documents of a grouped search on the wire."""
    if request.group_by is None:
        return None
    return [
        GroupBody(
            document_id=hit.passage.document_id,
            document_name=hit.passage.document_name,
            kb_id=hit.passage.kb_id,
            kb_name=hit.passage.kb_name,
            score=round(hit.score, 6),
            passage_count=1 + len(hit.others),
            results=[result_body(one) for one in (hit, *hit.others)[:GROUP_PASSAGES_MAX]],
        )
        for hit in found.hits
    ]


def found_fields(found: Found, request: SearchRequest) -> dict[str, Any]:
    """What every body with results says beside them."""
    return {
        "message": message_of(found, request),
        "facets": facet_bodies(found),
        "next_cursor": found.next_cursor,
        "groups": group_bodies(found, request),
        "folded_count": sum(one.folded for hit in found.hits for one in (hit, *hit.others)),
    }


def cache_header(found: Found) -> dict[str, str]:
    """Whether the ranking was there."""
    return {"X-Cache": "HIT" if found.cached else "MISS"}


def message_of(found: Found, request: SearchRequest) -> str:
    """What was found, in a sentence or two."""
    told = f"{counted(len(found.hits), 'document' if request.group_by else 'passage')} found."
    if found.kb_missing:
        told += f" You have no knowledge base called {' or '.join(request.kb_names)}."
    if found.relaxed:
        phrases = " and ".join(f"“{phrase}”" for phrase in request.required)
        told += f" No passage holds {phrases} word for word: these are the nearest without it."
    return told


def explanation_body(found: Explanation, request: SearchRequest) -> ExplanationBody:
    """An explanation on the wire."""
    passage = found.passage
    return ExplanationBody(
        query=request.query,
        chunk_id=passage.chunk_id,
        document_id=passage.document_id,
        document_name=passage.document_name,
        version=passage.version,
        kb_id=passage.kb_id,
        section_header=passage.section_header,
        page_number=passage.page_number,
        char_start=passage.char_start,
        char_end=passage.char_end,
        score=None if found.score is None else round(found.score, 6),
        relevance_score=round(min(1.0, max(0.0, found.dense.value or 0.0)), 6),
        rank=found.rank,
        candidates=found.candidates,
        dense=_leg_body(found.dense),
        keyword=_leg_body(found.keyword),
        tokens=_leg_body(found.tokens),
        matched_terms=[
            MatchedTermBody(
                one.term, one.exact, one.boost, round(one.score, 6), [PlaceBody(*place) for place in one.places]
            )
            for one in found.matched
        ],
        reason=found.reason,
    )


def _leg_body(leg: LegPart) -> LegBody:
    value, scaled = (None if number is None else round(number, 6) for number in (leg.value, leg.scaled))
    return LegBody(value, scaled, round(leg.weight, 6), round(leg.part, 6))


def result_body(hit: Hit) -> ResultBody:
    """A hit on the wire."""
    passage = hit.passage
    return ResultBody(
        chunk_id=passage.chunk_id,
        document_id=passage.document_id,
        document_name=passage.document_name,
        version=passage.version,
        kb_id=passage.kb_id,
        kb_name=passage.kb_name,
        chunk_text=passage.text,
        content=passage.text,
        score=round(hit.score, 6),
        relevance_score=hit.relevance_score,
        page_number=passage.page_number,
        section_header=passage.section_header,
        char_start=passage.char_start,
        char_end=passage.char_end,
        chunk_index=passage.ordinal,
        total_chunks=passage.total_chunks,
        metadata=passage.metadata,
        folded=hit.folded,
    )
