"""Pages of a list: what a caller asks for and what it gets."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from lumikb.kit.errors import InvalidInputError

Item = TypeVar("Item")

LIMIT_DEFAULT = 20
LIMIT_MAX = 100
PAGE_MAX = 1_000_000_000


@dataclass(frozen=True)
class PageRequest:
    """Page number from 1 and items a page from 1 to `LIMIT_MAX`; anything else raises `InvalidInputError`."""

    page: int = 1
    limit: int = LIMIT_DEFAULT

    def __post_init__(self) -> None:
        if not 1 <= self.page <= PAGE_MAX:
            raise InvalidInputError(f"page must lie between 1 and {PAGE_MAX}.", field="page")
        if not 1 <= self.limit <= LIMIT_MAX:
            raise InvalidInputError(f"limit must lie between 1 and {LIMIT_MAX}.", field="limit")

    @property
    def offset(self) -> int:
        """Rows before this page."""
        return (self.page - 1) * self.limit


@dataclass(frozen=True)
class Page(Generic[Item]):
    """One page of a list, with the size of the whole."""

    items: list[Item]
    total: int
    request: PageRequest

    @property
    def total_pages(self) -> int:
        """Pages in the whole list; 0 when it is empty."""
        return -(-self.total // self.request.limit)
