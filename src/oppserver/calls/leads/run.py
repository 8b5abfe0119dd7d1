"""The calls of leads: by id, by one attribute, by many ids; their fields; created and changed."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal
from uuid import NAMESPACE_URL, uuid5

import msgspec

from oppserver.calls.leads.parse import AttributeWire, LeadDetails, parse_lead, parse_lead_update
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
from oppserver.calls.leads.save import lead_here, save_lead
from oppserver.calls.shared.call import NO_BODY, Answer, Call, Read, Services, Write, WriteContext
from oppserver.calls.shared.decode import Body, mandatory
from oppserver.calls.shared.messages import success
from oppserver.calls.shared.paging import ignored_columns
from oppserver.contract.columns import Column
from oppserver.contract.errors import UnknownColumn
from oppserver.contract.identifiers import canonical_guid
from oppserver.contract.leads import (
    STANDARD_COLUMNS,
    UNIQUE_COLUMNS,
    LeadDataType,
    lead_column_named,
    lead_data_type,
    lead_display_name,
    lead_names,
)
from oppserver.contract.limits import TEXT_CHARACTERS_MAX
from oppserver.contract.names import did_you_mean, quoted
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


LEADS_GET: Final = Read(
    body=Body(LeadsGetWire, is_optional=True),
    parse=parse_leads_get,
    read=_read_leads,
    render=lambda asked, page: Answer(body=page.json, headers=ignored_columns(asked.ignored)),
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


# --- fields --------------------------------------------------------------------------------------


class LeadFieldWire(msgspec.Struct, frozen=True, kw_only=True):
    """A field of leads, in the documented order of its members. Those without a value are left out.

    Nothing is mandatory by its name: a lead needs one of its identifiers.
    """

    Entity: Literal["1"] = "1"
    SchemaName: str
    DisplayName: str
    DataType: LeadDataType
    IsMandatory: Literal[False] = False
    MaxLength: str = str(TEXT_CHARACTERS_MAX)
    EntityAttributeId: str
    Name: str
    EntityAttributeType: Literal[1] = 1
    RenderTypeTextValue: str
    IsVisible: Literal[True] = True
    IsSearchable: Literal[True] = True
    ShowInMailMerge: Literal[True] = True
    AllowMultiple: Literal[True] = True
    ShowInImport: Literal[True] = True
    ShowInQuickAdd: Literal[True] = True
    Txt_Row: Literal[0] = 0
    Txt_Col: Literal[0] = 0
    IsLeadIdentifier: bool
    LockAfterCreate: Literal[0] = 0
    UseInLeadClone: Literal[False] = False
    IsSortable: Literal[True] = True


_CONTROLS: Final[Mapping[LeadDataType, str]] = MappingProxyType(
    {
        "Text": "Textbox",
        "Number": "Textbox",
        "Website": "URL",
        "Date": "DateTime",
        "Boolean": "CheckBox",
    }
)
"""The controls of data types on a screen; others have the name of the type. Source: documented."""


def _parse_lead_fields(call: Call, _: None) -> Sequence[Column]:
    """Return all fields, or the one that ``schemaName`` names. Raises UnknownColumn."""
    name = call.query.get("schemaname", "").strip()
    if not name:
        return STANDARD_COLUMNS
    column = lead_column_named(name)
    if column is None:
        raise UnknownColumn(
            f"query parameter 'schemaName': {quoted(name)} is no attribute of a lead."
            f"{did_you_mean(name, lead_names())} Names of custom attributes begin with mx_."
        )
    return [column]


def render_lead_fields(fields: Sequence[Column]) -> bytes:
    """The body of ``LeadsMetaData.Get``: a bare array, also for one field."""
    return msgspec.json.encode([_field(column) for column in fields])


def _field(column: Column) -> LeadFieldWire:
    name = column.name
    data_type = lead_data_type(column)
    return LeadFieldWire(
        SchemaName=name,
        DisplayName=lead_display_name(name),
        DataType=data_type,
        EntityAttributeId=str(uuid5(NAMESPACE_URL, f"lead/{name}")),
        Name=name,
        RenderTypeTextValue=_CONTROLS.get(data_type, data_type),
        IsLeadIdentifier=column.stored in UNIQUE_COLUMNS.values(),
    )


def _read_no_lead(_: Sequence[Column], __: Services) -> None:
    """Read nothing: the fields of leads are the same on every server."""


LEAD_FIELDS: Final = Read(
    body=NO_BODY,
    parse=_parse_lead_fields,
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
