"""From checked claims to citations that quote the documents at their places."""

from collections.abc import Callable, Mapping, Sequence

from lumikb.answering.citations import Place, citation_of
from lumikb.answering.context import Source
from lumikb.answering.models import Citation, Claim, Verdict
from lumikb.answering.verification import CheckedClaim, confidence
from lumikb.retrieval.models import Passage

# What several claims quote of one source becomes one quotation up to this length; past it that of the best claim.
QUOTE_CHARS_MAX = 600

_BEST_FIRST: tuple[Verdict, ...] = ("supported", "partly", "unsupported")

PlaceOf = Callable[[Passage, int], Place]


def cite(
    claims: Sequence[CheckedClaim], cited: Mapping[int, Source], place_of: PlaceOf
) -> tuple[list[Citation], list[Claim]]:
    """A citation for each source that a claim cites, in the order of their numbers, and the claims.

    `place_of` gives the place of a character of a passage's document.
    """
    numbers = sorted({number for claim in claims for number in claim.citations if number in cited})
    citations = [
        _citation(number, cited[number], [claim for claim in claims if number in claim.citations], place_of)
        for number in numbers
    ]
    told = [
        Claim(
            start=claim.start,
            end=claim.end,
            verdict=claim.verdict,
            citations=[number for number in claim.citations if number in cited],
            reason=None if claim.reason is None else str(claim.reason),
        )
        for claim in claims
    ]
    return citations, told


def _citation(number: int, source: Source, claims: Sequence[CheckedClaim], place_of: PlaceOf) -> Citation:
    left, right = _quoted(number, source, claims)
    start, end = source.char_start + left, source.char_start + right
    hit = next(
        (one for one in source.hits if one.passage.char_start <= start and end <= one.passage.char_end),
        next(one for one in source.hits if one.passage.char_start <= start < one.passage.char_end),
    )
    passage = hit.passage
    return citation_of(
        passage,
        place_of(passage, start),
        number=number,
        excerpt=passage.text if end <= passage.char_end else source.text,
        quoted_text=source.text[left:right],
        char_start=start,
        relevance_score=max(one.relevance_score for one in source.hits),
        confidence=confidence(claims),
        verdict=next(verdict for verdict in _BEST_FIRST if any(claim.verdict == verdict for claim in claims)),
    )


def _quoted(number: int, source: Source, claims: Sequence[CheckedClaim]) -> tuple[int, int]:
    """`[start, end)` of the source's text: all that claims quote, or the best quote; without any the first passage."""
    best = sorted(claims, key=lambda claim: _BEST_FIRST.index(claim.verdict))
    quotes = [(quote.start, quote.end) for claim in best for quote in claim.quotes if quote.number == number]
    if not quotes:
        return 0, min(len(source.text), len(source.hits[0].passage.text))
    start, end = min(start for start, _ in quotes), max(end for _, end in quotes)
    return (start, end) if end - start <= QUOTE_CHARS_MAX else quotes[0]
