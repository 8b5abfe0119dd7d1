"""The calls of types, of their fields, and of one opportunity with each field of its type."""

from typing import Final, NamedTuple

from oppserver.calls.shared.call import Call, Services
from oppserver.calls.shared.decode import mandatory, mandatory_guid
from oppserver.calls.shared.lookups import opportunity_here
from oppserver.calls.shared.names import event_code_of
from oppserver.calls.shared.operation import NO_BODY, Read
from oppserver.calls.types.render import (
    DetailsForms,
    render_activity_types,
    render_details,
    render_type_metadata,
    render_types,
)
from oppserver.contract.model import Catalogue, StoredOpportunity

_ENABLED: Final = b'{"OpportunityManagement":"Enabled"}'

_FORMS: Final = DetailsForms()  # they hold for one catalogue, and are made anew for another


def _parse_nothing(_: Call, __: None) -> None:
    """Parse a call that asks nothing beside its path."""


def _read_catalogue(_: None, services: Services) -> Catalogue:
    return services.store.catalogue()


OPPORTUNITY_TYPES: Final = Read(
    body=NO_BODY,
    parse=_parse_nothing,
    read=_read_catalogue,
    render=lambda _, catalogue: render_types(catalogue),
)

ACTIVITY_TYPES: Final = Read(
    body=NO_BODY,
    parse=_parse_nothing,
    read=_read_catalogue,
    render=lambda _, catalogue: render_activity_types(catalogue),
)


def _read_nothing(_: None, __: Services) -> None:
    """Read nothing: the answer is the same on every server."""


OPPORTUNITY_FEATURE: Final = Read(
    body=NO_BODY,
    parse=_parse_nothing,  # any ``orgId`` is taken: a server serves one organisation
    read=_read_nothing,
    render=lambda _, __: _ENABLED,
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
    """An opportunity, and the catalogue that has its type."""

    opportunity: StoredOpportunity
    catalogue: Catalogue


def _read_details(opportunity_id: str, services: Services) -> DetailsFound:
    place = "query parameter 'OpportunityId'"
    found = opportunity_here(services.store, opportunity_id, place=place)
    return DetailsFound(found, services.store.catalogue())  # in this order: its type is in it


def _render_details(_: str, found: DetailsFound) -> bytes:
    """Render the body. ``getFileURL`` changes nothing: there are no files here."""
    form = _FORMS.of(found.catalogue, found.opportunity.event_code)
    return render_details(found.opportunity, form)


OPPORTUNITY_DETAILS: Final = Read(
    body=NO_BODY,
    parse=lambda call, _: mandatory_guid(call.query, "OpportunityId"),
    read=_read_details,
    render=_render_details,
)
