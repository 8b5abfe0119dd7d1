"""From what was asked of an export to what will be done."""

from oppserver.contract.asked_columns import columns_of_query
from oppserver.contract.cursors import check_same, place_of
from oppserver.contract.event_codes import event_code_of_query
from oppserver.contract.exports import AskedExport, ExportCursor, PlannedExport
from oppserver.contract.model import Catalogue, PlannedEntry


def plan_export(asked: AskedExport, catalogue: Catalogue) -> PlannedExport:
    """The plan of an export. Raises an ApiError with status 400 that names the parameter."""
    code = event_code_of_query(asked.event_code, catalogue)
    columns = columns_of_query(asked.columns, catalogue.fields.get(code, {}), event_code=code)
    cursor = None if asked.cursor is None else place_of(asked.cursor, ExportCursor)
    if cursor is not None:
        check_same("event_code", cursor.event_code, code)
        check_same("modified_since", cursor.modified_since, asked.modified_since)
    begun = "" if cursor is None else cursor.after_id
    return PlannedExport(
        wanted=asked.wanted,
        has_end_record=asked.has_end_record,
        entry=PlannedEntry(event_code=code, ids=(), columns=columns),
        modified_since=asked.modified_since,
        cursor=cursor,
        after_id=begun if asked.after_id is None else asked.after_id,
        limit=asked.limit,
    )
