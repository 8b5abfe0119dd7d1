"""Lists and searches: from what is asked to the calls of their pages, and from a page to rows."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any, Final
from uuid import UUID

import msgspec

from oppserver.client.bulk_read import Batch, as_event_code
from oppserver.client.calls import ACTIVITIES, HostCall, decoded, not_understood, post
from oppserver.client.conditions import Value, Where, guid_of, names_of, text_value
from oppserver.client.errors import InvalidCall
from oppserver.client.rows import Opportunity, text_of
from oppserver.contract.dates import to_stored

PAGE_ROWS: Final = 1_000
"""Rows of a page. Source: the hosted API gives no more, and cuts larger pages silently."""

PageCall = Callable[[int], HostCall[Batch]]
"""Makes the call of a page, from 1."""


class _Page(msgspec.Struct):
    """An answer; where nothing was found, hosts leave ``List`` out."""

    RecordCount: int | str = 0
    List: list[dict[str, Any]] | None = None


class _Modified(msgspec.Struct):
    RecordCount: int | str = 0
    ProspectActivities: list[dict[str, Any]] | None = None


_PAGE: Final = msgspec.json.Decoder(_Page)

_MODIFIED: Final = msgspec.json.Decoder(_Modified)


class Sorting(msgspec.Struct, frozen=True, kw_only=True):
    """``column`` None is the host's own order."""

    column: str | None
    is_descending: bool

    def message(self) -> dict[str, Any]:
        """``Sorting``, or nothing."""
        if self.column is None:
            return {}
        direction = "1" if self.is_descending else "0"
        return {"Sorting": {"ColumnName": self.column, "Direction": direction}}


def search_pages(
    event_code: int | str,
    where: Where,
    *,
    columns: str | Iterable[str] | None,
    sorting: Sorting,
    page_rows: int = PAGE_ROWS,
) -> PageCall:
    """The pages of a search."""
    code = int(as_event_code(event_code))
    message = {
        "OpportunityEventCode": code,
        "AdvancedSearch": where.advanced_search(code),
        **names_of(columns),
        **sorting.message(),
    }
    return _pages("Retrieve/BySearchParameter", message, page_rows=page_rows)


def lead_pages(
    lead_id: str | UUID,
    event_code: int | str | None,
    *,
    columns: str | Iterable[str] | None,
    sorting: Sorting,
) -> PageCall:
    """The pages of a lead's opportunities, of one type or all."""
    query = [("leadId", guid_of(lead_id, what="lead_id"))]
    if event_code is not None:
        query.append(("opportunityType", as_event_code(event_code)))
    message = {**names_of(columns), **sorting.message()}
    return _pages("GetOpportunitiesOfLead", message, query=tuple(query))


def lead_field_pages(
    name: str, value: Value, *, columns: str | Iterable[str] | None, sorting: Sorting
) -> PageCall:
    """The pages of the opportunities of the lead that a unique field names."""
    parameter = {"LookupName": name, "LookupValue": text_value(value), "SqlOperator": "="}
    message = {"Parameter": parameter, **names_of(columns), **sorting.message()}
    return _pages("GetOpportunitiesByUniqueLeadField", message)


def count_call(event_code: int | str, where: Where) -> HostCall[Batch]:
    """The call whose ``total`` is how many a search finds."""
    sorting = Sorting(column=None, is_descending=True)
    pages = search_pages(event_code, where, columns="Status", sorting=sorting, page_rows=1)
    return pages(1)


def activity_pages(opportunity_id: str | UUID, event_code: int | str | None) -> PageCall:
    """The pages of an opportunity's activities."""
    query = [("opportunityId", guid_of(opportunity_id, what="opportunity_id"))]
    if event_code is not None:
        query.append(("activityEventCode", as_event_code(event_code)))
    return _pages("GetActivitiesOfOpportunity", {}, query=tuple(query))


def modified_call(
    event_code: int, *, from_date: str | None, to_date: str | None, page: int, page_rows: int
) -> HostCall[Batch]:
    """A page of what was modified in a span (stored form, both ends in it), the oldest first.

    The rows have Id, RelatedProspectId, CreatedOn and ModifiedOn.
    """
    parameter: dict[str, Any] = {"ActivityEvent": event_code, "IncludeCustomFields": 0}
    ends = {"FromDate": from_date, "ToDate": to_date}
    parameter.update({name: date for name, date in ends.items() if date is not None})
    message = {
        "Parameter": parameter,
        "Paging": {"PageIndex": page, "PageSize": page_rows},
        "Sorting": {"ColumnName": "ModifiedOn", "Direction": 0},
    }
    return post("RetrieveRecentlyModified", message, _read_modified, base=ACTIVITIES)


def _pages(
    name: str,
    message: dict[str, Any],
    *,
    query: tuple[tuple[str, str], ...] = (),
    page_rows: int = PAGE_ROWS,
) -> PageCall:
    def page_call(page: int) -> HostCall[Batch]:
        if page < 1:
            raise InvalidCall("Pages are counted from 1.")
        paging = {"Paging": {"PageIndex": page, "PageSize": page_rows}}
        return post(name, {**message, **paging}, partial(_read, name), query=query)

    return page_call


def _read(name: str, body: bytes) -> Batch:
    page = decoded(_PAGE, body, name=name)
    return _batch(page.List, page.RecordCount)


def _read_modified(body: bytes) -> Batch:
    page = decoded(_MODIFIED, body, name="RetrieveRecentlyModified")
    return _batch(page.ProspectActivities, page.RecordCount)


def _batch(rows: list[dict[str, Any]] | None, count: int | str) -> Batch:
    texts = [{name: text_of(value) for name, value in row.items()} for row in rows or ()]
    total = int(count) if str(count).strip().isdecimal() else len(texts)
    return Batch(rows=list(map(Opportunity, texts)), total=total)


_NAME: Final = "RetrieveRecentlyModified"

_TRIES_MAX: Final = 5


class ModifiedPlan:
    """The calls for all of a span (stored form, both ends in it; None is open), and their rows.

    A row may be given twice, when it is modified while it is read.
    """

    def __init__(self, event_code: int, *, since: str | None, until: str | None) -> None:
        self._event_code: Final = event_code
        self._until: Final = until
        self._from = since
        self._second: _Second | None = None
        self._total: int | None = None
        self._is_done = False

    def next_call(self) -> HostCall[Batch] | None:
        """The next call; None when all was read."""
        if self._is_done:
            return None
        second = self._second
        return modified_call(
            self._event_code,
            from_date=second.moment if second else self._from,
            to_date=second.moment if second else self._until,
            page=second.page if second else 1,
            page_rows=PAGE_ROWS,
        )

    def took(self, batch: Batch) -> Batch:
        """The rows that are given, of the answer to the call that was made last.

        Their ``total`` is how many there were in the span when its reading began.
        """
        if self._total is None:
            self._total = batch.total
        return Batch(rows=self._rows_of(batch), total=self._total)

    def _rows_of(self, batch: Batch) -> Sequence[Opportunity]:
        if self._second is not None:
            return self._took_of_second(self._second, batch)
        moments = [_moment(row) for row in batch.rows]
        if any(after < before for before, after in pairwise(moments)):
            raise not_understood(_NAME, "its rows are not sorted by ModifiedOn, as was asked")
        if len(batch.rows) >= (batch.total or 0) or not batch.rows:
            self._is_done = True
            return batch.rows
        last = moments[-1]
        rows = [row for row, moment in zip(batch.rows, moments, strict=True) if moment < last]
        if rows:
            self._from = last
        else:
            self._second = _Second(last)
        return rows

    def _took_of_second(self, second: "_Second", batch: Batch) -> Sequence[Opportunity]:
        rows = second.took(batch)
        if rows is None:
            return ()
        self._second = None
        self._from = _next_second(second.moment)
        self._is_done = self._until is not None and self._from > self._until
        return rows


class _Second:
    """The rows of one second, page by page. Owner of what was read of them."""

    def __init__(self, moment: str) -> None:
        self.moment: Final = moment
        self.page = 1
        self._rows: dict[str, Opportunity] = {}
        self._read = 0
        self._tries = 1

    def took(self, batch: Batch) -> list[Opportunity] | None:
        """All rows of the second; None while there are more. Raises UnexpectedAnswer."""
        self._rows.update((row.id, row) for row in batch.rows)
        self._read += len(batch.rows)
        total = batch.total or 0
        if batch.rows and self._read < total:
            self.page += 1
            return None
        if len(self._rows) >= total:
            return list(self._rows.values())
        if self._tries == _TRIES_MAX:
            raise not_understood(
                _NAME,
                f"of {total} rows that were modified at {self.moment} it gave"
                f" {len(self._rows)} in {_TRIES_MAX} tries",
            )
        self._tries += 1
        self.page, self._read = 1, 0
        return None


def _moment(row: Opportunity) -> str:
    try:
        return to_stored(row["ModifiedOn"] or "")
    except (KeyError, ValueError):
        raise not_understood(_NAME, "a row has no ModifiedOn") from None


def _next_second(moment: str) -> str:
    return (datetime.fromisoformat(moment) + timedelta(seconds=1)).isoformat(sep=" ")
