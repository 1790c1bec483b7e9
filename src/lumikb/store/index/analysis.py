"""Text to terms, the same way for rows and for queries."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import tantivy

from lumikb.store.index.english import STOPWORDS

Field = Literal["body", "exact"]

# Past this many distinct terms a query is cut: a pasted page is no better a query than its first hundred words.
QUERY_TERMS_MAX = 128
QUERY_CHARS_MAX = 10_000
PHRASE_TERMS_MAX = 16
# Shorter words have too many neighbours.
GUESSED_CHARS_MIN = 4

# Some 20 MB.
_STEMS_KEPT = 200_000
# Letters in lower case, digits as they are, all else a space.
_ASCII_WORDS = bytes(ord(chr(code).lower()) if chr(code).isalnum() else 32 for code in range(128)) + bytes(128)

_PHRASE_BOOST = 2.0
_QUOTED = re.compile(r'["“”„]([^"“”„]+)["“”„]')
# Digits (7807, v2.3), acronyms (RFC), inner dots or underscores (os.path, max_seq), camel case (getUserId).
_IDENTIFIER = re.compile(r"\d|^\W*[A-Z][A-Z\W]*[A-Z]\W*$|\w[._]\w|[a-z][A-Z]")


# Accents once they stand alone, soft hyphens, joiners, marks of direction and of byte order.
_UNSEEN_LETTERS = "\u0300-\u036f\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff"
_UNSEEN = re.compile(f"[{_UNSEEN_LETTERS}]")
# Kana, CJK ideographs and their extensions.
_SPACELESS_LETTERS = "\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_SPACELESS = re.compile(f"[{_SPACELESS_LETTERS}]")
_WORD = re.compile(f"[{_SPACELESS_LETTERS}]|(?:[^\\W_{_SPACELESS_LETTERS}]|[{_UNSEEN_LETTERS}])+")


@dataclass(frozen=True)
class LexicalRow:
    """One row to index."""

    key: int
    kb_id: str
    document_id: str
    text: str


@dataclass(frozen=True)
class Clause:
    """One part of a query: a term, or a phrase when there are several; a row may match any of a query's clauses."""

    field: Field
    terms: tuple[str, ...]
    boost: float


@dataclass(frozen=True)
class AnalysedRow:
    """A row with its terms, ready to be indexed, and to be scored without the index.

    `body` and `exact` hold the terms of their field in order, each between two spaces, so that counting a substring
    counts a term or a phrase; `lengths` says how many there are.
    """

    key: int
    kb_id: str
    document_id: str
    body: str
    exact: str
    lengths: Mapping[Field, int]

    def terms(self, field: Field) -> str:
        """The terms of a field, as `counted` writes them."""
        return self.body if field == "body" else self.exact


@dataclass(frozen=True)
class Word:
    """A word at `[start, end)` of a text, in code points, with its terms; `body` is None for a stopword."""

    start: int
    end: int
    exact: str
    body: str | None


@dataclass(frozen=True)
class Demands:
    """Phrases of exact terms: a row must hold each of `required`, and none of `excluded`."""

    required: tuple[tuple[str, ...], ...] = ()
    excluded: tuple[tuple[str, ...], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.required or self.excluded)

    def met_by(self, row: AnalysedRow) -> bool:
        """Whether the row meets them."""
        return all(counted(terms) in row.exact for terms in self.required) and not any(
            counted(terms) in row.exact for terms in self.excluded
        )


NO_DEMANDS = Demands()


class Analysis:
    """The two analysers, of normalised text. `body`: simple tokens, lower case without accents, no stopwords, Snowball
    stems. `exact`: lower case without accents only.
    """

    def __init__(self) -> None:
        simple, lower, fold = tantivy.Tokenizer.simple, tantivy.Filter.lowercase, tantivy.Filter.ascii_fold
        self.body = (
            tantivy.TextAnalyzerBuilder(simple())
            .filter(lower())
            .filter(fold())
            .filter(lower())  # some letters are folded to capitals
            .filter(tantivy.Filter.custom_stopword(list(STOPWORDS)))
            .filter(tantivy.Filter.stemmer("english"))
            .build()
        )
        self.exact = tantivy.TextAnalyzerBuilder(simple()).filter(lower()).filter(fold()).filter(lower()).build()
        self._stems: dict[str, str | None] = {}

    def row(self, row: LexicalRow) -> AnalysedRow:
        """The terms of a row."""
        words = self._words(row.text)
        stems = [stem for stem in map(self._stems_of(words).__getitem__, words) if stem is not None]
        lengths: dict[Field, int] = {"body": len(stems), "exact": len(words)}
        return AnalysedRow(row.key, row.kb_id, row.document_id, _joined(stems), _joined(words), lengths)

    def terms(self, query: str) -> list[str]:
        """The distinct body terms of a query, in order of appearance, up to `QUERY_TERMS_MAX`."""
        return list(dict.fromkeys(self.body.analyze(normalise(query[:QUERY_CHARS_MAX]))))[:QUERY_TERMS_MAX]

    def clauses(self, query: str) -> list[Clause]:
        """What to look for. Any text is a query; none of it is syntax but quotation marks.

        Stems of all words; the words themselves when all are stopwords; identifiers unstemmed, neighbouring ones as a
        phrase too; what stands in quotation marks as a phrase.
        """
        query = normalise(query[:QUERY_CHARS_MAX])
        stems = Counter(self.body.analyze(query))
        clauses = [Clause("body", (term,), float(count)) for term, count in list(stems.items())[:QUERY_TERMS_MAX]]
        if not stems:
            clauses = [Clause("exact", (term,), 1.0) for term in dict.fromkeys(self.exact.analyze(query))]
        phrases = [self.exact.analyze(quoted) for quoted in _QUOTED.findall(query)]
        phrases += [self.exact.analyze(" ".join(run)) for run in _identifier_runs(query)]
        for terms in phrases:
            if 2 <= len(terms) <= PHRASE_TERMS_MAX:
                clauses.append(Clause("exact", tuple(terms), _PHRASE_BOOST))
            clauses += [Clause("exact", (term,), 1.0) for term in terms if len(term) > 1 and term not in STOPWORDS]
        return list(dict.fromkeys(clauses))[: 2 * QUERY_TERMS_MAX]

    def demands(self, required: Iterable[str], excluded: Iterable[str]) -> Demands:
        """Phrases as their terms; one without terms, such as dots, asks for nothing."""
        return Demands(self._phrases(required), self._phrases(excluded))

    def _phrases(self, texts: Iterable[str]) -> tuple[tuple[str, ...], ...]:
        found = (tuple(self.exact.analyze(normalise(text[:QUERY_CHARS_MAX]))) for text in texts)
        return tuple(dict.fromkeys(terms for terms in found if terms))

    def guessable(self, query: str) -> dict[str, str]:
        """The words of a query that may have been mistyped, each with its body term.

        Words of some length that are none of the common ones; a number is another one when a digit differs.
        """
        words = self.exact.analyze(normalise(query[:QUERY_CHARS_MAX]))[:QUERY_TERMS_MAX]
        stems = self._stems_of(words)
        return {
            word: stem
            for word in words
            if len(word) >= GUESSED_CHARS_MIN and not word.isdigit() and (stem := stems[word]) is not None
        }

    def located(self, text: str) -> list[Word]:
        """The words of a text in order, with the terms that its row has, and where they stand."""
        words = [
            (found.start(), found.end(), term)
            for found in _WORD.finditer(text)
            for term in self.exact.analyze(normalise(found[0]))
        ]
        stems = self._stems_of([term for _, _, term in words])
        return [Word(start, end, term, stems[term]) for start, end, term in words]

    def _words(self, text: str) -> list[str]:
        """The terms of the exact field: what its analyser gives, five times as fast where the text is ASCII."""
        if text.isascii():
            return text.encode().translate(_ASCII_WORDS).decode().split()
        return self.exact.analyze(normalise(text))

    def _stems_of(self, words: list[str]) -> Mapping[str, str | None]:
        """The body term of each word, None for a stopword. Few words are new, so they are kept."""
        stems = self._stems if len(self._stems) < _STEMS_KEPT else {}
        for word in set(words).difference(stems):
            stems[word] = next(iter(self.body.analyze(word)), None)
        self._stems = stems
        return stems


def clean(text: str) -> str:
    """Text that can be encoded: a lone surrogate (from a broken PDF or a JSON escape) would make tantivy raise."""
    return text.encode("utf-8", "replace").decode("utf-8")


def normalise(text: str) -> str:
    """The text that is analysed: what looks alike is alike, however it was typed or printed.

    Ligatures, full-width letters and the like become plain ones, accents go, as do soft hyphens and other characters
    that nobody sees. Each character of Chinese and Japanese, which write no spaces, becomes a word.
    """
    if text.isascii():
        return text
    plain = _UNSEEN.sub("", unicodedata.normalize("NFKD", clean(text)))
    return _SPACELESS.sub(r" \g<0> ", unicodedata.normalize("NFC", plain))


def counted(terms: Iterable[str]) -> str:
    """A term or a phrase as it stands in the fields of an `AnalysedRow`."""
    return "".join(f" {term} " for term in terms)


def _joined(terms: list[str]) -> str:
    return f" {'  '.join(terms)} "


def _identifier_runs(query: str) -> list[list[str]]:
    runs: list[list[str]] = []
    previous = False
    for word in query.split():
        if not (matches := _IDENTIFIER.search(word) is not None):
            previous = False
            continue
        if previous:
            runs[-1].append(word)
        else:
            runs.append([word])
        previous = matches
    return runs
