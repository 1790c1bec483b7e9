"""Excel workbooks: each sheet a heading, each row a line that names its columns."""

import re
from datetime import datetime, timedelta
from functools import lru_cache

from lumikb.compute.parse.ooxml import Attributes, Package, PartReader, attribute, prefixed
from lumikb.compute.parse.table import Cell, TableWriter
from lumikb.compute.parse.text import TextBuilder

COLUMNS_MAX = 16_384
"""Excel's own limit."""

# ECMA-376, 18.8.30: the built-in number formats that show a date, a time, or a percentage.
_DATE_FORMATS = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}
_PERCENT_FORMATS = {9, 10}
_QUOTED = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.')


def read_xlsx(package: Package, builder: TextBuilder) -> list[str]:
    """Write the sheets to `builder` in order; returns the parts that hold their text."""
    main = package.main_part("xl/workbook.xml")
    workbook = _Workbook()
    package.read(main, workbook)
    strings = _SharedStrings()
    string_parts = package.related(main, "sharedStrings")[:1]
    for part in string_parts:
        package.read(part, strings)
    styles = _NumberFormats()
    for part in package.related(main, "styles")[:1]:
        package.read(part, styles)
    links = package.relationships(main)
    sheets = [(name, links[key].target) for name, key in workbook.sheets if key in links]
    sheets = [(name, part) for name, part in sheets if part in package]
    values = _Values(strings.found, styles.kinds, workbook.epoch)
    for name, part in sheets:
        package.read(part, _Sheet(TableWriter(builder, heading=name), values))
    return [*string_parts, *(part for _, part in sheets)]


class _Workbook(PartReader):
    def __init__(self) -> None:
        self.sheets: list[tuple[str, str]] = []
        # Serial 60 is a 29 February 1900 that never was; from 1 March 1900 on this epoch gives the true date.
        self.epoch = datetime(1899, 12, 30)

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "sheet":
            self.sheets.append((attribute(attributes, "name"), prefixed(attributes, "id")))
        elif name == "workbookPr" and attribute(attributes, "date1904") in {"1", "true"}:
            self.epoch = datetime(1904, 1, 1)


class _SharedStrings(PartReader):
    skipped = frozenset({"rPh"})

    def __init__(self) -> None:
        self.found: list[str] = []
        self._parts: list[str] = []
        self._in_text = False

    def start(self, name: str, attributes: Attributes) -> None:
        self._in_text = name == "t"

    def end(self, name: str) -> None:
        self._in_text = False
        if name == "si":
            self.found.append("".join(self._parts))
            self._parts.clear()

    def text(self, data: str) -> None:
        if self._in_text:
            self._parts.append(data)


class _NumberFormats(PartReader):
    """What each cell style shows a number as: `date`, `percent` or nothing special."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self._codes: dict[int, str] = {}
        self._in_cell_formats = False

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "numFmt":
            self._codes[_number(attribute(attributes, "numFmtId"))] = attribute(attributes, "formatCode")
        elif name == "cellXfs":
            self._in_cell_formats = True
        elif name == "xf" and self._in_cell_formats:
            self.kinds.append(self._kind(_number(attribute(attributes, "numFmtId"))))

    def end(self, name: str) -> None:
        if name == "cellXfs":
            self._in_cell_formats = False

    def _kind(self, number: int) -> str:
        code = _QUOTED.sub("", self._codes.get(number, "")).lower()
        if number in _DATE_FORMATS or re.search("[ymdhs]", code.replace("general", "")):
            return "date"
        return "percent" if number in _PERCENT_FORMATS or "%" in code else ""


class _Values:
    """Turns what a cell stores into what it shows."""

    def __init__(self, strings: list[str], kinds: list[str], epoch: datetime) -> None:
        self._strings = strings
        self._kind_of = {str(style): kind for style, kind in enumerate(kinds) if kind}
        self._epoch = epoch

    def show(self, raw: str, cell_type: str, style: str) -> str:
        """The text of a cell with the stored value `raw`; a formula shows the result that was last computed."""
        if cell_type == "s":
            index = _number(raw)
            return self._strings[index] if 0 <= index < len(self._strings) else ""
        if cell_type == "b":
            return "TRUE" if raw.strip() == "1" else "FALSE"
        if cell_type not in {"", "n"}:
            return raw
        kind = self._kind_of.get(style, "")
        try:
            number = float(raw)
            if kind == "date":
                return self._show_date(number)
            # 15 digits are what Excel shows: a stored .30000000000000004 reads .3.
            return f"{number * 100:.15g}%" if kind == "percent" else f"{number:.15g}"
        except (ValueError, OverflowError):
            return raw

    def _show_date(self, serial: float) -> str:
        moment = self._epoch + timedelta(seconds=round(serial * 86_400))
        if serial < 1:
            return moment.strftime("%H:%M:%S")
        return moment.date().isoformat() if serial.is_integer() else moment.isoformat(sep=" ")


class _Sheet(PartReader):
    skipped = frozenset({"rPh", "extLst"})

    def __init__(self, table: TableWriter, values: _Values) -> None:
        self._table = table
        self._values = values
        self._row: list[Cell] = []
        self._column = 0
        self._type = ""
        self._style = ""
        self._parts: list[str] = []
        self._formula: list[str] = []
        self._in: list[str] | None = None

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "row":
            self._row, self._column = [], -1
        elif name == "c":
            # ECMA-376, 18.3.1.4: none of them has a prefix.
            self._column = column_of(attributes.get("r", ""), self._column + 1)
            self._type, self._style = attributes.get("t", ""), attributes.get("s", "")
            self._parts.clear()
            self._formula.clear()
        elif name in {"v", "t"}:
            self._in = self._parts
        elif name == "f":
            self._in = self._formula

    def end(self, name: str) -> None:
        if name in {"v", "t", "f"}:
            self._in = None
        elif name == "c" and self._parts:
            self._row.append((self._column, self._values.show("".join(self._parts), self._type, self._style)))
        elif name == "c" and self._formula:  # nobody has computed it
            self._row.append((self._column, f"={''.join(self._formula)}"))
        elif name == "row":
            self._table.write(self._row)

    def text(self, data: str) -> None:
        if self._in is not None:
            self._in.append(data)


def column_of(reference: str, default: int) -> int:
    """Column from 0 of a cell reference such as `AB12`, `default` when it has none."""
    column = _column(reference[:3])
    return default if column is None else column


@lru_cache(COLUMNS_MAX)
def _column(reference: str) -> int | None:
    column = 0
    for char in reference.upper():
        if not "A" <= char <= "Z":
            break
        column = column * 26 + ord(char) - ord("A") + 1
    return column - 1 if 0 < column <= COLUMNS_MAX else None


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else -1
