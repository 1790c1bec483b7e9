"""Numbers of lists and headings in Word documents: computed from the list definitions, as no paragraph holds its own.

Where ECMA-376 (17.9) leaves open how lists count, what Word shows decides: nums of one abstractNum share its count, a
restarted level that was not used again shows its start, and each text box counts for itself.
"""

import re
from dataclasses import dataclass, field

from lumikb.compute.parse.docx_styles import Style
from lumikb.compute.parse.errors import CorruptedError
from lumikb.compute.parse.flow import BULLET
from lumikb.compute.parse.ooxml import Attributes, Package, PartReader, attribute, is_on
from lumikb.compute.parse.text import squeeze

LEVELS = 9
"""ECMA-376, 17.9.6: a list has no more levels."""
LABEL_CHARS_MAX = 100
"""Longer labels are left out."""
START_MAX = 32_767
"""Word's own limit. A level that starts beyond it has no labels."""
ROMAN_MAX = 3999
LETTERS_MAX = 780
"""Thirty times the alphabet. Beyond these, numbers are written as decimals."""

_REFERENCE = re.compile(r"%([1-9])")
_ROMAN_VALUES = (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1)
_ROMAN_DIGITS = ("m", "cm", "d", "cd", "c", "xc", "l", "xl", "x", "ix", "v", "iv", "i")

Place = tuple[str, int]
"""A list by its numId, and a level of it from 0."""


@dataclass
class _Level:
    """A `w:lvl`, with the defaults of its elements; `start` is None when it is no number up to `START_MAX`."""

    start: int | None = 0
    number_format: str = "decimal"
    text: str = ""
    is_legal: bool = False
    restart: int | None = None
    style: str = ""


@dataclass
class _AbstractNum:
    """`style` is the numbering style that holds the levels in place of it (17.9.21)."""

    levels: dict[int, _Level] = field(default_factory=dict[int, _Level])
    style: str = ""


@dataclass
class _Num:
    """A list as paragraphs name it; its levels and starts go before those of the abstractNum."""

    abstract: str = ""
    levels: dict[int, _Level] = field(default_factory=dict[int, _Level])
    starts: dict[int, int] = field(default_factory=dict[int, int])


class ListDefinitions(PartReader):
    """The lists of word/numbering.xml by their numId."""

    skipped = frozenset({"Fallback", "pPr", "rPr"})

    def __init__(self) -> None:
        self._abstracts: dict[str, _AbstractNum] = {}
        self._by_style: dict[str, _AbstractNum] = {}
        self._nums: dict[str, _Num] = {}
        self._merged: dict[str, dict[int, _Level]] = {}
        self._abstract = _AbstractNum()
        self._num = _Num()
        self._levels: dict[int, _Level] = {}
        self._level = _Level()
        self._overridden: int | None = None

    def start(self, name: str, attributes: Attributes) -> None:
        value = attribute(attributes, "val")
        if name == "abstractNum":
            self._abstract = self._abstracts[attribute(attributes, "abstractNumId")] = _AbstractNum()
            self._levels = self._abstract.levels
        elif name == "styleLink" and value:
            self._by_style[value] = self._abstract
        elif name == "numStyleLink":
            self._abstract.style = value
        elif name == "num":
            self._num = self._nums[attribute(attributes, "numId")] = _Num()
            self._levels = self._num.levels
        elif name == "abstractNumId":
            self._num.abstract = value
        elif name == "lvlOverride":
            self._overridden = _number(attribute(attributes, "ilvl"), LEVELS - 1)
        elif name == "startOverride":
            start = _number(value, START_MAX)
            if self._overridden is not None and start is not None:
                self._num.starts[self._overridden] = start
        elif name == "lvl":
            self._level = _Level()
            index = _number(attribute(attributes, "ilvl"), LEVELS - 1)
            if index is not None:
                self._levels[index] = self._level
        else:
            self._start_in_level(name, value, attributes)

    def _start_in_level(self, name: str, value: str, attributes: Attributes) -> None:
        if name == "start":
            self._level.start = _number(value, START_MAX)
        elif name == "numFmt":
            self._level.number_format = value
        elif name == "lvlText":
            self._level.text = value
        elif name == "isLgl":
            self._level.is_legal = is_on(attributes)
        elif name == "lvlRestart":
            self._level.restart = _number(value, LEVELS)
        elif name == "pStyle":
            self._level.style = value

    def num(self, list_id: str) -> _Num:
        """The list that paragraphs name by `list_id`; one without levels when there is none."""
        return self._nums.get(list_id, _Num())

    def levels(self, list_id: str) -> dict[int, _Level]:
        """The levels of a list by their index from 0."""
        if list_id not in self._merged:
            num = self.num(list_id)
            abstract = self._abstracts.get(num.abstract, _AbstractNum())
            self._merged[list_id] = self._by_style.get(abstract.style, abstract).levels | num.levels
        return self._merged[list_id]

    def place(self, list_id: str | None, level: str | None, lineage: list[Style]) -> Place | None:
        """Where a paragraph stands in a list, by a numPr of its own or of its style's `lineage`.

        Number 0 takes a paragraph out of the list of its style (17.9.18). A level that belongs to a paragraph style
        (17.9.23) numbers paragraphs of that style, and others only by a numPr of their own, as Word has it.
        """
        is_own = list_id is not None or level is not None
        if list_id is None:
            list_id = next((style.list_id for style in lineage if style.list_id is not None), "")
        levels = self.levels(list_id)
        if not levels:
            return None
        owners = {at.style: index for index, at in levels.items() if at.style}
        if level is None:
            # 17.3.1.19: a style's own level counts for nothing beside one that belongs to it.
            named = (str(owners.get(style.style_id, style.list_level or "")) for style in lineage)
            level = next(filter(None, named), "0")
        index = _number(level, LEVELS - 1)
        if index is None or index not in levels:
            return None
        owner = levels[index].style
        if owner and not is_own and all(style.style_id != owner for style in lineage):
            return None
        return list_id, index


def read_lists(package: Package, main: str) -> ListDefinitions:
    """The lists that the document `main` links to; none when there are none or their part is damaged."""
    lists = ListDefinitions()
    try:
        for part in package.related(main, "numbering")[:1]:
            package.read(part, lists)
    except CorruptedError:
        return ListDefinitions()
    return lists


class ListCounter:
    """Counts the paragraphs of lists in one story: the body, or a text box."""

    def __init__(self, lists: ListDefinitions) -> None:
        self._lists = lists
        self._counts: dict[str, dict[int, int]] = {}
        self._begun: set[tuple[str, int]] = set()

    def count(self, list_id: str, index: int) -> str:
        """Count a paragraph on level `index` (from 0) of a list.

        Returns its label, such as `4.2` or `(a)`: `BULLET` where the level has bullets, and nothing when it shows none
        or is not defined.
        """
        level = self._lists.levels(list_id).get(index)
        if level is None or level.start is None:
            return ""
        num = self._lists.num(list_id)
        counts = self._counts.setdefault(num.abstract, {})
        # 17.9.26: the start that a num sets holds once, and whenever a level above restarts the level.
        if index not in counts or (index in num.starts and (list_id, index) not in self._begun):
            counts[index] = num.starts.get(index, level.start)
        else:
            counts[index] += 1
        self._begun.add((list_id, index))
        self._settle_other_levels(list_id, index, counts)
        return BULLET if level.number_format == "bullet" else self._label(list_id, level, counts)

    def _settle_other_levels(self, list_id: str, index: int, counts: dict[int, int]) -> None:
        """Levels above that were passed over count as begun; levels below start anew."""
        for other, level in self._lists.levels(list_id).items():
            if other < index:
                counts.setdefault(other, self._lists.num(list_id).starts.get(other, level.start or 0))
            elif other > index and (level.restart is None or index < level.restart):
                counts.pop(other, None)

    def _label(self, list_id: str, level: _Level, counts: dict[int, int]) -> str:
        if len(level.text) > LABEL_CHARS_MAX:
            return ""

        def number(reference: re.Match[str]) -> str:
            index = int(reference[1]) - 1
            referred = self._lists.levels(list_id).get(index)
            if referred is None or index not in counts:
                return ""
            return _written(counts[index], referred.number_format, is_legal=level.is_legal)

        label = squeeze(_REFERENCE.sub(number, level.text))
        return label if len(label) <= LABEL_CHARS_MAX else ""


def _written(number: int, number_format: str, *, is_legal: bool) -> str:
    """`number` in one of the formats of 17.18.59, of which those beyond the Latin ones are written as decimals."""
    if number_format in {"none", "bullet"}:
        return ""
    if number_format == "decimalZero":
        # Also by the rule for legal texts, as in Word's own "Section 1.01".
        return f"{number:02}"
    kind = "" if is_legal else number_format.removeprefix("lower").removeprefix("upper")
    text = str(number)
    if kind == "Letter" and 0 < number <= LETTERS_MAX:
        text = chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1)
    elif kind == "Roman" and 0 < number <= ROMAN_MAX:
        text = _roman(number)
    return text.upper() if number_format.startswith("upper") else text


def _roman(number: int) -> str:
    digits: list[str] = []
    for value, digit in zip(_ROMAN_VALUES, _ROMAN_DIGITS, strict=True):
        digits.append(digit * (number // value))
        number %= value
    return "".join(digits)


def _number(text: str, largest: int) -> int | None:
    """`text` as a number from 0 to `largest`."""
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else -1
    return number if 0 <= number <= largest else None
