"""Conditions on JSON columns that mean the same on SQLite and PostgreSQL."""

import json
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

Scalar = str | bool | int | float


class _HasEntry(FunctionElement[bool]):
    """`(column, entry as JSON, key, value, whether it is a truth value)`; each database takes what it needs."""

    name = "has_entry"
    type = sa.Boolean()
    inherit_cache = True


def has_entry(column: ColumnElement[Any], key: str, value: Scalar) -> ColumnElement[bool]:
    """The JSON object in `column` has `value` under `key`: the same type (1 and 1.0 are one number), the same value."""
    return _HasEntry(column, sa.literal(json.dumps({key: value})), key, value, isinstance(value, bool))


@compiles(_HasEntry, "postgresql")
def _on_postgresql(element: _HasEntry, compiler: SQLCompiler, **options: Any) -> str:  # pyright: ignore[reportUnusedFunction]
    column, entry, *_ = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({column} @> CAST({entry} AS JSONB))"


@compiles(_HasEntry, "sqlite")
def _on_sqlite(element: _HasEntry, compiler: SQLCompiler, **options: Any) -> str:  # pyright: ignore[reportUnusedFunction]
    column, _, key, value, is_truth = (compiler.process(clause, **options) for clause in element.clauses)
    # A truth value is 0 or 1 in `atom`, as a number may be.
    alike = f"entry.key = {key} AND entry.atom = {value} AND (entry.type IN ('true', 'false')) = {is_truth}"
    return f"EXISTS (SELECT 1 FROM json_each({column}) AS entry WHERE {alike})"  # noqa: S608 - names of columns and of parameters
