"""Methods that read many opportunities: both clients inherit them, each with its own rows."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final, Generic, Literal, TypeVar, Unpack, overload
from uuid import UUID

from oppserver.client.bulk_read import BulkPlan
from oppserver.client.conditions import EVERYTHING, Conditions, Value, text_value
from oppserver.client.core import Core
from oppserver.client.lists import (
    ListOptions,
    ModifiedPlan,
    Pages,
    activity_pages,
    lead_field_pages,
    lead_pages,
    search_pages,
)
from oppserver.client.results import OnMissing, RowsAs, form_of

IdsT = TypeVar("IdsT")

OpportunityRowsT = TypeVar("OpportunityRowsT")

DictRowsT = TypeVar("DictRowsT")

AnyRowsT = TypeVar("AnyRowsT")


class Reads(ABC, Generic[IdsT, OpportunityRowsT, DictRowsT, AnyRowsT]):
    """The reads of a client. None of them waits: calls are made while rows are taken.

    A client says what its rows are, ``_rows``, and how batches of them come, by id or by page.
    """

    _rows: Callable[..., Any]

    def __init__(self, core: Core) -> None:
        self._core: Final = core

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._core.wire.base_url!r})"

    @overload
    def get_opportunities(
        self,
        ids: IdsT,
        *,
        event_code: int | str,
        columns: str | Iterable[str],
        rows_as: Literal["row"] = "row",
        on_missing: OnMissing | None = None,
    ) -> OpportunityRowsT: ...

    @overload
    def get_opportunities(
        self,
        ids: IdsT,
        *,
        event_code: int | str,
        columns: str | Iterable[str],
        rows_as: Literal["dict"],
        on_missing: OnMissing | None = None,
    ) -> DictRowsT: ...

    @overload
    def get_opportunities(
        self,
        ids: IdsT,
        *,
        event_code: int | str,
        columns: str | Iterable[str],
        rows_as: Literal["arrow", "dataframe"],
        on_missing: OnMissing | None = None,
    ) -> AnyRowsT: ...

    def get_opportunities(
        self,
        ids: IdsT,
        *,
        event_code: int | str,
        columns: str | Iterable[str],
        rows_as: RowsAs = "row",
        on_missing: OnMissing | None = None,
    ) -> Any:
        """Read the opportunities with the ids, of one type, in the order of the ids.

        A repeated id repeats its row. Ids without a row are in ``missing`` of the result, or go to
        ``on_missing``, call by call. With ``rows_as`` "arrow" or "dataframe", an item has the rows
        of one call. Memory does not grow with the number of ids.

        Raises InvalidCall at once, and other ClientErrors while rows are read.
        """
        plan = BulkPlan.of(event_code, columns)
        batches = self._batches(ids, plan)
        return self._rows(batches, form_of(rows_as, plan.columns), on_missing)

    @overload
    def search(
        self,
        event_code: int | str,
        conditions: Conditions = ...,
        *,
        rows_as: Literal["row"] = "row",
        **options: Unpack[ListOptions],
    ) -> OpportunityRowsT: ...

    @overload
    def search(
        self,
        event_code: int | str,
        conditions: Conditions = ...,
        *,
        rows_as: Literal["dict"],
        **options: Unpack[ListOptions],
    ) -> DictRowsT: ...

    @overload
    def search(
        self,
        event_code: int | str,
        conditions: Conditions = ...,
        *,
        rows_as: Literal["arrow", "dataframe"],
        **options: Unpack[ListOptions],
    ) -> AnyRowsT: ...

    def search(
        self,
        event_code: int | str,
        conditions: Conditions = EVERYTHING,
        *,
        rows_as: RowsAs = "row",
        **options: Unpack[ListOptions],
    ) -> Any:
        """Read the opportunities of a type that meet the conditions, page by page.

        ``where`` joins several conditions. Options are ``columns``, ``order_by`` and
        ``descending``; see ListOptions. ``total`` of the result is the number found, known from
        the first row.
        """
        pages = search_pages(event_code, conditions, options)
        return self._rows(self._pages(pages), form_of(rows_as, None))

    def get_opportunities_of_lead(
        self,
        lead_id: str | UUID,
        *,
        event_code: int | str | None = None,
        **options: Unpack[ListOptions],
    ) -> OpportunityRowsT:
        """Read the opportunities of a lead, of one type or all types; options as ``search``."""
        return self._opportunities(lead_pages(lead_id, event_code, options))

    def get_opportunities_by_lead_field(
        self, name: str, value: Value, **options: Unpack[ListOptions]
    ) -> OpportunityRowsT:
        """Read the opportunities of the lead that a unique field finds; options as ``search``.

        ``name`` is ``EmailAddress``, for example.
        """
        return self._opportunities(lead_field_pages(name, value, options))

    def get_activities(
        self, opportunity_id: str | UUID, *, event_code: int | str | None = None
    ) -> DictRowsT:
        """Read the activities of an opportunity, of one type or all types, page by page."""
        pages = activity_pages(opportunity_id, event_code)
        rows: DictRowsT = self._rows(self._pages(pages), form_of("dict", None))
        return rows

    def get_modified(
        self, event_code: int, *, since: datetime | None = None, until: datetime | None = None
    ) -> OpportunityRowsT:
        """Read the opportunities modified in a span, the oldest first.

        Both ends are included. A row that is modified meanwhile may come twice; none is skipped.
        """
        plan = ModifiedPlan(event_code, since=text_value(since), until=text_value(until))
        return self._opportunities(plan)

    def _opportunities(self, pages: Pages) -> OpportunityRowsT:
        rows: OpportunityRowsT = self._rows(self._pages(pages), form_of("row", None))
        return rows

    @abstractmethod
    def _batches(self, ids: IdsT, plan: BulkPlan) -> Any:
        """Generate the batches of a read by id, one for each call."""

    @abstractmethod
    def _pages(self, plan: Pages) -> Any:
        """Generate the batches of a list, one for each page."""
