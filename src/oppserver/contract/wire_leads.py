"""The messages of the calls of leads, spelled as the API spells them."""

import msgspec
from msgspec import UNSET, UnsetType

from oppserver.contract.wire import ColumnsWire, FieldValue, Ignored, PagingWire, SortingWire


class LeadLookupWire(msgspec.Struct, forbid_unknown_fields=True):
    """``Parameter`` of ``Leads.Get``: one attribute, compared with one value."""

    LookupName: str | UnsetType | None = UNSET
    LookupValue: FieldValue | UnsetType = UNSET
    SqlOperator: str | UnsetType | None = UNSET


class LeadsGetWire(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``Leads.Get``. ``Query`` is what some callers put around ``Parameter``.

    ``Attribute`` and ``Value`` name the type of leads, of which there is one.
    """

    Parameter: LeadLookupWire | UnsetType | None = UNSET
    Query: object = UNSET
    Columns: ColumnsWire | UnsetType | None = UNSET
    Sorting: SortingWire | UnsetType | None = UNSET
    Paging: PagingWire | UnsetType | None = UNSET
    Attribute: Ignored = UNSET
    Value: Ignored = UNSET


class LeadIdsWire(msgspec.Struct, forbid_unknown_fields=True):
    """``SearchParameters`` of ``Leads/Retrieve/ByIds``."""

    LeadIds: list[str] | UnsetType | None = UNSET


class LeadsByIdsWire(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``Leads/Retrieve/ByIds``."""

    SearchParameters: LeadIdsWire | UnsetType | None = UNSET
    Columns: ColumnsWire | UnsetType | None = UNSET
    Paging: PagingWire | UnsetType | None = UNSET
