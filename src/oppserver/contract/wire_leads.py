"""The messages of the calls of leads, spelled as the API spells them."""

import msgspec
from msgspec import UNSET, UnsetType

from oppserver.contract.wire import ColumnsWire, FieldValue, PagingWire, SortingWire


class LeadLookupWire(msgspec.Struct):
    """``Parameter`` of ``Leads.Get``: one attribute, compared with one value."""

    LookupName: str | UnsetType | None = UNSET
    LookupValue: FieldValue | UnsetType = UNSET
    SqlOperator: str | UnsetType | None = UNSET


class LeadsGetWire(msgspec.Struct):
    """The body of ``Leads.Get``. ``Query`` is what some callers put around ``Parameter``."""

    Parameter: LeadLookupWire | UnsetType | None = UNSET
    Query: object = UNSET
    Columns: ColumnsWire | UnsetType | None = UNSET
    Sorting: SortingWire | UnsetType | None = UNSET
    Paging: PagingWire | UnsetType | None = UNSET


class LeadIdsWire(msgspec.Struct):
    """``SearchParameters`` of ``Leads/Retrieve/ByIds``."""

    LeadIds: list[str] | UnsetType | None = UNSET


class LeadsByIdsWire(msgspec.Struct):
    """The body of ``Leads/Retrieve/ByIds``."""

    SearchParameters: LeadIdsWire | UnsetType | None = UNSET
    Columns: ColumnsWire | UnsetType | None = UNSET
    Paging: PagingWire | UnsetType | None = UNSET
