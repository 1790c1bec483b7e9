"""From rows to plain values."""

from typing import Any

from sqlalchemy import Row


def as_dict(row: Row[Any]) -> dict[str, Any]:
    """Column name -> value."""
    return dict(row._mapping)  # pyright: ignore[reportPrivateUsage]
