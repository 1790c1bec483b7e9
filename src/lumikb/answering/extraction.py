"""Answers without a language model: the sentences of the passages that answer best, word for word.

Pure functions: nearness and terms of sentences come from the caller.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from lumikb.answering.tables import Row, rows_of
from lumikb.compute.chunk.sentences import sentence_spans
from lumikb.compute.parse.models import Heading
from lumikb.retrieval.models import Hit, Passage

PASSAGES_READ = 8
SENTENCES_MAX = 4
SENTENCE_CHARS_MAX = 600

# A sentence's score: its nearness to the question by MaxSim, and the share of the question's terms that it or its
# heading holds.
COVERAGE_WEIGHT = 0.25
# Names and values of a row say little to the model: words count for half of its score.
ROW_COVERAGE_WEIGHT = 0.5
# And it must hold so many of the question's terms: one of three, as "the administrator of titan", is a row like others.
ROW_COVERAGE_MIN = 0.4
# Below this no sentence counts as support, and the answer abstains (docs/decisions/0004).
SUPPORT_MIN = 0.37
# A question or heading is no answer, but tells what the next statement is about: it lends it this share of its score.
LENT = 0.9
# Words that a statement has at least; a line without a full stop needs more of them, and counts a little less.
STATEMENT_WORDS_MIN = 4
LINE_WORDS_MIN = 6
LINE_SHARE = 0.9
# A further sentence must come this near to the best one, and have other terms than those before it.
NEAR_BEST = 0.75
SAME_TERMS = 0.8
# Rows of one table are alike: a further one must be asked for nearly as much as the first.
ROW_NEAR_BEST = 0.95


_STATEMENT_END = re.compile(r"[.!;。！…][\"'”’)\]]*$")
_WORDS = re.compile(r"[^\W\d_]+")
_LEADERS = re.compile(r"\.{4,}|(\. ){3,}|^\W+$")


@dataclass(frozen=True)
class Sentence:
    """A sentence of a passage at `[start, end)` of its document's text, or a heading, or a `row` of a table."""

    hit: Hit
    start: int
    end: int
    is_heading: bool = False
    row: Row | None = None

    @property
    def text(self) -> str:
        """The sentence, verbatim."""
        passage = self.hit.passage
        return passage.text[self.start - passage.char_start : self.end - passage.char_start]

    @property
    def statement(self) -> str:
        """What it says by itself: of a row its cells with their columns' headers. What is compared with a question."""
        return self.row.statement if self.row else self.text


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
        rows = rows_of(passage.text, ends, text_start=passage.char_start)
        for (left, right, is_heading), row in zip(spans, rows, strict=True):
            start, end = passage.char_start + left, passage.char_start + right
            if end - start > SENTENCE_CHARS_MAX or any(
                start < other_end and other_start < end for other_start, other_end in places
            ):
                continue
            places.append((start, end))
            sentences.append(Sentence(hit, start, end, is_heading, row))
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
    sentences: Sequence[Sentence],
    near: NDArray[np.float32],
    terms_of: Callable[[str], Sequence[str]],
) -> list[Support]:
    """The sentences that make up the answer, in reading order; empty when nothing supports one.

    `near` says how near each sentence is to the question, 0 to 1. Documents come in the order of their best sentence,
    sentences of a document in the order of its text.
    """
    if not sentences:
        return []
    scores = _scores(set(query_terms), near, sentences, terms_of)
    order = sorted(range(len(sentences)), key=lambda at: (-scores[at], at))
    bar = max(SUPPORT_MIN, NEAR_BEST * scores[order[0]])
    chosen: list[int] = []
    for at in order:
        if scores[at] < bar or len(chosen) == SENTENCES_MAX:
            break
        if any(_are_rows_of_a_table(sentences[at], sentences[other]) for other in chosen):
            if scores[at] < ROW_NEAR_BEST * scores[order[0]]:
                continue
        elif any(_say_the_same(sentences[at], sentences[other], terms_of) for other in chosen):
            continue
        chosen.append(at)
    documents = list(dict.fromkeys(sentences[at].hit.passage.document_id for at in chosen))
    chosen.sort(key=lambda at: (documents.index(sentences[at].hit.passage.document_id), sentences[at].start))
    return [Support(sentences[at], min(1.0, scores[at])) for at in chosen]


def _say_the_same(one: Sentence, other: Sentence, terms_of: Callable[[str], Sequence[str]]) -> bool:
    """Whether nearly all terms of the shorter one stand in the other one, and they differ in no number."""
    terms, others = set(terms_of(one.statement)), set(terms_of(other.statement))
    if any(char.isdigit() for term in terms ^ others for char in term):
        return False
    return len(terms & others) >= SAME_TERMS * min(len(terms), len(others))


def _are_rows_of_a_table(one: Sentence, other: Sentence) -> bool:
    return one.row is not None and _table_of(one) == _table_of(other)


def _table_of(sentence: Sentence) -> tuple[str, str] | None:
    """What tells a table from others: its document and its name there."""
    return (sentence.hit.passage.chunk_set_id, sentence.row.table) if sentence.row else None


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
    near: NDArray[np.float32],
    sentences: Sequence[Sentence],
    terms_of: Callable[[str], Sequence[str]],
) -> list[float]:
    scores: list[float] = []
    beside = _rows_not_asked_for(wanted, sentences, terms_of)
    lent = 0.0
    previous: Sentence | None = None
    for at, (nearness, sentence) in enumerate(zip(near, sentences, strict=True)):
        if previous is None or previous.hit is not sentence.hit:
            lent = 0.0
        is_record = sentence.row is not None and sentence.row.is_record
        covering = ROW_COVERAGE_WEIGHT if is_record else COVERAGE_WEIGHT
        coverage = _coverage(wanted, sentence, terms_of)
        own = (1 - covering) * max(0.0, float(nearness)) + covering * coverage
        share = 0.0 if at in beside or (is_record and coverage < ROW_COVERAGE_MIN) else _share(sentence)
        scores.append(max(own, lent) * share)
        # Rows stand side by side: what a table is headed by, or another row says, is no question that the next answers.
        lends = share == 0.0 and sentence.row is None
        lent = max(lent, LENT * own) if lends else 0.0
        previous = sentence
    return scores


def _share(sentence: Sentence) -> float:
    if sentence.is_heading or _repeats_heading(sentence) or _is_cut_off(sentence):
        return 0.0
    if sentence.row:
        return 0.0 if sentence.row.is_header else 1.0
    return statement_share(sentence.text)


def _rows_not_asked_for(
    wanted: set[str], sentences: Sequence[Sentence], terms_of: Callable[[str], Sequence[str]]
) -> set[int]:
    """Rows that are no answer though they are like one: others of their table hold more of what was asked.

    Rows of names and values differ in single words, which their cosines hardly show. What stands in every row of a
    table tells none from the others, and neither do the names of its columns: who asks for nothing else is given a
    small table whole.
    """
    tables: dict[tuple[str, str] | None, dict[int, Row]] = {}
    for at, sentence in enumerate(sentences):
        if sentence.row and sentence.row.is_record:
            tables.setdefault(_table_of(sentence), {})[at] = sentence.row
    beside: set[int] = set()
    for rows in tables.values():
        held = {at: wanted & set(terms_of("\n".join(row.cells))) for at, row in rows.items()}
        common = {term for term in wanted if len(rows) > 1 and all(term in terms for terms in held.values())}
        most = max(len(terms - common) for terms in held.values())
        if most:
            beside |= {at for at, terms in held.items() if len(terms - common) < most}
        elif len(rows) > SENTENCES_MAX or not all(wanted <= set(terms_of(row.statement)) for row in rows.values()):
            beside.update(rows)
    return beside


def _is_cut_off(sentence: Sentence) -> bool:
    """Whether its beginning stands in the passage before: a long sentence is cut where a passage is full."""
    return sentence.start == sentence.hit.passage.char_start > 0 and sentence.text[:1].islower()


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
