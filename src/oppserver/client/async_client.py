"""The asynchronous client: the same names and types as the synchronous one."""

from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from contextlib import aclosing
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeVar, Unpack, overload

import httpx

from oppserver.client.async_transport import AsyncTransport
from oppserver.client.bulk_read import Batch
from oppserver.client.calls import Call
from oppserver.client.core import BulkPlan, Core, Options, PagePlan, async_chunks
from oppserver.client.forms import ArrowBatch, ArrowTable, DataFrame, RowsAs, form_of
from oppserver.client.packing import Id
from oppserver.client.results import AsyncRows, OnMissing
from oppserver.client.rows import Opportunity

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

    # --- how

    async def _run(self, call: Call[T]) -> T:
        return await self._transport.run(self._core.flow(call))

    async def _batches(
        self, ids: Iterable[Id] | AsyncIterable[Id], plan: BulkPlan
    ) -> AsyncGenerator[Batch, None]:
        flows = (self._core.flow(plan.call(chunk)) async for chunk in async_chunks(ids))
        batches = self._transport.run_in_order(flows, at_once=self._core.calls_in_flight)
        async with aclosing(batches):
            async for batch in batches:
                yield batch

    async def _pages(self, plan: PagePlan) -> AsyncGenerator[Batch, None]:
        while (call := plan.next_call()) is not None:
            batch = await self._run(call)
            plan.took(batch)
            yield batch
