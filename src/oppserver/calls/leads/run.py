"""The calls of leads: read by ids, found and searched, created and changed."""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from oppserver.calls.leads.fields import parse_lead_fields, render_lead_fields
from oppserver.calls.leads.parse import (
    AskedRow,
    AttributeWire,
    CapturedLead,
    LeadDetails,
    parse_bulk_leads,
    parse_captured_lead,
    parse_lead,
    parse_lead_update,
    parse_new_lead,
)
from oppserver.calls.leads.reads import (
    EVERY_COLUMN,
    ID_COLUMN,
    AskedLeads,
    LeadsByIds,
    LeadsByIdsWire,
    LeadsGetWire,
    parse_leads_by_ids,
    parse_leads_get,
)
from oppserver.calls.leads.save import capture_lead, create_lead, lead_here, save_lead
from oppserver.calls.leads.searches import (
    LeadSearchWire,
    RecentLeadsWire,
    parse_lead_email,
    parse_lead_search,
    parse_phone,
    parse_quick_search,
    parse_recent_leads,
    read_lead_of_number,
    read_quick_search,
    render_lead_properties,
)
from oppserver.calls.shared.call import NO_BODY, Answer, Call, Read, Services, Write, WriteContext
from oppserver.calls.shared.decode import Body, mandatory
from oppserver.calls.shared.messages import success
from oppserver.calls.shared.paging import ignored_columns
from oppserver.contract.columns import Column
from oppserver.contract.errors import ApiError
from oppserver.contract.identifiers import canonical_guid
from oppserver.store.port import Transaction
from oppserver.store.queries import RenderedPage, RenderedRows


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


def _read_leads(asked: AskedLeads, services: Services) -> RenderedPage:
    return services.store.search_leads(asked.search)


def _render_properties(asked: AskedLeads, page: RenderedPage) -> Answer:
    return Answer(
        body=render_lead_properties(page.json, total=page.total),
        headers=ignored_columns(asked.ignored),
    )


LEADS_GET: Final = Read(
    body=Body(LeadsGetWire, is_optional=True),
    parse=parse_leads_get,
    read=_read_leads,
    render=lambda asked, page: Answer(body=page.json, headers=ignored_columns(asked.ignored)),
)

RECENT_LEADS: Final = Read(
    body=Body(RecentLeadsWire, is_optional=True),
    parse=parse_recent_leads,
    read=_read_leads,
    render=_render_properties,
)

SEARCH_LEADS: Final = Read(
    body=Body(LeadSearchWire),
    parse=parse_lead_search,
    read=_read_leads,
    render=_render_properties,
)

LEAD_BY_EMAIL: Final = Read(
    body=NO_BODY, parse=parse_lead_email, read=_read_leads, render=lambda _, page: page.json
)

LEAD_BY_PHONE: Final = Read(
    body=NO_BODY, parse=parse_phone, read=read_lead_of_number, render=lambda _, rows: rows
)

QUICK_SEARCH: Final = Read(
    body=NO_BODY, parse=parse_quick_search, read=read_quick_search, render=lambda _, rows: rows
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
    render=lambda asked, found: Answer(
        body=render_leads_by_ids(found[1], total=found[0]), headers=ignored_columns(asked.ignored)
    ),
)


def _read_no_lead(_: Sequence[Column], __: Services) -> None:
    """Read nothing: the fields of leads are the same on every server."""


LEAD_FIELDS: Final = Read(
    body=NO_BODY,
    parse=parse_lead_fields,
    read=_read_no_lead,
    render=lambda fields, _: render_lead_fields(fields),
)

# --- writes --------------------------------------------------------------------------------------


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


def write_new_lead(transaction: Transaction, asked: LeadDetails, context: WriteContext) -> bytes:
    """Create a lead."""
    created = create_lead(transaction, asked, now=context.now, new_id=context.new_id)
    return success(LeadCreatedWire(created.lead.id))


def write_captured_lead(
    transaction: Transaction, asked: CapturedLead, context: WriteContext
) -> bytes:
    """Create the lead, or change the one that is found."""
    saved = capture_lead(transaction, asked, now=context.now, new_id=context.new_id)
    lead_id = saved.lead.id
    return success(LeadCapturedWire(lead_id, RelatedId=lead_id, IsCreated=saved.is_created))


def write_leads(
    transaction: Transaction, asked: Sequence[AskedRow], context: WriteContext
) -> bytes:
    """Create or change leads in turn. One that is refused changes nothing, and the others stay."""
    rows = [_written_row(transaction, one, number, context) for number, one in enumerate(asked, 1)]
    return msgspec.json.encode(rows)


def _written_row(
    transaction: Transaction, asked: AskedRow, number: int, context: WriteContext
) -> "LeadRowWire":
    error = asked if isinstance(asked, ApiError) else None
    if not isinstance(asked, ApiError):
        try:
            saved = save_lead(transaction, asked, now=context.now, new_id=context.new_id)
            return LeadRowWire(
                RowNumber=number,
                LeadId=saved.lead.id,
                LeadCreated=saved.is_created,
                LeadUpdated=not saved.is_created,
                AffectedRows=1,
            )
        except ApiError as refused:  # planned, and nothing of this lead is written
            if refused.status != _REFUSED:
                raise
            error = refused
    assert error is not None, "a lead is written or refused"
    return LeadRowWire(
        RowNumber=number, ExceptionType=error.exception_type, ErrorMessage=str(error)
    )


_REFUSED: Final = 400
"""The status of what is wrong with a lead itself. Any other error ends the whole call."""

CREATE_LEAD: Final = Write(
    body=Body(list[AttributeWire]), parse=parse_new_lead, write=write_new_lead
)

CAPTURE_LEAD: Final = Write(
    body=Body(list[AttributeWire]), parse=parse_captured_lead, write=write_captured_lead
)

BULK_LEADS: Final = Write(
    body=Body(list[list[AttributeWire]]), parse=parse_bulk_leads, write=write_leads
)

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


class LeadCreatedWire(msgspec.Struct, frozen=True):
    """``Message`` of ``Lead.Create``."""

    Id: str


class LeadCapturedWire(msgspec.Struct, frozen=True):
    """``Message`` of ``Lead.Capture``. Both ids are the lead's: programs read one or the other."""

    Id: str
    RelatedId: str
    IsCreated: bool


class LeadRowWire(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one lead of ``Lead/Bulk/CreateOrUpdate``; a refused one has the error."""

    RowNumber: int
    LeadId: str = ""
    LeadCreated: bool = False
    LeadUpdated: bool = False
    AffectedRows: int = 0
    ExceptionType: str | UnsetType = UNSET
    ErrorMessage: str | UnsetType = UNSET


def render_leads_by_ids(rows: RenderedRows, *, total: int) -> bytes:
    """The body of ``Leads/Retrieve/ByIds``. The rows are JSON already and are not looked into."""
    return b'{"RecordCount":%d,"Leads":%b}' % (total, rows.json)
