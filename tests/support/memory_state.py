"""The state of the model of a store, and the changes that its writes and transactions share."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import msgspec

from oppserver.contract.columns import SYSTEM_NAMES
from oppserver.contract.model import (
    Activity,
    ActivityType,
    Catalogue,
    Field,
    Key,
    Lead,
    OpportunityType,
    StoredOpportunity,
    Tombstone,
    User,
    Written,
)
from oppserver.contract.values import DATA_TYPES, has_form, kept_value
from oppserver.store.queries import FormedValues, IdempotencyRecord, SearchIndex


class State(msgspec.Struct, kw_only=True):
    version: int = 1
    users: dict[str, User] = {}
    keys: dict[str, Key] = {}
    leads: dict[str, Lead] = {}
    types: dict[int, OpportunityType] = {}
    fields: dict[int, dict[str, Field]] = {}
    renamed: dict[int, dict[str, Field]] = {}
    activity_types: dict[int, ActivityType] = {}
    opportunities: dict[str, StoredOpportunity] = {}
    deleted: dict[str, Tombstone] = {}
    activities: dict[str, Activity] = {}
    kept_answers: dict[str, IdempotencyRecord] = {}
    search_indexes: dict[str, SearchIndex] = {}
    last_number: int = 0
    addresses_number: int = 0
    numbers: dict[str, int] = {}
    moved: set[str] = set()

    def copied(self) -> Self:
        """A copy that can be changed; the values themselves are frozen."""
        copies: dict[str, Any] = {
            name: dict(value) if isinstance(value, dict) else value
            for name, value in msgspec.structs.asdict(self).items()
        }
        copies["moved"] = set(self.moved)
        copies["fields"] = {code: dict(fields) for code, fields in self.fields.items()}
        copies["renamed"] = {code: dict(fields) for code, fields in self.renamed.items()}
        return type(self)(**copies)

    def catalogue(self) -> Catalogue:
        """All types and fields."""
        return Catalogue(
            version=self.version,
            types=dict(sorted(self.types.items())),
            renamed={code: dict(fields) for code, fields in self.renamed.items()},
            fields={
                code: dict(sorted(fields.items(), key=lambda item: (item[1].sequence, item[0])))
                for code, fields in self.fields.items()
            },
            activity_types=dict(sorted(self.activity_types.items())),
        )


def put_type(state: State, one: OpportunityType) -> None:
    state.types[one.event_code] = one
    state.fields.setdefault(one.event_code, {})
    state.version += 1


def put_activity_types(state: State, types: Iterable[ActivityType]) -> None:
    for one in types:
        known = state.activity_types.get(one.event_code)
        kept = one.settings or (known and known.settings)
        state.activity_types[one.event_code] = msgspec.structs.replace(one, settings=kept)
        state.version += 1


def put_field(state: State, one: Field) -> None:
    if one.event_code not in state.types:
        code = one.event_code
        put_type(state, OpportunityType(event_code=code, name=f"Opportunity {code}"))
    kind = state.renamed if one.schema_name in SYSTEM_NAMES else state.fields
    kind.setdefault(one.event_code, {})[one.schema_name] = one
    state.version += 1


def form_values(state: State, fields: Iterable[Field]) -> FormedValues:
    """Brings what is stored to the form of fields: the opportunities that change, what is unfit."""
    typed = [one for one in fields if has_form(one)]
    changed, unfit = set(), 0
    for one in sorted(state.opportunities.values(), key=lambda one: one.id):
        own: dict[str, Any] = {"slots": dict(one.slots), "status": one.status}
        for field in typed:
            if field.event_code != one.event_code:
                continue
            stored = field.schema_name.lower()
            values = own if stored == "status" else own["slots"]
            if (text := values.get(stored)) is None:
                continue
            kept = kept_value(text, field)
            unfit += kept is None and not DATA_TYPES[field.data_type].has_options
            values[stored] = text if kept is None else kept
        formed = msgspec.structs.replace(one, **own)
        if formed != one:
            state.opportunities[one.id] = formed
            changed.add(one.id)
    number_all(state, sorted(changed))
    return FormedValues(opportunities=len(changed), unfit=unfit)


def write_one(state: State, one: StoredOpportunity, *, now: str) -> bool:
    """Writes one opportunity and what it brings with it; whether it was there."""
    _check_text(one)
    _put_catalogue_of(state, one)
    lead = state.leads.setdefault(one.lead_id, Lead(id=one.lead_id))
    if one.lead_email is not None:
        state.leads[one.lead_id] = msgspec.structs.replace(lead, email=one.lead_email)
    if one.owner_id is not None:
        owner = state.users.setdefault(one.owner_id, User(id=one.owner_id, email=None))
        if one.owner_email is not None:
            state.users[one.owner_id] = msgspec.structs.replace(owner, email=one.owner_email)
    stored = state.opportunities.get(one.id)
    before = stored or state.deleted.get(one.id)
    if before is not None and before.event_code != one.event_code:
        state.moved.add(one.id)
    number_all(state, [one.id])
    created_on = one.created_on or (stored.created_on if stored else now)
    modified_on = one.modified_on or (stored.modified_on if stored else created_on)
    state.opportunities[one.id] = msgspec.structs.replace(
        one, created_on=created_on, modified_on=modified_on
    )
    state.deleted.pop(one.id, None)
    return stored is not None


def _put_catalogue_of(state: State, one: StoredOpportunity) -> None:
    code = one.event_code
    if code not in state.types:
        put_type(state, OpportunityType(event_code=code, name=f"Opportunity {code}"))
    for stored_name in one.slots:
        slot = int(stored_name.removeprefix("mx_custom_"))
        name = f"mx_Custom_{slot}"
        if name not in state.fields[code]:
            put_field(
                state, Field(event_code=code, schema_name=name, display_name=name, sequence=slot)
            )


def _check_text(one: StoredOpportunity) -> None:
    values = [one.lead_email, one.owner_id, one.status, one.note, *one.slots.values()]
    if not all(value is None or isinstance(value, str) for value in values):
        raise TypeError("a value is of a type that is not supported: every value is text")


def write_all(state: State, batch: Sequence[StoredOpportunity], *, now: str) -> Written:
    """Writes opportunities one after the other."""
    addresses = {one.id: one.email for one in state.leads.values()}
    owners = {one.id: one.email for one in state.users.values()}
    replaced = sum(write_one(state, one, now=now) for one in batch)
    number_addresses(state, before=addresses)
    if any(state.users[one].email != email for one, email in owners.items()):
        state.last_number += 1
        state.addresses_number = state.last_number
    return Written(created=len(batch) - replaced, replaced=replaced)


def delete_all(state: State, ids: Sequence[str], *, now: str, by: str | None) -> int:
    """Deletes what is there and leaves tombstones."""
    there = state.opportunities.keys() & set(ids)
    for one in there:
        code = state.opportunities.pop(one).event_code
        state.deleted[one] = Tombstone(id=one, event_code=code, deleted_on=now, deleted_by=by)
    number_all(state, there)
    return len(there)


def number_all(state: State, ids: Iterable[str]) -> None:
    """Gives each the next number."""
    for one in ids:
        state.last_number += 1
        state.numbers[one] = state.last_number


def number_addresses(state: State, *, before: Mapping[str, str | None]) -> None:
    """Numbers the opportunities of leads that have another address than before."""
    changed = {one for one, email in before.items() if state.leads[one].email != email}
    opportunities = state.opportunities.values()
    number_all(state, [one.id for one in opportunities if one.lead_id in changed])


def with_emails(one: StoredOpportunity, state: State) -> StoredOpportunity:
    owner = None if one.owner_id is None else state.users[one.owner_id]
    return msgspec.structs.replace(
        one, lead_email=state.leads[one.lead_id].email, owner_email=owner and owner.email
    )


def version_of(one: StoredOpportunity) -> int:
    """A fingerprint of an opportunity's version, without its owner's address."""
    stored = msgspec.structs.replace(one, owner_email=None)
    return int.from_bytes(hashlib.sha256(msgspec.json.encode(stored)).digest()[:7])
