"""Stored values in the one form of their data types: fields that get a type after their data.

A page is what one statement reads. A value that changes is a change of its opportunity: it gets a
version and a change number, so caches and copies see it. ModifiedOn stays.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from oppserver.contract.errors import InvalidInput
from oppserver.contract.model import Catalogue, Field
from oppserver.contract.names import counted, quoted
from oppserver.contract.values import DATA_TYPES, formed_fields, kept_value, status_field
from oppserver.store.sql import SqlConnection
from oppserver.store.sql.changes import take_numbers

PAGE_ROWS: Final = 5_000
"""Rows that are looked at together. Ours: as many as a page of an export."""

_SHOWN_MAX: Final = 5

Typed = Mapping[str, Field]
"""Fields of one type whose values have a form, by stored column."""


class ValuesPage(NamedTuple):
    """A page: its last id (None at the end), the rows to write, the values that do not fit."""

    last_id: str | None
    rows: int
    changed: Sequence[dict[str, object]]
    unfit: Sequence[str]


def typed_of(catalogue: Catalogue) -> dict[int, Typed]:
    """The same of all types, by event code; Status is among them."""
    return {
        code: formed_fields([status_field(code), *fields.values()])
        for code, fields in catalogue.fields.items()
    }


def look(connection: SqlConnection, event_code: int, fields: Typed, after_id: str) -> ValuesPage:
    """A page of a type's values, above an id: those that are not in the form of their fields."""
    names = list(fields)
    is_any = " OR ".join(f"{name} IS NOT NULL" for name in names)
    statement = (
        f"SELECT id, {', '.join(names)} FROM opportunity WHERE event_code = :event_code"
        f" AND id > :after_id AND ({is_any}) ORDER BY id LIMIT :limit"
    )
    rows = connection.rows(statement, event_code=event_code, after_id=after_id, limit=PAGE_ROWS)
    changed: list[dict[str, object]] = []
    unfit: list[str] = []
    for one, *values in rows:
        formed = list(values)
        for index, (name, value) in enumerate(zip(names, values, strict=True)):
            if value is None:
                continue
            text = kept_value(value, fields[name])
            if text is not None:
                formed[index] = text
            elif not DATA_TYPES[fields[name].data_type].has_options:
                unfit.append(f"{fields[name].schema_name} of {one}: {quoted(value)}")
        if formed != values:
            changed.append({"id": one, **dict(zip(names, formed, strict=True))})
    last = rows[-1][0] if len(rows) == PAGE_ROWS else None
    return ValuesPage(last, len(rows), changed, unfit)


def form(connection: SqlConnection, event_code: int, fields: Typed, after_id: str) -> ValuesPage:
    """Bring a page of values to the form of their fields; those that do not fit are kept."""
    page = look(connection, event_code, fields, after_id)
    if page.changed:
        number = take_numbers(connection, len(page.changed))
        given = ", ".join(f"{name} = :{name}" for name in fields)
        connection.run_many(
            f"UPDATE opportunity SET {given}, version = version + 1, change_number = :number"
            " WHERE id = :id",
            [{**row, "number": number + place} for place, row in enumerate(page.changed, start=1)],
        )
    return page


def form_all(
    connection: SqlConnection, event_code: int, fields: Typed, *, keeps_unfit: bool
) -> None:
    """Bring all values of a type to the form of some of its fields.

    Raises InvalidInput, which names the first that do not fit, unless they are kept.
    """
    unfit: list[str] = []
    after_id: str | None = ""
    while after_id is not None and fields:
        page = form(connection, event_code, fields, after_id)
        unfit += page.unfit
        after_id = page.last_id
    if unfit and not keeps_unfit:
        types = {field.data_type.value: None for field in fields.values()}
        more = f" and {len(unfit) - _SHOWN_MAX:,} more" if len(unfit) > _SHOWN_MAX else ""
        raise InvalidInput(
            f"Nothing was changed: stored values of type {event_code} do not fit"
            f" {' or '.join(types)}: {'; '.join(unfit[:_SHOWN_MAX])}{more}. Change these values, or"
            " give the field the data type String."
        )


def unformed(connection: SqlConnection, catalogue: Catalogue) -> list[str]:
    """A line for each type that has values in another form than that of their fields."""
    found = []
    for code, fields in typed_of(catalogue).items():
        number = 0
        after_id: str | None = ""
        while after_id is not None:
            page = look(connection, code, fields, after_id)
            number, after_id = number + len(page.changed), page.last_id
        if number:
            found.append(
                f"{counted(number, 'opportunity')} of type {code} with values in an older form,"
                " which searches miss; 'oppserver db upgrade' brings them to the form of today"
            )
    return found
