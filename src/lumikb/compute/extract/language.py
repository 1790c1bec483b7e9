"""The language of a text by its script and its small words, without a model."""

import re
from collections import Counter
from collections.abc import Iterable

from lumikb.compute.extract.stopwords import STOPWORDS
from lumikb.compute.extract.text import WORDS, sample

SAMPLE_CHARS = 32_000
SAMPLE_PIECES = 4
# Of the letters, those of one script: below this a text is of no one script.
SCRIPT_SHARE_MIN = 0.5
# Small words are a third to a half of prose; below this share of all words the text is in none of our languages. On
# messages of programs, 60 words long, in 33 languages 95 of 100 texts are told and none wrongly.
WORDS_SHARE_MIN = 0.12
# What the small words found are worth at least, each one for the languages that have it not.
EVIDENCE_MIN = 1.5
# How far the best language must lie before the next.
LEAD_MIN = 1.15

# Ranges of letters by script, and the language that a script has alone.
_SCRIPTS = {
    "latin": r"A-Za-z\u00c0-\u024f\u1e00-\u1eff",
    "cyrillic": r"\u0400-\u052f",
    "arabic": r"\u0600-\u06ff\u0750-\u077f",
    "kana": r"\u3040-\u30ff",
    "zh": r"\u3400-\u4dbf\u4e00-\u9fff",
    "ko": r"\uac00-\ud7af\u1100-\u11ff",
    "el": r"\u0370-\u03ff\u1f00-\u1fff",
    "he": r"\u0590-\u05ff",
    "hi": r"\u0900-\u097f",
    "th": r"\u0e00-\u0e7f",
    "ka": r"\u10a0-\u10ff",
    "hy": r"\u0530-\u058f",
    "ta": r"\u0b80-\u0bff",
    "te": r"\u0c00-\u0c7f",
    "bn": r"\u0980-\u09ff",
}
_RUNS = {script: re.compile(f"[{letters}]+") for script, letters in _SCRIPTS.items()}
# Japanese is written in Chinese characters, too: this share of kana tells it.
_KANA_SHARE_MIN = 0.05
# Letters that tell a language of the script from those that come after it.
_CYRILLIC_LETTERS = (
    ("sr", "ђћ"),
    ("mk", "ѓќѕ"),
    ("sr", "јљњџ"),
    ("be", "ў"),
    ("uk", "іїєґ"),
    ("ru", "ыэё"),
    ("bg", "ъ"),
)
_ARABIC_LETTERS = (("ur", "ٹڈڑے"), ("fa", "پچژگ"))
_VIETNAMESE = re.compile(r"[\u1ea0-\u1ef9]")
_VIETNAMESE_SHARE_MIN = 0.03
_OWN_LETTER_SHARE_MIN = 0.002

_LATIN = "en de fr es ca pt it ro nl sv da no fi pl cs sk hu hr sl tr".split()  # noqa: SIM905
# Single letters stand everywhere, in formulas and as initials.
_OWNERS = Counter(word for language in _LATIN for word in STOPWORDS[language] if len(word) > 1)

_TAG = re.compile(r"([a-z]{2,3})(?:[-_][a-z0-9_@.-]*)?(?:\s*[,;].*)?", re.IGNORECASE | re.DOTALL)
# Spellings of tags that mean the same: the two kinds of Norwegian, and codes of ISO 639-2 and of old.
_CODES = """
    nb=no nn=no iw=he in=id ji=yi eng=en ger=de deu=de fre=fr fra=fr spa=es cat=ca por=pt ita=it rum=ro ron=ro
    dut=nl nld=nl swe=sv dan=da nor=no nob=no nno=no fin=fi pol=pl cze=cs ces=cs slo=sk slk=sk hun=hu hrv=hr
    slv=sl tur=tr rus=ru ukr=uk bul=bg srp=sr gre=el ell=el heb=he ara=ar per=fa fas=fa hin=hi chi=zh zho=zh
    jpn=ja kor=ko tha=th vie=vi
"""
_SAME = {spelling: code for spelling, _, code in (pair.partition("=") for pair in _CODES.split())}
_NO_LANGUAGE = {"und", "mul", "zxx", "mis"}


def language_code(tag: str) -> str | None:
    """The language of a tag such as `de-AT`, `en_US` or `ger`, ISO 639-1 where that has it; None for anything else."""
    found = _TAG.fullmatch(tag.strip())
    if found is None:
        return None
    code = found[1].lower()
    return None if code in _NO_LANGUAGE else _SAME.get(code, code)


def detect_language(text: str) -> str | None:
    """The ISO 639-1 code of the text's language, None when the text does not tell. Linear in the length."""
    text = sample(text, SAMPLE_CHARS, SAMPLE_PIECES)
    counts = {script: sum(map(len, run.findall(text))) for script, run in _RUNS.items()}
    letters = sum(counts.values())
    if counts["kana"] + counts["zh"] > letters * SCRIPT_SHARE_MIN:
        return "ja" if counts["kana"] > letters * _KANA_SHARE_MIN else "zh"
    script = max(counts, key=counts.__getitem__)
    if counts[script] <= letters * SCRIPT_SHARE_MIN:
        return None
    match script:
        case "latin":
            if len(_VIETNAMESE.findall(text)) > letters * _VIETNAMESE_SHARE_MIN:
                return "vi"
            return _by_small_words(word.casefold() for word in WORDS.findall(text))
        case "cyrillic":
            return _by_letters(text.lower(), _CYRILLIC_LETTERS, letters)
        case "arabic":
            return _by_letters(text, _ARABIC_LETTERS, letters) or "ar"
        case _:
            return script


def _by_letters(text: str, owners: Iterable[tuple[str, str]], letters: int) -> str | None:
    for language, own in owners:
        if sum(map(text.count, own)) > letters * _OWN_LETTER_SHARE_MIN:
            return language
    return None


def _by_small_words(words: Iterable[str]) -> str | None:
    counts = Counter(words)
    small = {word: count for word, count in counts.items() if word in _OWNERS}
    scores = {
        language: sum(count / _OWNERS[word] for word, count in small.items() if word in STOPWORDS[language])
        for language in _LATIN
    }
    best, second = sorted(scores, key=scores.__getitem__, reverse=True)[:2]
    own = sum(count for word, count in small.items() if word in STOPWORDS[best])
    if scores[best] < EVIDENCE_MIN or own < WORDS_SHARE_MIN * counts.total():
        return None
    return best if scores[best] >= LEAD_MIN * scores[second] else None
