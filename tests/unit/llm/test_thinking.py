"""Reasoning within the text, however it is cut."""

import pytest

from lumikb.llm.thinking import ThinkingSplitter


def split(text: str, size: int) -> tuple[str, str]:
    splitter = ThinkingSplitter()
    deltas = [delta for at in range(0, len(text), size) for delta in splitter.feed(text[at : at + size])]
    deltas += splitter.end()
    assert all(delta.text for delta in deltas)
    return (
        "".join(delta.text for delta in deltas if delta.thinking),
        "".join(delta.text for delta in deltas if not delta.thinking),
    )


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
@pytest.mark.parametrize(
    ("text", "thought", "answer"),
    [
        ("Plain text.", "", "Plain text."),
        ("<think>Hm < 5 </thin </think>\n\nSeven.\n", "Hm < 5 </thin ", "Seven.\n"),
        ("\n<think></think>Seven.", "", "Seven."),
        ("<think>never closed </thi", "never closed </thi", ""),
        ("<thing>", "", "<thing>"),
        ("<th", "", "<th"),
        ("It says <think> there.", "", "It says <think> there."),
        ("", "", ""),
    ],
)
def test_reasoning_is_told_apart(size: int, text: str, thought: str, answer: str) -> None:
    assert split(text, size) == (thought, answer)
