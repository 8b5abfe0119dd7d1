"""Lists and searches: from arguments to the calls of all pages, and from a page to rows."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any, Final, Protocol, TypedDict
from uuid import UUID

import msgspec

from oppserver.client.bulk_read import Batch
from oppserver.client.calls import ACTIVITIES, HostCall, decoded, not_understood, reading_call
from oppserver.client.conditions import (
    Conditions,
    Value,
    as_columns,
    as_event_code,
    as_where,
    guid_of,
    text_value,
)
from oppserver.client.rows import Opportunity, text_of
from oppserver.contract.dates import to_stored

PAGE_ROWS: Final = 1_000
"""Rows of a page. Source: the hosted API's maximum; it cuts larger pages silently."""


class ListOptions(TypedDict, total=False):
    """The options of a list of opportunities.

    - ``columns``: the columns of the rows; by default the host chooses.
    - ``order_by``: a column to sort by; by default the host's own order.
    - ``descending``: sort from high to low (default).
    """

    columns: str | Iterable[str] | None
    order_by: str | None
    descending: bool


class Pages(Protocol):
    """Calls made one after the other, and the rows of their answers."""

    def next_call(self) -> HostCall[Batch] | None:
        """The next call; None after the last one."""
        ...

    def take(self, batch: Batch) -> Batch:
        """The rows to give to the caller from the answer to the last call."""
        ...


class PagePlan:
    """The pages of a list, from 1, until all rows that the host counts are read.

    A host may give smaller pages than asked for: the count ends a list, not a short page.
    """

    def __init__(
        self,
        name: str,
        message: dict[str, Any],
        *,
        query: tuple[tuple[str, str], ...] = (),
        page_rows: int = PAGE_ROWS,
    ) -> None:
        self._name: Final = name
        self._message: Final = message
        self._query: Final = query
        self._page_rows: Final = page_rows
        self._page = 0
        self._rows = 0
        self._is_done = False

    def next_call(self) -> HostCall[Batch] | None:
        """The call of the next page; None after the last one."""
        if self._is_done:
            return None
        self._page += 1
        return self.call(self._page)

    def call(self, page: int) -> HostCall[Batch]:
        """The call of a page."""
        paging = {"Paging": {"PageIndex": page, "PageSize": self._page_rows}}
        read = partial(_read, self._name)
        return reading_call(self._name, {**self._message, **paging}, read, query=self._query)

    def take(self, batch: Batch) -> Batch:
        """Count the rows of a page; all of them go to the caller."""
        self._rows += len(batch.rows)
        self._is_done = not batch.rows or self._rows >= (batch.total or 0)
        return batch


def search_pages(
    event_code: int | str,
    conditions: Conditions,
    options: ListOptions,
    *,
    page_rows: int = PAGE_ROWS,
) -> PagePlan:
    """The pages of a search."""
    code = int(as_event_code(event_code))
    message = {
        "OpportunityEventCode": code,
        "AdvancedSearch": as_where(conditions).advanced_search(code),
        **_members(**options),
    }
    return PagePlan("Retrieve/BySearchParameter", message, page_rows=page_rows)


def count_call(event_code: int | str, conditions: Conditions) -> HostCall[Batch]:
    """The call whose ``total`` is the number of opportunities that a search finds."""
    return search_pages(event_code, conditions, {"columns": "Status"}, page_rows=1).call(1)


def lead_pages(lead_id: str | UUID, event_code: int | str | None, options: ListOptions) -> PagePlan:
    """The pages of a lead's opportunities, of one type or all types."""
    query = [("leadId", guid_of(lead_id, what="lead_id"))]
    if event_code is not None:
        query.append(("opportunityType", as_event_code(event_code)))
    return PagePlan("GetOpportunitiesOfLead", _members(**options), query=tuple(query))


def lead_field_pages(name: str, value: Value, options: ListOptions) -> PagePlan:
    """The pages of the opportunities of the lead whose unique field has a value."""
    parameter = {"LookupName": name, "LookupValue": text_value(value), "SqlOperator": "="}
    message = {"Parameter": parameter, **_members(**options)}
    return PagePlan("GetOpportunitiesByUniqueLeadField", message)


def activity_pages(opportunity_id: str | UUID, event_code: int | str | None) -> PagePlan:
    """The pages of an opportunity's activities, of one type or all types."""
    query = [("opportunityId", guid_of(opportunity_id, what="opportunity_id"))]
    if event_code is not None:
        query.append(("activityEventCode", as_event_code(event_code)))
    return PagePlan("GetActivitiesOfOpportunity", {}, query=tuple(query))


def _members(
    *,
    columns: str | Iterable[str] | None = None,
    order_by: str | None = None,
    descending: bool = True,
) -> dict[str, Any]:
    members: dict[str, Any] = {}
    if columns is not None and (names := as_columns(columns)):
        members["Columns"] = {"Include_CSV": names}
    if order_by is not None:
        members["Sorting"] = {"ColumnName": order_by, "Direction": "1" if descending else "0"}
    return members


# --- answers -----------------------------------------------------------------------------------


class _Page(msgspec.Struct):
    """A page; recently modified rows are in ``ProspectActivities``. No rows: no member."""

    RecordCount: int | str = 0
    List: list[dict[str, Any]] | None = None
    ProspectActivities: list[dict[str, Any]] | None = None


_PAGE: Final = msgspec.json.Decoder(_Page)


def _read(name: str, body: bytes) -> Batch:
    page = decoded(_PAGE, body, name=name)
    rows = page.List or page.ProspectActivities or ()
    texts = [{column: text_of(value) for column, value in row.items()} for row in rows]
    count = str(page.RecordCount).strip()
    total = int(count) if count.isdecimal() else len(texts)
    return Batch(rows=list(map(Opportunity, texts)), total=total)


# --- recently modified -------------------------------------------------------------------------

_NAME: Final = "RetrieveRecentlyModified"

_TRIES_MAX: Final = 5

_FIELDS: Final = "Fields"


class _FieldWire(msgspec.Struct):
    """A member of ``Fields``: a column beside those of every row."""

    Key: str
    Value: Any = None


_FIELDS_DECODER: Final = msgspec.json.Decoder(list[_FieldWire])


def _read_modified(body: bytes) -> Batch:
    batch = _read(_NAME, body)
    return Batch(rows=list(map(_with_fields, batch.rows)), total=batch.total)


def _with_fields(row: Opportunity) -> Opportunity:
    """A row with the columns that it has in ``Fields``, a text of JSON, as columns of its own."""
    try:
        fields = _FIELDS_DECODER.decode(row.get(_FIELDS) or "[]")
    except msgspec.DecodeError:
        return row
    values = {name: value for name, value in row.items() if name != _FIELDS}
    for one in fields:
        values.setdefault(one.Key, text_of(one.Value))
    return Opportunity(values)


class ModifiedPlan:
    """All opportunities modified in a span, the oldest first, with the columns that the host gives.

    ``since`` and ``until`` are in the stored form and included; None is open. Every call asks for
    the first page from the last second read, so nothing is skipped while the host changes. A second
    with more rows than a page is read by itself, page by page. A row that is modified meanwhile
    comes twice.
    """

    def __init__(self, event_code: int, *, since: str | None, until: str | None) -> None:
        self._event_code: Final = event_code
        self._until: Final = until
        self._from = since
        self._second: _Second | None = None
        self._total: int | None = None
        self._is_done = False

    def next_call(self) -> HostCall[Batch] | None:
        """The next call; None after the last one."""
        if self._is_done:
            return None
        if self._second is not None:
            moment = self._second.moment
            return self._call(from_date=moment, to_date=moment, page=self._second.page)
        return self._call(from_date=self._from, to_date=self._until, page=1)

    def take(self, batch: Batch) -> Batch:
        """The new rows in the answer to the last call.

        Their ``total`` is the number of rows in the span when its reading began.
        """
        if self._total is None:
            self._total = batch.total
        return Batch(rows=self._rows_of(batch), total=self._total)

    def _call(self, *, from_date: str | None, to_date: str | None, page: int) -> HostCall[Batch]:
        parameter: dict[str, Any] = {"ActivityEvent": self._event_code, "IncludeCustomFields": 0}
        ends = {"FromDate": from_date, "ToDate": to_date}
        parameter.update({name: date for name, date in ends.items() if date is not None})
        message = {
            "Parameter": parameter,
            "Paging": {"PageIndex": page, "PageSize": PAGE_ROWS},
            "Sorting": {"ColumnName": "ModifiedOn", "Direction": 0},
        }
        return reading_call(_NAME, message, _read_modified, base=ACTIVITIES)

    def _rows_of(self, batch: Batch) -> Sequence[Opportunity]:
        if self._second is not None:
            return self._rows_of_second(self._second, batch)
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

    def _rows_of_second(self, second: "_Second", batch: Batch) -> Sequence[Opportunity]:
        rows = second.take(batch)
        if rows is None:
            return ()
        self._second = None
        self._from = _next_second(second.moment)
        self._is_done = self._until is not None and self._from > self._until
        return rows


class _Second:
    """Owns the rows of one second while they are read page by page."""

    def __init__(self, moment: str) -> None:
        self.moment: Final = moment
        self.page = 1
        self._rows: dict[str, Opportunity] = {}
        self._read = 0
        self._tries = 1

    def take(self, batch: Batch) -> list[Opportunity] | None:
        """All rows of the second; None until all are read. Raises UnexpectedAnswer."""
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
