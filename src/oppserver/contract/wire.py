"""The messages on the wire. The members are spelled as the API spells them.

Members that the call demands are optional here, so that the step that checks them can name the one
that is missing the way the API does. A member that a message does not have is refused
(``bodies.py``), but for the bulk read, which passes over it (source: docs/fidelity.md).
"""

from typing import Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from oppserver.contract.errors import Fault

Ignored: TypeAlias = msgspec.Raw | UnsetType
"""A member that programs are known to send, of which nothing is kept and nothing is lost: what it
says has no meaning here. The table "Members without effect" of docs/fidelity.md has each of them.
"""


class BulkReadColumnsWire(msgspec.Struct):
    """``Columns``: the names asked for, comma separated."""

    Include_CSV: str | UnsetType | None = UNSET


class SearchParameterWire(msgspec.Struct):
    """One entry of ``SearchParameters``."""

    EventCode: str | int | UnsetType | None = UNSET
    ProspectActivityId: list[str] | UnsetType | None = UNSET
    Columns: BulkReadColumnsWire | UnsetType | None = UNSET


class GetOpportunitiesByIdWire(msgspec.Struct):
    """The body of ``GetOpportunitiesById``."""

    SearchParameters: list[SearchParameterWire] | UnsetType | None = UNSET


class MissingWire(msgspec.Struct):
    """One of ``Missing``: an id that was asked for and is not in the entry, and why.

    ``EventCode``: of which type it is, or was when it was deleted. ``AnsweredIn``: the first entry
    that has it, from 0; null when none is of its type.
    """

    ProspectActivityId: str
    Reason: Literal["NotFound", "Deleted", "OtherEventCode"]
    EventCode: str | UnsetType = UNSET
    DeletedOn: str | UnsetType = UNSET
    AnsweredIn: int | UnsetType | None = UNSET


class StreamMissingWire(msgspec.Struct, kw_only=True):
    """What is told of an id that a stream does not answer, or of a line that holds none.

    Of the latter ``Line`` is the number, from 1, and ``Asked`` what stands in it.
    """

    ProspectActivityId: str | UnsetType = UNSET
    Reason: Literal["NotFound", "Deleted", "OtherEventCode", "NotAnId"]
    EventCode: str | UnsetType = UNSET
    DeletedOn: str | UnsetType = UNSET
    Line: int | UnsetType = UNSET
    Asked: str | UnsetType = UNSET


# --- what several calls take -------------------------------------------------------------------

Number: TypeAlias = int | str
"""A number as number or as text: callers are known to send both."""

FieldValue: TypeAlias = str | int | float | bool | None
"""A field's value as callers send it. A text is stored; how, the field's data type says."""


class ColumnsWire(msgspec.Struct, forbid_unknown_fields=True):
    """``Columns``: the names asked for, comma separated."""

    Include_CSV: str | UnsetType | None = UNSET


class PagingWire(msgspec.Struct, forbid_unknown_fields=True):
    """``Paging``: ``PageIndex`` from 1, or, on calls of activities, ``Offset`` and ``RowCount``."""

    PageIndex: Number | UnsetType | None = UNSET
    PageSize: Number | UnsetType | None = UNSET
    Offset: Number | UnsetType | None = UNSET
    RowCount: Number | UnsetType | None = UNSET


class SortingWire(msgspec.Struct, forbid_unknown_fields=True):
    """``Sorting``: ``Direction`` 1 is descending, 0 ascending."""

    ColumnName: str | UnsetType | None = UNSET
    Direction: Number | UnsetType | None = UNSET


class ListWire(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a list whose subject is in the query."""

    Columns: ColumnsWire | UnsetType | None = UNSET
    Paging: PagingWire | UnsetType | None = UNSET
    Sorting: SortingWire | UnsetType | None = UNSET


class FieldValueWire(msgspec.Struct, forbid_unknown_fields=True):
    """One of ``Fields``: a schema name and its value. ``Fields`` are the members of a field set."""

    SchemaName: str | UnsetType | None = UNSET
    Value: FieldValue | UnsetType = UNSET
    Fields: list[msgspec.Raw] | UnsetType | None = UNSET


class AttributeWire(msgspec.Struct, forbid_unknown_fields=True):
    """One attribute of a lead, and its value. ``Fields`` are the members of a field set."""

    Attribute: str | UnsetType | None = UNSET
    Value: FieldValue | UnsetType = UNSET
    Fields: list[msgspec.Raw] | UnsetType | None = UNSET


class ErrorWire(msgspec.Struct):
    """The body of every error, in the documented order of its members."""

    Status: str
    ExceptionType: str
    ExceptionMessage: str


class ProblemWire(msgspec.Struct, kw_only=True):
    """The body of every error of ``/v1``: a problem document (RFC 9457, section 3.1).

    ``errors`` and ``moreErrors`` are ours: the faults, and how many more there are.
    """

    type: str
    title: str
    status: int
    detail: str
    instance: str | UnsetType = UNSET
    errors: list[Fault] | UnsetType = UNSET
    moreErrors: int | UnsetType = UNSET


class ChangesEndWire(msgspec.Struct):
    """What a page of changes has beside them; of NDJSON it is the last line."""

    RecordCount: int
    HasMore: bool
    OwnerAddressesChanged: bool
    Cursor: str


class ExportEndWire(msgspec.Struct):
    """What is told when an export has ended well. ``Cursor`` where it goes on, if it does.

    ``Digest`` as that of a stream (``contract/streams.py``).
    """

    RecordCount: int
    HasMore: bool
    Cursor: str | None
    ChangesCursor: str
    Digest: str
