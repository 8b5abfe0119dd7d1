"""The synchronous client."""

from collections.abc import Callable, Generator, Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeVar, Unpack, overload
from uuid import UUID

import httpx

from oppserver.client.bulk_read import Batch, Id
from oppserver.client.calls import HostCall
from oppserver.client.conditions import EVERYTHING, Value, Where, text_value
from oppserver.client.core import BulkPlan, Core, Options, PagePlan, Pages, chunks, ignore
from oppserver.client.details import (
    OpportunityDetails,
    TypeInfo,
    details_call,
    type_call,
    types_call,
)
from oppserver.client.errors import ClientError
from oppserver.client.forms import ArrowBatch, ArrowTable, DataFrame, RowsAs, form_of
from oppserver.client.lists import (
    ModifiedPlan,
    Sorting,
    activity_pages,
    count_call,
    lead_field_pages,
    lead_pages,
    search_pages,
)
from oppserver.client.results import OnMissing, Rows
from oppserver.client.rows import Opportunity
from oppserver.client.transports import SyncTransport
from oppserver.client.writes import (
    NO_OVERLAP,
    Addition,
    Captured,
    NewActivity,
    Overlap,
    Update,
    activity_calls,
    bulk_add_calls,
    bulk_update_calls,
    capture_call,
    delete_call,
    stopped,
    update_call,
)

T = TypeVar("T")


class Client:
    """A client of one host, with one key pair: of oppserver, or of the hosted service.

    Keeps connections: use it in a ``with`` block, or close it. It may be used from several threads;
    all of them share its rate limit.
    """

    def __init__(
        self,
        host: str,
        access_key: str,
        secret_key: str,
        *,
        transport: httpx.BaseTransport | None = None,
        **options: Unpack[Options],
    ) -> None:
        """``host`` is a name (then HTTPS) or a URL; see Options for the rest.

        ``transport`` takes the place of the network, in tests. Raises InvalidCall.
        """
        self._core: Final = Core(host, access_key, secret_key, options)
        self._transport: Final = SyncTransport(self._core.wire, transport)

    def __repr__(self) -> str:
        return f"Client({self._core.wire.base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections. The client is not used afterwards."""
        self._transport.close()

    # --- reads of many

    @overload
    def get_opportunities(
        self,
        ids: Iterable[Id],
        *,
        event_code: int | str,
        columns: str | Iterable[str],
        rows_as: Literal["row"] = "row",
        on_missing: OnMissing | None = None,
    ) -> Rows[Opportunity, list[Opportunity]]: ...

    @overload
    def get_opportunities(
        self,
        ids: Iterable[Id],
        *,
        event_code: int | str,
        columns: str | Iterable[str],
        rows_as: Literal["dict"],
        on_missing: OnMissing | None = None,
    ) -> Rows[dict[str, str | None], list[dict[str, str | None]]]: ...

    @overload
    def get_opportunities(
        self,
        ids: Iterable[Id],
        *,
        event_code: int | str,
        columns: str | Iterable[str],
        rows_as: Literal["arrow"],
        on_missing: OnMissing | None = None,
    ) -> Rows[ArrowBatch, ArrowTable]: ...

    @overload
    def get_opportunities(
        self,
        ids: Iterable[Id],
        *,
        event_code: int | str,
        columns: str | Iterable[str],
        rows_as: Literal["dataframe"],
        on_missing: OnMissing | None = None,
    ) -> Rows[DataFrame, DataFrame]: ...

    def get_opportunities(
        self,
        ids: Iterable[Id],
        *,
        event_code: int | str,
        columns: str | Iterable[str],
        rows_as: RowsAs = "row",
        on_missing: OnMissing | None = None,
    ) -> Rows[Any, Any]:
        """The opportunities of ids of one type, as they come, in the order of the ids.

        An id that comes twice has its row twice. Ids without a row are in ``missing`` of what is
        returned, or go to ``on_missing``, call by call. With ``rows_as`` "arrow" or "dataframe" an
        item is the rows of one call. Memory does not grow with the number of ids.

        Raises InvalidCall at once, and the other ClientErrors while rows are read.
        """
        plan = BulkPlan.of(event_code, columns)
        return Rows(self._batches(ids, plan), form_of(rows_as, plan.columns), on_missing)

    # --- lists and searches

    @overload
    def search(
        self,
        event_code: int | str,
        conditions: Where = ...,
        *,
        columns: str | Iterable[str] | None = None,
        order_by: str | None = None,
        descending: bool = True,
        rows_as: Literal["row"] = "row",
    ) -> Rows[Opportunity, list[Opportunity]]: ...

    @overload
    def search(
        self,
        event_code: int | str,
        conditions: Where = ...,
        *,
        columns: str | Iterable[str] | None = None,
        order_by: str | None = None,
        descending: bool = True,
        rows_as: Literal["dict"],
    ) -> Rows[dict[str, str | None], list[dict[str, str | None]]]: ...

    @overload
    def search(
        self,
        event_code: int | str,
        conditions: Where = ...,
        *,
        columns: str | Iterable[str] | None = None,
        order_by: str | None = None,
        descending: bool = True,
        rows_as: Literal["arrow"],
    ) -> Rows[ArrowBatch, ArrowTable]: ...

    @overload
    def search(
        self,
        event_code: int | str,
        conditions: Where = ...,
        *,
        columns: str | Iterable[str] | None = None,
        order_by: str | None = None,
        descending: bool = True,
        rows_as: Literal["dataframe"],
    ) -> Rows[DataFrame, DataFrame]: ...

    def search(
        self,
        event_code: int | str,
        conditions: Where = EVERYTHING,
        *,
        columns: str | Iterable[str] | None = None,
        order_by: str | None = None,
        descending: bool = True,
        rows_as: RowsAs = "row",
    ) -> Rows[Any, Any]:
        """The opportunities of a type that meet conditions, page by page, as they come.

        ``conditions`` are made by ``where``. Without ``columns`` the host answers its own choice.
        ``total`` of what is returned is how many there are, once the first row is there.
        """
        sorting = Sorting(column=order_by, is_descending=descending)
        pages = search_pages(event_code, conditions, columns=columns, sorting=sorting)
        return Rows(self._pages(PagePlan(pages)), form_of(rows_as, None), None)

    def count(self, event_code: int | str, conditions: Where = EVERYTHING) -> int:
        """How many opportunities of a type meet conditions."""
        return (self._run(count_call(event_code, conditions))).total or 0

    def get_opportunities_of_lead(
        self,
        lead_id: str | UUID,
        *,
        event_code: int | str | None = None,
        columns: str | Iterable[str] | None = None,
        order_by: str | None = None,
        descending: bool = True,
    ) -> Rows[Opportunity, list[Opportunity]]:
        """The opportunities of a lead, of one type or all, page by page."""
        sorting = Sorting(column=order_by, is_descending=descending)
        pages = lead_pages(lead_id, event_code, columns=columns, sorting=sorting)
        return Rows(self._pages(PagePlan(pages)), form_of("row", None), None)

    def get_opportunities_by_lead_field(
        self,
        name: str,
        value: Value,
        *,
        columns: str | Iterable[str] | None = None,
        order_by: str | None = None,
        descending: bool = True,
    ) -> Rows[Opportunity, list[Opportunity]]:
        """The opportunities of the lead that a unique field finds, page by page.

        ``name`` is ``EmailAddress``, for example.
        """
        sorting = Sorting(column=order_by, is_descending=descending)
        pages = lead_field_pages(name, value, columns=columns, sorting=sorting)
        return Rows(self._pages(PagePlan(pages)), form_of("row", None), None)

    def get_activities(
        self, opportunity_id: str | UUID, *, event_code: int | str | None = None
    ) -> Rows[dict[str, str | None], list[dict[str, str | None]]]:
        """The activities of an opportunity, of one type or all, page by page."""
        pages = activity_pages(opportunity_id, event_code)
        return Rows(self._pages(PagePlan(pages)), form_of("dict", None), None)

    def get_modified(
        self, event_code: int, *, since: datetime | None = None, until: datetime | None = None
    ) -> Rows[Opportunity, list[Opportunity]]:
        """What was modified in a span, both ends in it, the oldest first: ids and dates.

        A row that is modified while the rows are read may come twice; none is skipped.
        """
        plan = ModifiedPlan(event_code, since=text_value(since), until=text_value(until))
        return Rows(self._pages(plan), form_of("row", None), None)

    # --- one opportunity, types

    def get_opportunity(self, opportunity_id: str | UUID) -> OpportunityDetails:
        """One opportunity whole. Raises NotFound."""
        return self._run(details_call(opportunity_id))

    def get_type(self, event_code: int | str) -> TypeInfo:
        """A type with its fields."""
        return self._run(type_call(event_code))

    def get_types(self) -> list[TypeInfo]:
        """All types, without their fields."""
        return self._run(types_call())

    # --- writes

    def capture(
        self,
        event_code: int | str,
        fields: Mapping[str, Value],
        *,
        lead: Mapping[str, Value] | str | UUID,
        search_by: str | None = None,
        note: str | None = None,
        created_on: datetime | str | None = None,
        overlap: Overlap = NO_OVERLAP,
    ) -> Captured:
        """Creates an opportunity, unless a rule for duplicates finds it.

        ``fields`` are values by schema name. ``lead`` is the lead's id, or attributes by name, one
        of them unique; ``search_by`` says which finds it, and a lead that is not there is made.
        """
        call = capture_call(
            event_code,
            fields,
            lead=lead,
            search_by=search_by,
            note=note,
            created_on=created_on,
            overlap=overlap,
        )
        return self._run(call)

    def update(
        self, opportunity_id: str | UUID, fields: Mapping[str, Value], *, note: str | None = None
    ) -> None:
        """Changes fields of an opportunity; None clears one. What is not named stays."""
        self._run(update_call(Update(opportunity_id, fields, note)))

    def delete(self, opportunity_id: str | UUID) -> None:
        """Deletes an opportunity, where its type allows it. Raises NotFound."""
        self._run(delete_call(opportunity_id))

    def update_opportunities(self, updates: Iterable[Update], *, event_code: int | str) -> int:
        """Makes any number of updates in their order, 25 a call; how many.

        A call is done whole or not at all. Raises WritesStopped when one in the middle fails.
        """
        return self._write_all(bulk_update_calls(updates, event_code), ignore)

    def add_opportunities(
        self,
        additions: Iterable[Addition],
        *,
        event_code: int | str,
        search_by: str = "EmailAddress",
    ) -> list[Captured]:
        """Creates any number of opportunities of leads that are there, 25 a call.

        ``search_by`` is the lead's unique field that ``Addition.lead`` is the value of. As
        ``update_opportunities`` else.
        """
        done: list[Captured] = []
        calls = bulk_add_calls(additions, event_code, search_by=search_by)
        self._write_all(calls, done.extend)
        return done

    def add_activities(
        self, opportunity_id: str | UUID, activities: Iterable[NewActivity]
    ) -> list[str]:
        """Posts any number of activities on an opportunity, 25 a call; their ids."""
        done: list[str] = []
        self._write_all(activity_calls(opportunity_id, activities), done.extend)
        return done

    # --- how

    def _write_all(
        self, calls: Iterable[tuple[int, HostCall[T]]], take: Callable[[T], None]
    ) -> int:
        """Makes calls one after the other; how many writes they were."""
        done = 0
        try:
            for number, call in calls:
                take(self._run(call))
                done += number
        except ClientError as error:
            raise stopped(error, done=done) from None
        return done

    def _run(self, call: HostCall[T]) -> T:
        return self._transport.run(self._core.flow(call))

    def _batches(self, ids: Iterable[Id], plan: BulkPlan) -> Generator[Batch, None, None]:
        flows = (self._core.flow(plan.call(chunk)) for chunk in chunks(ids))
        yield from self._transport.run_in_order(flows, at_once=self._core.calls_in_flight)

    def _pages(self, plan: Pages) -> Generator[Batch, None, None]:
        while (call := plan.next_call()) is not None:
            batch = self._run(call)
            yield plan.took(batch)
