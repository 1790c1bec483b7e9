"""Words of a sentence, folded and stemmed alike for English and German, and how two sentences run beside each other."""

import re
import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from typing import NamedTuple

from lumikb.answering.checking.listed import listed
from lumikb.answering.checking.numerals import FRACTIONS, MAGNITUDES, NUMBER_WORDS, TIMES
from lumikb.answering.checking.units import BETWEEN, UNITS
from lumikb.compute.extract.stopwords import STOPWORDS

# Words are cut to this length after their endings: "termination" and "terminate" are one.
STEM_CHARS_MAX = 7
STEM_CHARS_MIN = 3
# Some 2 MB.
STEMS_KEPT = 20_000

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|\d+(?:[.,:]\d+)*")
_MARKS = re.compile("[\u0300-\u036f]")
_ENDINGS = listed(
    "ations ation ating ated ates ate ements ement ments ment ingly ions ion ings ing iers ier edly ied ies ers ern "
    "ens est ed er es en em ly ung s e n y i"
)
# Words without content of their own, beside those that a language's list has.
_EMPTY = frozenset(
    listed("""
    shall may might must can cannot could should would will also about around roughly approximately nearly almost some
    approx circa etwa rund ungefähr knapp up only just about per each every any one a an said according namely
    amount amounts take takes took place lie lies have has had be been being do does did
    across despite throughout unlike because since until although thanks near within along behind beside besides toward
    towards today currently originally later earlier instead otherwise whenever wherever unless several many most trotz
    seit während wegen laut neben außerhalb innerhalb gemäß statt
    """)
)
STOP = STOPWORDS["en"] | STOPWORDS["de"] | _EMPTY
# Numbers and what they measure are compared as values.
_MEASURES = frozenset(name.casefold() for name in (*UNITS, *BETWEEN, *MAGNITUDES, *NUMBER_WORDS, *FRACTIONS, *TIMES))


class Word(NamedTuple):
    """A word at `[start, end)` of its text: folded, and its stem, which is empty for a word without content."""

    start: int
    end: int
    folded: str
    stem: str


def words(text: str) -> list[Word]:
    """Words and numerals of a text, in their order."""
    return [Word(match.start(), match.end(), *_folded_and_stem(match[0])) for match in _WORD.finditer(text)]


def fold(text: str) -> str:
    """Lower case without accents; `ß` is `ss`, and apostrophes are straight."""
    text = text.casefold().replace("’", "'")
    return text if text.isascii() else _MARKS.sub("", unicodedata.normalize("NFKD", text))


def runs_beside(one: Sequence[str], other: Sequence[str]) -> tuple[float, list[tuple[slice, slice]]]:
    """How much of two sequences of words runs alike, 0 to 1, and the stretches in which they differ."""
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    different = [
        (slice(left, left_end), slice(right, right_end))
        for kind, left, left_end, right, right_end in matcher.get_opcodes()
        if kind != "equal"
    ]
    return matcher.ratio(), different


@lru_cache(STEMS_KEPT)
def _folded_and_stem(word: str) -> tuple[str, str]:
    folded = fold(word)
    bare = folded.removesuffix("'s")
    plain = word.casefold()
    if bare in STOP or plain in STOP or plain in _MEASURES or "'" in bare or bare[0].isdigit() or len(bare) < 2:
        return folded, ""
    return folded, stem(bare)


def stem(folded: str) -> str:
    """A folded word without its endings, cut: equal for most forms of a word, English or German."""
    for _ in range(2):
        for ending in _ENDINGS:
            if folded.endswith(ending) and len(folded) - len(ending) >= STEM_CHARS_MIN:
                folded = folded[: -len(ending)]
                break
        if len(folded) > STEM_CHARS_MIN and folded[-1] == folded[-2]:
            folded = folded[:-1]
    return folded[:STEM_CHARS_MAX]
