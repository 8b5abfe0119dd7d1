"""From the query of ``GET /v1/changes`` to what was asked."""

from collections.abc import Mapping
from typing import Final

import msgspec

from oppserver.calls.shared.call import Call
from oppserver.calls.shared.decode import check_names, choice, number
from oppserver.calls.shared.names import columns_of_query, event_code_of_query
from oppserver.contract.columns import Column
from oppserver.contract.cursors import ChangesCursor, check_same, place_of
from oppserver.contract.formats import Format
from oppserver.contract.limits import CHANGES_ROWS_DEFAULT, CHANGES_ROWS_MAX
from oppserver.contract.model import Catalogue, Field

_NAMES: Final = ("event_code", "columns", "cursor", "limit", "rows")

_NOW: Final = "now"


class AskedChanges(msgspec.Struct, frozen=True, kw_only=True):
    """A page of changes as it was asked: nothing is looked up yet.

    ``cursor`` None: from the beginning. ``from_now``: from the end. ``with_rows``: an opportunity
    that is still stored comes with its row.
    """

    event_code: str | None
    columns: str
    cursor: str | None
    from_now: bool
    limit: int
    with_rows: bool
    format: Format


def parse_changes(call: Call, _: None) -> AskedChanges:
    """Parse the query of a page of changes. Raises InvalidValue that names the parameter."""
    query = call.query
    check_names(query, _NAMES)
    cursor = query.get("cursor", "").strip()
    from_now = cursor.lower() == _NOW
    return AskedChanges(
        event_code=query.get("event_code", "").strip() or None,
        columns=query.get("columns", ""),
        cursor=None if from_now or not cursor else cursor,
        from_now=from_now,
        limit=number(
            query, "limit", at_least=1, at_most=CHANGES_ROWS_MAX, default=CHANGES_ROWS_DEFAULT
        ),
        with_rows=choice(query, "rows", ("true", "false")) == "true",
        format=call.format,
    )


class PlannedChanges(msgspec.Struct, frozen=True, kw_only=True):
    """A page of changes as it will be read. ``columns`` empty: changes come without rows."""

    event_code: int | None
    columns: tuple[Column, ...]
    cursor: "ChangesCursor | None"
    from_now: bool
    limit: int
    format: Format


def plan_changes(asked: AskedChanges, catalogue: Catalogue) -> PlannedChanges:
    """Plan a page of changes. Raises an ApiError with status 400 that names the place.

    A cursor keeps the type that it began with: with another type, its earlier changes would be
    missing.
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
        format=asked.format,
    )


def _columns(text: str, code: int | None, catalogue: Catalogue) -> tuple[Column, ...]:
    """The columns of one type; of all types, the system columns and the fields that are named."""
    fields = _fields(code, catalogue)
    if code is None and not text.replace(",", "").strip():
        fields = {}
    return columns_of_query(text, fields, event_code=code)


def _fields(code: int | None, catalogue: Catalogue) -> Mapping[str, Field]:
    if code is not None:
        return catalogue.fields.get(code, {})
    return {name: field for of in catalogue.fields.values() for name, field in of.items()}
