"""Values that random histories of a store are drawn from.

Few ids, addresses and dates, so that operations meet.
"""

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from oppserver.contract.columns import SYSTEM_COLUMNS, column_named
from oppserver.contract.model import (
    ActivityType,
    DataType,
    Field,
    Lead,
    OpportunityType,
    StoredOpportunity,
)
from oppserver.store.queries import IdempotencyRecord, PlannedEntry
from tests.property.laws import texts
from tests.support.stores import guid, lead, owner

CODES = [0, 12_000, 2**31 - 1]
SLOTS = [1, 2, 63, 64, 250]
KEY_USERS = [guid(number, kind=3) for number in range(2)]
"""Users that have a key from the start; they own opportunities too."""

codes = st.sampled_from(CODES)
ids = st.sampled_from([guid(number) for number in range(8)])
dates = st.sampled_from(
    ["0001-01-01 00:00:00", "2023-12-31 23:59:59", "2024-02-29 12:00:00", "9999-12-31 12:59:59"]
)
emails = st.sampled_from(["a@example.com", "A@EXAMPLE.COM", "b@example.com", "Ö@x", "ö@x"])
values = st.sampled_from(["", "x", "{", "}", '"', "null", "\\u0041"]) | texts()
slot_values = st.dictionaries(st.sampled_from([f"mx_custom_{slot}" for slot in SLOTS]), values)

opportunities = st.builds(
    StoredOpportunity,
    id=ids,
    event_code=codes,
    lead_id=st.sampled_from([lead(number) for number in range(3)]),
    lead_email=st.none() | emails,
    owner_id=st.none() | st.sampled_from([owner(1), owner(2), *KEY_USERS]),
    owner_email=st.none() | emails,
    status=st.none() | values,
    note=st.none() | values,
    created_on=st.none() | dates,
    modified_on=st.none() | dates,
    created_by=st.none() | values,
    modified_by=st.none() | values,
    slots=slot_values,
).map(lambda one: one if one.owner_id else _without_owner(one))

batches = st.lists(opportunities, max_size=8)

types = st.builds(
    OpportunityType,
    event_code=codes,
    name=values,
    description=values,
    can_delete=st.booleans(),
    duplicate_rules=st.lists(st.lists(values, max_size=2).map(tuple), max_size=2).map(tuple),
)
activity_types = st.builds(ActivityType, event_code=codes, name=values)

fields = st.builds(
    lambda slot, **more: Field(schema_name=f"mx_Custom_{slot}", **more),
    st.sampled_from(SLOTS),
    event_code=codes,
    display_name=values,
    data_type=st.sampled_from(DataType),
    is_mandatory=st.booleans(),
    sequence=st.integers(0, 3),
    options=st.lists(values, max_size=3).map(tuple),
    default_option=st.none() | values,
    max_length=st.none() | st.integers(1, 9),
    parent_field=st.none() | values,
    dependent_options=st.dictionaries(values, st.lists(values, max_size=2).map(tuple), max_size=2),
)

columns = st.sampled_from([*SYSTEM_COLUMNS, *(column_named(f"mx_Custom_{slot}") for slot in SLOTS)])
entries = st.builds(
    PlannedEntry,
    event_code=codes,
    ids=st.lists(ids | st.just(guid(99)), unique=True),
    columns=st.lists(columns, min_size=1, unique=True).map(tuple),
)

some_ids = st.lists(ids, max_size=4)
some_leads = st.lists(st.sampled_from([lead(number) for number in range(3)]), max_size=3)
some_owners = st.lists(st.sampled_from([owner(1), owner(2), owner(9), *KEY_USERS]), max_size=3)
numbers = st.sampled_from(["1", "2", "\N{DIGIT ONE}", ""])
kept_keys = st.sampled_from(["k1", "k2"])

session_leads = st.builds(
    Lead,
    id=st.sampled_from([lead(number) for number in range(3)]),
    email=st.none() | emails,
    first_name=st.none() | values,
    phone=st.none() | numbers,
    mobile=st.none() | numbers,
    owner_id=st.none() | st.sampled_from([owner(1), owner(3), *KEY_USERS]),
    created_on=st.none() | dates,
    attributes=st.dictionaries(st.sampled_from(["mx_City", "Company"]), values),
)
kept_answers = st.builds(
    IdempotencyRecord,
    key_sha256=kept_keys,
    request_sha256=values,
    body=st.binary(),
    created_on=dates,
)
alike = st.dictionaries(
    st.sampled_from(["lead_id", "lead_email", "owner_id", "status", "mx_custom_1"]),
    emails | values | st.sampled_from([lead(1), owner(1)]),
    max_size=2,
)


def does(name: str, **arguments: SearchStrategy[Any]) -> SearchStrategy[tuple[str, Any]]:
    """A call of a session's method."""
    return st.tuples(st.just(name), st.fixed_dictionaries(arguments))


session_calls = st.one_of(
    does("opportunities", ids=some_ids),
    does("tombstones", ids=some_ids),
    does("opportunity_like", event_code=codes, values=alike),
    does("write_opportunities", batch=batches, now=dates),
    does("delete_opportunities", ids=some_ids, now=dates, by=st.none() | values),
    does("leads", ids=some_leads),
    does("leads_by", stored=st.just("email"), values=st.lists(emails)),
    does("leads_by", stored=st.sampled_from(["phone", "mobile"]), values=st.lists(numbers)),
    does("write_leads", batch=st.lists(session_leads, max_size=4)),
    does("users", ids=some_owners),
    does("users_by_email", emails=st.lists(emails, max_size=3)),
    does("idempotency_record", key_sha256=kept_keys, not_before=dates),
    does("put_idempotency_record", answer=kept_answers, not_before=dates),
)


def _without_owner(one: StoredOpportunity) -> StoredOpportunity:
    values = {name: getattr(one, name) for name in one.__struct_fields__}
    return StoredOpportunity(**values | {"owner_email": None})
