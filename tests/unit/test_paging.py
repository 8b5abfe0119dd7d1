"""Pages and directions, as callers ask for them."""

from typing import Any

import msgspec
import pytest

from oppserver.calls.shared.paging import Page, PagingWire, SortingWire, is_descending, page_of
from oppserver.contract.errors import ApiError, InvalidValue, LimitExceeded
from oppserver.contract.limits import PAGE_INDEX_MAX, PAGE_ROWS_MAX


def paging(**members: Any) -> PagingWire:
    """``Paging``, as it is decoded from a body."""
    return msgspec.json.decode(msgspec.json.encode(members), type=PagingWire)


def sorting(direction: Any) -> SortingWire:
    return msgspec.json.decode(msgspec.json.encode({"Direction": direction}), type=SortingWire)


@pytest.mark.parametrize(
    ("asked", "page"),
    [
        (None, Page(0, 25)),
        (msgspec.UNSET, Page(0, 25)),
        (paging(), Page(0, 25)),
        (paging(PageIndex=None, PageSize=None), Page(0, 25)),
        (paging(PageIndex=1, PageSize=10), Page(0, 10)),
        (paging(PageIndex="3", PageSize=" 10 "), Page(20, 10)),
        (paging(PageIndex=2), Page(25, 25)),
        (paging(PageSize="0005000"), Page(0, 5_000)),
        (paging(Offset="0", RowCount="10"), Page(0, 10)),
        (paging(Offset=2, RowCount=10), Page(20, 10)),
        (paging(Offset=2), Page(50, 25)),
        (paging(RowCount=7), Page(0, 7)),
        (paging(Offset=1, PageIndex=9, PageSize=9), Page(25, 25)),
        (paging(PageIndex=PAGE_INDEX_MAX, PageSize=1), Page(PAGE_INDEX_MAX - 1, 1)),
    ],
)
def test_both_forms_of_paging(asked: PagingWire | None, page: Page) -> None:
    """PageIndex counts from 1, Offset counts pages from 0; numbers come as text too."""
    assert page_of(asked, rows_default=25) == page


def test_a_page_index_of_0_where_callers_send_it() -> None:
    """It is the first page there, and a mistake elsewhere."""
    asked = paging(PageIndex=0, PageSize=10)
    assert page_of(asked, rows_default=25, index_may_be_0=True) == Page(0, 10)
    with pytest.raises(InvalidValue, match="'0' is not a whole number from 1 to 2147483647"):
        page_of(asked, rows_default=25)


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        (paging(PageSize=PAGE_ROWS_MAX + 1), LimitExceeded, r"\$\.Paging\.PageSize is 5001"),
        (paging(RowCount="99999"), LimitExceeded, r"\$\.Paging\.RowCount is 99999"),
        (paging(PageSize=0), InvalidValue, r"\$\.Paging\.PageSize: '0' is not"),
        (paging(PageIndex=-1), InvalidValue, r"\$\.Paging\.PageIndex: '-1' is not"),
        (paging(Offset=-1), InvalidValue, r"\$\.Paging\.Offset: '-1' is not a whole number from 0"),
        (paging(PageIndex="1.5"), InvalidValue, r"\$\.Paging\.PageIndex: '1.5' is not"),
        (paging(PageIndex=""), InvalidValue, r"\$\.Paging\.PageIndex: '' is not"),
        (paging(PageIndex="\u0661"), InvalidValue, r"\$\.Paging\.PageIndex: '\u0661' is not"),
        (paging(PageIndex="9" * 5_000), InvalidValue, r"\$\.Paging\.PageIndex: '9{80}…' is not"),
        (
            paging(PageIndex=PAGE_INDEX_MAX + 1),
            InvalidValue,
            r"\$\.Paging\.PageIndex: '2147483648'",
        ),
    ],
)
def test_what_is_no_page_is_refused(asked: PagingWire, error: type[ApiError], message: str) -> None:
    """The place is named, and what it takes."""
    with pytest.raises(error, match=message):
        page_of(asked, rows_default=25)


def test_a_call_may_take_larger_pages() -> None:
    """Where it says so."""
    assert page_of(paging(PageSize=9_000), rows_default=25, rows_max=10_000) == Page(0, 9_000)


@pytest.mark.parametrize(
    ("direction", "expected"),
    [(1, True), ("1", True), (0, False), ("0", False), (" 0 ", False), (None, True)],
)
def test_directions(direction: Any, expected: bool) -> None:
    """1 descends, 0 ascends, as number or text; without one the default holds."""
    assert is_descending(sorting(direction)) is expected
    assert is_descending(None, default=False) is False


@pytest.mark.parametrize("direction", ["", "desc", 2, -1])
def test_what_is_no_direction_is_refused(direction: Any) -> None:
    """With what it takes."""
    with pytest.raises(InvalidValue, match=r"\$\.Sorting\.Direction.* Send 1 for descending"):
        is_descending(sorting(direction))
