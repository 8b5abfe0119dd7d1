"""From what was asked of changes to what will be read of them."""

from collections.abc import Mapping

from oppserver.contract.asked_columns import columns_of_query
from oppserver.contract.changes import AskedChanges, ChangesCursor, PlannedChanges
from oppserver.contract.columns import Column
from oppserver.contract.cursors import check_same, place_of
from oppserver.contract.event_codes import event_code_of_query
from oppserver.contract.model import Catalogue, Field


def plan_changes(asked: AskedChanges, catalogue: Catalogue) -> PlannedChanges:
    """The plan of a page of changes. Raises an ApiError with status 400 that names the place.

    A cursor goes on with the type that it began with: those of another would miss what came before.
    """
    code = None
    if asked.event_code is not None:
        code = event_code_of_query(asked.event_code, catalogue)
    cursor = None if asked.cursor is None else place_of(asked.cursor, ChangesCursor)
    if cursor is not None:
        check_same("event_code", cursor.event_code, code)
    return PlannedChanges(
        event_code=code,
        columns=_columns(asked.columns, code, catalogue) if asked.with_rows else (),
        cursor=cursor,
        from_now=asked.from_now,
        limit=asked.limit,
    )


def _columns(text: str, code: int | None, catalogue: Catalogue) -> tuple[Column, ...]:
    """Of one type its columns; of all types those of the system, and the fields that are named."""
    fields = _fields(code, catalogue)
    if code is None and not text.replace(",", "").strip():
        fields = {}
    return columns_of_query(text, fields, event_code=code)


def _fields(code: int | None, catalogue: Catalogue) -> Mapping[str, Field]:
    if code is not None:
        return catalogue.fields.get(code, {})
    return {name: field for of in catalogue.fields.values() for name, field in of.items()}
