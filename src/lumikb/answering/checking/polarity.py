"""Whether two sentences that speak of the same say the opposite: negation and pairs of antonyms."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from lumikb.answering.checking.listed import listed
from lumikb.answering.checking.words import Word, fold, runs_beside, stem, words

# Words that a negation reaches, counted without those that have no content.
REACH_WORDS = 3
# A clause is read no further.
CLAUSE_WORDS_MAX = 40
# From here two sentences run alike, but for single words.
ALIKE_MIN = 0.6

_NEGATORS = frozenset(
    listed(
        """
    not no never without neither nor none nobody nothing cannot nowhere hardly unable fails failed lack lacks lacking
    nicht kein keine keinen keinem keiner keines nie niemals ohne weder niemand nichts
    """
    )
)
_NOT_NEGATING = re.compile(
    r"\b(?:not\s+only|not\s+just|no\s+longer\s+than|no\s+later\s+than|not\s+later\s+than|no\s+sooner|nothing\s+but"
    r"|not\s+least|nicht\s+nur|no\.\s?\d|nichts\s+als|without\s+(?:doubt|question)|not\s+until|nicht\s+später\s+als"
    r"|no\s+earlier\s+than|not\s+earlier\s+than|no\s+other|nothing\s+else|nobody\s+else|no\s+one\s+else|no\s+matter)\b",
    re.IGNORECASE,
)
# Bounds in several words, as one word each.
_BOUNDS = (
    (
        re.compile(r"\b(?:at most|no more than|not more than|up to|a maximum of|höchstens|bis zu|nicht mehr als)\b"),
        "atmost",
    ),
    (
        re.compile(
            r"\b(?:(?:must|shall|may|can|will|does|do) not|cannot|not|nicht)"
            r" (?:exceed|überschreite[nt]|übersteig(?:t|en))\b"
        ),
        "atmost",
    ),
    (re.compile(r"\b(?:at least|no less than|no fewer than|not less than|a minimum of|mindestens)\b"), "atleast"),
    (re.compile(r"\b(?:no longer|nicht mehr)\b(?! than| als)"), "not"),
    (re.compile(r"\b(?:rather than|instead of|as opposed to|anstatt|statt)\b"), "not"),
)
_CLAUSE_END = re.compile(r"[,;:.!?–—()]|\s-\s")
_CONJUNCTIONS = frozenset(
    listed("""
    but however although though whereas while and or aber jedoch sondern und oder obwohl
    """)
)
# Those that stand in the middle of a clause, too.
_WITHIN = frozenset(listed("however aber jedoch"))
# A negation before one of these is one of what follows it.
_LIGHT = frozenset(
    listed("""
    need needed require required allow allowed permit permitted able possible have use used make made give given
    necessary supposed erlaubt müssen brauchen dürfen darf muss kann
    """)
)
_LIGHT_STEMS = {stem(fold(word)) for word in _LIGHT}
_BEHIND = frozenset(listed("nicht nie niemals"))
# Words that say in another way what a negation says: a denial that faces one of them is none.
_SOFT = frozenset(
    listed(
        """
    dropped discontinued removed ended abandoned stopped prevented prevents prevent avoid avoids avoided refuse refused
    refuses rejected reject prohibited forbidden banned excluded excludes exclude except excepting only unless zero free
    absence absent missing impossible invalid insufficient illegal false ceased ceases waived exempt outside beyond
    closed shut locked barred disabled inadmissible little few seldom rarely verboten untersagt ausgeschlossen
    entfallt nur ausser frei
    """
    )
)
_EXCEPTIONS = frozenset(listed("only except unless nur ausser"))
_NOT_UN = ("under", "until", "unit", "union", "univers", "uniq", "unif", "unter", "unser", "unver", "und")

# Pairs whose words deny each other wherever they stand.
_OPPOSITES = """
    increase/decrease increased/decreased increases/decreases rise/fall rises/falls rises/decreases increases/falls
    rose/fell risen/fallen
    increase/decline increased/declined rise/decline rose/declined rose/decreased increased/fell increased/dropped
    rose/dropped grow/shrink grew/shrank grown/shrunk gain/lose gained/lost profit/loss profits/losses improve/worsen
    improved/worsened strengthen/weaken more/less more/fewer maximum/minimum maximal/minimal atmost/atleast most/least
    allow/forbid allows/forbids allowed/forbidden permitted/prohibited allowed/prohibited permitted/forbidden
    permit/prohibit accept/reject accepts/rejects accepted/rejected accepted/refused accept/refuse approve/reject
    approved/rejected include/exclude includes/excludes included/excluded covered/excluded including/excluding
    enable/disable enables/disables enabled/disabled internal/external inside/outside inner/outer always/never all/none
    win/lose won/lost buy/sell bought/sold upload/download true/false success/failure succeed/fail succeeded/failed
    public/private mandatory/optional required/optional compulsory/voluntary compulsory/optional hot/cold warm/cold
    hotter/colder warmer/cooler warmer/colder faster/slower fast/slow quickly/slowly longer/shorter larger/smaller
    bigger/smaller stronger/weaker strong/weak higher/lower highest/lowest high/low largest/smallest best/worst
    better/worse earliest/latest north/south east/west northern/southern eastern/western upper/lower positive/negative
    present/absent agree/disagree agreed/disagreed add/remove added/removed connect/disconnect arrive/depart
    enter/leave stays/leaves stay/leave keeps/deletes keep/delete kept/deleted keep/erase remains/leaves heavier/lighter
    temporary/permanent majority/minority older/younger oldest/youngest cheaper/dearer narrower/wider deeper/shallower
    rich/poor wet/dry same/different simple/complex exempt/liable safe/dangerous safe/unsafe open/closed opened/closed
    opens/closes lock/unlock locked/unlocked start/stop starts/stops started/stopped begins/ends began/ended
    absorb/emit absorbs/emits attract/repel attracts/repels expands/contracts expand/contract acid/alkaline
    lessor/lessee employer/employee debtor/creditor landlord/tenant fixed/variable gross/net domestic/foreign
    majority/minority float/sink floats/sinks male/female nocturnal/diurnal reversible/irreversible
    erhöht/gesenkt steigt/sinkt stieg/sank gestiegen/gesunken gestiegen/gefallen stieg/fiel steigen/sinken mehr/weniger
    erlaubt/verboten gestattet/verboten gestattet/untersagt erlaubt/untersagt maximal/mindestens atmost/mindestens
    größer/kleiner höher/niedriger höher/tiefer früher/später länger/kürzer innerhalb/außerhalb gewinn/verlust
    käufer/verkäufer mieter/vermieter arbeitgeber/arbeitnehmer auftraggeber/auftragnehmer gläubiger/schuldner
    öffnen/schließen
    beginnt/endet zunehmen/abnehmen zugenommen/abgenommen eingeschlossen/ausgeschlossen intern/extern warm/kalt
"""
# Pairs that deny each other only before the same word: "before the audit", "after the audit".
_RELATIONS = "before/after above/below over/under vor/nach über/unter mit/ohne"


def _pairs(table: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for pair in table.split():
        one, _, other = pair.partition("/")
        found.setdefault(fold(one), set()).add(fold(other))
        found.setdefault(fold(other), set()).add(fold(one))
    return found


_OPPOSITE = _pairs(_OPPOSITES)
_RELATION = _pairs(_RELATIONS)
_PREFIXES = ("un", "non", "in", "im", "il", "ir", "dis")
_PREFIXED_CHARS_MIN = 4
_NO_PREFIX = frozenset(
    listed("""
    invest interest include increase instruct improve important import impress inform intern
    """)
)


@dataclass(frozen=True)
class Negation:
    """A word that negates, at `at` among the words of its sentence.

    `heads` are the stems that it denies first, `clause` all stems of its clause.
    """

    at: int
    heads: frozenset[str]
    clause: frozenset[str]


@dataclass(frozen=True)
class Read:
    """A sentence as its polarity is read: its words, its negations, and the stems that these reach."""

    words: list[Word]
    negations: list[Negation]
    reached: frozenset[str]
    softened: frozenset[str]

    @property
    def folded(self) -> list[str]:
        """The words, folded."""
        return [word.folded for word in self.words]

    @property
    def stems(self) -> set[str]:
        """The stems of its words with content."""
        return {word.stem for word in self.words} - {""}


def read(sentence: str) -> Read:
    """Read a sentence for its negations."""
    lower = sentence.lower().replace("’", "'")
    for form, word in _BOUNDS:
        lower = form.sub(word, lower)
    lower = _NOT_NEGATING.sub(" ", lower)
    found = words(lower)
    negations: list[Negation] = []
    reached: set[str] = set()
    for at, word in enumerate(found):
        if word.folded in _NEGATORS or word.folded.endswith("n't"):
            stems = _reached(lower, found, at)
            heads = stems[: 2 if stems[:1] and stems[0] in _LIGHT_STEMS else 1]
            before = _before(lower, found, at)
            if word.folded in _BEHIND:
                # A German negation stands behind its verb as often as before what it denies.
                heads, stems = [*heads, *before[:REACH_WORDS]], [*stems, *before[:REACH_WORDS]]
            reached.update(stems)
            negations.append(Negation(at, frozenset(heads), frozenset([*stems, *before])))
    softened = {word.folded for word in found if word.folded in _SOFT or _is_prefixed(word.folded)}
    return Read(found, negations, frozenset(reached), frozenset(softened))


def denies(claim: Read, given: Read) -> bool:
    """Whether a claim says the opposite of a sentence that speaks of the same."""
    if _unanswered(claim, given) or _unanswered(given, claim):
        return True
    # "Only on Sundays" and "not except on Sundays": an exception turns a sentence round.
    if _EXCEPTIONS & {*claim.folded} == _EXCEPTIONS & {*given.folded} and _opposites(claim, given) % 2 == 1:
        return True
    alike, different = runs_beside(claim.folded, given.folded)
    if alike < ALIKE_MIN or claim.softened != given.softened:
        return False
    ours = _within(claim, [one for one, _ in different])
    return ours != _within(given, [other for _, other in different])


def _unanswered(one: Read, other: Read) -> bool:
    """Whether a sentence denies what the other one says, and the other has no denial of its own in return."""
    denials = 0
    for negation in one.negations:
        shared = negation.heads & other.stems
        denials += bool(shared) and not shared & other.reached
    returned = sum(not negation.heads & one.stems and bool(negation.clause & one.stems) for negation in other.negations)
    return denials > returned + len(other.softened - one.softened)


def _within(sentence: Read, stretches: Sequence[slice]) -> int:
    return sum(any(part.start <= one.at < part.stop for part in stretches) for one in sentence.negations)


def _opposites(claim: Read, given: Read) -> int:
    ours, theirs = claim.folded, given.folded
    found = 0
    for word in set(ours) - set(theirs):
        facing = _OPPOSITE.get(word, set()) & set(theirs) - set(ours)
        facing |= {other for other in set(theirs) - set(ours) if _differ_by_prefix(word, other, claim, given)}
        if facing:
            negated = _is_negated(claim, word) != any(_is_negated(given, other) for other in facing)
            found += not negated
    for at, word in enumerate(ours):
        for other in _RELATION.get(word, ()):
            if any(
                their == other and _next_stem(given.words, place) == _next_stem(claim.words, at) != ""
                for place, their in enumerate(theirs)
            ):
                found += other not in ours or word not in theirs
    return found


def _is_negated(sentence: Read, folded: str) -> bool:
    return any(word.stem in sentence.reached for word in sentence.words if word.folded == folded and word.stem)


def _differ_by_prefix(word: str, other: str, claim: Read, given: Read) -> bool:
    """Whether one word is the other one behind a prefix that negates, which faces no negation beside the other."""
    long, short, plain = (word, other, given) if len(word) > len(other) else (other, word, claim)
    if len(short) < _PREFIXED_CHARS_MIN or long in _NO_PREFIX or plain.negations:
        return False
    return any(long == prefix + short for prefix in _PREFIXES)


def _next_stem(found: Sequence[Word], at: int) -> str:
    return next((word.stem for word in found[at + 1 : at + 4] if word.stem), "")


def _reached(text: str, found: Sequence[Word], at: int) -> list[str]:
    """Stems of the words with content that the negation at `at` reaches: those behind it within its clause."""
    return _stems_beside(text, found[at : at + CLAUSE_WORDS_MAX], _CONJUNCTIONS)[:REACH_WORDS]


def _before(text: str, found: Sequence[Word], at: int) -> list[str]:
    """Stems of the words before it within its clause, the nearest first."""
    return _stems_beside(text, found[max(0, at - CLAUSE_WORDS_MAX) : at + 1][::-1], _CONJUNCTIONS - _WITHIN)


def _stems_beside(text: str, found: Sequence[Word], ends: frozenset[str]) -> list[str]:
    stems: list[str] = []
    for one, word in pairwise(found):
        between = (one.end, word.start) if one.end <= word.start else (word.end, one.start)
        if _CLAUSE_END.search(text, *between) or word.folded in ends:
            break
        if word.stem:
            stems.append(word.stem)
    return stems


def _is_prefixed(folded: str) -> bool:
    """Whether a word says "not" by what it begins or ends with: `unused`, `tax-free`, `genehmigungsfrei`."""
    if folded.endswith(("frei", "los", "less", "free")) and len(folded) > _PREFIXED_CHARS_MIN + 2:
        return True
    return folded.startswith("un") and len(folded) > _PREFIXED_CHARS_MIN + 1 and not folded.startswith(_NOT_UN)
