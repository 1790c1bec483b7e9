"""Numbers of passages in an answer that streams."""

import pytest

from lumikb.answering.markers import HELD_CHARS_MAX, MarkerStream

PASSAGES = range(1, 6)


def streamed(text: str, size: int) -> tuple[str, dict[int, int]]:
    markers = MarkerStream(PASSAGES)
    shown = "".join(markers.feed(text[at : at + size]) for at in range(0, len(text), size))
    return shown, markers.shown


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("One. [1] Two. [2]", "One. [1] Two. [2]"),
        ("Late ones count from one. [4] Again. [2][4]", "Late ones count from one. [1] Again. [2][1]"),
        ("Several [1, 3] and [2;1].", "Several [1][2] and [3][1]."),
        ("Of no passage [9], not one [0] [99].", "Of no passage, not one."),
        ("Half known [9, 2].", "Half known [1]."),
        ("Twice [2, 2].", "Twice [1]."),
        ("No mark [a] [1a] [] [1.5] [-1].", "No mark [a] [1a] [] [1.5] [-1]."),
        ("A long one [12345].", "A long one [12345]."),
        ("  \n Leading space goes.", "Leading space goes."),
        ("[1] A mark first.", "[1] A mark first."),
        ("[9] An orphan first.", "An orphan first."),
        ("White space after it goes. \n\n", "White space after it goes."),
        ("Half a mark is none. [1", "Half a mark is none."),
        ("A bracket [ that stays open", "A bracket [ that stays open"),
        ("Lines\n\n- one [1]\n- two [9]\n", "Lines\n\n- one [1]\n- two"),
        ("Caf\u00e9 \U0001f30a [3]!", "Caf\u00e9 \U0001f30a [1]!"),
        ("", ""),
    ],
)
def test_marks_are_put_right_however_they_are_cut(size: int, said: str, shown: str) -> None:
    assert streamed(said, size)[0] == shown


def test_the_sources_numbers_are_kept() -> None:
    assert streamed("A [4]. B [1]. C [4].", 2)[1] == {4: 1, 1: 2}


def test_text_that_can_be_no_mark_does_not_wait() -> None:
    markers = MarkerStream(PASSAGES)
    assert markers.feed("word") == "word"
    assert markers.feed(" [1") == ""
    assert markers.feed("] more") == " [1] more"
    assert markers.feed("[1," + " " * HELD_CHARS_MAX).startswith("[1,")
