"""The asynchronous client: the same methods and types as the synchronous one."""

from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping
from contextlib import aclosing
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeAlias, TypeVar, Unpack, overload
from uuid import UUID

import httpx

from oppserver.client.bulk_read import Batch, BulkPlan, Id, async_chunks
from oppserver.client.calls import HostCall
from oppserver.client.conditions import EVERYTHING, Value, Where, text_value
from oppserver.client.core import Core, Options
from oppserver.client.details import (
    OpportunityDetails,
    TypeInfo,
    details_call,
    type_call,
    types_call,
)
from oppserver.client.errors import ClientError
from oppserver.client.lists import (
    ListOptions,
    ModifiedPlan,
    Pages,
    activity_pages,
    count_call,
    lead_field_pages,
    lead_pages,
    search_pages,
)
from oppserver.client.results import AsyncRows, OnMissing, RowDict, RowsAs, form_of
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

OpportunityRows: TypeAlias = AsyncRows[Opportunity, list[Opportunity]]

DictRows: TypeAlias = AsyncRows[RowDict, list[RowDict]]


class AsyncClient:
    """A client of one host (oppserver or the hosted service) with one key pair.

    It keeps connections: use it in an ``async with`` block, or close it. It belongs to one event
    loop; all tasks share its rate limit.
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
        """``host`` is a name (then HTTPS) or a URL; see Options for the options.

        ``transport`` replaces the network, in tests. Raises InvalidCall.
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
        """Close the connections. The client cannot be used afterwards."""
        await self._transport.close()

    # --- many opportunities

    @overload
    def get_opportunities(
        self,
        ids: Iterable[Id] | AsyncIterable[Id],
        *,
        event_code: int | str,
        columns: str | Iterable[str],
        rows_as: Literal["row"] = "row",
        on_missing: OnMissing | None = None,
    ) -> OpportunityRows: ...

    @overload
    def get_opportunities(
        self,
        ids: Iterable[Id] | AsyncIterable[Id],
        *,
        event_code: int | str,
        columns: str | Iterable[str],
        rows_as: Literal["dict"],
        on_missing: OnMissing | None = None,
    ) -> DictRows: ...

    @overload
    def get_opportunities(
        self,
        ids: Iterable[Id] | AsyncIterable[Id],
        *,
        event_code: int | str,
        columns: str | Iterable[str],
        rows_as: Literal["arrow", "dataframe"],
        on_missing: OnMissing | None = None,
    ) -> AsyncRows[Any, Any]: ...

    def get_opportunities(
        self,
        ids: Iterable[Id] | AsyncIterable[Id],
        *,
        event_code: int | str,
        columns: str | Iterable[str],
        rows_as: RowsAs = "row",
        on_missing: OnMissing | None = None,
    ) -> AsyncRows[Any, Any]:
        """The same as ``Client.get_opportunities``."""
        plan = BulkPlan.of(event_code, columns)
        return AsyncRows(self._batches(ids, plan), form_of(rows_as, plan.columns), on_missing)

    @overload
    def search(
        self,
        event_code: int | str,
        conditions: Where = ...,
        *,
        rows_as: Literal["row"] = "row",
        **options: Unpack[ListOptions],
    ) -> OpportunityRows: ...

    @overload
    def search(
        self,
        event_code: int | str,
        conditions: Where = ...,
        *,
        rows_as: Literal["dict"],
        **options: Unpack[ListOptions],
    ) -> DictRows: ...

    @overload
    def search(
        self,
        event_code: int | str,
        conditions: Where = ...,
        *,
        rows_as: Literal["arrow", "dataframe"],
        **options: Unpack[ListOptions],
    ) -> AsyncRows[Any, Any]: ...

    def search(
        self,
        event_code: int | str,
        conditions: Where = EVERYTHING,
        *,
        rows_as: RowsAs = "row",
        **options: Unpack[ListOptions],
    ) -> AsyncRows[Any, Any]:
        """The same as ``Client.search``."""
        pages = search_pages(event_code, conditions, options)
        return AsyncRows(self._pages(pages), form_of(rows_as, None))

    async def count(self, event_code: int | str, conditions: Where = EVERYTHING) -> int:
        """The same as ``Client.count``."""
        return (await self._run(count_call(event_code, conditions))).total or 0

    def get_opportunities_of_lead(
        self,
        lead_id: str | UUID,
        *,
        event_code: int | str | None = None,
        **options: Unpack[ListOptions],
    ) -> OpportunityRows:
        """The same as ``Client.get_opportunities_of_lead``."""
        pages = lead_pages(lead_id, event_code, options)
        return AsyncRows(self._pages(pages), form_of("row", None))

    def get_opportunities_by_lead_field(
        self, name: str, value: Value, **options: Unpack[ListOptions]
    ) -> OpportunityRows:
        """The same as ``Client.get_opportunities_by_lead_field``."""
        return AsyncRows(self._pages(lead_field_pages(name, value, options)), form_of("row", None))

    def get_activities(
        self, opportunity_id: str | UUID, *, event_code: int | str | None = None
    ) -> DictRows:
        """The same as ``Client.get_activities``."""
        pages = activity_pages(opportunity_id, event_code)
        return AsyncRows(self._pages(pages), form_of("dict", None))

    def get_modified(
        self, event_code: int, *, since: datetime | None = None, until: datetime | None = None
    ) -> OpportunityRows:
        """The same as ``Client.get_modified``."""
        plan = ModifiedPlan(event_code, since=text_value(since), until=text_value(until))
        return AsyncRows(self._pages(plan), form_of("row", None))

    # --- one opportunity, types

    async def get_opportunity(self, opportunity_id: str | UUID) -> OpportunityDetails:
        """The same as ``Client.get_opportunity``."""
        return await self._run(details_call(opportunity_id))

    async def get_type(self, event_code: int | str) -> TypeInfo:
        """The same as ``Client.get_type``."""
        return await self._run(type_call(event_code))

    async def get_types(self) -> list[TypeInfo]:
        """The same as ``Client.get_types``."""
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
        """The same as ``Client.capture``."""
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
        """The same as ``Client.update``."""
        await self._run(update_call(Update(opportunity_id, fields, note)))

    async def delete(self, opportunity_id: str | UUID) -> None:
        """The same as ``Client.delete``."""
        await self._run(delete_call(opportunity_id))

    async def update_opportunities(
        self, updates: Iterable[Update], *, event_code: int | str
    ) -> int:
        """The same as ``Client.update_opportunities``."""
        calls = bulk_update_calls(updates, event_code)
        return sum([number async for number, _ in self._write_all(calls)])

    async def add_opportunities(
        self,
        additions: Iterable[Addition],
        *,
        event_code: int | str,
        search_by: str = "EmailAddress",
    ) -> list[Captured]:
        """The same as ``Client.add_opportunities``."""
        calls = bulk_add_calls(additions, event_code, search_by=search_by)
        return [one async for _, captured in self._write_all(calls) for one in captured]

    async def add_activities(
        self, opportunity_id: str | UUID, activities: Iterable[NewActivity]
    ) -> list[str]:
        """The same as ``Client.add_activities``."""
        calls = activity_calls(opportunity_id, activities)
        return [one async for _, ids in self._write_all(calls) for one in ids]

    # --- calls

    async def _write_all(
        self, calls: Iterable[tuple[int, HostCall[T]]]
    ) -> AsyncGenerator[tuple[int, T], None]:
        """Make calls one after the other; yield the number of writes and the result of each."""
        done = 0
        try:
            for number, call in calls:
                result = await self._run(call)
                done += number
                yield number, result
        except ClientError as error:
            raise stopped(error, done=done) from None

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
            yield plan.take(batch)
