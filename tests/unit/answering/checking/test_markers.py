"""Markers of citations in an answer."""

import pytest

from lumikb.answering.checking.markers import find_markers, without_orphans, without_references


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("A. [1]", [[1]]),
        ("A [2, 3]. B [1][4]", [[2, 3], [1], [4]]),
        ("A [2-4] and [5–6]", [[2, 3, 4], [5, 6]]),
        ("`row[1]` and ```\nx[2]\n```", []),
        ("[1](https://example.org) a[0] [x] [1999]", []),
    ],
)
def test_markers_and_their_numbers(text: str, numbers: list[list[int]]) -> None:
    assert [marker.numbers for marker in find_markers(text)] == numbers


@pytest.mark.parametrize(
    ("answer", "numbers", "left"),
    [
        ("A. [1] B. [7]", [1], "A. [1] B."),
        ("A [1, 7].", [1], "A [1]."),
        ("A [7].", [], "A."),
        ("A.[1][7] B.", {1}, "A.[1] B."),
        ("[7] A.\n[7] B.", [], "A.\nB."),
        ("A. [1, 2]", [1, 2], "A. [1, 2]"),
        ("Use `row[7]`.", [], "Use `row[7]`."),
    ],
)
def test_orphans_go_and_the_rest_stays(answer: str, numbers: list[int], left: str) -> None:
    assert without_orphans(answer, numbers) == left


def test_an_index_of_code_is_no_reference() -> None:
    assert without_references("The comet [3] passes row[1].[4]") == "The comet passes row[1]."
