"""Custom field sets: fields in a slot, each with a data type of its own.

A set is a field of the data type CustomObject. Its members are fields of the same type whose schema
name has the set's before it: ``mx_Custom_13~mx_CustomObject_1``, ``mx_Custom_13~Status``. The slot
stores one text for the whole set, which rows answer as it is: a JSON object of the members that are
set, by the members' own names, values as text (source: rows that clients have seen). Status comes
first, then the others by number. Without a member that is set, the slot is not set.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from oppserver.contract.columns import MEMBER_SIGN
from oppserver.contract.errors import InvalidFieldValue
from oppserver.contract.model import Field
from oppserver.contract.names import quoted

_KEY: Final = re.compile(r"(status)|mx_customobject_([1-9]\d{0,2})", re.IGNORECASE | re.ASCII)

_Text = msgspec.json.Decoder(dict[str, str])


def member_key(name: str) -> str | None:
    """The own name of a member in its usual spelling; None for any other name."""
    match = _KEY.fullmatch(name.strip())
    if match is None:
        return None
    return "Status" if match[1] else f"mx_CustomObject_{match[2]}"


def split_member(name: str) -> tuple[str, str]:
    """The set and the member of a member's schema name or stored name."""
    of_set, _, key = name.partition(MEMBER_SIGN)
    return of_set, key


def fields_of_slots(fields: Iterable[Field]) -> list[Field]:
    """The fields that have a slot: all but members of sets."""
    return [field for field in fields if MEMBER_SIGN not in field.schema_name]


def members_of(fields: Iterable[Field], of_set: str) -> dict[str, Field]:
    """The members of a set by their own names, in their sequence."""
    begin = of_set + MEMBER_SIGN
    return {
        field.schema_name.removeprefix(begin): field
        for field in fields
        if field.schema_name.startswith(begin)
    }


def set_text(members: Mapping[str, str | None]) -> str | None:
    """The text that a slot stores: members that are None are left out; None without any."""
    is_set = {name: value for name, value in members.items() if value is not None}
    if not is_set:
        return None
    ordered = {name: is_set[name] for name in sorted(is_set, key=_place)}
    return msgspec.json.encode(ordered).decode()


def members_in(text: str | None) -> dict[str, str]:
    """The members of a stored text; none when it was stored before its field was a set."""
    return _decoded(text) or {}


def with_members(text: str | None, members: Mapping[str, str | None], *, place: str) -> str | None:
    """The stored text of a set with some members changed; the others stay.

    Raises InvalidFieldValue when the text was stored before its field was a set: it would be lost.
    """
    stored = _decoded(text)
    if stored is None:
        raise InvalidFieldValue(
            f"{place}: what is stored there is no custom field set but {quoted(text)}. Clear it"
            " first: send an empty Value without Fields."
        )
    return set_text({**stored, **members})


def _decoded(text: str | None) -> dict[str, str] | None:
    try:
        return _Text.decode(text or "{}")
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None


def _place(key: str) -> tuple[int, str]:
    match = _KEY.fullmatch(key)
    return (int(match[2] or 0) if match else 1_000, key)
