"""The sentences of a document that say best what it is about, verbatim."""

import re
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from lumikb.compute.chunk.sentences import sentence_spans
from lumikb.compute.extract.keywords import Terms
from lumikb.compute.extract.text import WORDS

SENTENCES_MAX = 3
# Chunks whose vectors are compared, evenly spaced; those of them whose sentences are read; those at the beginning.
CHUNKS_COMPARED_MAX = 2_000
CHUNKS_READ = 12
CHUNKS_FIRST = 4
# A sentence of the beginning counts more, less so the later it comes.
LEAD_WEIGHT = 0.4
WORDS_WEIGHT = 1.0
# Two sentences that share more of their words say the same.
SHARED_MAX = 0.5

_CHARS = range(40, 321)
_CHARS_IDEOGRAPHIC = range(15, 161)
_WORDS_MIN = 6
_DIGITS_SHARE_MAX = 0.15
_IDEOGRAPHS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_BEGINNING = re.compile(r"[\"'“„«‘(¿¡]?\w")
_ENDING = re.compile(r"[.!。！][\"'”’»)\]]*\Z")
# Marks of tables, contents lists and code, and what stands on every document and tells nothing of it.
_NO_PROSE = re.compile(
    r"[|{}<>=\\_\t]|\.{4}|(?:\. ){3}|://|©|\(c\)|copyright|licen[cs]e|rights reserved|permission|warrant", re.IGNORECASE
)


def summary_spans(
    text: str, terms: Terms, chunks: Sequence[tuple[int, int]], vectors: NDArray[np.floating]
) -> list[tuple[int, int]]:
    """`[start, end)` of up to `SENTENCES_MAX` sentences of `text`, in its order; none where it has no prose.

    `chunks` are the spans of its passages, in order, and `vectors` has a unit row for each. A sentence counts by how
    near its passage lies to the mean of all, by how much it names of what the text is about, and by coming early.
    """
    scored = sorted(_scored(text, terms, chunks, vectors), key=lambda item: (-item[0], item[1]))
    chosen: list[tuple[int, int]] = []
    seen: list[set[str]] = []
    for _, span in scored:
        words = {word.casefold() for word in WORDS.findall(text[slice(*span)])}
        if all(_shared(words, other) <= SHARED_MAX for other in seen):
            chosen.append(span)
            seen.append(words)
        if len(chosen) == SENTENCES_MAX:
            break
    return sorted(chosen)


def _scored(
    text: str, terms: Terms, chunks: Sequence[tuple[int, int]], vectors: NDArray[np.floating]
) -> Iterator[tuple[float, tuple[int, int]]]:
    """Each sentence that can stand alone, of the first chunks and of the most central ones, with its score."""
    nearness = _nearness(vectors)
    central = sorted(nearness, key=lambda at: (-nearness[at], at))[:CHUNKS_READ]
    end = 0
    lead = LEAD_WEIGHT
    for at in sorted({*range(min(CHUNKS_FIRST, len(chunks))), *central}):
        start = max(end, chunks[at][0])  # neighbours overlap
        end = chunks[at][1]
        for span in sentence_spans(text, start, end) if start < end else ():
            sentence = text[slice(*span)]
            if _stands_alone(sentence):
                early = lead if at < CHUNKS_FIRST else 0.0
                yield nearness.get(at, 0.0) + WORDS_WEIGHT * terms.weigh(sentence) + early, span
                lead *= 0.8


def _nearness(vectors: NDArray[np.floating]) -> dict[int, float]:
    """Cosine of each compared row to the mean of them, scaled to 0 to 1."""
    step = max(1, -(-len(vectors) // CHUNKS_COMPARED_MAX))
    rows = vectors[::step].astype(np.float32)
    if not len(rows):
        return {}
    cosines = rows @ rows.mean(axis=0)
    low, high = float(cosines.min()), float(cosines.max())
    scaled = (cosines - low) / (high - low) if high > low else np.ones_like(cosines)
    return {at * step: float(value) for at, value in enumerate(scaled)}


def _stands_alone(sentence: str) -> bool:
    """Whether a reader who sees nothing else reads a whole statement."""
    if not _BEGINNING.match(sentence) or not _ENDING.search(sentence) or _NO_PROSE.search(sentence):
        return False
    first = WORDS.search(sentence)
    if first is None or first[0][0].islower() or sum(map(str.isdigit, sentence)) > _DIGITS_SHARE_MAX * len(sentence):
        return False
    if _IDEOGRAPHS.search(sentence):
        return len(sentence) in _CHARS_IDEOGRAPHIC
    return len(sentence) in _CHARS and len(sentence.split()) >= _WORDS_MIN


def _shared(words: set[str], other: set[str]) -> float:
    return len(words & other) / max(1, min(len(words), len(other)))
