"""What of the passages a model is shown."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from lumikb.answering.context import Source, estimated_tokens, pack
from lumikb.answering.prompting import source_tokens
from lumikb.retrieval.models import Hit

MakeHit = Callable[..., Hit]

TEXT = "".join(f"Sentence {number} of the long document tells of its own matter. " for number in range(40))


def tokens_of(source: Source) -> int:
    return estimated_tokens(source.text) + 10


def part(hit: MakeHit, start: int, end: int, key: int, score: float = 0.5) -> Hit:
    return replace(hit(TEXT[start:end], key=key, char_start=start), score=score)


@pytest.mark.parametrize(
    ("text", "least", "most"), [("word " * 400, 400, 700), ("\u6f22\u5b57" * 100, 200, 200), ("\U0001f30a", 2, 2)]
)
def test_tokens_are_estimated_on_the_safe_side(text: str, least: int, most: int) -> None:
    assert least <= estimated_tokens(text) <= most


def test_the_best_passage_is_number_one(hit: MakeHit) -> None:
    hits = [hit("Best of all.", key=5, document_id="a"), hit("Second.", key=2, document_id="b")]
    found = pack(hits, 1000, tokens_of)
    assert [(source.number, source.text) for source in found] == [(1, "Best of all."), (2, "Second.")]


def test_neighbours_that_overlap_are_joined_at_the_place_of_the_best(hit: MakeHit) -> None:
    hits = [
        part(hit, 500, 900, 2, 0.9),
        hit("Another document.", key=7, document_id="d2"),
        part(hit, 850, 1200, 3),
        part(hit, 100, 500, 1),
        part(hit, 1300, 1500, 4),
    ]
    first, second, third = pack(hits, 10_000, tokens_of)
    assert (first.number, first.char_start, first.text) == (1, 100, TEXT[100:1200])
    assert [one.passage.key for one in first.hits] == [1, 2, 3]
    assert second.text == "Another document."
    assert (third.char_start, third.text) == (1300, TEXT[1300:1500])


def test_a_text_that_is_there_already_is_left_out(hit: MakeHit) -> None:
    hits = [hit("The same  text.", key=1, document_id="a"), hit("The same\ntext.", key=2, document_id="b")]
    assert len(pack(hits, 1000, tokens_of)) == 1


def test_what_brings_most_for_its_tokens_is_taken(hit: MakeHit) -> None:
    best = replace(hit("a" * 300, key=1, document_id="a"), score=0.9)
    long = replace(hit("b" * 900, key=2, document_id="b"), score=0.8)
    short = [replace(hit(letter * 300, key=key, document_id=letter), score=0.6) for key, letter in enumerate("cde", 3)]
    found = pack([best, long, *short], 460, tokens_of)
    assert [source.text[0] for source in found] == ["a", "c", "d", "e"]


@pytest.mark.parametrize("tokens_max", [0, 5, 60, 100, 150, 300, 1000, 5000])
def test_it_never_takes_more_than_there_is_room_for(hit: MakeHit, tokens_max: int) -> None:
    hits = [part(hit, start, start + 300, 1 + start // 250, 1 - start / 5000) for start in range(0, 2000, 250)]
    hits += [hit("\u6f22\u5b57" * 80, key=99, document_id="cjk")]
    found = pack(hits, tokens_max, source_tokens)
    assert sum(source_tokens(source) for source in found) <= tokens_max
    assert bool(found) == (tokens_max > 50)


def test_a_passage_that_is_too_long_alone_is_cut(hit: MakeHit) -> None:
    (source,) = pack([hit(TEXT, key=1)], 100, tokens_of)
    assert TEXT.startswith(source.text)
    assert 80 <= tokens_of(source) <= 100


def test_of_nothing_nothing_is_shown() -> None:
    assert pack([], 1000, tokens_of) == []
