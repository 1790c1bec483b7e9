import time
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lumikb.compute.extract.extract import extract
from lumikb.compute.extract.keywords import Terms, keywords
from lumikb.compute.extract.models import Extracted
from lumikb.compute.parse.formats import Format
from lumikb.compute.parse.models import PageStart, ParsedText

NOW = datetime(2026, 5, 1, tzinfo=UTC)
TEXT = (
    "The lighthouse of Farrowhead\n\n"
    "The lighthouse keeper of Farrowhead winds the clockwork of the lamp every four hours. "
    "Rapeseed oil burns in the lamp, and the keeper carries it up the stairs in the morning. "
    "Copyright 1871 by the lighthouse board, and all rights reserved for the lighthouse keeper. "
    "Who winds the clockwork of the lamp when the keeper of the lighthouse is ill? "
    "Ships see the lamp of the lighthouse from nineteen miles when there is no fog at sea.\n"
)


def spans_of(text: str, size: int = 120) -> list[tuple[int, int]]:
    return [(start, min(start + size, len(text))) for start in range(0, len(text), size)]


def vectors_of(count: int) -> NDArray[np.float16]:
    rows = np.random.default_rng(7).normal(size=(count, 8))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)


def extracted(parsed: ParsedText, kind: Format = Format.TEXT, size: int = 120) -> Extracted:
    spans = spans_of(parsed.text, size)
    return extract(parsed, kind.mime_type, spans, vectors_of(len(spans)), now=NOW)


def test_a_text_tells_what_it_is_about() -> None:
    metadata = {"author": "Maren Odegaard", "created": "2024-05-03", "language": "en-GB"}
    parsed = ParsedText(text=TEXT, metadata=metadata, pages=[PageStart(0, 1), PageStart(60, 2)])
    found = extracted(parsed, size=len(TEXT))
    assert (found.source, found.title, found.author) == ("extracted", "The lighthouse of Farrowhead", "Maren Odegaard")
    assert (found.language, found.date) == ("en", datetime(2024, 5, 3, tzinfo=UTC))
    assert found.keywords[0] == "lighthouse keeper"
    assert {"lamp", "clockwork"} <= {word for phrase in found.keywords for word in phrase.split()}
    assert [sentence.text.split()[0] for sentence in found.summary] == ["The", "Rapeseed", "Ships"]
    for sentence in found.summary:
        assert TEXT[sentence.char_start : sentence.char_end] == sentence.text
        assert sentence.page_number == parsed.page_at(sentence.char_start)


def test_the_text_contradicts_a_wrong_tag_and_a_short_one_does_not() -> None:
    assert extracted(ParsedText(text=TEXT * 2, metadata={"language": "de-DE"})).language == "en"
    assert extracted(ParsedText(text="Der Turm.", metadata={"language": "fi"})).language == "fi"


def test_source_code_and_tables_have_no_title_of_their_text() -> None:
    code = "def lighthouse():\n    return lamp  # The lamp of the lighthouse is seen from nineteen miles.\n" * 20
    found = extracted(ParsedText(text=code), Format.SOURCE)
    assert found == Extracted()
    assert extracted(ParsedText(text="Vessel,Toll\nbarge,42\nboat,3\n"), Format.CSV).title is None


def test_no_text_tells_nothing() -> None:
    assert extracted(ParsedText(text="")) == Extracted()


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("de", "Der Leuchtturm brennt. Ein Leuchtturm und sein Öl: Das Öl des Leuchtturms.", "Leuchtturm"),
        ("zh", "灯塔的灯光很亮。灯塔建于海边，船看到灯塔。", "灯塔"),
        ("ja", "灯台は海の近くにある。船は灯台を見る。ランプとランプ。", "灯台"),
        ("hi", "दीपस्तंभ में बत्ती है। दीपस्तंभ पुराना है।", "दीपस्तंभ"),
        (None, "Majakas põleb. Majakas on vana. Majakas seisab.", "Majakas"),
    ],
)
def test_keywords_are_whole_words_of_their_language(language: str | None, text: str, expected: str) -> None:
    assert expected in keywords(Terms(text, language))


PIECES = [
    "The lamp ",
    "burns oil",
    "lighthouse ",
    "-",
    ". ",
    "\n",
    "\r\n",
    "\u0301",
    "ß",
    "İ",
    "灯塔",
    "ランプ",
    "มี",
    "| ",
    "1871 ",
]
TEXTS = st.text(max_size=300) | st.lists(st.sampled_from(PIECES), max_size=150).map("".join)


@given(TEXTS, st.sampled_from([Format.TEXT, Format.PDF, Format.SOURCE, Format.ZIP]), st.integers(1, 90))
def test_any_text_is_read_and_what_is_found_stands_in_it(text: str, kind: Format, size: int) -> None:
    parsed = ParsedText(text=text, title=text[:50], metadata={"author": text, "created": text})
    found = extracted(parsed, kind, size)
    assert all(phrase in text for phrase in found.keywords)
    assert all(text[one.char_start : one.char_end] == one.text for one in found.summary)
    assert found == extracted(parsed, kind, size)


@pytest.mark.parametrize("piece", [TEXT, "a", "a ", "A. ", "\n", "Ab.\n", "ab-", "…", "1 ", "灯塔", "A a\u0300 "])
def test_a_long_text_costs_little_whatever_it_holds(piece: str) -> None:
    text = piece * (4_000_000 // len(piece))
    spans, vectors = spans_of(text, 1000), vectors_of(-(-len(text) // 1000))
    begun = time.process_time()
    told = dict.fromkeys(("author", "language", "date", "created", "modified"), text)
    parsed = ParsedText(text=text, title=text, metadata=told)
    extract(parsed, Format.TEXT.mime_type, spans, vectors, now=NOW)
    assert time.process_time() - begun < 3
