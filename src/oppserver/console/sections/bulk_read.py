"""Bulk read: opportunities by their ids, as ``GetOpportunitiesById`` answers them."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from oppserver.calls.bulk_read.run import BULK_READ
from oppserver.console.shown import chosen_type, columns_of, ids_of
from oppserver.console.visit import FormError, Page, Reply, Section, Sent, Shown, Visit
from oppserver.contract.columns import IDENTITY_COLUMNS
from oppserver.contract.errors import ApiError
from oppserver.contract.formats import Format
from oppserver.contract.limits import BULK_READ_IDS_MAX
from oppserver.formats.arrow import has_arrow

SHOWN_MAX: Final = 200
"""Rows that the page shows, and missing ids. Chosen: a download has all."""

_DEFAULT: Final = ("Status", "Owner", "CreatedOn", "ModifiedOn")

_FILES: Final = {"csv": Format.CSV, "parquet": Format.PARQUET}


def _form(visit: Visit) -> Reply:
    """Show the form; with ``visit.error`` what was typed, and the message beside its field."""
    return _shown(visit)


def _shown(visit: Visit, **found: Any) -> Reply:
    catalogue = visit.server.services.store.catalogue()
    given = visit.form if visit.form.items() else visit.query
    one = chosen_type(given.one("type"), catalogue)
    columns = columns_of(one.event_code, catalogue)[len(IDENTITY_COLUMNS) :] if one else []
    names = {column.name for column in columns}
    chosen = [name for name in given.all("column") if name in names]
    is_new = not given.has("column") and visit.error is None
    values = {
        "types": [catalogue.types[code] for code in sorted(catalogue.types)],
        "code": one.event_code if one else "",
        "columns": columns,
        "always": [column.name for column in IDENTITY_COLUMNS],
        "chosen": set(_DEFAULT) if is_new else set(chosen),
        "ids": given.one("ids"),
        "ids_max": BULK_READ_IDS_MAX,
        "has_parquet": has_arrow(),
        "found": None,
        **found,
    }
    part = "bulk_read/columns.html" if visit.is_fragment else "bulk_read/bulk_read.html"
    return Shown(part, values)


def _read(visit: Visit) -> Reply:
    if visit.form.one("as") == "columns":  # of another type, without a script
        return _shown(visit)
    ids, wrong = ids_of(visit.form.one("ids"))
    if wrong:
        raise FormError("ids", wrong)
    if not ids:
        raise FormError("ids", "Paste at least one id, or choose a file of ids.")
    names = visit.form.all("column")
    if not names:
        raise FormError("column", "Choose at least one column.")
    group = {
        "EventCode": visit.form.one("type"),
        "ProspectActivityId": ids,
        "Columns": {"Include_CSV": ",".join(names)},
    }
    file_format = _FILES.get(visit.form.one("as"))
    try:
        answer = visit.call(
            BULK_READ,
            name="GetOpportunitiesById",
            query={"csv_formulas": "escape"} if file_format else {"missing": "true"},
            body={"SearchParameters": [group]},
            accept=file_format or Format.JSON,
        )
    except ApiError as error:
        raise FormError(_field_of(error), str(error)) from error
    if file_format:
        name = f"opportunities-{group['EventCode']}.{visit.form.one('as')}"
        return Sent(answer.body, file_format.content_type, name)
    [entry] = msgspec.json.decode(answer.body)
    return _shown(visit, found=_found(entry, answer.headers))


def _field_of(error: ApiError) -> str:
    """The field of the form that an error of the call is about."""
    text = str(error)
    if "Include_CSV" in text:
        return "column"
    return "type" if ".EventCode" in text else "ids"


def _found(entry: Mapping[str, Any], headers: Mapping[str, str]) -> Mapping[str, Any]:
    rows = entry["Opportunities"]
    missing = entry["Missing"]
    return {
        "requested": int(headers["X-Opportunities-Requested"]),
        "count": int(headers["X-Opportunities-Found"]),
        "names": list(rows[0]) if rows else [],
        "rows": rows[:SHOWN_MAX],
        "missing": missing[:SHOWN_MAX],
        "missing_count": len(missing),
    }


SECTION: Final = Section(
    title="Bulk read",
    path="/bulk-read",
    pages=(
        Page("GET", "/bulk-read", _form),
        Page("POST", "/bulk-read", _read, form=_form),
    ),
)
