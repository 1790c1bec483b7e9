"""The language of queries."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumikb.kit.errors import InvalidInputError
from lumikb.retrieval.models import Filters, SearchRequest
from lumikb.retrieval.query import ParsedQuery, parse_query, types_called


def test_words_are_words() -> None:
    assert parse_query("how far the lamp is seen") == ParsedQuery("how far the lamp is seen")


@pytest.mark.parametrize(
    "text",
    [
        "RFC: 7807",
        "C::std",
        "std::vector -- what for",
        "see https://example.org/a?b=c",
        "ratio 3:2 at 12:30",
        "e-mail and 9-to-5 and state-of-the-art",
        "rsync -a --delete",
        "at -40 degrees",
        '5" and 6" pipes',
        'a "quotation that does not end',
        '"" "..." -"!"',
        "type:unheard-of",
        "after:yesterday before:2024-13-01 after:2024-02-30 before:0001-01-01",
        "title: tag: kb:",
        "-type:pdf",
        "note:this",
        "-",
        '"',
    ],
)
def test_what_only_looks_like_syntax_is_words(text: str) -> None:
    assert parse_query(text) == ParsedQuery(text)


def test_a_phrase_in_quotation_marks_is_required_and_ranks() -> None:
    assert parse_query('the "machine gun" act') == ParsedQuery('the "machine gun" act', required=("machine gun",))
    assert parse_query("the „rote Faden“ (“so to say”)").required == ("rote Faden", "so to say")


def test_a_sign_excludes_a_word_or_a_phrase() -> None:
    parsed = parse_query('jaguar -car, -e-mail -"big cat" -Ärzte speed')
    assert parsed == ParsedQuery("jaguar speed", excluded=("car", "e-mail", "big cat", "Ärzte"))


def test_fields_narrow() -> None:
    parsed = parse_query('Title:contract type:pdf type:word tag:"to do" author:weiss kb:"My base" notice period')
    word = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    assert parsed == ParsedQuery(
        "notice period",
        titles=("contract",),
        mime_types=("application/pdf", word),
        tags=("to do",),
        authors=("weiss",),
        kb_names=("My base",),
    )


def test_dates_narrow_and_the_narrower_one_counts() -> None:
    parsed = parse_query("after:2024-03-01 after:2023 before:2024-06 before:2025-01-01 x")
    end = datetime(2024, 6, 1, tzinfo=UTC) - timedelta(microseconds=1)
    assert parsed == ParsedQuery("x", date_from=datetime(2024, 3, 1, tzinfo=UTC), date_to=end)


@pytest.mark.parametrize("text", ["type:pdf", "-word", 'tag:x -"a b"', "kb:Contracts"])
def test_a_query_of_signs_alone_is_ranked_by_its_text(text: str) -> None:
    assert parse_query(text).words == text


@pytest.mark.parametrize(
    ("name", "mime_type"),
    [("pdf", "application/pdf"), (".MD", "text/markdown"), ("text/csv", "text/csv"), ("email", "message/rfc822")],
)
def test_types_go_by_many_names(name: str, mime_type: str) -> None:
    assert types_called(name) == (mime_type,)


_WORD = st.text(st.characters(categories=["L", "N"]), min_size=2, max_size=8)
_PIECES = st.one_of(
    st.text(max_size=12),
    st.sampled_from(['"', "-", ":", "title:", "type:pdf", "after:", "2024-01-01", " ", "„", "kb:", "(", "\u202e"]),
    _WORD,
)


@given(st.lists(_PIECES, max_size=12).map("".join))
def test_any_text_is_a_query(text: str) -> None:
    parsed = parse_query(text)
    assert bool(parsed.words.strip()) == bool(text.strip())
    assert all(phrase in text for phrase in (*parsed.required, *parsed.excluded, *parsed.titles, *parsed.kb_names))


@given(st.lists(_WORD, min_size=1, max_size=5))
def test_words_alone_stay_as_they_are(words: list[str]) -> None:
    assert parse_query(" ".join(words)) == ParsedQuery(" ".join(words))


@given(st.lists(_WORD, min_size=1, max_size=3), st.lists(_WORD, min_size=1, max_size=3))
def test_a_phrase_comes_out_as_it_was_put_in(before: list[str], phrase: list[str]) -> None:
    quoted = " ".join(phrase)
    assert parse_query(f'{" ".join(before)} "{quoted}"').required == (quoted,)


def test_a_request_reads_its_query_only_when_it_is_asked_to() -> None:
    plain = SearchRequest('-draft "a b" tag:x', filters=Filters(tags=("y",)))
    assert (plain.words, plain.required, plain.excluded) == (plain.query, (), ())
    read = plain.in_language()
    assert (read.query, read.words) == (plain.query, '"a b"')
    assert (read.required, read.excluded, read.filters.tags) == (("a b",), ("draft",), ("y", "x"))


def test_dates_of_query_and_filters_are_met_together() -> None:
    early, late = datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
    request = SearchRequest("after:2024 before:2025 x", filters=Filters(date_from=late, date_to=early)).in_language()
    assert (request.filters.date_from, request.filters.date_to) == (late, early)


def test_too_many_tags_are_refused() -> None:
    with pytest.raises(InvalidInputError):
        SearchRequest(" ".join(f"tag:{number}" for number in range(60))).in_language()
