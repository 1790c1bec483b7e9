"""What a search asks and what it finds."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lumikb.kit.errors import InvalidInputError, MalformedRequestError
from lumikb.knowledge.models import TAGS_MAX
from lumikb.retrieval.facets import Facet, FacetCount
from lumikb.retrieval.query import ParsedQuery, parse_query
from lumikb.store.record.json import Scalar

GroupBy = Literal["document"]

QUERY_CHARS_MAX = 500
LIMIT_MAX = 50


class MissingQueryError(MalformedRequestError):
    """A search without a query."""

    code = "QUERY_MISSING"


@dataclass(frozen=True)
class Filters:
    """What narrows a search; None and empty do not. `tags` must all be there; dates are inclusive.

    `language` is an ISO 639-1 code, `author` a part of a name; `metadata` holds entries that must all be there. Each of
    `titles` and `authors` is a part of a name that must be there.
    """

    document_ids: tuple[str, ...] | None = None
    tags: tuple[str, ...] = ()
    mime_types: tuple[str, ...] = ()
    date_from: datetime | None = None
    date_to: datetime | None = None
    language: str | None = None
    author: str | None = None
    metadata: tuple[tuple[str, Scalar], ...] = ()
    titles: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    # Of which one must be met beside one of `mime_types`.
    types: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.tags) > TAGS_MAX:
            raise InvalidInputError(f"At most {TAGS_MAX} tags.", field="query")

    def with_query(self, parsed: ParsedQuery) -> "Filters":
        """These and what a query says; of two dates the narrower one."""
        return replace(
            self,
            tags=(*self.tags, *(tag for tag in parsed.tags if tag not in self.tags)),
            date_from=max((day for day in (self.date_from, parsed.date_from) if day is not None), default=None),
            date_to=min((day for day in (self.date_to, parsed.date_to) if day is not None), default=None),
            titles=parsed.titles,
            authors=parsed.authors,
            types=parsed.mime_types,
        )

    @property
    def narrow(self) -> bool:
        """Whether any filter is set."""
        return self != Filters()


@dataclass(frozen=True)
class SearchRequest:
    """A search. `kb_ids` None means all that the caller may read.

    `min_score` bounds `Hit.relevance_score`, 0 to 1. `keyword_weight` is the share of the keyword leg, 0 to 1; without
    `hybrid` it is 0. Raises `InvalidInputError` out of these bounds.

    `required` phrases must stand in a passage and `excluded` ones must not; of `kb_names` the knowledge base must have
    one. `in_language` fills these, and `ranking_words`, from the query; without it the query is plain words.
    `group_by`, `max_per_document` and `fold_duplicates` shape the list: see `retrieval.shaping`.
    """

    query: str
    kb_ids: list[str] | None = None
    limit: int = 20
    min_score: float = 0.0
    filters: Filters = Filters()
    hybrid: bool = True
    keyword_weight: float = 0.5
    ranking_words: str = ""
    required: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    kb_names: tuple[str, ...] = ()
    facets: tuple[Facet, ...] = ()
    cursor: str | None = None
    group_by: GroupBy | None = None
    max_per_document: int | None = None
    fold_duplicates: bool = False

    def __post_init__(self) -> None:
        if not self.query.strip():
            raise InvalidInputError("The query is empty.", field="query")
        if len(self.query) > QUERY_CHARS_MAX:
            raise InvalidInputError(f"A query has at most {QUERY_CHARS_MAX} characters.", field="query")
        if not 1 <= self.limit <= LIMIT_MAX:
            raise InvalidInputError(f"limit must lie between 1 and {LIMIT_MAX}.", field="limit")
        for field, value in (("min_score", self.min_score), ("keyword_weight", self.keyword_weight)):
            if not 0 <= value <= 1:
                raise InvalidInputError(f"{field} must lie between 0 and 1.", field=field)
        if self.max_per_document is not None and not 1 <= self.max_per_document <= LIMIT_MAX:
            raise InvalidInputError(f"max_per_document must lie between 1 and {LIMIT_MAX}.", field="max_per_document")

    @property
    def shaped(self) -> bool:
        """Whether the hits are folded or grouped, so that more of them are looked at than are shown."""
        return self.fold_duplicates or self.group_by is not None or self.max_per_document is not None

    @property
    def mixes_legs(self) -> bool:
        """Whether both legs rank: meaning alone and words alone are what they say."""
        return self.hybrid and 0 < self.keyword_weight < 1

    @property
    def words(self) -> str:
        """What ranks: the query without what narrows it."""
        return self.ranking_words or self.query

    def in_language(self) -> "SearchRequest":
        """This search with its query read as one in the language of queries (`retrieval.query`)."""
        parsed = parse_query(self.query)
        if parsed == ParsedQuery(self.query):
            return self
        return replace(
            self,
            ranking_words=parsed.words,
            required=parsed.required,
            excluded=parsed.excluded,
            kb_names=parsed.kb_names,
            filters=self.filters.with_query(parsed),
        )


@dataclass(frozen=True)
class Passage:
    """A live chunk as the record gives it, with what a reader needs to know of its document.

    `text_sha256` is of the text that was stored; `vector` is None where what is stored is none.
    """

    key: int
    chunk_id: str
    chunk_set_id: str
    document_id: str
    document_name: str
    version: int
    kb_id: str
    kb_name: str
    text: str
    text_sha256: str
    ordinal: int
    total_chunks: int
    char_start: int
    char_end: int
    page_number: int | None
    section_header: str | None
    parsed_sha256: str
    metadata: dict[str, Any]
    vector: NDArray[np.float32] | None


@dataclass(frozen=True, slots=True)
class Ranked:
    """A chunk that passed the gate; the scores are those of `Hit`."""

    key: int
    score: float
    relevance: float


@dataclass(frozen=True)
class Hit:
    """A passage that was found.

    `score` ranks the hits of one search: both legs on a common scale, the best possible is 1. `relevance_score` is
    the cosine of query and passage, cut at 0: it can be compared between searches. `folded` counts near-duplicates of
    other documents that it stands for, `others` are further hits of its document, where hits are grouped.
    """

    passage: Passage
    score: float
    relevance_score: float
    folded: int = 0
    others: tuple["Hit", ...] = ()


@dataclass(frozen=True)
class Found:
    """What a search found, best first.

    `relaxed`: no passage holds the phrases that the query requires, and these are without them. `kb_missing`: the
    caller has no knowledge base of the name that the query gives. `facets` count the documents of all candidates that
    passed, also of those beyond the limit; `total` counts these candidates. `deeper`: the index may have more of them.
    `binding` is what cursors of this search are bound to. `cached`: see `retrieval.result_cache`.
    """

    hits: list[Hit]
    relaxed: bool = False
    facets: dict[str, list[FacetCount]] | None = None
    kb_missing: bool = False
    total: int = 0
    deeper: bool = False
    binding: str = ""
    next_cursor: str | None = None
    cached: bool = False


@dataclass(frozen=True)
class PastSearch:
    """A search of a user; `kb_ids` None for all that he could read. `id` 0 before it is written."""

    id: int
    query: str
    kb_ids: list[str] | None
    result_count: int
    created_at: datetime
