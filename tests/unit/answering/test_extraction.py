"""Choosing the sentences that answer."""

import re
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from lumikb.answering.extraction import (
    SENTENCE_CHARS_MAX,
    SENTENCES_MAX,
    SUPPORT_MIN,
    Sentence,
    candidate_sentences,
    choose_support,
)
from lumikb.compute.parse.models import Heading
from lumikb.retrieval.models import Hit

MakeHit = Callable[..., Hit]

FIRST = "The comet passes every seventy-six years."
SECOND = "Its tail points away from the sun at all times."
THIRD = "Nobody has counted the stones on the beach."
TEXT = f"{FIRST} {SECOND} {THIRD}"


def terms(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def near(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)


def choose(sentences: Sequence[Sentence], *nearness: float, query: str = "") -> list[str]:
    found = choose_support(terms(query), sentences, near(*nearness), terms)
    return [support.sentence.text for support in found]


def test_each_sentence_stands_where_the_document_has_it(hit: MakeHit) -> None:
    sentences = candidate_sentences([hit(TEXT, char_start=1000)])
    document = "\0" * 1000 + TEXT
    assert [sentence.text for sentence in sentences] == [FIRST, SECOND, THIRD]
    assert [document[sentence.start : sentence.end] for sentence in sentences] == [FIRST, SECOND, THIRD]


def test_offsets_count_code_points(hit: MakeHit) -> None:
    text = "\U0001f30d\U0001f30d e\u0301t\u00e9 is a warm season here. The next sentence comes after it."
    for sentence in candidate_sentences([hit(text, char_start=5)]):
        assert text[sentence.start - 5 : sentence.end - 5] == sentence.text


def test_the_overlap_of_neighbouring_passages_is_read_once(hit: MakeHit) -> None:
    overlap = TEXT[len(FIRST) + 1 :]
    sentences = candidate_sentences([hit(TEXT), hit(overlap, key=2, char_start=len(FIRST) + 1)])
    assert [sentence.text for sentence in sentences] == [FIRST, SECOND, THIRD]


def test_the_same_place_of_another_document_is_another_sentence(hit: MakeHit) -> None:
    assert len(candidate_sentences([hit(FIRST), hit(FIRST, key=2, document_id="d2")])) == 2


def test_an_endless_sentence_is_left_out(hit: MakeHit) -> None:
    endless = "word " * (SENTENCE_CHARS_MAX // 5 + 5) + "end."
    assert candidate_sentences([hit(endless)]) == []


@pytest.mark.parametrize(
    "text",
    [
        "Halley",
        "Passes now.",
        "Which comet passes every seventy-six years?",
        "On the life of comets .......... 12",
        "The comets that pass are these, in their order:",
    ],
    ids=["heading", "fragment", "question", "line of contents", "announcement"],
)
def test_what_states_nothing_is_no_answer(hit: MakeHit, text: str) -> None:
    sentences = candidate_sentences([hit(text)])
    assert choose(sentences, *[1.0] * len(sentences), query=text) == []


def test_a_question_lends_its_score_to_the_statement_that_follows(hit: MakeHit) -> None:
    question = "Which comet passes every seventy-six years?"
    alone = candidate_sentences([hit(THIRD)])
    answered = candidate_sentences([hit(f"{question} {THIRD}")])
    assert choose(alone, 0.1) == []
    assert choose(answered, 1.0, 0.1) == [THIRD]


def test_nothing_found_supports_nothing(hit: MakeHit) -> None:
    assert choose_support(["a"], [], near(), terms) == []


def test_below_the_bar_the_answer_abstains(hit: MakeHit) -> None:
    assert choose(candidate_sentences([hit(TEXT)]), 0.4, 0.2, 0.1) == []


def test_words_of_the_question_lift_a_sentence_over_the_bar(hit: MakeHit) -> None:
    assert choose(candidate_sentences([hit(TEXT)]), 0.4, 0.2, 0.1, query="comet passes") == [FIRST]


def test_a_heading_counts_for_the_sentences_below_it(hit: MakeHit) -> None:
    plain = candidate_sentences([hit(FIRST)])
    headed = candidate_sentences([hit(FIRST, header="Halley")])
    assert choose(plain, 0.4, query="Halley") == []
    assert choose(headed, 0.4, query="Halley") == [FIRST]


@pytest.mark.parametrize(
    "line", ["The birds that stand in water all day", "7. The birds that stand in water all day 48"]
)
def test_a_line_that_repeats_the_heading_is_no_answer(hit: MakeHit, line: str) -> None:
    chapter = "The Birds that stand in Water all Day"
    sentences = candidate_sentences([hit(f"{line}\n\nThe heron is one of these.", header=f"{chapter} > 7.1 Herons")])
    assert choose(sentences, 0.9, 0.6) == ["The heron is one of these."]


def test_no_sentence_runs_over_a_heading(hit: MakeHit) -> None:
    text = "The end of a section.\n9.3. Using herons\nherons are birds that wade. They eat fish."
    title = Heading(100 + text.index("Using"), 100 + text.index("\nherons"), 2, "Using herons")
    before, after = Heading(3, 9, 1, "Birds"), Heading(999, 1009, 1, "Fish")
    sentences = candidate_sentences([hit(text, char_start=100)], lambda _: [before, title, after])
    assert [(sentence.text, sentence.is_heading) for sentence in sentences] == [
        ("The end of a section.", False),
        ("9.3. Using herons", True),
        ("herons are birds that wade.", False),
        ("They eat fish.", False),
    ]
    assert choose(sentences, 0.1, 0.9, 0.6, 0.1) == ["herons are birds that wade."]


def test_a_heading_that_stands_in_the_outline_alone_is_a_boundary(hit: MakeHit) -> None:
    text = "The end of a section that goes on and on until here\nand herons are birds that wade."
    at = text.index("and herons")
    sentences = candidate_sentences([hit(text)], lambda _: [Heading(at, at, 1, "Herons")])
    assert [sentence.text for sentence in sentences] == [text[: at - 1], text[at:]]


TABLE = "The stakes were read in May.\n\n| Stake | Loss |\n|---|---|\n| A1 | 8.7 m |\n| B2 | 9.4 m |"


def test_a_row_says_what_its_columns_are(hit: MakeHit) -> None:
    statements = [sentence.statement for sentence in candidate_sentences([hit(TABLE)])]
    assert statements[-2:] == ["Stake: A1, Loss: 8.7 m", "Stake: B2, Loss: 9.4 m"]


def test_a_row_answers_for_itself_and_not_for_the_table(hit: MakeHit) -> None:
    sentences = candidate_sentences([hit(TABLE)])
    assert [sentence.text for sentence in sentences][1:3] == ["| Stake | Loss |", "|---|---|"]
    assert choose(sentences, 0.1, 0.99, 0.9, 0.2, 0.1, query="stakes lost") == []
    assert choose(sentences, 0.1, 0.5, 0.1, 0.8, 0.7, query="loss of stake B2") == ["| B2 | 9.4 m |"]


def test_no_row_answers_for_what_is_not_in_the_table(hit: MakeHit) -> None:
    sentences = candidate_sentences([hit(TABLE)])
    assert choose(sentences, 0.1, 0.9, 0.1, 0.9, 0.9, query="loss of stake C3") == []


def test_what_stands_in_every_row_tells_none_from_the_others(hit: MakeHit) -> None:
    table = "Depot: North depot; Head: Ada Low\nDepot: South depot; Head: Bo Hay"
    sentences = candidate_sentences([hit(table)])
    assert choose(sentences, 0.9, 0.9, query="head of the west depot") == []
    assert choose(sentences, 0.8, 0.9, query="head of the north depot") == ["Depot: North depot; Head: Ada Low"]


def test_a_row_holds_enough_of_what_was_asked(hit: MakeHit) -> None:
    table = "Text.\n\nHostname | atlas\nAdministrator | Kim Osei\nRoom | B 12"
    sentences = candidate_sentences([hit(table)])
    assert choose(sentences, 0.1, 0.1, 0.8, 0.1, query="administrator titan example") == []
    assert choose(sentences, 0.1, 0.1, 0.8, 0.1, query="the administrator") == ["Administrator | Kim Osei"]


def test_long_cells_are_prose(hit: MakeHit) -> None:
    late = "| Delay | The supplier shall pay two per cent of the price for each week of its delay. |"
    table = f"Terms.\n\n| Case | Consequence |\n|---|---|\n{late}\n| Loss | The buyer may withdraw. |"
    sentences = candidate_sentences([hit(table)])
    assert choose(sentences, 0.1, 0.1, 0.1, 0.9, 0.1, query="penalty") == [late]


def test_rows_that_are_asked_for_alike_are_all_given(hit: MakeHit) -> None:
    rows = ["| A1 | 8.7 m |", "| B2 | 9.4 m |"]
    assert choose(candidate_sentences([hit(TABLE)]), 0.1, 0.1, 0.1, 0.7, 0.7, query="stake loss") == rows


def test_a_table_that_may_have_begun_before_its_passage_has_no_header(hit: MakeHit) -> None:
    rows = "A1 | 8.7 m | in the shade\nB2 | 9.4 m | in the sun"
    later, first = (candidate_sentences([hit(rows, char_start=start)]) for start in (50, 0))
    assert [bool(sentence.row and sentence.row.is_header) for sentence in later] == [False, False]
    assert [bool(sentence.row and sentence.row.is_header) for sentence in first] == [True, False]


def test_a_sentence_whose_beginning_is_in_the_passage_before_answers_nothing(hit: MakeHit) -> None:
    rest = "be unpacked by the utility that comes with every system."
    sentences = candidate_sentences([hit(f"{rest} {FIRST}", char_start=100)])
    assert choose(sentences, 0.9, 0.8) == [FIRST]
    assert choose(candidate_sentences([hit(rest)]), 0.9) == [rest]


def test_further_sentences_must_come_near_to_the_best(hit: MakeHit) -> None:
    assert choose(candidate_sentences([hit(TEXT)]), 0.99, 0.9, 0.6) == [FIRST, SECOND]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ("The comet passes only every seventy-six years.", 1),
        ("The comet passes the outer planets on its way to the sun.", 2),
        ("The comet passes every 76 years.", 2),
    ],
)
def test_what_says_the_same_is_said_once(hit: MakeHit, other: str, said: int) -> None:
    assert len(choose(candidate_sentences([hit(FIRST), hit(other, key=2, document_id="d2")]), 0.9, 0.9)) == said


def test_an_answer_has_only_so_many_sentences(hit: MakeHit) -> None:
    text = " ".join(f"Sentence number {number} says its own thing." for number in range(10))
    assert len(choose(candidate_sentences([hit(text)]), *[0.8] * 10)) == SENTENCES_MAX


def test_sentences_of_a_document_are_read_in_its_order(hit: MakeHit) -> None:
    assert choose(candidate_sentences([hit(TEXT)]), 0.9, 0.99, 0.1) == [FIRST, SECOND]


def test_the_document_with_the_best_sentence_comes_first(hit: MakeHit) -> None:
    sentences = candidate_sentences([hit(FIRST, document_id="d1"), hit(SECOND, key=2, document_id="d2")])
    assert choose(sentences, 0.9, 0.99) == [SECOND, FIRST]


@pytest.mark.parametrize("nearness", [-1.0, 0.0, 0.6, 1.0])
def test_support_lies_between_the_bar_and_one(hit: MakeHit, nearness: float) -> None:
    sentences = candidate_sentences([hit(FIRST)])
    for support in choose_support(terms(FIRST), sentences, near(nearness), terms):
        assert SUPPORT_MIN <= support.score <= 1.0
