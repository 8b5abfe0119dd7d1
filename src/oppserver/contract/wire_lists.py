"""The messages of lists and searches, spelled as the API spells them."""

import msgspec
from msgspec import UNSET, UnsetType

from oppserver.contract.wire import (
    FieldValue,
    ListWire,
    Number,
    PagingWire,
    SortingWire,
)


class LeadFieldWire(msgspec.Struct):
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


class RowConditionWire(msgspec.Struct):
    """One comparison: of ``LSO``, by ``Operator``, with ``RSO``."""

    SubConOp: str | UnsetType | None = UNSET
    LSO: str | UnsetType | None = UNSET
    LSO_Type: str | UnsetType | None = UNSET
    Operator: str | UnsetType | None = UNSET
    RSO: FieldValue | UnsetType = UNSET
    RSO_IsMailMerged: FieldValue | UnsetType = UNSET


class ConditionWire(msgspec.Struct):
    """Comparisons that belong together."""

    Type: str | UnsetType | None = UNSET
    ConOp: str | UnsetType | None = UNSET
    RowCondition: list[RowConditionWire] | UnsetType | None = UNSET


class AdvancedSearchWire(msgspec.Struct):
    """What the text ``AdvancedSearch`` holds. ``QueryTimeZone`` is not looked at: dates are UTC."""

    GrpConOp: str | UnsetType | None = UNSET
    Conditions: list[ConditionWire] | UnsetType | None = UNSET


class RecentlyModifiedParameterWire(msgspec.Struct):
    """``Parameter`` of ``RetrieveRecentlyModified``."""

    FromDate: str | UnsetType | None = UNSET
    ToDate: str | UnsetType | None = UNSET
    ActivityEvent: Number | UnsetType | None = UNSET
    IncludeCustomFields: FieldValue | UnsetType = UNSET


class RecentlyModifiedWire(msgspec.Struct):
    """The body of ``RetrieveRecentlyModified``."""

    Parameter: RecentlyModifiedParameterWire | UnsetType | None = UNSET
    Paging: PagingWire | UnsetType | None = UNSET
    Sorting: SortingWire | UnsetType | None = UNSET
