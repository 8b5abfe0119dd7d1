"""From the query of ``GET /v1/changes`` to what was asked."""

from collections.abc import Mapping
from typing import Final

from oppserver.contract.changes import AskedChanges
from oppserver.contract.limits import CHANGES_ROWS_DEFAULT, CHANGES_ROWS_MAX
from oppserver.contract.query import check_names, choice, number

_NAMES: Final = ("event_code", "columns", "cursor", "limit", "rows")
_NOW: Final = "now"


def parse_changes(query: Mapping[str, str]) -> AskedChanges:
    """What a call asks of changes. Raises InvalidValue that names the parameter."""
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
    )
