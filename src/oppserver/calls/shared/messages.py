"""Messages and members that several subjects share: fields, flags, dates, event codes, answers.

Members are spelled as the API spells them. In requests all of them are optional, so that parsing
can report a missing one as the API does. Numbers come as number or as text.
"""

from collections.abc import Iterable, Sequence
from typing import Final, Generic, Literal, NamedTuple, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from oppserver.calls.shared.names import number_of
from oppserver.contract.dates import datetime_to_stored
from oppserver.contract.errors import (
    InvalidFieldValue,
    InvalidValue,
    LimitExceeded,
    MissingAttribute,
    UnknownColumn,
)
from oppserver.contract.field_sets import member_key
from oppserver.contract.limits import BULK_WRITE_ROWS_MAX
from oppserver.contract.names import quoted
from oppserver.contract.values import FieldValue, Number, plain_text, span_at

Flag: TypeAlias = bool | str | int
"""A flag as callers send it; ``flag_at`` reads it."""

_FLAGS: Final = {"true": True, "1": True, "false": False, "0": False, "": False}


def text_of(value: FieldValue | UnsetType) -> str:
    """The text of a member, without blanks around it; empty when it is null or not there."""
    return "" if value is None or isinstance(value, UnsetType) else str(value).strip()


def given(value: FieldValue | UnsetType) -> FieldValue:
    """The value of a member; None when it is not there."""
    return None if isinstance(value, UnsetType) else value


def flag_at(value: FieldValue | UnsetType, *, place: str) -> bool:
    """The value of a flag; False when it is not there. Raises InvalidValue."""
    found = _FLAGS.get(text_of(value).lower())
    if found is None:
        raise InvalidValue(f"{place}: {quoted(value)} is neither true nor false")
    return found


def is_true(value: FieldValue | UnsetType) -> bool:
    """Return whether a value is true; any unknown value is false."""
    return text_of(value).lower() in ("true", "1")


def date_at(text: str | UnsetType | None, *, place: str) -> str | None:
    """The stored form of a date; None when it is not there. Raises InvalidValue."""
    if not isinstance(text, str) or not text.strip():
        return None
    try:
        return datetime_to_stored(text.strip())
    except ValueError as error:
        raise InvalidValue(f"{place}: {quoted(text)} is {error}") from None


def span_between(
    from_date: str | UnsetType | None, to_date: str | UnsetType | None
) -> tuple[str | None, str | None]:
    """The first and the last moment of ``Parameter``'s span, in the stored form; None is open.

    A day without a time is the whole day. Raises InvalidValue.
    """
    first, last = (
        span_at(text, place=f"$.Parameter.{name}", error=InvalidValue) if text else None
        for name, text in (("FromDate", text_of(from_date)), ("ToDate", text_of(to_date)))
    )
    if first and last and first.first > last.last:
        raise InvalidValue(
            "$.Parameter.FromDate is after $.Parameter.ToDate, so nothing is between them."
            " Exchange them."
        )
    return first.first if first else None, last.last if last else None


def event_code_at(value: Number | UnsetType | None, *, place: str) -> int | None:
    """Return the event code of a filter; None without one. The type need not exist.

    Raises InvalidValue.
    """
    text = text_of(value)
    code = number_of(text)
    if text and code is None:
        raise InvalidValue(
            f"{place}: {quoted(text)} is no event code. Expected a number like 12000."
        )
    return code


def check_entries(messages: Sequence[object]) -> None:
    """Check the number of entries of a bulk write. Raises MissingAttribute or LimitExceeded."""
    if not messages:
        raise MissingAttribute(
            f"The body is an empty array. Send 1 to {BULK_WRITE_ROWS_MAX} entries."
        )
    if len(messages) > BULK_WRITE_ROWS_MAX:
        raise LimitExceeded(
            f"The body has {len(messages)} entries; one call takes {BULK_WRITE_ROWS_MAX}."
            " Split them over several calls."
        )


class LookupWire(msgspec.Struct, forbid_unknown_fields=True):
    """``Parameter`` of calls that find leads: one attribute, compared with one value."""

    LookupName: str | UnsetType | None = UNSET
    LookupValue: FieldValue | UnsetType = UNSET
    SqlOperator: str | UnsetType | None = UNSET


# --- fields --------------------------------------------------------------------------------------


class MemberValueWire(msgspec.Struct, forbid_unknown_fields=True):
    """One member of a custom field set: its own name and its value."""

    SchemaName: str | UnsetType | None = UNSET
    Value: FieldValue | UnsetType = UNSET


class FieldValueWire(msgspec.Struct, forbid_unknown_fields=True):
    """One of ``Fields``: a schema name and its value. ``Fields`` are the members of a field set."""

    SchemaName: str | UnsetType | None = UNSET
    Value: FieldValue | UnsetType = UNSET
    Fields: list[MemberValueWire] | UnsetType | None = UNSET


class SentField(NamedTuple):
    """A field by the name that the caller gives it, its value, and their places in the body.

    ``members`` are those of a custom field set, at ``members_place``; then it has no value.
    """

    name: str
    value: FieldValue
    name_place: str
    value_place: str
    members: "Sequence[SentField]" = ()
    members_place: str = ""


def field_at(field: FieldValueWire | MemberValueWire, *, place: str, null_means: str) -> SentField:
    """One of ``Fields``. ``place`` is in the body: ``Opportunity.Fields[0]``, ``[0].Fields[0]``.

    ``null_means`` is what an error says of a value of null. Raises MissingAttribute, or
    InvalidFieldValue when the field has both a value and members.
    """
    name = text_of(field.SchemaName)
    if not name:
        raise MissingAttribute(f"'SchemaName' is mandatory in {place}")
    inside = field.Fields if isinstance(field, FieldValueWire) else None
    members = [
        field_at(one, place=f"{place}.Fields[{index}]", null_means=null_means)
        for index, one in enumerate(inside or ())
    ]
    if members:
        check_is_empty(field.Value, place=place)
    elif isinstance(field.Value, UnsetType):
        raise MissingAttribute(f"'Value' is mandatory in {place}; {null_means}")
    return SentField(
        name,
        given(field.Value),
        f"{place}.SchemaName",
        f"{place}.Value",
        members,
        f"{place}.Fields",
    )


def members_sent(members: Iterable[tuple[str, FieldValue, str]]) -> dict[str, str | None]:
    """The members of a custom field set that has no definition: texts, by their own names.

    ``members`` are name, value and place. Raises UnknownColumn for a name that no member has,
    InvalidValue for one that is there twice.
    """
    texts: dict[str, str | None] = {}
    for name, value, place in members:
        key = member_key(name)
        if key is None:
            raise UnknownColumn(
                f"{place}: {quoted(name)} is no member of a custom field set. Send Status or"
                " mx_CustomObject_1, mx_CustomObject_2, …"
            )
        if key in texts:
            raise InvalidValue(f"{place}: {key} is named twice")
        texts[key] = plain_text(value, place=f"{place}.Value")
    return texts


def check_is_empty(value: FieldValue | UnsetType, *, place: str) -> None:
    """Check that what has members has no value of its own. Raises InvalidFieldValue."""
    if given(value) not in (None, ""):
        raise InvalidFieldValue(
            f"{place} has a Value and Fields, the members of a custom field set. Send an empty"
            " Value with Fields, or no Fields."
        )


# --- answers of writes ---------------------------------------------------------------------------

_Message = TypeVar("_Message")
_Row = TypeVar("_Row")


class AffectedWire(msgspec.Struct, frozen=True):
    """``Message`` of bulk writes: the number of rows that changed."""

    AffectedRows: int


class SuccessWire(msgspec.Struct, Generic[_Message], frozen=True, kw_only=True):
    """The answer of a write."""

    Status: Literal["Success"] = "Success"
    Message: _Message


def success(message: msgspec.Struct) -> bytes:
    """The body of the answer of a write."""
    return msgspec.json.encode(SuccessWire(Message=message))


class BulkSuccessWire(msgspec.Struct, Generic[_Row], frozen=True, kw_only=True):
    """The answer of a bulk write: a row for each entry, in the order of the entries."""

    Status: Literal["Success"] = "Success"
    Message: AffectedWire
    Response: list[_Row]


class KeyValueWire(msgspec.Struct, frozen=True):
    """One of the fields of a row."""

    Key: str
    Value: str | None
