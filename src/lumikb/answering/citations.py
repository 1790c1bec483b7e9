"""From chosen sentences to an answer whose every claim has a checked citation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lumikb.answering.checking.markers import without_references
from lumikb.answering.extraction import Sentence, Support
from lumikb.answering.models import Answer, Citation, Claim, Verdict
from lumikb.answering.verification import Embed, Statement, check_statements, confidence
from lumikb.retrieval.models import Passage


@dataclass(frozen=True)
class Place:
    """Where a sentence itself begins: a passage may span pages and headings."""

    page_number: int | None
    section_header: str | None


ABSTENTION = "Not found in your documents."


def abstain() -> Answer:
    """The answer when nothing supports one."""
    return Answer(answer=ABSTENTION, answered_by="extraction", abstained=True, citations=[], claims=[], confidence=0.0)


def still_verbatim(sentence: Sentence, record: Mapping[int, Passage]) -> bool:
    """Whether the record, read again, has the sentence at its place in a passage that may be shown."""
    passage = record.get(sentence.hit.passage.key)
    if passage is None:
        return False
    left, right = sentence.start - passage.char_start, sentence.end - passage.char_start
    return 0 <= left < right <= len(passage.text) and passage.text[left:right] == sentence.text


def compose(supports: Sequence[Support], place_of: Callable[[Sentence], Place], embed: Embed) -> Answer:
    """Sentences in their order, each followed by its `[n]`; a new document starts a new paragraph.

    White space within a sentence becomes single spaces, and the document's own numbers in brackets go, which would be
    read as markers; its citation quotes it as it stands in the document. The verdicts are those of the check, which
    asks `embed` for nothing where a sentence is word for word in its passage. The confidence is that of the verdicts
    times the best sentence's score.
    """
    if not supports:
        return abstain()
    text = ""
    statements: list[Statement] = []
    document_id = None
    for number, support in enumerate(supports, 1):
        passage = support.sentence.hit.passage
        if text:
            text += " " if passage.document_id == document_id else "\n\n"
        document_id = passage.document_id
        start = len(text)
        text += " ".join(without_references(support.sentence.text).split())
        statements.append(Statement(start, len(text), text[start:], [number]))
        text += f" [{number}]"
    passages = {number: support.sentence.hit.passage.text for number, support in enumerate(supports, 1)}
    checked = check_statements(statements, passages, embed)
    return Answer(
        answer=text,
        answered_by="extraction",
        abstained=False,
        citations=[
            _citation(number, support, place_of(support.sentence), claim.verdict)
            for number, (support, claim) in enumerate(zip(supports, checked, strict=True), 1)
        ],
        claims=[
            Claim(start=one.start, end=one.end, verdict=one.verdict, citations=one.citations, reason=one.reason)
            for one in checked
        ],
        confidence=round(confidence(checked) * max(support.score for support in supports), 4),
    )


def _citation(number: int, support: Support, place: Place, verdict: Verdict) -> Citation:
    sentence = support.sentence
    return citation_of(
        sentence.hit.passage,
        place,
        number=number,
        excerpt=sentence.hit.passage.text,
        quoted_text=sentence.text,
        char_start=sentence.start,
        relevance_score=sentence.hit.relevance_score,
        confidence=support.score,
        verdict=verdict,
    )


def citation_of(
    passage: Passage,
    place: Place,
    *,
    number: int,
    excerpt: str,
    quoted_text: str,
    char_start: int,
    relevance_score: float,
    confidence: float,
    verdict: Verdict,
) -> Citation:
    """A citation of what stands at `char_start` of the passage's document, which is at `place` there."""
    return Citation(
        number=number,
        document_id=passage.document_id,
        document_name=passage.document_name,
        version=passage.version,
        chunk_id=passage.chunk_id,
        page_number=place.page_number,
        section_header=place.section_header,
        excerpt=excerpt,
        quoted_text=quoted_text,
        char_start=char_start,
        char_end=char_start + len(quoted_text),
        relevance_score=relevance_score,
        confidence=round(confidence, 4),
        verdict=verdict,
    )
