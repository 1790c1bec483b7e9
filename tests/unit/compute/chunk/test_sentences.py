import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumikb.compute.chunk.sentences import sentence_spans


def _sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text)]


@pytest.mark.parametrize(
    "sentences",
    [
        ["It costs 3.14 EUR.", "That is all."],
        ["See e.g. the report by Dr. J. R. Smith.", "It is long."],
        ["Errors follow RFC 7807.", "Others do not."],
        ["Really?", "Yes!", "He said “no.”", "Then he left."],
        ["The U.S. Army came.", "It left."],
        ["They live in the U.S.", "The others do not."],
        ["See Fig. 3 and pp. 10-12.", "They show it."],
        ["Wait... what happened?", "Nothing."],
        ["these words are in small letters.", "so is the rest of it."],
        ["the flow is laminar .", "the plate is flat ."],
        ["Visit example.com today.", "It is v2.1.0 now."],
        ["Bring pens, paper, etc. for the test.", "Then go."],
        ["He works at Acme Inc. in Berlin.", "She does not."],
    ],
)
def test_sentences_on_one_line(sentences: list[str]) -> None:
    assert _sentences(" ".join(sentences)) == sentences


def test_ideographic_stops_need_no_space() -> None:
    assert _sentences("これは文です。次の文！終わり？はい") == ["これは文です。", "次の文！", "終わり？", "はい"]


def test_headings_lists_and_blank_lines_are_boundaries() -> None:
    text = "# Title\nIntro text\n\n1. First item\n2. Second item\n- bullet\n* other\n\n  Last"

    assert _sentences(text) == [
        "# Title",
        "Intro text",
        "1. First item",
        "2. Second item",
        "- bullet",
        "* other",
        "Last",
    ]


def test_a_wrapped_line_is_no_boundary() -> None:
    text = "The report that was written at the end of the year by Albert\nEinstein says so. Its\nsecond part does not."

    assert _sentences(text) == [
        "The report that was written at the end of the year by Albert\nEinstein says so.",
        "Its\nsecond part does not.",
    ]


def test_a_range_of_the_text_gives_offsets_in_the_text() -> None:
    text = "Zero. One here. Two there. Three."

    assert [text[start:end] for start, end in sentence_spans(text, 6, 26)] == ["One here.", "Two there."]


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.text('aB .!?\n。"-1#', max_size=80))
def test_spans_are_trimmed_ordered_and_complete(text: str) -> None:
    spans = sentence_spans(text)

    last = 0
    for start, end in spans:
        assert last <= start < end
        assert not text[last:start].strip()
        assert text[start:end] == text[start:end].strip()
        last = end
    assert not text[last:].strip()


@pytest.mark.parametrize("unit", [".", "\n", " ", "a", ". ", "a. ", "。", "1.", ".\n", "a.b", "\n \n", '."'])
def test_hostile_texts_take_linear_time(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    before = time.monotonic()

    sentence_spans(text)

    assert time.monotonic() - before < 10
