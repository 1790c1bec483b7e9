"""JSON and JSON Lines: each value a line that says where it stands, `path.to.key: value`."""

import json
from collections.abc import Iterator
from typing import Any, TypeGuard

from lumikb.compute.parse.errors import CorruptedError, OutputLimitError
from lumikb.compute.parse.models import ParsedText
from lumikb.compute.parse.plain import decode
from lumikb.compute.parse.text import TextBuilder, clean, squeeze, unify_line_ends

DEPTH_MAX = 200
VALUES_MAX = 4_000_000
"""Each takes some 100 bytes while the file is read, and 2 us."""
KEY_CHARS_MAX = 200
HEADINGS_MAX = 10_000
"""An object of more keys is a table of records, and none of them a heading."""
LIST_ITEM_CHARS_MAX = 80


class _Scalar(str):
    """A number, true, false or null as it is written."""

    __slots__ = ()


class _Object(list[tuple[str, Any]]):
    """Members in the order of the file; a key may come twice."""


def parse_json(data: bytes, text_chars_max: int) -> ParsedText:
    """The values in the file's order, numbers as they are written; the keys of the outermost object are headings.

    A list of short values is one line. A file of several values, one a line, is read as JSON Lines.
    """
    source, warnings = decode(data, text_chars_max)
    _check_values(source)
    builder = TextBuilder(text_chars_max)
    try:
        value = _load(source)
    except json.JSONDecodeError as exc:
        if exc.msg != "Extra data":
            raise _not_json(exc) from exc
        _write_lines(source, builder)
        return builder.build(warnings=warnings)
    if isinstance(value, _Object):
        _write_object(builder, value)
    elif _is_list(value) and not _is_short(value):
        for index, inner in enumerate(value):
            _write(builder, f"[{index}]", inner)
    else:
        _write(builder, "", value)
    return builder.build(warnings=warnings)


def parse_json_lines(data: bytes, text_chars_max: int) -> ParsedText:
    """Each line's value as `parse_json` writes it, a blank line between them."""
    source, warnings = decode(data, text_chars_max)
    _check_values(source)
    builder = TextBuilder(text_chars_max)
    _write_lines(source, builder)
    return builder.build(warnings=warnings)


def _write_object(builder: TextBuilder, value: _Object) -> None:
    """Each key with a heading from the first one on that holds more than a line: nothing else ends its section."""
    headed = after_line = False
    for key, inner in value:
        is_line = not _is_list(inner) or _is_short(inner)
        headed = (headed or not is_line) and len(value) <= HEADINGS_MAX
        separator = "\n" if is_line and after_line else "\n\n"
        _write(builder, _name(key), inner, heading=key if headed else "", separator=separator)
        after_line = is_line


def _write_lines(source: str, builder: TextBuilder) -> None:
    # Not `splitlines`: a string may hold U+2028 as it stands.
    for number, line in enumerate(source.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            _write(builder, "", _load(line))
        except json.JSONDecodeError as exc:
            raise _not_json(exc, line=number) from exc


def _check_values(source: str) -> None:
    """Raises `OutputLimitError` for more values than `VALUES_MAX`; counts their marks, also those within strings."""
    marks = sum(map(source.count, ",:[{"))
    if marks > VALUES_MAX:
        raise OutputLimitError(
            f"This file holds more than {VALUES_MAX:,} values. Split it into parts and upload them one by one.",
            values_max=VALUES_MAX,
        )


def _load(source: str) -> Any:
    try:
        return json.loads(
            source, object_pairs_hook=_Object, parse_int=_Scalar, parse_float=_Scalar, parse_constant=_Scalar
        )
    except RecursionError as exc:
        raise _too_deep() from exc


def _not_json(exc: json.JSONDecodeError, line: int | None = None) -> CorruptedError:
    line = line or exc.lineno
    return CorruptedError(
        f"This file is no JSON from line {line} on: it is damaged or cut off. Export it again and upload that.",
        line=line,
    )


def _too_deep() -> CorruptedError:
    return CorruptedError(f"The values of this file are nested more than {DEPTH_MAX} deep. Flatten it and upload that.")


def _write(builder: TextBuilder, path: str, value: Any, *, heading: str = "", separator: str = "\n\n") -> None:
    """The lines of `value` after `separator`; a `heading` is where they begin."""
    for line in _lines(path, value):
        start = builder.append_block(line, separator)
        separator = "\n"
        if title := squeeze(heading):
            builder.add_heading(title, 1, at=start, written=line.startswith(title))
            heading = ""


def _lines(path: str, value: Any) -> Iterator[str]:
    waiting: list[tuple[str, Iterator[tuple[str, Any]]]] = []
    members: Iterator[tuple[str, Any]] = iter([(path, value)])
    above = ""
    while True:
        item = next(members, None)
        if item is None:
            if not waiting:
                return
            above, members = waiting.pop()
            continue
        name, value = item
        if not _is_list(value) or _is_short(value):
            yield _line(above + name, value)
            continue
        if len(waiting) == DEPTH_MAX:
            raise _too_deep()
        waiting.append((above, members))
        above += name
        members = _members(value, dot="." if above else "")


def _members(value: list[Any], dot: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, _Object):
        return ((dot + _name(key), inner) for key, inner in value)
    return ((f"[{index}]", inner) for index, inner in enumerate(value))


def _name(key: str) -> str:
    return squeeze(key)[:KEY_CHARS_MAX]


def _is_short(value: list[Any]) -> bool:
    """Whether `value` is a list of words and numbers, or holds nothing at all."""
    if isinstance(value, _Object):
        return not value
    return all(isinstance(inner, _Scalar) or _is_word(inner) for inner in value)


def _is_word(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= LIST_ITEM_CHARS_MAX and "\n" not in value
    return not _is_list(value)


def _is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _line(path: str, value: Any) -> str:
    shown = "; ".join(_show(inner) for inner in value) if _is_list(value) and value else _show(value)
    return f"{path}: {shown}" if path else shown


def _show(value: Any) -> str:
    if isinstance(value, str):
        return unify_line_ends(clean(value))
    return json.dumps({} if isinstance(value, _Object) else value)
