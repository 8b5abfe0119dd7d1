"""The synchronous client."""

from collections.abc import Generator, Iterable
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeVar, Unpack, overload

import httpx

from oppserver.client.bulk_read import Batch
from oppserver.client.calls import Call
from oppserver.client.core import BulkPlan, Core, Options, PagePlan, chunks
from oppserver.client.forms import ArrowBatch, ArrowTable, DataFrame, RowsAs, form_of
from oppserver.client.packing import Id
from oppserver.client.results import OnMissing, Rows
from oppserver.client.rows import Opportunity
from oppserver.client.sync_transport import SyncTransport

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

    # --- how

    def _run(self, call: Call[T]) -> T:
        return self._transport.run(self._core.flow(call))

    def _batches(self, ids: Iterable[Id], plan: BulkPlan) -> Generator[Batch, None, None]:
        flows = (self._core.flow(plan.call(chunk)) for chunk in chunks(ids))
        yield from self._transport.run_in_order(flows, at_once=self._core.calls_in_flight)

    def _pages(self, plan: PagePlan) -> Generator[Batch, None, None]:
        while (call := plan.next_call()) is not None:
            batch = self._run(call)
            plan.took(batch)
            yield batch
