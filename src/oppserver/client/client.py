"""The two clients, synchronous and asynchronous: the same methods and types."""

from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterable, Mapping
from contextlib import aclosing
from types import TracebackType
from typing import Any, Final, Self, TypeAlias, TypeVar, Unpack
from uuid import UUID

import httpx

from oppserver.client.activities import ActivityMethods, AsyncActivityMethods
from oppserver.client.bulk_read import Batch, BulkPlan, Id, async_chunks, chunks
from oppserver.client.calls import HostCall
from oppserver.client.conditions import EVERYTHING, Conditions, FieldValue
from oppserver.client.core import Core, Options
from oppserver.client.details import (
    OpportunityDetails,
    TypeInfo,
    details_call,
    type_call,
    types_call,
)
from oppserver.client.errors import ClientError
from oppserver.client.leads import AsyncLeadMethods, LeadMethods
from oppserver.client.lists import Pages, count_call
from oppserver.client.reads import Reads
from oppserver.client.results import AsyncRows, RowDict, Rows
from oppserver.client.rows import Opportunity
from oppserver.client.transports import AsyncTransport, SyncTransport
from oppserver.client.writes import (
    Addition,
    Captured,
    CaptureOptions,
    NewActivity,
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

OpportunityRows: TypeAlias = Rows[Opportunity, list[Opportunity]]

DictRows: TypeAlias = Rows[RowDict, list[RowDict]]

AsyncOpportunityRows: TypeAlias = AsyncRows[Opportunity, list[Opportunity]]

AsyncDictRows: TypeAlias = AsyncRows[RowDict, list[RowDict]]


class Client(
    ActivityMethods, LeadMethods, Reads[Iterable[Id], OpportunityRows, DictRows, Rows[Any, Any]]
):
    """A client of one host (oppserver or the hosted service) with one key pair.

    It keeps connections: use it in a ``with`` block, or close it. It is thread-safe; all threads
    share its rate limit.
    """

    _rows = Rows

    def __init__(
        self,
        host: str,
        access_key: str,
        secret_key: str,
        *,
        transport: httpx.BaseTransport | None = None,
        **options: Unpack[Options],
    ) -> None:
        """``host`` is a name (then HTTPS) or a URL; see Options for the options.

        ``transport`` replaces the network, in tests. Raises InvalidCall.
        """
        super().__init__(Core(host, access_key, secret_key, options))
        self._transport: Final = SyncTransport(self._core.wire, transport)

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
        """Close the connections. The client cannot be used afterwards."""
        self._transport.close()

    # --- numbers, one opportunity, types

    def count(self, event_code: int | str, conditions: Conditions = EVERYTHING) -> int:
        """Count the opportunities of a type that meet the conditions."""
        return self._run(count_call(event_code, conditions)).total or 0

    def get_opportunity(self, opportunity_id: str | UUID) -> OpportunityDetails:
        """Read one opportunity with all fields. Raises NotFound."""
        return self._run(details_call(opportunity_id))

    def get_type(self, event_code: int | str) -> TypeInfo:
        """Read a type with its fields."""
        return self._run(type_call(event_code))

    def get_types(self) -> list[TypeInfo]:
        """Read all types, without their fields."""
        return self._run(types_call())

    # --- writes

    def capture(
        self,
        event_code: int | str,
        fields: Mapping[str, FieldValue],
        **options: Unpack[CaptureOptions],
    ) -> Captured:
        """Create an opportunity, unless a rule for duplicates finds an existing one.

        ``fields`` are values by schema name; see CaptureOptions for the options.
        """
        return self._run(capture_call(event_code, fields, **options))

    def update(
        self,
        opportunity_id: str | UUID,
        fields: Mapping[str, FieldValue],
        *,
        note: str | None = None,
    ) -> None:
        """Change fields of an opportunity; None clears a field. Other fields stay."""
        self._run(update_call(Update(opportunity_id, fields, note)))

    def delete(self, opportunity_id: str | UUID) -> None:
        """Delete an opportunity, if its type allows it. Raises NotFound."""
        self._run(delete_call(opportunity_id))

    def update_opportunities(self, updates: Iterable[Update], *, event_code: int | str) -> int:
        """Make any number of updates in order, 25 per call. Returns their number.

        A call is done completely or not at all. Raises WritesStopped if a later call fails.
        """
        calls = bulk_update_calls(updates, event_code)
        return sum(number for number, _ in self._write_all(calls))

    def add_opportunities(
        self,
        additions: Iterable[Addition],
        *,
        event_code: int | str,
        search_by: str = "EmailAddress",
    ) -> list[Captured]:
        """Create any number of opportunities of existing leads, 25 per call.

        ``search_by`` is the unique field of the lead that has the value ``Addition.lead``. Errors
        are as in ``update_opportunities``.
        """
        calls = bulk_add_calls(additions, event_code, search_by=search_by)
        return [one for _, captured in self._write_all(calls) for one in captured]

    def add_activities(
        self, opportunity_id: str | UUID, activities: Iterable[NewActivity]
    ) -> list[str]:
        """Post any number of activities on an opportunity, 25 per call. Returns their ids."""
        calls = activity_calls(opportunity_id, activities)
        return [one for _, ids in self._write_all(calls) for one in ids]

    # --- calls

    def _write_all(
        self, calls: Iterable[tuple[int, HostCall[T]]]
    ) -> Generator[tuple[int, T], None, None]:
        """Make calls one after the other; yield the number of writes and the result of each."""
        done = 0
        try:
            for number, call in calls:
                result = self._run(call)
                done += number
                yield number, result
        except ClientError as error:
            raise stopped(error, done=done) from None

    def _run(self, call: HostCall[T]) -> T:
        return self._transport.run(self._core.flow(call))

    def _batches(self, ids: Iterable[Id], plan: BulkPlan) -> Generator[Batch, None, None]:
        flows = (self._core.flow(plan.call(chunk)) for chunk in chunks(ids))
        yield from self._transport.run_in_order(flows, at_once=self._core.calls_in_flight)

    def _pages(self, plan: Pages) -> Generator[Batch, None, None]:
        while (call := plan.next_call()) is not None:
            batch = self._run(call)
            yield plan.take(batch)


class AsyncClient(
    AsyncActivityMethods,
    AsyncLeadMethods,
    Reads[
        Iterable[Id] | AsyncIterable[Id], AsyncOpportunityRows, AsyncDictRows, AsyncRows[Any, Any]
    ],
):
    """A client of one host (oppserver or the hosted service) with one key pair.

    It keeps connections: use it in an ``async with`` block, or close it. It belongs to one event
    loop; all tasks share its rate limit.
    """

    _rows = AsyncRows

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
        super().__init__(Core(host, access_key, secret_key, options))
        self._transport: Final = AsyncTransport(self._core.wire, transport)

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

    # --- numbers, one opportunity, types

    async def count(self, event_code: int | str, conditions: Conditions = EVERYTHING) -> int:
        """The same as ``Client.count``."""
        return (await self._run(count_call(event_code, conditions))).total or 0

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
        fields: Mapping[str, FieldValue],
        **options: Unpack[CaptureOptions],
    ) -> Captured:
        """The same as ``Client.capture``."""
        return await self._run(capture_call(event_code, fields, **options))

    async def update(
        self,
        opportunity_id: str | UUID,
        fields: Mapping[str, FieldValue],
        *,
        note: str | None = None,
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
