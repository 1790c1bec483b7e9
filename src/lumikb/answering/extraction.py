"""Answers without a language model: the sentences of the passages that answer best, word for word.

Pure functions: the vectors and terms of sentences come from the caller.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lumikb.compute.chunk.sentences import sentence_spans
from lumikb.retrieval.models import Hit

PASSAGES_READ = 8
SENTENCES_MAX = 4
SENTENCE_CHARS_MIN = 20
SENTENCE_CHARS_MAX = 600

# A sentence's score: cosine to the query, and the share of the query's terms that it or its heading holds.
COSINE_WEIGHT = 0.75
COVERAGE_WEIGHT = 0.25
# Below this no sentence counts as support, and the answer abstains (docs/decisions/0004).
SUPPORT_MIN = 0.40
# A further sentence must come this near to the best one, and say something else than those before it.
NEAR_BEST = 0.75
SAME_COSINE = 0.85


@dataclass(frozen=True)
class Sentence:
    """A sentence of a passage at `[start, end)` of its document's text."""

    hit: Hit
    start: int
    end: int

    @property
    def text(self) -> str:
        """The sentence, verbatim."""
        passage = self.hit.passage
        return passage.text[self.start - passage.char_start : self.end - passage.char_start]


@dataclass(frozen=True)
class Support:
    """A sentence that was chosen, and how well it supports an answer, 0 to 1."""

    sentence: Sentence
    score: float


def candidate_sentences(hits: Sequence[Hit]) -> list[Sentence]:
    """Sentences of the best passages, each place of a document once (neighbouring passages overlap)."""
    sentences: list[Sentence] = []
    taken: dict[str, list[tuple[int, int]]] = {}
    for hit in hits[:PASSAGES_READ]:
        passage = hit.passage
        places = taken.setdefault(passage.chunk_set_id, [])
        for left, right in sentence_spans(passage.text):
            start, end = passage.char_start + left, passage.char_start + right
            if not SENTENCE_CHARS_MIN <= end - start <= SENTENCE_CHARS_MAX:
                continue
            if any(start < other_end and other_start < end for other_start, other_end in places):
                continue
            places.append((start, end))
            sentences.append(Sentence(hit, start, end))
    return sentences


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
    wanted = set(query_terms)
    cosines = vectors @ query_vector
    scores = [
        COSINE_WEIGHT * max(0.0, float(cosine)) + COVERAGE_WEIGHT * _coverage(wanted, sentence, terms_of)
        for cosine, sentence in zip(cosines, sentences, strict=True)
    ]
    order = sorted(range(len(sentences)), key=lambda at: (-scores[at], at))
    bar = max(SUPPORT_MIN, NEAR_BEST * scores[order[0]])
    chosen: list[int] = []
    for at in order:
        if scores[at] < bar or len(chosen) == SENTENCES_MAX:
            break
        if all(float(vectors[at] @ vectors[other]) < SAME_COSINE for other in chosen):
            chosen.append(at)
    documents = list(dict.fromkeys(sentences[at].hit.passage.document_id for at in chosen))
    chosen.sort(key=lambda at: (documents.index(sentences[at].hit.passage.document_id), sentences[at].start))
    return [Support(sentences[at], min(1.0, scores[at])) for at in chosen]


def _coverage(wanted: set[str], sentence: Sentence, terms_of: Callable[[str], Sequence[str]]) -> float:
    if not wanted:
        return 0.0
    header = sentence.hit.passage.section_header or ""
    return len(wanted & set(terms_of(f"{header}\n{sentence.text}"))) / len(wanted)
