"""The calls that list and search opportunities, and what was modified in a span."""

from typing import Final

import msgspec

from oppserver.calls.lists.parse import (
    AskedRecentlyModified,
    ByLeadFieldWire,
    RecentlyModifiedWire,
    parse_lead_field_list,
    parse_lead_list,
    parse_recently_modified,
)
from oppserver.calls.lists.plan import (
    plan_lead_field_list,
    plan_lead_list,
    plan_modified_activities,
    plan_modified_opportunities,
    plan_search,
)
from oppserver.calls.lists.render import (
    render_list,
    render_modified_activities,
    render_modified_opportunities,
)
from oppserver.calls.shared.advanced_search import SearchWire, parse_search
from oppserver.calls.shared.call import Read, Services
from oppserver.calls.shared.decode import Body
from oppserver.calls.shared.lookups import ActivitiesFound, read_timeline
from oppserver.calls.shared.paging import ListWire
from oppserver.contract.model import Catalogue
from oppserver.store.queries import ActivitySearch, RenderedPage, Search


def _search(planned: Search, services: Services) -> RenderedPage:
    return services.store.search(planned)


OPPORTUNITIES_OF_LEAD: Final = Read(
    body=Body(ListWire, is_optional=True),
    parse=parse_lead_list,
    plan=plan_lead_list,
    read=_search,
    render=render_list,
)

OPPORTUNITIES_BY_LEAD_FIELD: Final = Read(
    body=Body(ByLeadFieldWire),
    parse=parse_lead_field_list,
    plan=plan_lead_field_list,
    read=_search,
    render=render_list,
)

SEARCH: Final = Read(
    body=Body(SearchWire),
    parse=parse_search,
    plan=plan_search,
    read=_search,
    render=render_list,
)


class ModifiedActivities(msgspec.Struct, frozen=True, kw_only=True):
    """A page of modified activities to be read."""

    search: ActivitySearch
    with_custom_fields: bool


def _plan_recently_modified(
    asked: AskedRecentlyModified, catalogue: Catalogue
) -> Search | ModifiedActivities:
    """Plan a search: of opportunities if the event code is one of theirs, else of activities."""
    if asked.event_code is not None and asked.event_code in catalogue.types:
        return plan_modified_opportunities(asked, asked.event_code, catalogue)
    return ModifiedActivities(
        search=plan_modified_activities(asked), with_custom_fields=asked.with_custom_fields
    )


def _read_recently_modified(
    planned: Search | ModifiedActivities, services: Services
) -> RenderedPage | ActivitiesFound:
    if isinstance(planned, Search):
        return services.store.search(planned)
    return read_timeline(planned.search, services)


def _render_recently_modified(
    planned: Search | ModifiedActivities, found: RenderedPage | ActivitiesFound
) -> bytes:
    if isinstance(found, RenderedPage):
        return render_modified_opportunities(found)
    assert isinstance(planned, ModifiedActivities), "a page of activities is read for such a plan"
    return render_modified_activities(
        found.page, found.catalogue, with_custom_fields=planned.with_custom_fields
    )


RECENTLY_MODIFIED: Final = Read(
    body=Body(RecentlyModifiedWire, is_optional=True),
    parse=parse_recently_modified,
    plan=_plan_recently_modified,
    read=_read_recently_modified,
    render=_render_recently_modified,
)
