"""The statements of an answer, and what is none."""

import pytest

from lumikb.answering.checking.statements import statements_of


def told(answer: str) -> list[tuple[str, list[int]]]:
    return [(answer[one.start : one.end], one.numbers) for one in statements_of(answer)]


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("It rains. [1] It snows.[2][3]", [("It rains.", [1]), ("It snows.", [2, 3])]),
        ("It rains [1]. It snows [2, 3].", [("It rains [1].", [1]), ("It snows [2, 3].", [2, 3])]),
        ("- It rains. [1]\n- It snows [2]", [("It rains.", [1]), ("It snows", [2])]),
        ("[1] It rains.\n[2] It snows.", [("It rains.", [1]), ("It snows.", [2])]),
        ("1. It rains. [1]", [("It rains.", [1])]),
        ("Am 1. April f\u00e4llt Schnee. [1]", [("Am 1. April f\u00e4llt Schnee.", [1])]),
        ("It rains.\n[1]", [("It rains.", [1])]),
        ("It rains.", [("It rains.", [])]),
        ("Ten days", [("Ten days", [])]),
    ],
)
def test_a_marker_belongs_to_its_sentence(answer: str, found: list[tuple[str, list[int]]]) -> None:
    assert told(answer) == found


@pytest.mark.parametrize(
    "answer",
    [
        "## The weather",
        "**The weather**",
        "Here is what I found:",
        "Does it rain?",
        "I hope this helps!",
        "The passages do not say when it rains.",
        "Die Dokumente enthalten dazu keine Angaben.",
        "Not found in your documents.",
        "",
        "---",
    ],
)
def test_what_claims_nothing_is_no_statement(answer: str) -> None:
    assert told(f"{answer}\n\nIt rains. [1]") == [("It rains.", [1])]


def test_offsets_count_code_points_and_emphasis_is_no_text() -> None:
    (one,) = statements_of("\U0001f30d Well. **It rains** in [1] May. [2]")[1:]
    assert (one.start, one.text, one.numbers) == (8, "It rains in May.", [1, 2])
