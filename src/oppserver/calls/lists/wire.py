"""The messages of lists and searches, spelled as the API spells them."""

import msgspec
from msgspec import UNSET, UnsetType

from oppserver.calls.shared.decode import Ignored
from oppserver.calls.shared.paging import ListWire, PagingWire, SortingWire
from oppserver.contract.values import FieldValue, Number


class LeadFieldWire(msgspec.Struct, forbid_unknown_fields=True):
    """``Parameter`` of ``GetOpportunitiesByUniqueLeadField``: what the lead is found by."""

    LookupName: str | UnsetType | None = UNSET
    LookupValue: FieldValue | UnsetType = UNSET
    SqlOperator: str | UnsetType | None = UNSET


class ByLeadFieldWire(ListWire):
    """The body of ``GetOpportunitiesByUniqueLeadField``."""

    Parameter: LeadFieldWire | UnsetType | None = UNSET


class SearchWire(ListWire):
    """The body of ``Retrieve/BySearchParameter``. ``AdvancedSearch`` holds JSON in a text."""

    OpportunityEventCode: Number | UnsetType | None = UNSET
    AdvancedSearch: str | UnsetType | None = UNSET


class RowConditionWire(msgspec.Struct, forbid_unknown_fields=True):
    """One comparison: of ``LSO``, by ``Operator``, with ``RSO``."""

    SubConOp: str | UnsetType | None = UNSET
    LSO: str | UnsetType | None = UNSET
    LSO_Type: str | UnsetType | None = UNSET
    Operator: str | UnsetType | None = UNSET
    RSO: FieldValue | UnsetType = UNSET
    RSO_IsMailMerged: FieldValue | UnsetType = UNSET
    IsFilterCondition: Ignored = UNSET


class ConditionWire(msgspec.Struct, forbid_unknown_fields=True):
    """Comparisons that belong together."""

    Type: str | UnsetType | None = UNSET
    ConOp: str | UnsetType | None = UNSET
    RowCondition: list[RowConditionWire] | UnsetType | None = UNSET
    IsFilterCondition: Ignored = UNSET


class AdvancedSearchWire(msgspec.Struct, forbid_unknown_fields=True):
    """What the text ``AdvancedSearch`` holds. Dates are UTC, whatever ``QueryTimeZone`` says."""

    GrpConOp: str | UnsetType | None = UNSET
    Conditions: list[ConditionWire] | UnsetType | None = UNSET
    QueryTimeZone: Ignored = UNSET
    IsFilterCondition: Ignored = UNSET


class RecentlyModifiedParameterWire(msgspec.Struct, forbid_unknown_fields=True):
    """``Parameter`` of ``RetrieveRecentlyModified``."""

    FromDate: str | UnsetType | None = UNSET
    ToDate: str | UnsetType | None = UNSET
    ActivityEvent: Number | UnsetType | None = UNSET
    IncludeCustomFields: FieldValue | UnsetType = UNSET


class RecentlyModifiedWire(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``RetrieveRecentlyModified``."""

    Parameter: RecentlyModifiedParameterWire | UnsetType | None = UNSET
    Paging: PagingWire | UnsetType | None = UNSET
    Sorting: SortingWire | UnsetType | None = UNSET
