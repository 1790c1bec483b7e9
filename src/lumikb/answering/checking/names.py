"""Names of a sentence: identifiers and codes, acronyms, proper nouns."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lumikb.answering.checking.dates import MONTHS
from lumikb.answering.checking.listed import listed
from lumikb.answering.checking.numerals import FRACTIONS, MAGNITUDES, NUMBER_WORDS, ORDINALS
from lumikb.answering.checking.units import UNITS, unit_of
from lumikb.answering.checking.words import STOP, fold, stem
from lumikb.compute.extract.stopwords import STOPWORDS

# In code: `x`; with digits and letters, or several dots; snake_case, camelCase, --options, dotted and slashed paths.
_CODE = re.compile(
    r"`(?P<code>[^`\n]+)`"
    r"|(?<![\w-])--?[a-zA-Z][\w-]+"
    r"|(?<![\w@])[\w.+-]+@[\w-]+\.[\w.-]+"
    r"|(?<!\w)(?:https?://|www\.)[^\s<>\"')\]]+"
    r"|(?<![\w.])(?:v\.?\s?)?\d+(?:\.\d+){2,}(?![\w])"
    r"|(?<!\w)(?:[A-Z]{2,6}[ -])(?=\d)\d+(?:[-.]\d+)*(?!\w)"
    r"|(?<![\w.])(?=[\w./-]*[A-Za-z])(?=[\w./-]*\d)[A-Za-z\d]+(?:[-_./][A-Za-z\d]+)*(?!\w)"
    r"|(?<!\w)\w+(?:_\w+)+(?!\w)|(?<!\w)[a-z]+[A-Z]\w*|(?<!\w)[A-Z][a-z]+[A-Z]\w*"
    r"|(?<![\w.])[a-z]{2,}(?:\.[a-z_]{2,})+(?!\w)"
)
_NUMBER_AND_UNIT = re.compile(r"\d+(?:[.,]\d+)*[-]?([^\W\d_]+)")
_ORDINAL = re.compile(r"\d+(?:st|nd|rd|th|s)")
_HYPHENED_NUMBER = re.compile(r"\d+(?:[.,]\d+)*-[a-zäöü]{3,}|[a-zäöü]{3,}-\d+s?")
_GROUPED = re.compile(r"\d{1,3}(?:\.\d{3})+")
_CURRENCY_AND_NUMBER = re.compile(r"(?:EUR|USD|GBP|CHF|JPY)[ -]")
_WORD = re.compile(r"[^\W\d_]+(?:['’.&-][^\W\d_]+)*\.?")
_ROMAN = re.compile(r"[IVXLC]+")
_BEGINS = re.compile(r"(?:[.!?:;…(\[\"“„«»>|*/–—-]|\A)\s*[\"“„«(*_]*\Z")
_APART = re.compile(r"\s+(?:(?:of|de|the|von|van|der|des|du|la|le|da|di|&)\s+)*")
_APART_IN_GERMAN = re.compile(r"\s+(?:(?:van|de|la|da|di|&)\s+)*")
_CURRENCY = re.compile(r"\s+(?:francs?|dollars?|pounds|euros?|yen)\b", re.IGNORECASE)

# Before a name, and no part of it that must be found.
_TITLES = frozenset(
    listed("""
    mr mrs ms dr prof professor president king queen sir lord lady general captain chancellor minister herr frau
    firma inc ltd llc gmbh ag corp company co section article chapter table figure appendix paragraph page step part
    abschnitt artikel kapitel tabelle abbildung anhang seite absatz line version board
    """)
)
_PEOPLES = {
    "french": "france",
    "dutch": "netherlands",
    "spanish": "spain",
    "british": "britain",
    "swiss": "switzerland",
    "danish": "denmark",
    "finnish": "finland",
    "greek": "greece",
    "polish": "poland",
    "swedish": "sweden",
    "turkish": "turkey",
    "welsh": "wales",
    "czech": "czechia",
    "irish": "ireland",
    "scottish": "scotland",
    "english": "england",
    "chinese": "china",
    "japanese": "japan",
    "portuguese": "portugal",
}
_ONE_OF_A_KIND = frozenset(listed("earth sun moon internet web"))
_COMMON_ENDINGS = (
    *(
        "s",
        "ing",
        "tion",
        "sion",
        "ment",
        "ance",
        "ence",
        "ity",
        "ness",
        "ery",
        "age",
        "ure",
        "ship",
        "ism",
        "ed",
        "ly",
    ),
    *("ung", "heit", "keit", "schaft", "tät", "tat", "nis", "ungen", "keiten", "heiten", "schaften"),
)
_GERMAN_SMALL = STOPWORDS["de"] - STOPWORDS["en"]
_ENGLISH_SMALL = STOPWORDS["en"] - STOPWORDS["de"]


@dataclass(frozen=True)
class Name:
    """A name at `[start, end)` of its text; `words` are those that must be found. An identifier is one as a whole."""

    start: int
    end: int
    words: tuple[str, ...]
    is_identifier: bool = False


def identifiers(text: str) -> list[Name]:
    """Codes, paths, versions and the like, in their order."""
    found: list[Name] = []
    for match in _CODE.finditer(text):
        written = match["code"] or match[0]
        if not match["code"] and _is_number(written):
            continue
        start, end = match.span("code") if match["code"] else match.span()
        found.append(Name(start, end, (_squeezed(written),), is_identifier=True))
    return found


def is_german(text: str) -> bool:
    """Whether the small words of a sentence are German ones, where every noun has a capital."""
    small = [word.casefold() for word in re.findall(r"[^\W\d_]+", text)]
    return sum(word in _GERMAN_SMALL for word in small) > sum(word in _ENGLISH_SMALL for word in small)


def proper_names(text: str, codes: Sequence[Name]) -> list[Name]:
    """Proper nouns: capitals where none is due, and acronyms. Of German words only acronyms and two in a row count."""
    german = is_german(text)
    capitals = [match for match in _WORD.finditer(text) if _may_be_name(match, text, codes)]
    names: list[Name] = []
    for run in _runs(text, capitals, _APART_IN_GERMAN if german else _APART):
        begins = _BEGINS.search(text, max(0, run[0].start() - 6), run[0].start()) is not None
        words = [_bare(match[0]) for match in run]
        if begins and (len(run) == 1 or looks_common(words[0])) and not _is_acronym(words[0]):
            run, words = run[1:], words[1:]
        if german and len(run) == 1 and not _is_acronym(words[0]):
            continue
        kept = tuple(fold(word) for word in words if fold(word).rstrip(".") not in _TITLES)
        if kept:
            names.append(Name(run[0].start(), run[-1].end(), kept))
    return names


class NameBook:
    """What names a text holds."""

    def __init__(self, text: str) -> None:
        found = [_bare(word) for word in re.findall(r"[^\W\d_]+(?:['’.&-][^\W\d_]+)*", text)]
        self._words = {fold(word) for word in found}
        self._words |= {part for word in self._words for part in re.split(r"[-.&']", word) if part}
        self._stems = {stem(word) for word in self._words}
        self._squeezed = _squeezed(text)
        capitals = "".join(word[0] if word[:1].isupper() else " " for word in found)
        self._initials = set(capitals.split()) | {run[:end] for run in capitals.split() for end in range(2, len(run))}
        self._initials |= {run[at:] for run in capitals.split() for at in range(1, len(run) - 1)}

    def has(self, name: Name) -> bool:
        """Whether every word of the name is there, in this form or a related one."""
        if name.is_identifier:
            return any(_stands_in(word, self._squeezed) for word in name.words)
        return all(self.has_word(word) for word in name.words)

    def has_word(self, word: str) -> bool:
        """Whether a folded word is there: as it is, inflected, as its people or country, or as an acronym's words."""
        if word in self._words or word.removesuffix("s") in self._words or f"{word}s" in self._words:
            return True
        if "-" in word and all(self.has_word(part) for part in word.split("-") if part):
            return True
        if word.replace(".", "").upper() in self._initials and len(word) > 1:
            return True
        root = _root(word)
        return len(root) > 3 and any(_root(other) == root for other in self._words if other[:3] == root[:3])


def _root(word: str) -> str:
    """What a country and its people have in common."""
    word = _PEOPLES.get(word, word)
    for ending in ("ians", "ian", "ans", "an", "ese", "ia", "isch", "ischen", "ische", "ien", "y", "ns", "n", "a", "s"):
        if word.endswith(ending) and len(word) - len(ending) > 3:
            return word[: -len(ending)]
    return word


def _may_be_name(match: re.Match[str], text: str, codes: Sequence[Name]) -> bool:
    word = _bare(match[0])
    if not word[:1].isupper() or any(code.start < match.end() and match.start() < code.end for code in codes):
        return False
    lower = fold(word)
    if (
        word == "I"
        or lower in _ONE_OF_A_KIND
        or lower in MONTHS
        or lower in NUMBER_WORDS
        or lower in ORDINALS
        or lower in FRACTIONS
    ):
        return False
    if lower in MAGNITUDES or (unit_of(word) is not None and text[: match.start()].rstrip()[-1:].isdigit()):
        return False
    return word not in UNITS and not _CURRENCY.match(text, match.end())


def _runs(text: str, matches: Sequence[re.Match[str]], apart: re.Pattern[str]) -> Iterator[list[re.Match[str]]]:
    """Capitalised words that stand together, small words of names between them."""
    run: list[re.Match[str]] = []
    for match in matches:
        if run and (not apart.fullmatch(text, run[-1].end(), match.start()) or _ends_sentence(run[-1][0])):
            yield run
            run = []
        run.append(match)
    if run:
        yield run


def _ends_sentence(word: str) -> bool:
    return word.endswith(".") and len(word) > 3 and word[:-1].casefold() not in _TITLES


def _bare(word: str) -> str:
    return re.sub(r"['’]s?\Z|\.\Z", "", word)


def _is_acronym(word: str) -> bool:
    return len(word) > 1 and word.isupper() and not (_ROMAN.fullmatch(word) and len(word) < 3)


def _is_number(written: str) -> bool:
    """Whether what looks like an identifier is a number with its unit: `50GB`, `21st`, `1990s`, `20-minute`."""
    if unit_of(written) is not None or _ORDINAL.fullmatch(written) or _CURRENCY_AND_NUMBER.match(written):
        return True
    if _HYPHENED_NUMBER.fullmatch(written) or _GROUPED.fullmatch(written):
        return True
    with_unit = _NUMBER_AND_UNIT.fullmatch(written)
    if with_unit is None:
        return False
    unit = with_unit[1]
    return unit_of(unit) is not None or unit.lower() in MAGNITUDES or unit.lower() in {"am", "pm", "k", "m", "uhr"}


def _squeezed(text: str) -> str:
    """Folded, without the spaces and hyphens in which codes are written differently."""
    return re.sub(r"[\s‐‑-]+", " ", fold(text)).strip()


def _stands_in(code: str, text: str) -> bool:
    """Whether a code stands in a text on its own: E-1042 does not stand in E-10421."""
    for form in (code, code.replace(" ", "")):
        at = text.find(form)
        while at >= 0:
            before, after = text[at - 1 : at] if at else "", text[at + len(form) : at + len(form) + 1]
            if not before.isalnum() and not after.isalnum():
                return True
            at = text.find(form, at + 1)
    return False


def looks_common(word: str) -> bool:
    """Whether a capitalised word at a sentence's beginning is a common noun by its ending."""
    return fold(word) in STOP or fold(word).endswith(_COMMON_ENDINGS)
