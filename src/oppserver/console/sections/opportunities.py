"""Opportunities: those of a type, page by page; one whole; its values changed, itself deleted."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import quote

import msgspec

from oppserver.calls.activities.run import OPPORTUNITY_ACTIVITIES
from oppserver.calls.bulk_read.run import BULK_READ
from oppserver.calls.leads.run import LEAD_BY_ID
from oppserver.calls.lists.run import SEARCH
from oppserver.calls.types.run import OPPORTUNITY_DETAILS
from oppserver.calls.writes.run import DELETE, UPDATE
from oppserver.console.access import Right
from oppserver.console.render import pretty
from oppserver.console.shown import chosen_type, columns_of
from oppserver.console.visit import FormError, Moved, Page, Reply, Section, Sent, Shown, Visit
from oppserver.contract.columns import ID_COLUMN, IDENTITY_COLUMNS
from oppserver.contract.errors import ApiError
from oppserver.contract.formats import Format
from oppserver.contract.limits import SEARCH_CONDITIONS_MAX
from oppserver.formats.arrow import has_arrow
from oppserver.store.queries import Comparison

PAGE_ROWS: Final = 50
"""Rows of a page. Chosen: a few screens."""

DOWNLOAD_ROWS_MAX: Final = 2_000
"""Rows of a download: those of a bulk read, which makes it. Exports have all."""

_DEFAULT: Final = ("Status", "Owner", "CreatedOn", "ModifiedOn")

_SHOWN_COLUMNS: Final = tuple(one.name for one in IDENTITY_COLUMNS)

_FILES: Final = {"csv": Format.CSV, "parquet": Format.PARQUET}

_ACTIVITIES_MAX: Final = 100


# --- the table ----------------------------------------------------------------------------------


def _table(visit: Visit) -> Reply:
    """Show a page of a type, as the search that was built finds it."""
    query = visit.query
    catalogue = visit.server.services.store.catalogue()
    one = chosen_type(query.one("type"), catalogue)
    values: dict[str, Any] = {
        "types": [catalogue.types[code] for code in sorted(catalogue.types)],
        "code": one.event_code if one else query.one("type"),
        "operators": [comparison.value for comparison in Comparison],
        "rows": [], "columns": [], "chosen": [], "search": "", "total": None, "error": None,
        "pages": {}, "page_rows": PAGE_ROWS, "conditions": [], "has_parquet": has_arrow(),
        "download_rows": DOWNLOAD_ROWS_MAX, "sort": query.one("sort"), "order": query.one("order"),
        "here": partial(_here, visit),
    }  # fmt: skip
    if one is None:
        return Shown("opportunities/opportunities.html", values)
    columns = [
        column
        for column in columns_of(one.event_code, catalogue)
        if column.name not in _SHOWN_COLUMNS
    ]
    asked = query.all("column") or list(_DEFAULT)
    values["columns"] = columns
    values["chosen"] = chosen = [column for column in columns if column.name in asked]
    values["conditions"] = _conditions(visit)
    names = ",".join(column.name for column in chosen) or ID_COLUMN.name
    status = 200
    try:
        if file_format := _FILES.get(query.one("as")):
            return _download(visit, one.event_code, names, file_format)
        values |= _page(visit, one.event_code, names)
    except ApiError as error:
        values["error"], status = error, error.status
    return Shown("opportunities/opportunities.html", values, status)


def _here(visit: Visit, **changed: str | None) -> str:
    """The address of this table with other parameters; None or empty leaves one out."""
    query: dict[str, Any] = {"type": visit.query.one("type") or None}
    for name in ("column", "where", "operator", "value"):
        query[name] = visit.query.all(name)
    query |= {name: visit.query.one(name) or None for name in ("sort", "order")}
    query |= {name: value or None for name, value in changed.items()}
    return visit.url("/opportunities", **query)


def _page(visit: Visit, code: int, names: str) -> Mapping[str, Any]:
    number = visit.query.one("page")
    index = max(1, int(number)) if number.isdecimal() and len(number) < 10 else 1
    body = _search(visit, code, names, index=index, size=PAGE_ROWS)
    found = visit.json(SEARCH, name="RetrieveBySearchParameter", body=body)
    rows = [{ID_COLUMN.name: row["OpportunityId"], **row} for row in found["List"]]
    pages = {"Previous page": _here(visit, page=str(index - 1))} if index > 1 else {}
    if index * PAGE_ROWS < found["RecordCount"]:
        pages["Next page"] = _here(visit, page=str(index + 1))
    shown = pretty(msgspec.json.encode(body).decode())
    return {"rows": rows, "pages": pages, "total": found["RecordCount"], "search": shown}


def _bulk_read(code: int, ids: list[str], names: str) -> Mapping[str, Any]:
    group = {
        "EventCode": str(code),
        "ProspectActivityId": ids,
        "Columns": {"Include_CSV": names},
    }
    return {"SearchParameters": [group]}


def _download(visit: Visit, code: int, names: str, file_format: Format) -> Reply:
    """Send the first rows of the search, as the bulk read does."""
    body = _search(visit, code, ID_COLUMN.name, index=1, size=DOWNLOAD_ROWS_MAX)
    found = visit.json(SEARCH, name="RetrieveBySearchParameter", body=body)
    ids = [row["OpportunityId"] for row in found["List"]]
    if not ids:
        return Moved(f"/opportunities?type={code}", note="There is nothing to download.")
    answer = visit.call(
        BULK_READ,
        name="GetOpportunitiesById",
        query={"csv_formulas": "escape"},
        body=_bulk_read(code, ids, names),
        accept=file_format,
    )
    name = f"opportunities-{code}.{visit.query.one('as')}"
    return Sent(answer.body, file_format.content_type, name)


# --- the search that is built -------------------------------------------------------------------


def _conditions(visit: Visit) -> list[tuple[str, str, str]]:
    """The rows of the filter that name a column: its name, the operator, the value."""
    query = visit.query
    lists = (query.all("where"), query.all("operator"), query.all("value"))
    rows = zip(*(one[:SEARCH_CONDITIONS_MAX] for one in lists), strict=False)
    return [row for row in rows if row[0]]


def _search(visit: Visit, code: int, names: str, *, index: int, size: int) -> Mapping[str, Any]:
    """The body of the search, as a program would send it."""
    base = {"LSO": "ActivityEvent", "LSO_Type": "PAEvent", "Operator": "eq", "RSO": str(code)}
    rows = [
        {"SubConOp": "And", "LSO": name, "Operator": operator, "RSO": value}
        for name, operator, value in _conditions(visit)
    ]
    condition = {"Type": "Activity", "ConOp": "And", "RowCondition": [base, *rows]}
    advanced = {"GrpConOp": "And", "Conditions": [condition]}
    sort = visit.query.one("sort") or "ModifiedOn"
    direction = 0 if visit.query.one("order") == "up" else 1
    return {
        "OpportunityEventCode": code,
        "AdvancedSearch": msgspec.json.encode(advanced).decode(),
        "Columns": {"Include_CSV": names},
        "Paging": {"PageIndex": index, "PageSize": size},
        "Sorting": {"ColumnName": sort, "Direction": direction},
    }


# --- one opportunity ----------------------------------------------------------------------------


def _one(visit: Visit) -> Reply:
    opportunity_id = visit.parts["id"]
    details = visit.json(
        OPPORTUNITY_DETAILS,
        name="GetOpportunityDetails",
        query={"opportunityid": opportunity_id},
    )
    leads = visit.json(LEAD_BY_ID, name="LeadsGetById", query={"id": details["RelatedProspectId"]})
    activities = visit.json(
        OPPORTUNITY_ACTIVITIES,
        name="GetActivitiesOfOpportunity",
        query={"opportunityid": opportunity_id},
        body={"Paging": {"PageIndex": 1, "PageSize": _ACTIVITIES_MAX}},
    )
    types = visit.server.services.store.catalogue().types
    fields = details["Fields"]
    for one in fields:
        one["Options"] = [
            option["Value"] for option in msgspec.json.decode(one["OptionSet"] or "[]")
        ]
    values = {
        "one": details,
        "lead": leads[0] if leads else {},
        "fields": fields,
        "editable": [one for one in fields if not one["IsReadOnly"]],
        "activities": activities,
        "can_delete": types[details["EventCode"]].can_delete,
    }
    return Shown("opportunities/opportunity.html", values)


def _update(visit: Visit) -> Reply:
    """Send the values that were changed: those that differ from what the form had."""
    form = visit.form
    names = form.all("name")
    changed = [
        {"SchemaName": name, "Value": form.one(name).replace("\r\n", "\n")}
        for name in names
        if form.one(name) != form.one(f"was.{name}")
    ]
    there = f"/opportunities/{quote(visit.parts['id'], safe='')}"
    if not changed:
        return Moved(there, note="Nothing was changed.")
    body = {"ProspectOpportunityId": visit.parts["id"], "Fields": changed}
    try:
        visit.call(UPDATE, name="Update", body=body)
    except ApiError as error:
        at = next((one for one in changed if f"Fields[{changed.index(one)}]" in str(error)), None)
        if at is None:
            raise
        raise FormError(at["SchemaName"], str(error)) from error
    return Moved(there, note="Saved.")


def _delete(visit: Visit) -> Reply:
    visit.call(DELETE, name="Delete", query={"id": visit.parts["id"]})
    code = visit.form.one("type")
    there = f"/opportunities?type={code}" if code.isdecimal() else "/opportunities"
    return Moved(there, note=f"Deleted {visit.parts['id']}.")


SECTION: Final = Section(
    title="Opportunities",
    path="/opportunities",
    pages=(
        Page("GET", "/opportunities", _table),
        Page("GET", "/opportunities/{id}", _one),
        Page("POST", "/opportunities/{id}", _update, needs=Right.WRITE, form=_one),
        Page("POST", "/opportunities/{id}/delete", _delete, needs=Right.WRITE, form=_one),
    ),
)
