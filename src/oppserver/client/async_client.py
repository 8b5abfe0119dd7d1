"""The asynchronous client: the same names and types as the synchronous one."""

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Mapping
from contextlib import aclosing
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeVar, Unpack, overload
from uuid import UUID

import httpx

from oppserver.client.bulk_read import Batch, Id
from oppserver.client.calls import HostCall
from oppserver.client.conditions import EVERYTHING, Value, Where, text_value
from oppserver.client.core import BulkPlan, Core, Options, PagePlan, Pages, async_chunks, ignore
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
from oppserver.client.results import AsyncRows, OnMissing
from oppserver.client.rows import Opportunity
from oppserver.client.transports import AsyncTransport
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


class AsyncClient:
    """A client of one host, with one key pair: of oppserver, or of the hosted service.

    Keeps connections: use it in an ``async with`` block, or close it. It belongs to one event loop;
    all its tasks share its rate limit.
    """

    def __init__(
        self,
        host: str,
        access_key: str,
        secret_key: str,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        **options: Unpack[Options],
    ) -> None:
        """``host`` is a name (then HTTPS) or a URL; see Options for the rest.

        ``transport`` takes the place of the network, in tests. Raises InvalidCall.
        """
        self._core: Final = Core(host, access_key, secret_key, options)
        self._transport: Final = AsyncTransport(self._core.wire, transport)

    def __repr__(self) -> str:
        return f"AsyncClient({self._core.wire.base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections. The client is not used afterwards."""
        await self._transport.close()

    # --- reads of many

    @overload
    def get_opportunities(
        self,
        ids: Iterable[Id] | AsyncIterable[Id],
        *,
        event_code: int | str,
        columns: str | Iterable[str],
        rows_as: Literal["row"] = "row",
        on_missing: OnMissing | None = None,
    ) -> AsyncRows[Opportunity, list[Opportunity]]: ...

    @overload
    def get_opportunities(
        self,
        ids: Iterable[Id] | AsyncIterable[Id],
        *,
        event_code: int | str,
        columns: str | Iterable[str],
        rows_as: Literal["dict"],
        on_missing: OnMissing | None = None,
    ) -> AsyncRows[dict[str, str | None], list[dict[str, str | None]]]: ...

    @overload
    def get_opportunities(
        self,
        ids: Iterable[Id] | AsyncIterable[Id],
        *,
        event_code: int | str,
        columns: str | Iterable[str],
        rows_as: Literal["arrow"],
        on_missing: OnMissing | None = None,
    ) -> AsyncRows[ArrowBatch, ArrowTable]: ...

    @overload
    def get_opportunities(
        self,
        ids: Iterable[Id] | AsyncIterable[Id],
        *,
        event_code: int | str,
        columns: str | Iterable[str],
        rows_as: Literal["dataframe"],
        on_missing: OnMissing | None = None,
    ) -> AsyncRows[DataFrame, DataFrame]: ...

    def get_opportunities(
        self,
        ids: Iterable[Id] | AsyncIterable[Id],
        *,
        event_code: int | str,
        columns: str | Iterable[str],
        rows_as: RowsAs = "row",
        on_missing: OnMissing | None = None,
    ) -> AsyncRows[Any, Any]:
        """As ``Client.get_opportunities``; ids may come from an ``async`` iterable too."""
        plan = BulkPlan.of(event_code, columns)
        return AsyncRows(self._batches(ids, plan), form_of(rows_as, plan.columns), on_missing)

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
    ) -> AsyncRows[Opportunity, list[Opportunity]]: ...

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
    ) -> AsyncRows[dict[str, str | None], list[dict[str, str | None]]]: ...

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
    ) -> AsyncRows[ArrowBatch, ArrowTable]: ...

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
    ) -> AsyncRows[DataFrame, DataFrame]: ...

    def search(
        self,
        event_code: int | str,
        conditions: Where = EVERYTHING,
        *,
        columns: str | Iterable[str] | None = None,
        order_by: str | None = None,
        descending: bool = True,
        rows_as: RowsAs = "row",
    ) -> AsyncRows[Any, Any]:
        """As ``Client.search``."""
        sorting = Sorting(column=order_by, is_descending=descending)
        pages = search_pages(event_code, conditions, columns=columns, sorting=sorting)
        return AsyncRows(self._pages(PagePlan(pages)), form_of(rows_as, None), None)

    async def count(self, event_code: int | str, conditions: Where = EVERYTHING) -> int:
        """As ``Client.count``."""
        return (await self._run(count_call(event_code, conditions))).total or 0

    def get_opportunities_of_lead(
        self,
        lead_id: str | UUID,
        *,
        event_code: int | str | None = None,
        columns: str | Iterable[str] | None = None,
        order_by: str | None = None,
        descending: bool = True,
    ) -> AsyncRows[Opportunity, list[Opportunity]]:
        """As ``Client.get_opportunities_of_lead``."""
        sorting = Sorting(column=order_by, is_descending=descending)
        pages = lead_pages(lead_id, event_code, columns=columns, sorting=sorting)
        return AsyncRows(self._pages(PagePlan(pages)), form_of("row", None), None)

    def get_opportunities_by_lead_field(
        self,
        name: str,
        value: Value,
        *,
        columns: str | Iterable[str] | None = None,
        order_by: str | None = None,
        descending: bool = True,
    ) -> AsyncRows[Opportunity, list[Opportunity]]:
        """As ``Client.get_opportunities_by_lead_field``."""
        sorting = Sorting(column=order_by, is_descending=descending)
        pages = lead_field_pages(name, value, columns=columns, sorting=sorting)
        return AsyncRows(self._pages(PagePlan(pages)), form_of("row", None), None)

    def get_activities(
        self, opportunity_id: str | UUID, *, event_code: int | str | None = None
    ) -> AsyncRows[dict[str, str | None], list[dict[str, str | None]]]:
        """As ``Client.get_activities``."""
        pages = activity_pages(opportunity_id, event_code)
        return AsyncRows(self._pages(PagePlan(pages)), form_of("dict", None), None)

    def get_modified(
        self, event_code: int, *, since: datetime | None = None, until: datetime | None = None
    ) -> AsyncRows[Opportunity, list[Opportunity]]:
        """As ``Client.get_modified``."""
        plan = ModifiedPlan(event_code, since=text_value(since), until=text_value(until))
        return AsyncRows(self._pages(plan), form_of("row", None), None)

    # --- one opportunity, types

    async def get_opportunity(self, opportunity_id: str | UUID) -> OpportunityDetails:
        """As ``Client.get_opportunity``."""
        return await self._run(details_call(opportunity_id))

    async def get_type(self, event_code: int | str) -> TypeInfo:
        """As ``Client.get_type``."""
        return await self._run(type_call(event_code))

    async def get_types(self) -> list[TypeInfo]:
        """As ``Client.get_types``."""
        return await self._run(types_call())

    # --- writes

    async def capture(
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
        """As ``Client.capture``."""
        call = capture_call(
            event_code,
            fields,
            lead=lead,
            search_by=search_by,
            note=note,
            created_on=created_on,
            overlap=overlap,
        )
        return await self._run(call)

    async def update(
        self, opportunity_id: str | UUID, fields: Mapping[str, Value], *, note: str | None = None
    ) -> None:
        """As ``Client.update``."""
        await self._run(update_call(Update(opportunity_id, fields, note)))

    async def delete(self, opportunity_id: str | UUID) -> None:
        """As ``Client.delete``."""
        await self._run(delete_call(opportunity_id))

    async def update_opportunities(
        self, updates: Iterable[Update], *, event_code: int | str
    ) -> int:
        """As ``Client.update_opportunities``."""
        return await self._write_all(bulk_update_calls(updates, event_code), ignore)

    async def add_opportunities(
        self,
        additions: Iterable[Addition],
        *,
        event_code: int | str,
        search_by: str = "EmailAddress",
    ) -> list[Captured]:
        """As ``Client.add_opportunities``."""
        done: list[Captured] = []
        calls = bulk_add_calls(additions, event_code, search_by=search_by)
        await self._write_all(calls, done.extend)
        return done

    async def add_activities(
        self, opportunity_id: str | UUID, activities: Iterable[NewActivity]
    ) -> list[str]:
        """As ``Client.add_activities``."""
        done: list[str] = []
        await self._write_all(activity_calls(opportunity_id, activities), done.extend)
        return done

    # --- how

    async def _write_all(
        self, calls: Iterable[tuple[int, HostCall[T]]], take: Callable[[T], None]
    ) -> int:
        """Makes calls one after the other; how many writes they were."""
        done = 0
        try:
            for number, call in calls:
                take(await self._run(call))
                done += number
        except ClientError as error:
            raise stopped(error, done=done) from None
        return done

    async def _run(self, call: HostCall[T]) -> T:
        return await self._transport.run(self._core.flow(call))

    async def _batches(
        self, ids: Iterable[Id] | AsyncIterable[Id], plan: BulkPlan
    ) -> AsyncGenerator[Batch, None]:
        flows = (self._core.flow(plan.call(chunk)) async for chunk in async_chunks(ids))
        batches = self._transport.run_in_order(flows, at_once=self._core.calls_in_flight)
        async with aclosing(batches):
            async for batch in batches:
                yield batch

    async def _pages(self, plan: Pages) -> AsyncGenerator[Batch, None]:
        while (call := plan.next_call()) is not None:
            batch = await self._run(call)
            yield plan.took(batch)
