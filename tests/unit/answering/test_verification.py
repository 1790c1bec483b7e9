"""The check of an answer against the passages it cites."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from lumikb.answering.checking.words import words
from lumikb.answering.verification import CheckedClaim, Quote, check_claims, confidence

LEASE = (
    "The tenant pays a deposit of 1,500 euros. Notice is three months. Pets are not allowed without consent of the "
    "owner Ada Low. The heating was replaced on 3 May 2021, before the audit."
)


def embed(texts: Sequence[str]) -> NDArray[np.float32]:
    """Unit vectors of the stems of texts: near when they share words."""
    rows = np.zeros((len(texts), 512), np.float32)
    for row, text in zip(rows, texts, strict=True):
        row[0] = 0.1
        for word in words(text):
            row[sum(map(ord, word.stem)) % 511 + 1] += bool(word.stem)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def check(answer: str, *passages: str) -> CheckedClaim:
    (claim,) = check_claims(answer, dict(enumerate(passages or (LEASE,), 1)), embed)
    return claim


def verdict(answer: str, *passages: str) -> tuple[str, str | None]:
    claim = check(answer, *passages)
    return claim.verdict, claim.reason


@pytest.mark.parametrize(
    "answer",
    [
        "Notice is three months. [1]",
        "The deposit that the tenant pays is EUR 1500. [1]",
        "Notice is 3 months [1].",
        "Pets are not allowed without the owner's consent. [1]",
        "In May 2021 the heating was replaced. [1]",
        "The tenant pays a deposit of 1.500,00 \u20ac. [1]",
    ],
)
def test_supported(answer: str) -> None:
    assert verdict(answer) == ("supported", None)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("The tenant pays a deposit of 1,050 euros. [1]", "number_differs"),
        ("The tenant pays a deposit of 1,500 dollars. [1]", "number_differs"),
        ("Notice is three weeks. [1]", "number_differs"),
        ("The heating was replaced on 3 May 2012. [1]", "number_differs"),
        ("The heating was replaced on 3 June 2021. [1]", "number_differs"),
        ("Pets are not allowed without consent of the owner Bo Hay. [1]", "name_absent"),
        ("The tenant pays a deposit under BGB-551. [1]", "name_absent"),
        ("Pets are allowed without consent of the owner. [1]", "negated"),
        ("The tenant does not pay a deposit of 1,500 euros. [1]", "negated"),
        ("The heating was replaced on 3 May 2021, after the audit. [1]", "negated"),
        ("Bees dance when they found nectar. [1]", "no_overlap"),
        ("Notice is three months.", "no_citation"),
        ("Notice is three months. [4]", "no_citation"),
    ],
)
def test_unsupported_with_the_reason(answer: str, reason: str) -> None:
    assert verdict(answer) == ("unsupported", reason)


def test_a_number_of_another_sentence_about_something_else_does_not_support() -> None:
    text = "Delivery takes 10 days. Payment is due in 30 days."
    assert verdict("Delivery takes 30 days. [1]", text) == ("unsupported", "number_differs")
    assert verdict("Delivery takes 10 days and payment is due in 30 days. [1]", text) == ("supported", None)


def test_a_claim_may_draw_on_two_passages() -> None:
    claim = check("Ada wrote the report and Bo read it. [1, 2]", "Ada wrote the report in May.", "Bo read it twice.")
    assert (claim.verdict, claim.citations) == ("supported", [1, 2])
    assert sorted(quote.number for quote in claim.quotes) == [1, 2]


def test_a_part_of_a_claim_makes_it_partly_supported() -> None:
    answer = "Notice is three months, as the judges of the chamber explained. [1]"
    assert verdict(answer) == ("partly", None)


def test_quotes_are_places_of_the_passage() -> None:
    passage = "\U0001f30d It rains.\nThe comet passes every   seventy-six years. It shines."
    (exact,) = check("The comet passes every seventy-six years. [1]", passage).quotes
    assert passage[exact.start : exact.end] == "The comet passes every   seventy-six years."
    best = check("Every 76 years the comet passes. [1]", passage).quotes[0]
    assert best == Quote(1, exact.start, exact.end)


def test_words_within_a_denial_are_not_word_for_word() -> None:
    assert verdict("The tenant may keep pets. [1]", "It is not true that the tenant may keep pets.")[0] != "supported"


def test_a_row_says_what_its_columns_are() -> None:
    table = "| Stake | Loss |\n|---|---|\n| A1 | 8.7 m |\n| B2 | 9.4 m |"
    assert verdict("The loss of stake B2 is 9.4 m. [1]", table) == ("supported", None)
    assert verdict("The loss of stake B2 is 8.9 m. [1]", table) == ("unsupported", "number_differs")


def test_vectors_are_asked_for_once_and_only_where_they_are_needed() -> None:
    calls: list[int] = []

    def counted(texts: Sequence[str]) -> NDArray[np.float32]:
        calls.append(len(texts))
        return embed(texts)

    assert check_claims("", {1: LEASE}, counted) == []
    check_claims("Notice is three months. [1] It rains. [7]", {1: LEASE}, counted)
    assert calls == []
    check_claims("The notice is of three months. [1] A deposit is paid. [1]", {1: LEASE}, counted)
    assert len(calls) == 1


def test_confidence_is_the_mean_of_the_verdicts() -> None:
    verdicts = [CheckedClaim(0, 1, name) for name in ("supported", "supported", "partly", "unsupported")]
    assert confidence(verdicts) == 0.625
    assert confidence([]) == 0.0


@pytest.mark.parametrize("passage", ["", "   \n", "\ufffd" * 50, "|||", "1" * 5000, "a-" * 3000])
def test_any_passage_and_answer_can_be_checked(passage: str) -> None:
    for answer in ("It rains. [1]", passage + " [1]", "[1]", "1/2 of ½ [1]", "12.12.12.12 -- 5e5 [1]."):
        check_claims(answer, {1: passage}, embed)


def test_an_endless_claim_is_never_wholly_supported() -> None:
    endless = "The tenant pays a deposit of 1,500 euros, " * 30
    assert verdict(f"{endless} and so on [1].", f"{endless}. It rains.") == ("partly", None)


@pytest.mark.parametrize("text", ["not " * 4000, "a-" * 4000, "1," * 4000, "A " * 4000, "[1" * 4000, "_a" * 4000])
def test_hostile_text_is_read_in_time(text: str) -> None:
    """Quadratic reading would run into the bound on a test's time."""
    check_claims(f"{text} x. [1]", {1: f"It rains. {text}"}, embed)
