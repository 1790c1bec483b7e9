import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as VocabularyTokenizer

from lumikb.compute.embed import tokenizer as module
from lumikb.compute.embed.model_files import ModelFiles, find_model_files
from lumikb.compute.embed.tokenizer import Tokenizer

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
TOKENIZER = Tokenizer(find_model_files().tokenizer)


def test_ids_come_without_marks_and_are_not_cut_or_padded(tokenizer: Tokenizer) -> None:
    tokens = tokenizer.encode("hello world " * 300)

    assert len(tokens.ids) == 600
    assert tokenizer.cls_id not in tokens.ids
    assert tokenizer.sep_id not in tokens.ids


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("naïve café", ["naïve", "café"]),
        ("a 🚀 b", ["a", "🚀", "b"]),
        ("𝒳 marks", ["𝒳", "marks"]),
        ("cafe\u0301 noir", ["cafe\u0301", "noir"]),
        ("漢字 test", ["漢", "字", "test"]),
        ("\ufefffirst line", ["first", "line"]),
        ("Straße İstanbul", ["Straße", "İstanbul"]),
    ],
)
def test_offsets_count_code_points_of_the_original_text(tokenizer: Tokenizer, text: str, words: list[str]) -> None:
    tokens = tokenizer.encode(text)

    covered = {text[start:end] for start, end in tokens.offsets}
    joined = "".join(sorted(covered, key=text.index))
    assert all(0 <= start < end <= len(text) for start, end in tokens.offsets)
    assert tokens.offsets[0][0] == text.index(words[0])
    assert all(word in covered or word.rstrip("\u0301") in joined for word in words)


@given(TEXT)
def test_offsets_never_decrease_and_stay_inside(text: str) -> None:
    tokens = TOKENIZER.encode(text)

    assert len(tokens.ids) == len(tokens.offsets)
    assert all(0 <= start < end <= len(text) for start, end in tokens.offsets)
    assert all(a <= c and b <= d for (a, b), (c, d) in itertools.pairwise(tokens.offsets))


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.sampled_from(["word ", "naïve\n", "漢字", "🚀", "e\u0301", ", ", "x\x1cy ", "\t", "Hello", "한글 ", "¡"])
    )
)
def test_a_text_fed_in_pieces_gives_the_tokens_of_the_whole(parts: list[str]) -> None:
    text = "".join(parts) * 10
    whole = TOKENIZER.encode(text)
    pieces = list(itertools.chain.from_iterable(_encode_pieces(text, 64)))

    if max(map(len, text.split()), default=0) < 30:
        assert pieces == list(zip(whole.ids, whole.offsets, strict=True))


def _encode_pieces(text: str, chars: int) -> list[list[tuple[int, tuple[int, int]]]]:
    patch = pytest.MonkeyPatch()
    patch.setattr(module, "_PIECE_CHARS", chars)
    try:
        tokens = TOKENIZER.encode(text)
    finally:
        patch.undo()
    return [list(zip(tokens.ids, tokens.offsets, strict=True))]


def test_a_long_text_equals_the_library_on_the_whole(tokenizer: Tokenizer, model_files: ModelFiles) -> None:
    text = "The quick brown fox — naïve café, 漢字 and 🚀 — jumps over the lazy dog.\n" * 2000
    library = VocabularyTokenizer.from_file(str(model_files.tokenizer))
    library.no_truncation()
    library.no_padding()

    expected = library.encode(text, add_special_tokens=False)
    tokens = tokenizer.encode(text)

    assert tokens.ids == expected.ids
    assert tokens.offsets == expected.offsets


@pytest.mark.thorough
@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "unit", ["plain words in a row ", "漢字", "x", "\u0301"], ids=["words", "cjk", "word", "accents"]
)
def test_a_million_characters_take_seconds(tokenizer: Tokenizer, unit: str) -> None:
    text = unit * (1_000_000 // len(unit))

    tokens = tokenizer.encode(text)
    assert not tokens.offsets or tokens.offsets[-1][1] > len(text) - 100


def test_an_empty_text_has_no_tokens(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("").ids == []
    assert [tokens.ids for tokens in tokenizer.encode_batch(["", "yes"])] == [[], [2748]]
