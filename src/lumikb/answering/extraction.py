"""Answers without a language model: the sentences of the passages that answer best, word for word.

Pure functions: the vectors and terms of sentences come from the caller.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from lumikb.answering.tables import headers_of, is_table_row, labelled
from lumikb.compute.chunk.sentences import sentence_spans
from lumikb.compute.parse.models import Heading
from lumikb.retrieval.models import Hit, Passage

PASSAGES_READ = 8
SENTENCES_MAX = 4
SENTENCE_CHARS_MAX = 600

# A sentence's score: cosine to the query, and the share of the query's terms that it or its heading holds.
COSINE_WEIGHT = 0.75
COVERAGE_WEIGHT = 0.25
# Below this no sentence counts as support, and the answer abstains (docs/decisions/0004).
SUPPORT_MIN = 0.50
# A question or heading is no answer, but tells what the next statement is about: it lends it this share of its score.
LENT = 0.9
# Words that a statement has at least; a line without a full stop needs more of them, and counts a little less.
STATEMENT_WORDS_MIN = 4
LINE_WORDS_MIN = 6
LINE_SHARE = 0.9
# A further sentence must come this near to the best one, and say something else than those before it.
NEAR_BEST = 0.75
SAME_COSINE = 0.85
# Rows of one table are alike: a further one must be asked for nearly as much as the first.
ROW_NEAR_BEST = 0.95


_STATEMENT_END = re.compile(r"[.!;。！…][\"'”’)\]]*$")
_WORDS = re.compile(r"[^\W\d_]+")
_LEADERS = re.compile(r"\.{4,}|(\. ){3,}|^\W+$")


@dataclass(frozen=True)
class Sentence:
    """A sentence of a passage at `[start, end)` of its document's text, or a heading or a row of a table within it.

    `header` is the first row of the table of which this is a further row, else empty.
    """

    hit: Hit
    start: int
    end: int
    is_heading: bool = False
    header: str = ""

    @property
    def text(self) -> str:
        """The sentence, verbatim."""
        passage = self.hit.passage
        return passage.text[self.start - passage.char_start : self.end - passage.char_start]

    @property
    def statement(self) -> str:
        """What it says by itself: of a row its cells with their columns' headers. What is compared with a question."""
        return labelled(self.header, self.text) if self.header else self.text


@dataclass(frozen=True)
class Support:
    """A sentence that was chosen, and how well it supports an answer, 0 to 1."""

    sentence: Sentence
    score: float


HeadingsOf = Callable[[Passage], Sequence[Heading]]


def candidate_sentences(hits: Sequence[Hit], headings_of: HeadingsOf = lambda _: ()) -> list[Sentence]:
    """Sentences of the best passages, each place of a document once (neighbouring passages overlap).

    `headings_of` gives the headings of a passage's document, in their order: no sentence runs over one.
    """
    sentences: list[Sentence] = []
    taken: dict[str, list[tuple[int, int]]] = {}
    for hit in hits[:PASSAGES_READ]:
        passage = hit.passage
        places = taken.setdefault(passage.chunk_set_id, [])
        spans = list(_spans(passage, headings_of(passage)))
        ends = [(left, right) for left, right, _ in spans]
        headers = headers_of(passage.text, ends, begins_document=passage.char_start == 0)
        for (left, right, is_heading), header in zip(spans, headers, strict=True):
            start, end = passage.char_start + left, passage.char_start + right
            if end - start > SENTENCE_CHARS_MAX or any(
                start < other_end and other_start < end for other_start, other_end in places
            ):
                continue
            places.append((start, end))
            sentences.append(Sentence(hit, start, end, is_heading, header))
    return sentences


def _spans(passage: Passage, headings: Sequence[Heading]) -> Iterator[tuple[int, int, bool]]:
    """`[start, end)` of sentences and headings within the passage, and which is a heading."""
    at, text = 0, passage.text
    first = bisect_left(headings, passage.char_start, key=lambda heading: heading.start)
    for heading in islice(headings, first, None):
        if heading.start >= passage.char_end:
            break
        # Its number, which outlines leave out, stands before it on its line.
        title = heading.start - passage.char_start
        start, end = text.rfind("\n", 0, title) + 1, heading.end - passage.char_start
        if start < at:
            continue
        yield from ((left, right, False) for left, right in sentence_spans(text, at, start))
        at = min(end, len(text)) if end > title else start
        yield from ((left, right, True) for left, right in sentence_spans(text, start, at))
    yield from ((left, right, False) for left, right in sentence_spans(text, at))


def choose_support(
    query_terms: Sequence[str],
    query_vector: NDArray[np.float32],
    sentences: Sequence[Sentence],
    vectors: NDArray[np.float32],
    terms_of: Callable[[str], Sequence[str]],
) -> list[Support]:
    """The sentences that make up the answer, in reading order; empty when nothing supports one.

    `vectors` has a unit row for each sentence. Documents come in the order of their best sentence, sentences of a
    document in the order of its text.
    """
    if not sentences:
        return []
    scores = _scores(set(query_terms), vectors @ query_vector, sentences, terms_of)
    order = sorted(range(len(sentences)), key=lambda at: (-scores[at], at))
    bar = max(SUPPORT_MIN, NEAR_BEST * scores[order[0]])
    chosen: list[int] = []
    for at in order:
        if scores[at] < bar or len(chosen) == SENTENCES_MAX:
            break
        if any(_are_rows_of_a_table(sentences[at], sentences[other]) for other in chosen):
            if scores[at] < ROW_NEAR_BEST * scores[order[0]]:
                continue
        elif any(float(vectors[at] @ vectors[other]) >= SAME_COSINE for other in chosen):
            continue
        chosen.append(at)
    documents = list(dict.fromkeys(sentences[at].hit.passage.document_id for at in chosen))
    chosen.sort(key=lambda at: (documents.index(sentences[at].hit.passage.document_id), sentences[at].start))
    return [Support(sentences[at], min(1.0, scores[at])) for at in chosen]


def _are_rows_of_a_table(one: Sentence, other: Sentence) -> bool:
    return one.header != "" and one.header == other.header and one.hit is other.hit


def statement_share(text: str) -> float:
    """How much of its score a sentence keeps as an answer.

    None is kept by a question, a heading, a line of a contents list, and what only announces what follows it.

    A statement ends like one; a line of a list or table does not, but has words enough, or a name and a value.
    """
    text = text.strip()
    words = len(text.split())
    if text.endswith(("?", "？", ":", "：")) or _LEADERS.search(text) or words < STATEMENT_WORDS_MIN:
        return 0.0
    if _STATEMENT_END.search(text):
        return 1.0
    return LINE_SHARE if words >= LINE_WORDS_MIN or ": " in text else 0.0


def _scores(
    wanted: set[str],
    cosines: NDArray[np.float32],
    sentences: Sequence[Sentence],
    terms_of: Callable[[str], Sequence[str]],
) -> list[float]:
    scores: list[float] = []
    lent = 0.0
    previous: Sentence | None = None
    for cosine, sentence in zip(cosines, sentences, strict=True):
        if previous is None or previous.hit is not sentence.hit:
            lent = 0.0
        own = COSINE_WEIGHT * max(0.0, float(cosine)) + COVERAGE_WEIGHT * _coverage(wanted, sentence, terms_of)
        share = _share(sentence)
        scores.append(max(own, lent) * share)
        # Rows stand side by side: what a table is headed by, or another row says, is no question that the next answers.
        lends = share == 0.0 and not is_table_row(sentence.text)
        lent = max(lent, LENT * own) if lends else 0.0
        previous = sentence
    return scores


def _share(sentence: Sentence) -> float:
    if sentence.is_heading or _repeats_heading(sentence):
        return 0.0
    if sentence.header:
        return 1.0 if any(map(str.isalnum, sentence.text)) else 0.0
    return statement_share(sentence.text)


def _repeats_heading(sentence: Sentence) -> bool:
    """Whether it is the heading of its section or of one around, as running heads are, with or without numbers."""
    letters = " ".join(_WORDS.findall(sentence.text)).casefold()
    path = " ".join(_WORDS.findall(sentence.hit.passage.section_header or "")).casefold()
    return letters != "" and f" {letters} " in f" {path} "


def _coverage(wanted: set[str], sentence: Sentence, terms_of: Callable[[str], Sequence[str]]) -> float:
    if not wanted:
        return 0.0
    header = sentence.hit.passage.section_header or ""
    return len(wanted & set(terms_of(f"{header}\n{sentence.statement}"))) / len(wanted)
