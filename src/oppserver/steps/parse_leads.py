"""From a list of a lead's attributes to what a caller says of the lead."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import UNSET

from oppserver.contract.errors import (
    InvalidValue,
    LimitExceeded,
    MissingAttribute,
    UnknownColumn,
)
from oppserver.contract.identifiers import canonical_guid
from oppserver.contract.leads import (
    READ_ONLY,
    UNIQUE_COLUMNS,
    lead_column_named,
    lead_names,
    unique_column_named,
)
from oppserver.contract.limits import LEAD_ATTRIBUTES_MAX
from oppserver.contract.names import did_you_mean, quoted
from oppserver.contract.values import plain_text
from oppserver.contract.wire import AttributeWire
from oppserver.contract.writes import LeadDetails

_SEARCH_BY: Final = "searchby"
_USE_GIVEN_ID: Final = "__useuserdefinedguid__"
"""Entries of the list that are no attributes, in lower case."""

_UNIQUE: Final = frozenset(UNIQUE_COLUMNS.values())
_SEARCHED: Final = ("email", "phone", "mobile")
"""What a lead is looked for by when nothing says it, in this order."""


def parse_lead_details(attributes: Sequence[AttributeWire], *, place: str) -> LeadDetails:
    """What a list of ``{Attribute, Value}`` says of one lead.

    Raises an ApiError with status 400 that names the place: an attribute that no lead has, one that
    is named twice, no unique field, or a ``SearchBy`` without its value.
    """
    if len(attributes) > LEAD_ATTRIBUTES_MAX:
        raise LimitExceeded(
            f"{place} has {len(attributes)} attributes; a lead takes {LEAD_ATTRIBUTES_MAX}."
        )
    values: dict[str, str | None] = {}
    directives: dict[str, str | None] = {}
    for index, entry in enumerate(attributes):
        name, value = _name_and_value(entry, place=f"{place}[{index}]")
        folded = name.casefold()
        if folded in (_SEARCH_BY, _USE_GIVEN_ID):
            directives[folded] = value
            continue
        stored = _stored_name(name, place=f"{place}[{index}].Attribute")
        if stored in values:
            raise InvalidValue(f"{place}[{index}].Attribute: {quoted(name)} is named twice")
        values[stored] = _stripped(value) if stored in _UNIQUE else value
    return _details(values, directives, place=place)


def _stripped(value: str | None) -> str | None:
    return None if value is None else value.strip() or None


def _name_and_value(entry: AttributeWire, *, place: str) -> tuple[str, str | None]:
    name = entry.Attribute.strip() if isinstance(entry.Attribute, str) else ""
    if not name:
        raise MissingAttribute(f"'Attribute' is mandatory in {place}")
    if entry.Value is UNSET:
        raise MissingAttribute(f"'Value' is mandatory in {place}; null clears the attribute")
    return name, plain_text(entry.Value, place=f"{place}.Value")


def _stored_name(name: str, *, place: str) -> str:
    column = lead_column_named(name)
    if column is None:
        raise UnknownColumn(
            f"{place}: {quoted(name)} is no attribute of a lead.{did_you_mean(name, lead_names())}"
            " Names of custom attributes begin with mx_."
        )
    if column.stored in READ_ONLY and column.stored != "id":
        raise InvalidValue(f"{place}: {column.name} is set by the server. Leave it out.")
    return column.stored


def _details(
    values: dict[str, str | None], directives: Mapping[str, str | None], *, place: str
) -> LeadDetails:
    given_id = values.pop("id", None)
    canonical = None if given_id is None else canonical_guid(given_id)
    if given_id is not None and canonical is None:
        raise InvalidValue(
            f"{place}: ProspectID {quoted(given_id)} is not a GUID. Expected a form like"
            " 24cf277e-70fe-4b2f-a9c2-9a68f45feaba"
        )
    unique = {stored: value for stored in _SEARCHED if (value := values.get(stored)) is not None}
    if canonical is not None:
        unique = {"id": canonical, **unique}
    return LeadDetails(
        values=values,
        searches=_searches(unique, directives.get(_SEARCH_BY), place=place),
        id=canonical,
        may_take_id=(directives.get(_USE_GIVEN_ID) or "").strip().casefold() in ("true", "1"),
        owner=values.get("owner_id"),
        place=place,
    )


def _searches(unique: Mapping[str, str], search_by: str | None, *, place: str) -> Mapping[str, str]:
    """What is looked for: what SearchBy names; else the id; else all that is unique."""
    names = ", ".join(UNIQUE_COLUMNS)
    if not unique:
        raise MissingAttribute(
            f"{place} has no unique field with a value. Send at least one of {names}."
        )
    if search_by is None:
        return {"id": unique["id"]} if "id" in unique else unique
    stored = unique_column_named(search_by)
    if stored is None:
        raise InvalidValue(
            f"{place}: Invalid SearchBy value provided: {quoted(search_by)}. It takes {names}."
        )
    if stored not in unique:
        raise MissingAttribute(
            f"{place}: SearchBy is {quoted(search_by)}, but that attribute has no value here"
        )
    return {stored: unique[stored]}
