"""Pages of a list, and their envelope."""

import pytest

from lumikb.http.pages import page_body
from lumikb.kit.errors import InvalidInputError
from lumikb.kit.pages import LIMIT_MAX, PAGE_MAX, Page, PageRequest


@pytest.mark.parametrize(("page", "limit", "offset"), [(1, 20, 0), (2, 20, 20), (3, 1, 2), (1, LIMIT_MAX, 0)])
def test_a_page_begins_where_the_one_before_ends(page: int, limit: int, offset: int) -> None:
    assert PageRequest(page, limit).offset == offset


@pytest.mark.parametrize(
    ("page", "limit"), [(0, 20), (-1, 20), (PAGE_MAX + 1, 20), (1, 0), (1, -1), (1, LIMIT_MAX + 1), (10**30, 20)]
)
def test_pages_out_of_bounds_are_refused(page: int, limit: int) -> None:
    with pytest.raises(InvalidInputError, match="must lie between"):
        PageRequest(page, limit)


def test_the_last_page_fits_the_integers_of_both_databases() -> None:
    assert PageRequest(PAGE_MAX, LIMIT_MAX).offset < 1 << 63


@pytest.mark.parametrize(("total", "pages"), [(0, 0), (1, 1), (10, 1), (11, 2), (20, 2), (21, 3)])
def test_the_whole_list_has_so_many_pages(total: int, pages: int) -> None:
    assert Page([], total, PageRequest(1, 10)).total_pages == pages


def test_the_envelope_holds_the_items_as_they_go_over_the_wire() -> None:
    body = page_body(Page([1, 2], 12, PageRequest(2, 5)), str)
    assert (body.data, body.total, body.page, body.limit, body.total_pages) == (["1", "2"], 12, 2, 5, 3)
