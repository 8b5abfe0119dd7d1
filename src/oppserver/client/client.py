"""The synchronous client."""

from collections.abc import Generator, Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeAlias, TypeVar, Unpack, overload
from uuid import UUID

import httpx

from oppserver.client.bulk_read import Batch, BulkPlan, Id, chunks
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
from oppserver.client.results import OnMissing, RowDict, Rows, RowsAs, form_of
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

OpportunityRows: TypeAlias = Rows[Opportunity, list[Opportunity]]

DictRows: TypeAlias = Rows[RowDict, list[RowDict]]


class Client:
    """A client of one host (oppserver or the hosted service) with one key pair.

    It keeps connections: use it in a ``with`` block, or close it. It is thread-safe; all threads
    share its rate limit.
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
        """``host`` is a name (then HTTPS) or a URL; see Options for the options.

        ``transport`` replaces the network, in tests. Raises InvalidCall.
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
        """Close the connections. The client cannot be used afterwards."""
        self._transport.close()

    # --- many opportunities

    @overload
    def get_opportunities(
        self,
        ids: Iterable[Id],
        *,
        event_code: int | str,
        columns: str | Iterable[str],
        rows_as: Literal["row"] = "row",
        on_missing: OnMissing | None = None,
    ) -> OpportunityRows: ...

    @overload
    def get_opportunities(
        self,
        ids: Iterable[Id],
        *,
        event_code: int | str,
        columns: str | Iterable[str],
        rows_as: Literal["dict"],
        on_missing: OnMissing | None = None,
    ) -> DictRows: ...

    @overload
    def get_opportunities(
        self,
        ids: Iterable[Id],
        *,
        event_code: int | str,
        columns: str | Iterable[str],
        rows_as: Literal["arrow", "dataframe"],
        on_missing: OnMissing | None = None,
    ) -> Rows[Any, Any]: ...

    def get_opportunities(
        self,
        ids: Iterable[Id],
        *,
        event_code: int | str,
        columns: str | Iterable[str],
        rows_as: RowsAs = "row",
        on_missing: OnMissing | None = None,
    ) -> Rows[Any, Any]:
        """Read the opportunities with the ids, of one type, in the order of the ids.

        A repeated id repeats its row. Ids without a row are in ``missing`` of the result, or go to
        ``on_missing``, call by call. With ``rows_as`` "arrow" or "dataframe", an item has the rows
        of one call. Memory does not grow with the number of ids.

        Raises InvalidCall at once, and other ClientErrors while rows are read.
        """
        plan = BulkPlan.of(event_code, columns)
        return Rows(self._batches(ids, plan), form_of(rows_as, plan.columns), on_missing)

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
    ) -> Rows[Any, Any]: ...

    def search(
        self,
        event_code: int | str,
        conditions: Where = EVERYTHING,
        *,
        rows_as: RowsAs = "row",
        **options: Unpack[ListOptions],
    ) -> Rows[Any, Any]:
        """Read the opportunities of a type that meet the conditions, page by page.

        ``where`` makes conditions. Options are ``columns``, ``order_by`` and ``descending``; see
        ListOptions. ``total`` of the result is the number found, known from the first row.
        """
        pages = search_pages(event_code, conditions, options)
        return Rows(self._pages(pages), form_of(rows_as, None))

    def count(self, event_code: int | str, conditions: Where = EVERYTHING) -> int:
        """Count the opportunities of a type that meet the conditions."""
        return self._run(count_call(event_code, conditions)).total or 0

    def get_opportunities_of_lead(
        self,
        lead_id: str | UUID,
        *,
        event_code: int | str | None = None,
        **options: Unpack[ListOptions],
    ) -> OpportunityRows:
        """Read the opportunities of a lead, of one type or all types; options as ``search``."""
        pages = lead_pages(lead_id, event_code, options)
        return Rows(self._pages(pages), form_of("row", None))

    def get_opportunities_by_lead_field(
        self, name: str, value: Value, **options: Unpack[ListOptions]
    ) -> OpportunityRows:
        """Read the opportunities of the lead that a unique field finds; options as ``search``.

        ``name`` is ``EmailAddress``, for example.
        """
        return Rows(self._pages(lead_field_pages(name, value, options)), form_of("row", None))

    def get_activities(
        self, opportunity_id: str | UUID, *, event_code: int | str | None = None
    ) -> DictRows:
        """Read the activities of an opportunity, of one type or all types, page by page."""
        pages = activity_pages(opportunity_id, event_code)
        return Rows(self._pages(pages), form_of("dict", None))

    def get_modified(
        self, event_code: int, *, since: datetime | None = None, until: datetime | None = None
    ) -> OpportunityRows:
        """Read ids and dates of the opportunities modified in a span, the oldest first.

        Both ends are included. A row that is modified meanwhile may come twice; none is skipped.
        """
        plan = ModifiedPlan(event_code, since=text_value(since), until=text_value(until))
        return Rows(self._pages(plan), form_of("row", None))

    # --- one opportunity, types

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
        fields: Mapping[str, Value],
        *,
        lead: Mapping[str, Value] | str | UUID,
        search_by: str | None = None,
        note: str | None = None,
        created_on: datetime | str | None = None,
        overlap: Overlap = NO_OVERLAP,
    ) -> Captured:
        """Create an opportunity, unless a rule for duplicates finds an existing one.

        ``fields`` are values by schema name. ``lead`` is the lead's id, or attributes by name with
        a unique one among them; ``search_by`` names it. An unknown lead is created.
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
