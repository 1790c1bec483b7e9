"""Charts of Word documents and presentations as tables: their parts keep the values that are drawn (ECMA-376, 21.2)."""

from dataclasses import dataclass, field
from itertools import chain
from math import isfinite

from lumikb.compute.parse.ooxml import Attributes, Package, PartReader, attribute
from lumikb.compute.parse.table import HEADER_CHARS_MAX
from lumikb.compute.parse.text import squeeze

CELLS_MAX = 200_000
"""In all charts of a document together. Rows beyond are left out."""
SERIES_MAX = 255
"""Excel's own limit for one chart. Further series are left out."""

_CATEGORIES = {"cat", "xVal"}
_VALUES = {"val", "yVal"}
_NUMBERS = {"numCache", "numLit"}

_Points = dict[int, list[str]]
"""The texts at each index (`c:idx`); mostly one."""


@dataclass
class _Series:
    """`categories` are levels, the innermost first, of which an outer one names only the first of its group."""

    name: _Points = field(default_factory=_Points)
    categories: list[_Points] = field(default_factory=list[_Points])
    values: _Points = field(default_factory=_Points)


class _Chart(PartReader):
    """Title and series of one chart. Sizes of bubbles, labels and the titles of axes are left out."""

    skipped = frozenset(
        ["Fallback", "extLst", "catAx", "valAx", "dateAx", "serAx", "legend", "dLbls", "dPt", "trendline", "errBars"]
    )

    def __init__(self) -> None:
        self._title: list[str] = []
        self._series: list[_Series] = []
        self._current: _Series | None = None
        self._points: _Points | None = None
        self._index = 0
        self._is_number = False
        self._parts: list[str] | None = None

    @property
    def title(self) -> str:
        """The title in one line, empty when there is none."""
        return squeeze("".join(self._title))

    def tables(self) -> list[list[_Series]]:
        """Series that follow each other and have the categories of the first one, or none of their own."""
        tables: list[list[_Series]] = []
        for series in self._series:
            if tables and (not series.categories or series.categories == tables[-1][0].categories):
                tables[-1].append(series)
            else:
                tables.append([series])
        return tables

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "ser":
            self._current = _Series()
        elif name == "pt":
            self._index = _index(attribute(attributes, "idx"))
        elif name in {"v", "t"}:
            self._parts = []
        elif name in _NUMBERS:
            self._is_number = True
        elif self._current is not None:
            self._start_points(name, self._current)

    def end(self, name: str) -> None:
        if name in {"v", "t"} and self._parts is not None:
            self._end_text("".join(self._parts))
            self._parts = None
        elif name in _NUMBERS:
            self._is_number = False
        elif name == "tx" or name in _CATEGORIES or name in _VALUES:
            self._points = None
        elif name == "ser" and self._current is not None:
            self._current.categories = [level for level in self._current.categories if level]
            self._series += [self._current] if len(self._series) < SERIES_MAX else []
            self._current = None
        elif name == "p":
            self._title.append(" ")

    def text(self, data: str) -> None:
        if self._parts is not None:
            self._parts.append(data)

    def _start_points(self, name: str, series: _Series) -> None:
        if name == "tx":
            self._points = series.name
        elif name in _VALUES:
            self._points = series.values
        elif name in _CATEGORIES or name == "lvl":
            self._points = _Points()
            series.categories.append(self._points)

    def _end_text(self, text: str) -> None:
        if self._current is None:
            self._title.append(text)
        elif self._points is not None and (text := squeeze(text)):
            self._points.setdefault(self._index, []).append(_shown(text) if self._is_number else text)


class Charts:
    """The charts of one document as text.

    The title is a line, and so is each row `category | value | value`, below one with the names of the series. Series
    that have other categories than those before make a table of their own.
    """

    def __init__(self, package: Package) -> None:
        self._package = package
        self._seen: set[str] = set()
        self._cells_left = CELLS_MAX

    def linked(self, part: str) -> dict[str, str]:
        """The text of each chart that `part` links to, by the link's id; a chart is read once in a document.

        Raises `CorruptedError` when one is damaged.
        """
        texts: dict[str, str] = {}
        for key, link in self._package.relationships(part).items():
            if link.kind == "chart" and link.target in self._package and link.target not in self._seen:
                self._seen.add(link.target)
                chart = _Chart()
                self._package.read(link.target, chart)
                texts[key] = "\n".join(filter(None, [chart.title, *map(self._table, chart.tables())]))
        return texts

    def _table(self, series: list[_Series]) -> str:
        cells_in_row = len(series) + len(series[0].categories)
        rows = _rows(series, self._cells_left // cells_in_row)
        self._cells_left -= len(rows) * cells_in_row
        names = ["", *(" ".join(chain(*one.name.values())) for one in series)]
        return "\n".join(" | ".join(row) for row in [names, *rows] if any(row))


def _rows(series: list[_Series], rows_max: int) -> list[list[str]]:
    levels = series[0].categories
    indices = sorted(set[int]().union(*levels, *(one.values for one in series)))
    above = [""] * len(levels[1:])
    rows: list[list[str]] = []
    for index in indices[:rows_max]:
        for at, level in enumerate(levels[1:]):
            if index in level:
                above[at] = " ".join(level[index])[:HEADER_CHARS_MAX]
        innermost = [" ".join(level.get(index, [])) for level in levels[:1]]
        category = " ".join(filter(None, [*reversed(above), *innermost]))
        rows.append([category, *(" ".join(one.values.get(index, [])) for one in series)])
    return rows


def _shown(number: str) -> str:
    """15 digits are what Office shows: a stored .30000000000000004 reads .3."""
    try:
        value = float(number)
    except ValueError:
        return number
    return f"{value:.15g}" if isfinite(value) else number


def _index(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else -1
