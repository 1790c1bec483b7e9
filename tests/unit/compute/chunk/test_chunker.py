import hashlib
import itertools
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lumikb.compute.chunk.chunker import chunk_text
from lumikb.compute.chunk.models import Chunk, ChunkParams, ChunkStrategy
from lumikb.compute.embed.model_files import find_model_files
from lumikb.compute.embed.tokenizer import Tokenizer
from lumikb.compute.parse.models import Heading, PageStart, ParsedText
from lumikb.compute.parse.parse import parse
from lumikb.kit.errors import InvalidInputError

TOKENIZER = Tokenizer(find_model_files().tokenizer)
SMALL = ChunkParams(tokens_max=32, overlap_tokens=8)

EVERY_WAY = [
    ChunkParams(tokens, overlap, strategy)
    for tokens, overlap in ((32, 8), (254, 32), (16, 0))
    for strategy in ChunkStrategy
]

CHARACTERS = st.characters(exclude_categories=["Cs"])
WRITING = [
    "word ",
    "Two words. ",
    "naïve\n\n",
    "漢字。",
    "한글",
    "שלום ",
    "مرحبا\u200f ",
    "# Head\n",
    "1.5 ",
    "[SEP]",
    "ß",
]
ODDITIES = ["🚀", "e\u0301", "\x00", "\ufeff", "\u0301", "\u2029", "İ", "\x1c", "\U0001f468\u200d"]
PARTS = st.sampled_from([*WRITING, *ODDITIES, "\n\n", "\t", " ", "a" * 150, "x" * 2500])
TEXTS = st.text(CHARACTERS, max_size=400) | st.lists(PARTS, max_size=120).map("".join)


@st.composite
def parsed_texts(draw: st.DrawFn) -> ParsedText:
    text = draw(TEXTS)
    offsets = st.integers(0, max(len(text) - 1, 0))
    starts = sorted(draw(st.sets(offsets, max_size=12))) if text else []
    headings = [
        Heading(start=start, end=min(start + 5, len(text)), level=draw(st.integers(1, 6)), title=f"H{number}")
        for number, start in enumerate(starts)
    ]
    breaks = [0, *sorted(draw(st.sets(offsets.filter(bool), max_size=5)))] if len(text) > 1 else []
    return ParsedText(
        text=text, headings=headings, pages=[PageStart(at, number + 1) for number, at in enumerate(breaks)]
    )


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(parsed_texts(), st.sampled_from(EVERY_WAY))
def test_what_holds_for_every_text(parsed: ParsedText, params: ChunkParams) -> None:
    text = parsed.text
    chunks = chunk_text(parsed, TOKENIZER, params)

    assert [chunk.ordinal for chunk in chunks] == list(range(len(chunks)))
    assert all(a.char_start < b.char_start and a.char_end < b.char_end for a, b in itertools.pairwise(chunks))
    covered = 0
    for chunk in chunks:
        passage = text[chunk.char_start : chunk.char_end]
        assert passage == passage.strip()
        assert passage
        assert 1 <= len(chunk.token_ids) <= params.tokens_max
        assert not text[covered : chunk.char_start].strip()
        assert chunk.page_number == parsed.page_at(chunk.char_start)
        word = re.search(r"[^\W_]", passage)
        assert chunk.section_header == parsed.section_header_at(chunk.char_start + (word.start() if word else 0))
        covered = chunk.char_end
    assert not text[covered:].strip()


def _passages(parsed: ParsedText, params: ChunkParams = SMALL) -> list[str]:
    return [parsed.text[chunk.char_start : chunk.char_end] for chunk in chunk_text(parsed, TOKENIZER, params)]


def _markdown(text: str) -> ParsedText:
    headings: list[Heading] = []
    at = 0
    for line in text.splitlines(keepends=True):
        if line.startswith("#"):
            title = line.strip()
            headings.append(Heading(start=at, end=at + len(title), level=title.count("#"), title=title.lstrip("# ")))
        at += len(line)
    return ParsedText(text=text, headings=headings)


def _words(count: int) -> str:
    return " ".join(["wind"] * count) + "."


def test_empty_and_blank_texts_have_no_chunks() -> None:
    assert chunk_text(ParsedText(text=""), TOKENIZER, SMALL) == []
    assert chunk_text(ParsedText(text=" \n\t\u2029 "), TOKENIZER, SMALL) == []


def test_a_text_the_model_drops_is_still_a_chunk() -> None:
    text_sha256 = hashlib.sha256("\u200b\u0301".encode()).hexdigest()
    chunk = Chunk(
        ordinal=0,
        char_start=1,
        char_end=3,
        token_ids=[TOKENIZER.unknown_id],
        token_starts=[0],
        text_sha256=text_sha256,
    )

    assert chunk_text(ParsedText(text=" \u200b\u0301 "), TOKENIZER, SMALL) == [chunk]


def test_token_ids_are_those_of_the_passage_alone() -> None:
    text = " ".join(f"Sentence number {number} reports naïve measurements, e.g. 3.{number}." for number in range(200))
    chunks = chunk_text(ParsedText(text=text), TOKENIZER, ChunkParams())

    assert len(chunks) > 5
    for chunk in chunks:
        tokens = TOKENIZER.encode(text[chunk.char_start : chunk.char_end])
        assert tokens.ids == chunk.token_ids
        assert [start for start, _ in tokens.offsets] == chunk.token_starts


def test_chunks_end_at_sentences_and_overlap_from_a_sentence_start() -> None:
    sentences = [f"The {word} wind blew over the flat plate." for word in ("cold", "warm", "dry", "wet") * 4]

    passages = _passages(ParsedText(text=" ".join(sentences)), ChunkParams(tokens_max=40, overlap_tokens=12))

    assert all(passage.startswith("The ") and passage.endswith(".") for passage in passages)
    assert all(a.endswith(b[: b.index(".") + 1]) for a, b in itertools.pairwise(passages))


def test_a_paragraph_end_beats_a_later_sentence_end() -> None:
    text = f"{_words(24)}\n\nThis is one. {_words(40)}"

    assert _passages(ParsedText(text=text))[0] == _words(24)


@pytest.mark.parametrize("line_end", ["\r\n", "\r"])
def test_chunks_are_the_same_with_every_line_end(line_end: str) -> None:
    sections = (
        f"# Part {number}\n\nThis is one. {_words(20)}\n\n\n{_words(18)}\n- item\n- other\n{_words(30)}\n"
        for number in range(9)
    )
    text = "\n".join(sections)
    plain = parse(text.encode(), "a.md")
    parsed = parse(text.replace("\n", line_end).encode(), "a.md")

    assert [passage.replace(line_end, "\n") for passage in _passages(parsed)] == _passages(plain)
    assert [chunk.section_header for chunk in chunk_text(parsed, TOKENIZER, SMALL)] == [
        chunk.section_header for chunk in chunk_text(plain, TOKENIZER, SMALL)
    ]


@pytest.mark.parametrize("line_end", ["\r\n", "\r"])
def test_a_paragraph_may_end_with_any_line_end(line_end: str) -> None:
    text = f"{_words(24)}{line_end} {line_end}This is one. {_words(40)}"

    assert _passages(ParsedText(text=text))[0] == _words(24)


def test_a_single_crlf_is_no_paragraph_end() -> None:
    text = f"{_words(24)}\r\nThis is over there. {_words(40)}"

    assert _passages(ParsedText(text=text))[0].endswith("This is over there.")


def test_chunks_do_not_span_headings_nor_overlap_across_them() -> None:
    text = f"# A\n{_words(40)}\n# B\n{_words(40)}\n"

    passages = _passages(_markdown(text))

    assert all(passage.count("#") <= 1 for passage in passages)
    assert [passage.startswith("# B") for passage in passages].count(True) == 1
    assert "".join(passages[: len(passages) // 2]).count("#") == 1


def test_a_bare_title_goes_with_its_first_section() -> None:
    text = f"# Manual\n## Start\n{_words(20)}\n## Stop\n{_words(20)}\n"

    passages = _passages(_markdown(text))

    assert passages == [f"# Manual\n## Start\n{_words(20)}", f"## Stop\n{_words(20)}"]


def test_tiny_sections_of_one_parent_share_a_chunk() -> None:
    text = "# Words\n" + "".join(f"## Word {number}\nIt blows.\n" for number in range(40))

    chunks = chunk_text(_markdown(text), TOKENIZER, ChunkParams(tokens_max=128, overlap_tokens=16))

    assert all(len(chunk.token_ids) >= 32 for chunk in chunks)


def test_a_tiny_last_section_joins_the_one_before_not_the_next_parent() -> None:
    text = f"# A\n{_words(20)}\n## Note\nSee it.\n# B\n{_words(20)}\n"

    assert _passages(_markdown(text))[-1] == f"# B\n{_words(20)}"


@pytest.mark.parametrize("count", range(250, 300, 7))
def test_no_crumb_is_left_at_the_end(count: int) -> None:
    chunks = chunk_text(ParsedText(text=_words(count)), TOKENIZER, ChunkParams())

    assert min(len(chunk.token_ids) for chunk in chunks) >= 63


def test_a_huge_word_is_split_into_passages() -> None:
    text = "aGVsbG8" * 100_000

    chunks = chunk_text(ParsedText(text=text), TOKENIZER, ChunkParams())

    assert max(chunk.char_end - chunk.char_start for chunk in chunks) <= 254_000


def test_sizes_the_model_does_not_allow_are_refused() -> None:
    for params in (
        ChunkParams(tokens_max=255),
        ChunkParams(tokens_max=8),
        ChunkParams(tokens_max=64, overlap_tokens=40),
    ):
        with pytest.raises(InvalidInputError):
            chunk_text(ParsedText(text="text"), TOKENIZER, params)


@pytest.mark.thorough
@pytest.mark.timeout(30)
def test_ten_thousand_headings_take_seconds() -> None:
    parsed = _markdown("".join(f"{'#' * (1 + number % 4)} Head {number}\n{_words(60)}\n" for number in range(10_000)))

    chunks = chunk_text(parsed, TOKENIZER, ChunkParams())
    assert len(chunks) > 5_000


def test_the_strategies_differ_in_what_ends_a_chunk() -> None:
    text = (
        "# Herons\n\nThey wade in shallow water. They wait for fish.\n\n# Storks\n\n"
        + "A stork walks about in the wet meadow. " * 12
    )
    parsed = _markdown(text)

    def cut(strategy: ChunkStrategy) -> list[str]:
        return _passages(parsed, ChunkParams(40, 8, strategy))

    headings, sentences, fixed = (cut(strategy) for strategy in ChunkStrategy)
    assert [passage[:8] for passage in headings[:2]] == ["# Herons", "# Storks"]
    assert "# Storks" in sentences[0]
    assert all(passage.endswith(".") for passage in sentences)
    assert "# Storks" in fixed[0]
    sizes = [len(chunk.token_ids) for chunk in chunk_text(parsed, TOKENIZER, ChunkParams(40, 8, ChunkStrategy.FIXED))]
    assert all(size >= 39 for size in sizes[:-2])
