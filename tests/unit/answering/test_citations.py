"""From sentences to an answer with citations, and the check against the record."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from lumikb.answering.citations import ABSTENTION, Place, compose, still_verbatim
from lumikb.answering.extraction import Sentence, Support, candidate_sentences
from lumikb.answering.listening import Answered
from lumikb.answering.models import Answer
from lumikb.answering.narration import InChunks, InTokens
from lumikb.identity.models import Actor, Level
from lumikb.retrieval.models import Found, Hit
from lumikb.runs.models import Run

MakeHit = Callable[..., Hit]

TEXT = "The comet passes every\nseventy-six   years. Its tail points away from the sun."
PLACE = Place(3, "Comets")


def supports(*hits: Hit) -> list[Support]:
    return [Support(sentence, 0.7) for sentence in candidate_sentences(hits)]


def place_of(_: Sentence) -> Place:
    return PLACE


def no_vectors(texts: Sequence[str]) -> NDArray[np.float32]:
    """What stands word for word in its passage needs none."""
    raise AssertionError(texts)


def test_every_claim_is_followed_by_the_number_of_its_citation(hit: MakeHit) -> None:
    answer = compose(supports(hit(TEXT)), place_of, no_vectors)
    assert answer.answer == "The comet passes every seventy-six years. [1] Its tail points away from the sun. [2]"
    assert [claim.citations for claim in answer.claims] == [[1], [2]]
    assert [answer.answer[claim.start : claim.end] for claim in answer.claims] == [
        "The comet passes every seventy-six years.",
        "Its tail points away from the sun.",
    ]


def test_a_citation_quotes_the_document_as_it_stands(hit: MakeHit) -> None:
    document = "\u20ac" * 500 + TEXT
    answer = compose(supports(hit(TEXT, char_start=500)), place_of, no_vectors)
    first, second = answer.citations
    assert first.quoted_text == "The comet passes every\nseventy-six   years."
    for citation in (first, second):
        assert document[citation.char_start : citation.char_end] == citation.quoted_text
        assert citation.quoted_text in citation.excerpt
        assert (citation.page_number, citation.section_header) == (3, "Comets")
        assert (citation.document_id, citation.document_name, citation.chunk_id) == ("d1", "d1.txt", "chunk-1")


def test_a_new_document_starts_a_new_paragraph(hit: MakeHit) -> None:
    found = supports(hit("One document says this much."), hit("Another one says that.", key=2, document_id="d2"))
    assert (
        compose(found, place_of, no_vectors).answer == "One document says this much. [1]\n\nAnother one says that. [2]"
    )


def test_confidence_is_that_of_the_best_sentence(hit: MakeHit) -> None:
    first, second = supports(hit(TEXT))
    answer = compose([replace(first, score=0.5), replace(second, score=0.9)], place_of, no_vectors)
    assert answer.confidence == 0.9
    assert answer.confidence_counts == {"supported": 2, "partly": 0, "unsupported": 0}


def test_without_support_the_answer_says_so_and_cites_nothing() -> None:
    answer = compose([], place_of, no_vectors)
    assert answer.abstained
    assert answer.answer == ABSTENTION
    assert (answer.citations, answer.claims, answer.confidence) == ([], [], 0.0)


def test_what_the_record_still_has_is_verbatim(hit: MakeHit) -> None:
    found = hit(TEXT, char_start=40)
    for sentence in candidate_sentences([found]):
        assert still_verbatim(sentence, {1: found.passage})


@pytest.mark.parametrize(
    "now",
    [
        {"text": TEXT.replace("seventy", "eighty-")},
        {"text": TEXT[:20]},
        {"text": ""},
        {"char_start": 41, "char_end": 41 + len(TEXT)},
        {"char_start": 39, "char_end": 39 + len(TEXT)},
        {"char_start": 400, "char_end": 400 + len(TEXT)},
    ],
    ids=["changed", "shorter", "empty", "moved on", "moved back", "far away"],
)
def test_a_sentence_that_the_record_has_no_more_is_dropped(hit: MakeHit, now: dict[str, object]) -> None:
    found = hit(TEXT, char_start=40)
    first = candidate_sentences([found])[0]
    assert not still_verbatim(first, {1: replace(found.passage, **now)})  # type: ignore[arg-type]


def test_a_passage_that_is_gone_or_forbidden_is_dropped(hit: MakeHit) -> None:
    first = candidate_sentences([hit(TEXT)])[0]
    assert not still_verbatim(first, {})


def told(tell: Callable[[Run], None]) -> Run:
    run = Run("run", Actor("user", "user@example.org", Level.USER, False), "chat", "conversation")
    tell(run)
    return run


def tell_in_chunks(run: Run, answer: Answer, hits: list[Hit]) -> None:
    teller = InChunks(run)
    teller.found(hits)
    teller.end(Answered(answer, Found(hits)))


def tell_in_tokens(run: Run, answer: Answer, hits: list[Hit], facts: dict[str, str]) -> None:
    teller = InTokens(run)
    teller.found(hits)
    teller.end(Answered(answer, Found(hits)), facts)


def test_chunks_joined_are_the_answer_and_the_last_is_final(hit: MakeHit) -> None:
    found = hit(TEXT)
    answer = compose(supports(found), place_of, no_vectors)
    run = told(lambda run: tell_in_chunks(run, answer, [found]))
    assert [event.name for event in run.events] == ["context", "chunk", "chunk", "done"]
    chunks = [event.data for event in run.events if event.name == "chunk"]
    assert "".join(chunk["content"] for chunk in chunks) == answer.answer
    assert [chunk["type"] for chunk in chunks] == ["CHUNK_TYPE_TEXT"] * 2
    assert [chunk["is_final"] for chunk in chunks] == [False, True]
    assert [citation["number"] for chunk in chunks for citation in chunk["citations"]] == [1, 2]


def test_tokens_joined_are_the_answer_and_each_claim_follows_its_citation(hit: MakeHit) -> None:
    found = hit(TEXT)
    answer = compose(supports(found), place_of, no_vectors)
    run = told(lambda run: tell_in_tokens(run, answer, [found], {"message_id": "m"}))
    names = [event.name for event in run.events]
    assert names == ["status", "token", "citation", "claim", "token", "citation", "claim", "done"]
    assert "".join(event.data["content"] for event in run.events if event.name == "token") == answer.answer
    assert run.events[-1].data["message_id"] == "m"


def test_an_abstention_is_told_to_its_end_in_both_dialects() -> None:
    answer = compose([], place_of, no_vectors)
    in_chunks = told(lambda run: tell_in_chunks(run, answer, []))
    assert [event.name for event in in_chunks.events] == ["context", "chunk", "done"]
    assert in_chunks.events[1].data["content"] == ABSTENTION
    assert in_chunks.events[1].data["is_final"] is True
    in_tokens = told(lambda run: tell_in_tokens(run, answer, [], {}))
    assert [event.name for event in in_tokens.events] == ["status", "token", "done"]
    assert in_tokens.events[-1].data["abstained"] is True


@pytest.mark.parametrize(
    "text",
    [
        "- The deposit is 300 euros, not more.",
        "The fee (see below) is due yearly! It was 1,000 euros in 2019.",
        "He said: \u201cNobody paid.\u201d Then he left the room.",
        "Terms.\n\n| Stake | Loss |\n|---|---|\n| A1 | 8.7 m |",
        "Name: Pen; Price: 3; Colour: blue",
        "3. The third clause has no full stop\nand goes on in a second line",
        "Die Miete betr\u00e4gt 3 Mio. Euro. Sie ist am 1. April f\u00e4llig.",
    ],
)
def test_what_is_word_for_word_in_its_passage_is_supported(hit: MakeHit, text: str) -> None:
    answer = compose(supports(hit(text)), place_of, no_vectors)
    assert answer.claims
    assert {(claim.verdict, claim.reason) for claim in answer.claims} == {("supported", None)}
    assert {citation.verdict for citation in answer.citations} == {"supported"}


def test_numbers_in_brackets_of_the_document_are_no_markers_of_the_answer(hit: MakeHit) -> None:
    text = "The comet returns every seventy-six years [2, 3]. The index row[1] is kept."
    answer = compose(supports(hit(text)), place_of, no_vectors)
    assert answer.answer == "The comet returns every seventy-six years. [1] The index row[1] is kept. [2]"
    assert answer.confidence_counts == {"supported": 2, "partly": 0, "unsupported": 0}
    assert answer.citations[0].quoted_text == "The comet returns every seventy-six years [2, 3]."
