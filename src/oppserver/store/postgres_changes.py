"""Changes on PostgreSQL: how far they are, and pages of them, as values or rendered."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from oppserver.contract.changes import Change, ChangeNumbers, ChangesPage, RenderedChanges
from oppserver.contract.columns import Column
from oppserver.store.common_changes import (
    DELETED_ON,
    IDENTITY,
    NUMBERS,
    change_of,
    changes_parameters,
    changes_statement,
    kind_sql,
    numbers_of,
)
from oppserver.store.postgres_connection import Driver
from oppserver.store.postgres_read import column_sql, object_sql, rows_json

_PLACE: Final = "%s::bigint"
_HEAD: Final = (("ProspectActivityId", "c.id"), ("EventCode", "c.event_code::text"))


def read_change_numbers(driver: Driver) -> ChangeNumbers:
    """How far changes are."""
    row = driver.execute(NUMBERS.encode(), prepare=True).fetchone()
    assert row is not None, "the migrations have made the row"
    return numbers_of(row)


def read_identity(driver: Driver) -> str:
    """The database's random name."""
    row = driver.execute(IDENTITY.encode(), prepare=True).fetchone()
    assert row is not None, "the migrations have made the row"
    return str(row[0])


def read_changes(driver: Driver, page: ChangesPage) -> list[Change]:
    """A page of changes, by number."""
    statement = changes_statement(_PLACE, of_type=page.event_code is not None)
    return [change_of(row) for row in _fetched(driver, statement, changes_parameters(page))]


def read_rendered_changes(
    driver: Driver, page: ChangesPage, columns: tuple[Column, ...]
) -> RenderedChanges:
    """A page of changes as JSON, by number."""
    statement = _rendered_statement(page.event_code, columns)
    rows = _fetched(driver, statement, changes_parameters(page))
    return RenderedChanges(
        count=len(rows),
        last=rows[-1][0] if rows else 0,
        json=rows_json((json,) for _, json in rows),
    )


@lru_cache(maxsize=256)
def _rendered_statement(event_code: int | None, columns: tuple[Column, ...]) -> str:
    """The statement of a rendered page: ``(number, json)``. Parameters as those of the page."""
    found, rows = "", ""
    upserted: tuple[tuple[str, str], ...] = ()
    if columns:
        row = object_sql((column.name, column_sql(column)) for column in columns)
        upserted, rows = (("Opportunity", "o.json"),), " LEFT JOIN found AS o ON o.id = c.id"
        # found by themselves: a left join with the table would read all of it, were it sharded
        found = (
            f", found AS MATERIALIZED (SELECT o.id, {row} AS json FROM opportunity AS o"
            ' LEFT JOIN "user" AS u ON u.id = o.owner_id'
            " WHERE o.id = ANY(ARRAY(SELECT c.id FROM c)))"
        )
    deleted_on = DELETED_ON.replace("%", "%%")  # its modulo is no place of a parameter
    changes = changes_statement(_PLACE, of_type=event_code is not None)
    return (
        f"WITH c AS MATERIALIZED ({changes}){found}"
        f" SELECT c.change_number, CASE {kind_sql(event_code)}"
        f" WHEN 'Upserted' THEN {_change('Upserted', *upserted)}"
        f" WHEN 'Deleted' THEN {_change('Deleted', ('DeletedOn', deleted_on))}"
        f" ELSE {_change('Moved')} END"
        f" FROM c{rows} ORDER BY c.change_number"
    )


def _change(kind: str, *more: tuple[str, str]) -> str:
    return object_sql((("Change", f"'{kind}'"), *_HEAD, *more))


def _fetched(driver: Driver, statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    with driver.cursor(binary=True) as cursor:
        return cursor.execute(statement.encode(), parameters, prepare=True).fetchall()
