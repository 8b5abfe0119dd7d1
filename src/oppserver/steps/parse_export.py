"""From the query of ``GET /v1/opportunities`` to what was asked."""

from collections.abc import Mapping
from typing import Final

from oppserver.contract.dates import moment_to_stored
from oppserver.contract.errors import Fault, InvalidValue
from oppserver.contract.exports import AskedExport
from oppserver.contract.formats import Format
from oppserver.contract.limits import EXPORT_ROWS_MAX
from oppserver.contract.names import quoted
from oppserver.contract.problems import refusal
from oppserver.contract.query import (
    check_names,
    choice,
    mandatory,
    number,
    optional_guid,
    wanted_rows,
)

_NAMES: Final = (
    "event_code",
    "columns",
    "modified_since",
    "cursor",
    "after",
    "limit",
    "csv_formulas",
    "csv_end",
    "types",
)


def parse_export(query: Mapping[str, str], chosen: Format) -> AskedExport:
    """What an export asks. Raises an ApiError with status 400 that names the parameter."""
    check_names(query, _NAMES)
    return AskedExport(
        event_code=mandatory(query, "event_code"),
        columns=query.get("columns", ""),
        wanted=wanted_rows(query, chosen),
        has_end_record=choice(query, "csv_end", ("none", "record")) == "record",
        modified_since=_date(query, "modified_since"),
        cursor=query.get("cursor", "").strip() or None,
        after_id=optional_guid(query, "after"),
        limit=number(query, "limit", at_least=1, at_most=EXPORT_ROWS_MAX, default=0) or None,
    )


def _date(query: Mapping[str, str], name: str) -> str | None:
    text = query.get(name, "").strip()
    if not text:
        return None
    try:
        return moment_to_stored(text)
    except ValueError as error:
        mend = "2024-02-29 13:05:09, 2024-02-29T13:05:09Z and 2024-02-29 are dates."
        fault = Fault(parameter=name, what=f"{quoted(text)}: {error}", mend=mend)
        raise refusal(InvalidValue, [fault]) from None
