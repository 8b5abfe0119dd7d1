"""The messages on the wire. The members are spelled as the API spells them.

Members that the call demands are optional here, so that the step that checks them can name the one
that is missing the way the API does.
"""

import msgspec
from msgspec import UNSET, UnsetType


class ColumnsWire(msgspec.Struct):
    """``Columns``: the names asked for, comma separated."""

    Include_CSV: str | UnsetType | None = UNSET


class SearchParameterWire(msgspec.Struct):
    """One entry of ``SearchParameters``."""

    EventCode: str | int | UnsetType | None = UNSET
    ProspectActivityId: list[str] | UnsetType | None = UNSET
    Columns: ColumnsWire | UnsetType | None = UNSET


class GetOpportunitiesByIdWire(msgspec.Struct):
    """The body of ``GetOpportunitiesById``."""

    SearchParameters: list[SearchParameterWire] | UnsetType | None = UNSET


class ErrorWire(msgspec.Struct):
    """The body of every error, in the documented order of its members."""

    Status: str
    ExceptionType: str
    ExceptionMessage: str
