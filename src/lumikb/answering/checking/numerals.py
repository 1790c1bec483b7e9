"""Numbers written out, in English and German, and what one written in digits may mean."""

from collections.abc import Mapping, Sequence

from lumikb.answering.checking.listed import listed

_EN_ONES = listed(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_EN_TENS = listed("twenty thirty forty fifty sixty seventy eighty ninety")
_DE_ONES = listed(
    "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn "
    "achtzehn neunzehn"
)
_DE_TENS = listed("zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig")
_EN_ORDINALS = listed("first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth")
_DE_ORDINALS = listed("erst zweit dritt viert fünft sechst siebt acht neunt zehnt elft zwölft")

MAGNITUDES = {
    "hundred": 1e2,
    "thousand": 1e3,
    "million": 1e6,
    "millions": 1e6,
    "mn": 1e6,
    "mio": 1e6,
    "millionen": 1e6,
    "billion": 1e9,
    "billions": 1e9,
    "bn": 1e9,
    "mrd": 1e9,
    "milliarde": 1e9,
    "milliarden": 1e9,
    "trillion": 1e12,
    "hundert": 1e2,
    "tausend": 1e3,
    "tsd": 1e3,
}
_HALVES = {"half": 0.5, "halves": 0.5, "quarter": 0.25, "quarters": 0.25, "halb": 0.5, "halbe": 0.5, "halben": 0.5}
_ENGLISH_PARTS = {
    f"{word}{ending}": 1 / value for value, word in enumerate(_EN_ORDINALS[2:], 3) for ending in ("", "s")
}
_GERMAN_PARTS = {f"{word}el": 1 / value for value, word in enumerate(_DE_ORDINALS[2:], 3)}
FRACTIONS: Mapping[str, float] = _HALVES | _ENGLISH_PARTS | _GERMAN_PARTS
TIMES: Mapping[str, float] = {
    "once": 1.0,
    "twice": 2.0,
    "thrice": 3.0,
    "both": 2.0,
    "dozen": 12.0,
    "einmal": 1.0,
    "zweimal": 2.0,
    "dreimal": 3.0,
    "dutzend": 12.0,
}


def _german() -> dict[str, float]:
    """0 to 999 and whole thousands to 999,000, as one word each."""
    small = dict(zip(_DE_ONES, range(20), strict=True))
    for at, tens in enumerate(_DE_TENS, 2):
        small[tens] = at * 10
        for one in range(1, 10):
            small[f"{'ein' if one == 1 else _DE_ONES[one]}und{tens}"] = at * 10 + one
    for hundreds in range(1, 10):
        prefix = f"{'ein' if hundreds == 1 else _DE_ONES[hundreds]}hundert"
        below = [(word, value) for word, value in small.items() if 0 < value < 100]
        small[prefix] = hundreds * 100
        small |= {f"{prefix}{word}": hundreds * 100 + value for word, value in below}
    thousands = {f"{word}tausend": value * 1000 for word, value in small.items() if value > 1}
    return {word: float(value) for word, value in (small | thousands).items()}


def _ordinals() -> dict[str, int]:
    found = {word: value for value, word in enumerate(_EN_ORDINALS, 1)}
    for value, word in enumerate(_DE_ORDINALS, 1):
        found |= {f"{word}{ending}": value for ending in ("e", "er", "en", "es", "em") if f"{word}{ending}" != "achten"}
    return found


ENGLISH: Mapping[str, float] = {word: float(value) for value, word in enumerate(_EN_ONES)} | {
    word: 10.0 * at for at, word in enumerate(_EN_TENS, 2)
}
GERMAN: Mapping[str, float] = _german()
ORDINALS: Mapping[str, int] = _ordinals()
NUMBER_WORDS = frozenset(ENGLISH) | frozenset(GERMAN)


def value_of_words(words: Sequence[str]) -> float | None:
    """The value of an English or German number in lower-case words: `two hundred and fifty`; None when it is none."""
    total = group = 0.0
    seen = False
    for word in words:
        if word == "and":
            continue
        if word in MAGNITUDES:
            factor = MAGNITUDES[word]
            group = (group or 1.0) * factor
            if factor > 100:
                total, group = total + group, 0.0
        else:
            value = ENGLISH.get(word, GERMAN.get(word))
            if value is None:
                return None
            group += value
        seen = True
    return total + group if seen else None


def readings(numeral: str) -> tuple[float, ...]:
    """What a numeral in digits may mean: `1,000` is a thousand, or one as a German decimal; `1,5` is one and a half."""
    bare = "".join(char for char in numeral if char.isdigit() or char in ".,").strip(".,")
    separators = [char for char in bare if char in ".,"]
    if not separators:
        return (float(bare),)
    if len(set(separators)) == 2:
        decimal = separators[-1]
        whole, _, part = bare.rpartition(decimal)
        return (float(f"{whole.replace(',', '').replace('.', '')}.{part or 0}"),)
    grouped = bare.replace(",", "").replace(".", "")
    if len(separators) > 1:
        return (float(grouped),)
    whole, part = bare.replace(",", ".").split(".")
    decimal_value = float(f"{whole}.{part}")
    if len(part) == 3 and 1 <= len(whole) <= 3 and whole != "0":
        return float(grouped), decimal_value
    return (decimal_value,)
