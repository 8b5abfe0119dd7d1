"""Putting data straight into the store of a server under test, and looking at what is in it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final
from uuid import UUID

import msgspec

from oppserver.calls.types.define import FieldChange, check_fields, duplicate_rules, with_set
from oppserver.contract.columns import column_named, is_system, schema_name_of
from oppserver.contract.dates import now_stored
from oppserver.contract.errors import InvalidInput
from oppserver.contract.identifiers import canonical_guid
from oppserver.contract.leads import (
    ATTRIBUTE,
    EVERY_ATTRIBUTE,
    STANDARD_COLUMNS,
    lead_column_named,
    lead_names,
)
from oppserver.contract.model import (
    DataType,
    Lead,
    OpportunityType,
    StoredOpportunity,
    Tombstone,
)
from oppserver.contract.names import did_you_mean, quoted
from oppserver.testing.world import World
from oppserver.transfer.records import members_of, opportunity_of, typed_fields

if TYPE_CHECKING:
    from oppserver.client.conditions import Value

_LEAD_COLUMNS: Final = tuple(
    column for column in STANDARD_COLUMNS if not column.stored.startswith(ATTRIBUTE)
)

# --- types and fields --------------------------------------------------------------------------


def put_type(
    world: World,
    one: OpportunityType,
    *,
    fields: Mapping[str, str],
    rules: Iterable[Sequence[str]],
) -> None:
    """Puts a type in, with fields that are text. Raises InvalidInput."""
    world.store.put_types([one])
    for schema_name, display_name in fields.items():
        put_field(world, one.event_code, schema_name, FieldChange(display_name=display_name))
    known = world.store.catalogue().fields.get(one.event_code, {})
    ruled = msgspec.structs.replace(one, duplicate_rules=duplicate_rules(rules, known))
    if ruled != one:
        world.store.put_types([ruled])


def put_field(world: World, event_code: int, schema_name: str, change: FieldChange) -> None:
    """Puts a field in, or changes the one that is there. Raises InvalidInput."""
    column = column_named(schema_name)
    if column is None or is_system(column):
        raise InvalidInput(f"{quoted(schema_name)} is no field. Fields are mx_Custom_1 and so on.")
    known = dict(world.store.catalogue().fields.get(event_code, {}))
    new = with_set(schema_name_of(column), event_code, change, known)
    check_fields({**known, **{field.schema_name: field for field in new}})
    world.store.put_fields(new)


def data_type_of(text: str) -> DataType:
    """A data type by its name. Raises InvalidInput."""
    for one in DataType:
        if one.value.lower() == text.lower():
            return one
    names = [one.value for one in DataType]
    raise InvalidInput(f"{quoted(text)} is no data type. There are {', '.join(names)}.")


# --- leads -------------------------------------------------------------------------------------


def put_lead(world: World, attributes: "Mapping[str, Value]") -> str:
    """Puts a lead in; its id, which may be among the attributes. Raises InvalidInput."""
    own: dict[str, str] = {}
    kept: dict[str, str] = {}
    for name, value in attributes.items():
        column = lead_column_named(name)
        if column is None:
            raise InvalidInput(
                f"A lead has no {quoted(name)}.{did_you_mean(name, lead_names())}"
                " Attributes of your own begin with mx_."
            )
        text = _text(value)
        if text is None:
            continue
        if column.stored.startswith(ATTRIBUTE):
            kept[column.name] = text
        else:
            own[column.stored] = text
    now = now_stored(world.clock.now())
    own = {"created_on": now, "modified_on": now, "id": world.ids.new_id()} | own
    own["id"] = _guid(own["id"], what="ProspectID")
    lead = Lead(**own, attributes=kept)
    world.store.write(lambda transaction: transaction.write_leads([lead]))
    return lead.id


def lead_in(world: World, one: str | UUID) -> dict[str, str] | None:
    """Return the stored lead, by the API's names."""
    asked = [_guid(one, what="The lead's id")]
    rows = world.store.leads(asked, [*_LEAD_COLUMNS, EVERY_ATTRIBUTE])
    found = msgspec.json.decode(rows.json, type=list[dict[str, str | None]])
    if not found:
        return None
    return {name: value for name, value in found[0].items() if value is not None}


# --- opportunities -----------------------------------------------------------------------------


def put_opportunities(
    world: World, event_code: int, rows: "Iterable[Mapping[str, Value]]"
) -> list[str]:
    """Puts opportunities in, in one transaction; their ids. Raises RejectedLine.

    A row has the members of an import's line. What is mandatory and not given is made.
    """
    fields = typed_fields(world.store.catalogue())
    batch = [opportunity_of(_whole(world, event_code, row), fields) for row in rows]
    world.store.write_opportunities(batch, now=now_stored(world.clock.now()))
    return [one.id for one in batch]


def _whole(
    world: World, event_code: int, row: "Mapping[str, Value]"
) -> dict[str, str | int | None]:
    given = {name: _text(value) for name, value in row.items()}
    named = {name.lower() for name, value in given.items() if value is not None}
    made: dict[str, str | int | None] = {"EventCode": event_code}
    for name in ("ProspectActivityId", "ProspectId"):
        if name.lower() not in named:
            made[name] = world.ids.new_id()
    if "status" not in named:
        made["Status"] = "Open"
    return made | given


def opportunity_in(world: World, one: str | UUID) -> dict[str, str] | None:
    """Return the stored opportunity, by the API's names; None when it does not exist."""
    found = world.store.opportunity(_guid(one, what="The opportunity's id"))
    return None if found is None or isinstance(found, Tombstone) else _shown(found)


def opportunities_in(world: World, event_code: int | None, limit: int) -> list[dict[str, str]]:
    """Return the stored opportunities of a type, or all, by id."""
    found = world.store.read_opportunities(event_code=event_code, after_id="", limit=limit)
    return [_shown(one) for one in found]


def _shown(one: StoredOpportunity) -> dict[str, str]:
    return {name: str(value) for name, value in members_of(one).items()}


# --- values ------------------------------------------------------------------------------------


def _text(value: "Value") -> str | None:
    """A value as the API spells it."""
    from oppserver.client.conditions import text_value  # noqa: PLC0415 (a server starts without it)

    return text_value(value)


def _guid(value: str | UUID, *, what: str) -> str:
    guid = canonical_guid(str(value))
    if guid is None:
        raise InvalidInput(f"{what}: {quoted(value)} is no GUID")
    return guid
