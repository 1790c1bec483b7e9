"""The phrases that tell what a text is about, by how often, how early and in what company they stand."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lumikb.compute.extract.stopwords import STOPWORDS
from lumikb.compute.extract.text import WORD, sample

KEYWORDS_MAX = 10
PHRASE_CHARS_MAX = 60
# Frequencies of an evenly spread part of a long text are as good as those of all of it.
SAMPLE_CHARS = 200_000
SAMPLE_PIECES = 40
VOCABULARY_MAX = 400
# From this many words on, a word that stands there once tells nothing.
LONG_TEXT_WORDS = 200
# A phrase of several words says more than one of them, and one in a heading or near the beginning more than another.
LENGTH_WEIGHTS = (1.0, 2.5, 3.0)
HEADING_BONUS = 1.5
BEGINNING_BONUS = 1.3
BEGINNING_CHARS = 3_000

_IDEOGRAPHS = r"\u3400-\u4dbf\u4e00-\u9fff"
_CHINESE_STOPS = frozenset(
    "的了是在和有不这我们你他她它个一上中为以到说时要就会可也对与及或而于被由从将把能用等之其该此但并很都着地得那"
)

Phrase = tuple[str, ...]


@dataclass(frozen=True)
class _Writing:
    """How a language sets its words: what a run of them is, how it falls into words, how many make a phrase."""

    runs: re.Pattern[str]
    separator: str
    words_min: int
    words_max: int
    word_chars_min: int
    stopwords: frozenset[str]


# Single spaces between words: a phrase ends at any other sign and at a line end, and stands in the text as it is told.
_SPACED = re.compile(rf"{WORD}(?:[ -]{WORD})*")
_CHINESE = re.compile(f"[{_IDEOGRAPHS}]+")
_JAPANESE = re.compile(rf"[{_IDEOGRAPHS}]+|[\u30a1-\u30fa\u30fc]+")


def _writing(language: str | None) -> _Writing:
    if language == "zh":  # what the words are is not marked: phrases of characters
        return _Writing(_CHINESE, "", 2, 4, 1, _CHINESE_STOPS)
    if language == "ja":  # a run of Chinese characters or katakana is a term; what stands between them is grammar
        return _Writing(_JAPANESE, " ", 1, 1, 2, frozenset())
    stopwords = STOPWORDS.get(language or "", frozenset[str]())
    return _Writing(_SPACED, " ", 1, 3, 3 if stopwords else 5, stopwords)


class Terms:
    """The telling words of a text (of an evenly spread part of a long one), in their runs.

    `language` is the text's ISO 639-1 code, None when unknown. `counts` says how often each word occurs, in lower case.
    """

    def __init__(self, text: str, language: str | None) -> None:
        self.part = sample(text, SAMPLE_CHARS, SAMPLE_PIECES)
        self._writing = _writing(language)
        self.separator, self.words_min = self._writing.separator, self._writing.words_min
        self._runs = [self._split(run) for run in self._writing.runs.findall(self.part)]
        counts = Counter(word.casefold() for run in self._runs for word in run)
        self._words_least = 2 if counts.total() >= LONG_TEXT_WORDS else 1
        self.counts = self._telling(counts)

    def weigh(self, text: str) -> float:
        """How much of what the text is about a part of it names: the mean weight of its words, 0 to 1."""
        top = math.log1p(max(self.counts.values(), default=1))
        words = [word.casefold() for run in self._writing.runs.findall(text) for word in self._split(run)]
        return sum(math.log1p(self.counts.get(word, 0)) for word in words) / (top * max(1, len(words)))

    def phrases(self) -> tuple[dict[Phrase, int], dict[Phrase, Phrase]]:
        """How often each phrase of telling words occurs, and how it is mostly written."""
        written: Counter[Phrase] = Counter()
        for run in self._runs:
            for stretch in self._stretches(run):
                for length in range(self.words_min, self._writing.words_max + 1):
                    written.update(zip(*(stretch[at:] for at in range(length)), strict=False))
        counts: Counter[Phrase] = Counter()
        forms: dict[Phrase, Phrase] = {}
        for form, count in written.most_common():
            if len(self.separator.join(form)) <= PHRASE_CHARS_MAX:
                phrase = tuple(word.casefold() for word in form)
                counts[phrase] += count
                forms.setdefault(phrase, form)
        return counts, forms

    def least(self, phrase: Phrase) -> int:
        """How often a phrase must occur to tell something."""
        return self._words_least if len(phrase) == 1 else 2

    def _split(self, run: str) -> list[str]:
        return run.split(self.separator) if self.separator else list(run)

    def _telling(self, counts: Counter[str]) -> dict[str, int]:
        """The most frequent words that are not small ones."""
        telling: dict[str, int] = {}
        for word, count in counts.most_common():
            if count < self._words_least or len(telling) == VOCABULARY_MAX:
                break
            if len(word) >= self._writing.word_chars_min and word not in self._writing.stopwords:
                telling[word] = count
        return telling

    def _stretches(self, run: list[str]) -> Iterator[list[str]]:
        stretch: list[str] = []
        for word in run:
            if word.casefold() in self.counts:
                stretch.append(word)
            elif stretch:
                yield stretch
                stretch = []
        if stretch:
            yield stretch


def keywords(terms: Terms, headings: Iterable[str] = ()) -> list[str]:
    """Up to `KEYWORDS_MAX` phrases, verbatim, the most telling first. Linear in what `terms` has read."""
    counts, forms = terms.phrases()
    titles = "\n".join(headings).casefold()
    beginning = terms.part[:BEGINNING_CHARS].casefold()
    within = _within(counts)
    scores: dict[Phrase, float] = {}
    for phrase, count in counts.items():
        joined = terms.separator.join(phrase)
        if count >= terms.least(phrase) or joined in titles:
            # The C-value of Frantzi and others (2000): what a longer phrase says already counts little.
            alone = max(0.25, count - 0.75 * within[phrase])
            score = LENGTH_WEIGHTS[len(phrase) - terms.words_min] * math.sqrt(alone)
            score *= HEADING_BONUS if joined in titles else 1
            score *= BEGINNING_BONUS if joined in beginning else 1
            scores[phrase] = score
    chosen: list[Phrase] = []
    for phrase in sorted(scores, key=lambda phrase: (-scores[phrase], phrase)):
        if len(chosen) == KEYWORDS_MAX:
            break
        if not any(_overlap(phrase, other) for other in chosen):
            chosen.append(phrase)
    return [terms.separator.join(forms[phrase]) for phrase in chosen]


def _within(counts: dict[Phrase, int]) -> Counter[Phrase]:
    """How often each phrase occurs within the longer one that it occurs in most."""
    within: Counter[Phrase] = Counter()
    for phrase, count in counts.items():
        for length in range(1, len(phrase)):
            for at in range(len(phrase) - length + 1):
                inner = phrase[at : at + length]
                within[inner] = max(within[inner], count)
    return within


def _overlap(phrase: Phrase, other: Phrase) -> bool:
    """Whether one says what the other does: more than half of its words are the other's, but for their ends."""
    shorter, longer = sorted((phrase, other), key=len)
    return 2 * sum(any(_same(word, another) for another in longer) for word in shorter) > len(shorter)


def _same(word: str, other: str) -> bool:
    stem = max(3, min(len(word), len(other)) - 2)
    return abs(len(word) - len(other)) <= 2 and word[:stem] == other[:stem]
