"""The calls of types, of their fields, and of one opportunity with each field of its type."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

import msgspec
from msgspec import UnsetType

from oppserver.calls.shared.call import NO_BODY, Read, Services, Write, parse_nothing
from oppserver.calls.shared.decode import Body, mandatory, mandatory_guid
from oppserver.calls.shared.lookups import opportunity_here
from oppserver.calls.shared.names import event_code_of
from oppserver.calls.types.activity_types import (
    NewActivityTypeWire,
    activity_fields,
    parse_new_type,
    parse_setting,
    plan_setting,
    render_setting,
    write_new_type,
)
from oppserver.contract.columns import MEMBER_SIGN, column_named, is_member
from oppserver.contract.dates import to_ticks
from oppserver.contract.field_sets import members_in, split_member
from oppserver.contract.metadata import (
    ActivityTypeWire,
    FieldWire,
    Renamed,
    fields_of_type,
    own_fields,
    system_fields,
    type_metadata,
    type_summary,
)
from oppserver.contract.model import Catalogue, Field, OpportunityType, StoredOpportunity, User

_CUSTOM: Final = 2
"""The type of events that are not built in. Source: the documented rows of activities."""

_INBOUND: Final = 0


def render_types(catalogue: Catalogue) -> bytes:
    """The body of ``GetOpportunityTypes``: by event code, without fields."""
    return msgspec.json.encode([type_summary(one) for one in catalogue.types.values()])


def render_type_metadata(catalogue: Catalogue, event_code: int) -> bytes:
    """The body of ``GetOpportunityTypeMetadata`` for a type that is there."""
    fields = catalogue.fields.get(event_code, {})
    renamed = catalogue.renamed.get(event_code, {})
    one = type_metadata(catalogue.types[event_code], fields.values(), renamed)
    return msgspec.json.encode(one)


def render_activity_types(catalogue: Catalogue) -> bytes:
    """The body of ``ActivityTypes.Get``: activity types, then opportunity types, by event code."""
    activities = [
        _activity_type(one.event_code, one.name, activity_fields(one))
        for one in catalogue.activity_types.values()
    ]
    opportunities = [
        _activity_type(
            code,
            one.name,
            fields_of_type(
                catalogue.fields.get(code, {}).values(), catalogue.renamed.get(code, {})
            ),
        )
        for code, one in catalogue.types.items()
    ]
    return msgspec.json.encode(activities + opportunities)


def _activity_type(event_code: int, name: str, fields: Iterable[FieldWire]) -> ActivityTypeWire:
    properties = msgspec.json.encode({"FormMetaData": list(fields)})
    return ActivityTypeWire(
        ActivityEvent=event_code,
        ActivityEventName=name,
        DisplayName=name,
        EventType=_CUSTOM,
        EventDirection=_INBOUND,
        Tags=None,
        ActivityProperties=properties.decode(),
    )


_NO_VALUE: Final = b'"Value":null'
"""A field's message has this exactly once, and once for each member of a set, which come behind it:
in a text of JSON its quotes would be escaped."""


_TOP_LEVEL: Final = {
    "OpportunityNote": "note",
    "CreatedOn": "created_on_ticks",
    "ModifiedOn": "modified_on_ticks",
    "CreatedByName": "created_by_name",
    "ModifiedByName": "modified_by_name",
}
"""Members of details beside identity and fields, and the sources of their values (observed)."""


class DetailsForm(NamedTuple):
    """The part that the details of all opportunities of a type share.

    ``between`` is the JSON around the values, one piece more than there are values. ``stored`` has
    the stored name of each value.
    """

    between: tuple[bytes, ...]
    stored: tuple[str, ...]


def details_form(
    one: OpportunityType, fields: Iterable[Field], renamed: Renamed = MappingProxyType({})
) -> DetailsForm:
    """Make the form of a type. For a type of a hundred fields it is too slow to do in each call."""
    name = msgspec.json.encode(one.name)
    pieces = [b'{"ID":']
    pieces.append(b',"Name":%b,"DisplayName":%b,"EventCode":%d' % (name, name, one.event_code))
    pieces[-1] += b',"RelatedProspectId":'
    stored = ["id", "lead_id"]
    for member, source in _TOP_LEVEL.items():
        pieces.append(b',"%b":' % member.encode())
        stored.append(source)
    pieces.append(b',"Fields":[')
    messages = [*system_fields(renamed), *own_fields(fields)]
    for number, message in enumerate(messages):
        before, *others = msgspec.json.encode(message).split(_NO_VALUE)
        pieces[-1] += (b"," if number else b"") + before
        for after in others:
            pieces[-1] += b'"Value":'
            pieces.append(after)
        stored += _stored(message)
    pieces[-1] += b"]}"
    return DetailsForm(tuple(pieces), tuple(stored))


def render_details(
    one: StoredOpportunity, form: DetailsForm, users: Mapping[str, User] = MappingProxyType({})
) -> bytes:
    """The body of ``GetOpportunityDetails``. Dates in fields are in the stored form of requests.

    ``users`` are those who created and changed it, by id, where they are known.
    """
    assert one.created_on is not None, "what is stored has its dates"
    assert one.modified_on is not None, "what is stored has its dates"
    known: dict[str, Any] = {
        **msgspec.structs.asdict(one),
        **one.slots,
        **_members(one, form),
        "created_on_ticks": to_ticks(one.created_on),
        "modified_on_ticks": to_ticks(one.modified_on),
        "created_by_name": _name_of(one.created_by, users),
        "modified_by_name": _name_of(one.modified_by, users),
    }
    parts = [b""] * (len(form.between) + len(form.stored))
    parts[::2] = form.between
    parts[1::2] = [msgspec.json.encode(known.get(stored)) for stored in form.stored]
    return b"".join(parts)


def _name_of(user_id: str | None, users: Mapping[str, User]) -> str | None:
    user = users.get(user_id or "")
    return None if user is None else user.name


def _members(one: StoredOpportunity, form: DetailsForm) -> dict[str, str]:
    """The values of members of custom field sets, by stored name."""
    sets = dict.fromkeys(split_member(stored)[0] for stored in form.stored if is_member(stored))
    return {
        f"{of_set}{MEMBER_SIGN}{key}": value
        for of_set in sets
        for key, value in members_in(one.slots.get(of_set)).items()
    }


def _stored(message: FieldWire) -> list[str]:
    """The stored names of a field and of its members."""
    column = column_named(message.SchemaName)
    assert column is not None, "a field is a system column or a slot"
    of_set = message.CustomObjectFormProperties
    members = [] if isinstance(of_set, UnsetType) else of_set.FieldProperties.FormMetaData
    return [
        column.stored,
        *(f"{column.stored}{MEMBER_SIGN}{member.SchemaName}" for member in members),
    ]


class DetailsForms:
    """Makes the form of a type once for each catalogue. Safe from several threads.

    It keeps at most one form for each type. Two threads may make the same one at the same time. A
    store gives the same catalogue until it changes, so a catalogue is known by its identity.
    """

    def __init__(self) -> None:
        # owner: of(); replaced whole
        self._latest: tuple[Catalogue | None, dict[int, DetailsForm]] = (None, {})

    def of(self, catalogue: Catalogue, event_code: int) -> DetailsForm:
        """The form of a type that is in the catalogue."""
        known, forms = self._latest
        if known is not catalogue:
            forms = {}
            self._latest = (catalogue, forms)
        form = forms.get(event_code)
        if form is None:
            fields = catalogue.fields.get(event_code, {})
            form = forms[event_code] = details_form(
                catalogue.types[event_code], fields.values(), catalogue.renamed.get(event_code, {})
            )
        return form


# --- operations ----------------------------------------------------------------------------------


class FeatureWire(msgspec.Struct, frozen=True):
    """The answer of ``IsOpportunityEnabled``: they are, on every server."""

    OpportunityManagement: Literal["Enabled"] = "Enabled"


_ENABLED: Final = msgspec.json.encode(FeatureWire())

_FORMS: Final = DetailsForms()  # they hold for one catalogue, and are made anew for another


def _read_catalogue(_: None, services: Services) -> Catalogue:
    return services.store.catalogue()


OPPORTUNITY_TYPES: Final = Read(
    body=NO_BODY,
    parse=parse_nothing,
    read=_read_catalogue,
    render=lambda _, catalogue: render_types(catalogue),
)

ACTIVITY_TYPES: Final = Read(
    body=NO_BODY,
    parse=parse_nothing,
    read=_read_catalogue,
    render=lambda _, catalogue: render_activity_types(catalogue),
)


def _read_nothing(_: None, __: Services) -> None:
    """Read nothing: the answer is the same on every server."""


OPPORTUNITY_FEATURE: Final = Read(
    body=NO_BODY,
    parse=parse_nothing,  # any ``orgId`` is taken: a server serves one organisation
    read=_read_nothing,
    render=lambda _, __: _ENABLED,
)


CREATE_ACTIVITY_TYPE: Final = Write(
    body=Body(NewActivityTypeWire), parse=parse_new_type, write=write_new_type
)

ACTIVITY_SETTING: Final = Read(
    body=NO_BODY,
    parse=parse_setting,
    plan=plan_setting,
    read=lambda planned, _: planned,  # the catalogue has all of it
    render=lambda planned, _: render_setting(planned),
)


class TypeFound(NamedTuple):
    """A type that is in the catalogue."""

    event_code: int
    catalogue: Catalogue


def _plan_type_metadata(asked: str, catalogue: Catalogue) -> TypeFound:
    code = event_code_of(asked, catalogue, place="query parameter 'code'")
    return TypeFound(code, catalogue)


OPPORTUNITY_TYPE_METADATA: Final = Read(
    body=NO_BODY,
    parse=lambda call, _: mandatory(call.query, "code"),
    plan=_plan_type_metadata,
    read=lambda planned, _: planned,  # the catalogue has all of it
    render=lambda planned, _: render_type_metadata(planned.catalogue, planned.event_code),
)


class DetailsFound(NamedTuple):
    """An opportunity, those who created and changed it, and the catalogue that has its type."""

    opportunity: StoredOpportunity
    users: Mapping[str, User]
    catalogue: Catalogue


def _read_details(opportunity_id: str, services: Services) -> DetailsFound:
    place = "query parameter 'OpportunityId'"
    found = opportunity_here(services.store, opportunity_id, place=place)
    ids = {one for one in (found.created_by, found.modified_by) if one is not None}
    users = {user.id: user for user in services.store.users(sorted(ids))} if ids else {}
    return DetailsFound(found, users, services.store.catalogue())  # in this order: it has its type


def _render_details(_: str, found: DetailsFound) -> bytes:
    """Render the body. ``getFileURL`` changes nothing: there are no files here."""
    form = _FORMS.of(found.catalogue, found.opportunity.event_code)
    return render_details(found.opportunity, form, found.users)


OPPORTUNITY_DETAILS: Final = Read(
    body=NO_BODY,
    parse=lambda call, _: mandatory_guid(call.query, "OpportunityId"),
    read=_read_details,
    render=_render_details,
)
