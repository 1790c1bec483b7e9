"""The page envelope of every list."""

from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from lumikb.kit.pages import Page

Item = TypeVar("Item")
Row = TypeVar("Row")


class PageBody(msgspec.Struct, Generic[Item]):
    """One page of a list."""

    data: list[Item]
    total: int
    page: int
    limit: int
    total_pages: int


def page_body(page: Page[Row], to_wire: Callable[[Row], Item]) -> PageBody[Item]:
    """The envelope around the page's items."""
    return PageBody(
        [to_wire(item) for item in page.items], page.total, page.request.page, page.request.limit, page.total_pages
    )
