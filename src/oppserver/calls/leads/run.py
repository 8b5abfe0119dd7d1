"""The calls of leads: by id, by one attribute, by many ids; created and changed."""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from oppserver.calls.leads.parse import AttributeWire, LeadDetails, parse_lead, parse_lead_update
from oppserver.calls.leads.reads import (
    EVERY_COLUMN,
    ID_COLUMN,
    LeadsByIds,
    LeadsByIdsWire,
    LeadsGetWire,
    parse_leads_by_ids,
    parse_leads_get,
)
from oppserver.calls.leads.save import lead_here, save_lead
from oppserver.calls.shared.call import NO_BODY, Call, Read, Services, Write, WriteContext
from oppserver.calls.shared.decode import Body, mandatory
from oppserver.calls.shared.messages import success
from oppserver.contract.identifiers import canonical_guid
from oppserver.store.port import Transaction
from oppserver.store.queries import LeadSearch, RenderedPage, RenderedRows


def _parse_lead_by_id(call: Call, _: None) -> Sequence[str]:
    """Return the lead's id; nothing for an invalid id, so that no row is found."""
    lead_id = canonical_guid(mandatory(call.query, "id"))
    return [] if lead_id is None else [lead_id]


def _read_lead_by_id(ids: Sequence[str], services: Services) -> RenderedRows:
    return services.store.leads(ids, EVERY_COLUMN)


LEAD_BY_ID: Final = Read(
    body=NO_BODY,
    parse=_parse_lead_by_id,
    read=_read_lead_by_id,
    render=lambda _, rows: rows.json,
)


def _read_leads(search: LeadSearch, services: Services) -> RenderedPage:
    return services.store.search_leads(search)


LEADS_GET: Final = Read(
    body=Body(LeadsGetWire, is_optional=True),
    parse=parse_leads_get,
    read=_read_leads,
    render=lambda _, page: page.json,
)


def _read_by_ids(asked: LeadsByIds, services: Services) -> tuple[int, RenderedRows]:
    """Return the number of the leads that are found, and the page of them."""
    store, page = services.store, asked.page
    if page.offset == 0 and page.limit >= len(asked.ids):
        rows = store.leads(asked.ids, asked.columns)
        return rows.count, rows
    here = msgspec.json.decode(store.leads(asked.ids, [ID_COLUMN]).json)
    ids = [row[ID_COLUMN.name] for row in here[page.offset : page.offset + page.limit]]
    return len(here), store.leads(ids, asked.columns)


LEADS_BY_IDS: Final = Read(
    body=Body(LeadsByIdsWire),
    parse=parse_leads_by_ids,
    read=_read_by_ids,
    render=lambda _, found: render_leads_by_ids(found[1], total=found[0]),
)


def create_or_update_lead(
    transaction: Transaction, asked: LeadDetails, context: WriteContext
) -> bytes:
    """Change the lead that its unique values find, or create one."""
    saved = save_lead(transaction, asked, now=context.now, new_id=context.new_id)
    return success(LeadSavedWire(saved.lead.id, IsCreated=saved.is_created))


def update_lead(transaction: Transaction, asked: LeadDetails, context: WriteContext) -> bytes:
    """Change the lead of an id."""
    lead_here(transaction, asked.searches["id"], place="query parameter 'leadId'")
    save_lead(transaction, asked, now=context.now, new_id=context.new_id)
    return success(LeadUpdatedWire())


CREATE_OR_UPDATE_LEAD: Final = Write(
    body=Body(list[AttributeWire]), parse=parse_lead, write=create_or_update_lead
)

UPDATE_LEAD: Final = Write(
    body=Body(list[AttributeWire]), parse=parse_lead_update, write=update_lead
)


class LeadSavedWire(msgspec.Struct, frozen=True):
    """``Message`` of ``Lead.CreateOrUpdate``."""

    Id: str
    AffectedRows: Literal[1] = 1
    IsCreated: bool = True


class LeadUpdatedWire(msgspec.Struct, frozen=True):
    """``Message`` of ``Lead.Update``."""

    AffectedRows: Literal[1] = 1


def render_leads_by_ids(rows: RenderedRows, *, total: int) -> bytes:
    """The body of ``Leads/Retrieve/ByIds``. The rows are JSON already and are not looked into."""
    return b'{"RecordCount":%d,"Leads":%b}' % (total, rows.json)
