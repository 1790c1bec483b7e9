"""From checked claims to citations."""

from collections.abc import Callable

from lumikb.answering.citations import Place
from lumikb.answering.context import Source, pack
from lumikb.answering.model_citations import QUOTE_CHARS_MAX, cite
from lumikb.answering.models import Verdict
from lumikb.answering.verification import CheckedClaim, Quote
from lumikb.retrieval.models import Hit, Passage

MakeHit = Callable[..., Hit]

TEXT = "".join(f"Sentence {number} of the document. " for number in range(60))
SHIFT = 40


def claim(verdict: Verdict, *quotes: Quote, cites: list[int] | None = None) -> CheckedClaim:
    numbers = sorted({quote.number for quote in quotes}) if cites is None else cites
    return CheckedClaim(0, 10, verdict, None if verdict == "supported" else "no_overlap", numbers, list(quotes))


def place_of(_: Passage, start: int) -> Place:
    return Place(start, "Heading")


def joined(hit: MakeHit) -> Source:
    """Two passages that overlap at 480 to 500 of a text that begins at character 40 of its document."""
    hits = [hit(TEXT[:500], key=1, char_start=SHIFT), hit(TEXT[480:1000], key=2, char_start=SHIFT + 480)]
    (source,) = pack(hits, 10_000, lambda _: 1)
    return source


def test_a_citation_quotes_the_document_at_its_offsets(hit: MakeHit) -> None:
    (citation,), _ = cite([claim("supported", Quote(1, 600, 630))], {1: joined(hit)}, place_of)
    assert citation.quoted_text == TEXT[600:630]
    assert (citation.char_start, citation.char_end) == (640, 670)
    assert citation.chunk_id == "chunk-2"
    assert citation.excerpt == TEXT[480:1000]
    assert (citation.page_number, citation.section_header, citation.verdict) == (640, "Heading", "supported")
    assert citation.confidence == 1.0


def test_a_quote_over_two_passages_has_both_around_it(hit: MakeHit) -> None:
    (citation,), _ = cite([claim("supported", Quote(1, 450, 520))], {1: joined(hit)}, place_of)
    assert citation.quoted_text == TEXT[450:520]
    assert citation.chunk_id == "chunk-1"
    assert citation.excerpt == TEXT[:1000]


def test_what_several_claims_quote_of_a_source_is_one_quotation(hit: MakeHit) -> None:
    claims = [claim("partly", Quote(1, 100, 130)), claim("supported", Quote(1, 10, 40))]
    (citation,), _ = cite(claims, {1: joined(hit)}, place_of)
    assert citation.quoted_text == TEXT[10:130]
    assert citation.verdict == "supported"
    assert 0 < citation.confidence < 1


def test_quotes_that_lie_far_apart_leave_that_of_the_best_claim(hit: MakeHit) -> None:
    claims = [claim("partly", Quote(1, 0, 30)), claim("supported", Quote(1, QUOTE_CHARS_MAX, QUOTE_CHARS_MAX + 30))]
    (citation,), _ = cite(claims, {1: joined(hit)}, place_of)
    assert citation.quoted_text == TEXT[QUOTE_CHARS_MAX : QUOTE_CHARS_MAX + 30]


def test_a_source_that_proves_nothing_is_quoted_by_its_first_passage(hit: MakeHit) -> None:
    (citation,), (told,) = cite([claim("unsupported", cites=[1])], {1: joined(hit)}, place_of)
    assert citation.quoted_text == TEXT[:500]
    assert (citation.verdict, citation.confidence) == ("unsupported", 0.0)
    assert (told.verdict, told.reason, told.citations) == ("unsupported", "no_overlap", [1])


def test_only_what_is_cited_has_a_citation_in_the_order_of_numbers(hit: MakeHit) -> None:
    sources = {number: Source(number, (hit("Text.", key=number),), 0, "Text.") for number in (1, 2, 3)}
    claims = [claim("supported", Quote(3, 0, 5)), claim("supported", Quote(1, 0, 5)), claim("unsupported", cites=[])]
    citations, told = cite(claims, sources, place_of)
    assert [citation.number for citation in citations] == [1, 3]
    assert [one.citations for one in told] == [[3], [1], []]
