"""What a claim says otherwise than the sentences it is compared with: numbers, names, negation."""

from collections.abc import Iterable, Sequence

from lumikb.answering.checking import polarity
from lumikb.answering.checking.dates import Date, agree
from lumikb.answering.checking.names import NameBook, looks_common
from lumikb.answering.checking.quantities import Quantity, same, same_kind
from lumikb.answering.checking.sentences import CitedPassage, Given, Sentence
from lumikb.answering.checking.units import Unit
from lumikb.answering.checking.words import STOP, Word, runs_beside

# From here two sentences run so much alike that a word in the place of another was put there for it.
ALIKE_MIN = 0.6
# Longer stretches that differ are another wording, not another name.
REPLACED_WORDS_MAX = 3
SHARED_LETTERS_MIN = 5
# A day or a year is no number of anything: it supports a number without a unit only.
_OF_A_DATE = Unit("date", 1)


def number_differs(claim: Sentence, evidence: Sequence[Given], passages: Sequence[CitedPassage]) -> bool:
    """Whether the claim has a number that its evidence has not.

    One that another sentence of the passages has is enough where the evidence has no other number of that kind.
    """
    others = [one for passage in passages for one in passage.sentences if one not in evidence]
    given = _available(evidence)
    elsewhere = _available(others)
    for one in claim.quantities:
        if not one.values or any(same(one, other) for other in given):
            continue
        rivals = [
            other
            for sentence in evidence
            for other in sentence.quantities
            if same_kind(one, other) and not any(same(ours, other) for ours in claim.quantities)
        ]
        if one.weak:
            if rivals and any(other.noun == one.noun != "" for other in rivals):
                return True
        elif rivals or not any(same(one, other) for other in elsewhere):
            return True
    return _date_differs(claim, evidence, others) or _clock_differs(claim, evidence, others)


def name_absent(claim: Sentence, best: Given, passages: Sequence[CitedPassage]) -> bool:
    """Whether the claim names what none of its passages names, or another name in the place of the best sentence's."""
    books = [passage.names for passage in passages]
    if any(not any(book.has(name) for book in books) for name in claim.names):
        return True
    sentences = [one for passage in passages for one in passage.sentences]
    return any(_other_name(ours, theirs, claim, sentences, books) for ours, theirs in _replaced(claim, best))


def denied(claim: Sentence, best: Given) -> bool:
    """Whether the claim says the opposite of its best sentence."""
    return polarity.denies(claim.polarity, best.polarity)


def _available(sentences: Iterable[Given]) -> list[Quantity]:
    """Numbers of sentences, and the years, months and days of their dates as plain numbers."""
    found: list[Quantity] = []
    for sentence in sentences:
        found += sentence.quantities
        for date in sentence.dates:
            values = tuple(float(part) for reading in date.readings for part in (reading[0], reading[2]) if part)
            found.append(Quantity(date.start, date.end, values, _OF_A_DATE))
        found += [Quantity(time.start, time.end, (time.minutes / 60,), _OF_A_DATE) for time in sentence.clock_times]
    return found


def _date_differs(claim: Sentence, evidence: Sequence[Given], others: Sequence[Given]) -> bool:
    given: list[Date] = [date for one in evidence for date in one.dates]
    elsewhere = [date for one in others for date in one.dates]
    years = {year for one in (*evidence, *others) for year in one.years}
    for date in claim.dates:
        if agree(date, given, years):
            continue
        if given or not agree(date, elsewhere, years):
            return True
    return False


def _clock_differs(claim: Sentence, evidence: Sequence[Given], others: Sequence[Given]) -> bool:
    given = {time.minutes for one in evidence for time in one.clock_times}
    given |= {int(value * 60) for one in evidence for other in one.quantities for value in other.values if value <= 24}
    elsewhere = {time.minutes for one in others for time in one.clock_times}
    return any(
        time.minutes not in given and (bool(given) or time.minutes not in elsewhere) for time in claim.clock_times
    )


def _replaced(claim: Sentence, best: Given) -> list[tuple[list[Word], list[Word]]]:
    """Stretches of words that stand in the same place of both sentences, where these run alike otherwise."""
    ours, theirs = claim.words, best.words
    alike, different = runs_beside([word.folded for word in ours], [word.folded for word in theirs])
    if alike < ALIKE_MIN:
        return []
    pairs = [(ours[one], theirs[other]) for one, other in different]
    return [pair for pair in pairs if pair[0] and pair[1] and max(map(len, pair)) <= REPLACED_WORDS_MAX]


def _other_name(
    ours: Sequence[Word],
    theirs: Sequence[Word],
    claim: Sentence,
    sentences: Sequence[Given],
    books: Sequence[NameBook],
) -> bool:
    mine = [word for word in ours if _is_capital(claim.text, word)]
    given = [word for word in theirs if word.stem and word.folded not in STOP]
    if not mine or not given:
        return False
    if claim.is_german and any(book.has_word(word.folded) for word in mine for book in books):
        return False
    for word in mine:
        if looks_common(claim.text[word.start : word.end]):
            return False
        for other in given:
            if _related(word.folded, other.folded):
                return False
            # "Acme, the Supplier": two names of one.
            if any({word.stem, other.stem} <= one.stems for one in sentences):
                return False
    texts = {one.text[word.start : word.end] for one in sentences for word in one.words}
    return any(other.folded not in texts for other in given) and any(word.folded not in texts for word in mine)


def _is_capital(text: str, word: Word) -> bool:
    return text[word.start].isupper() and word.stem != "" and word.end - word.start > 1


def _related(one: str, other: str) -> bool:
    """Whether two words have a part in common, as compounds and inflections do."""
    short, long = sorted((one, other), key=len)
    if short in long:
        return True
    size = SHARED_LETTERS_MIN
    return any(short[at : at + size] in long for at in range(len(short) - size + 1))
