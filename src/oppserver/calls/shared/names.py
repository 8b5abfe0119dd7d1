"""Event codes, columns and users by the names that callers send."""

from collections.abc import Container, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from oppserver.contract.columns import (
    SYSTEM_COLUMNS,
    VERSION_COLUMN,
    Column,
    column_named,
    columns_of_row,
    first_of_stored,
    is_member,
    is_system,
    schema_name_of,
)
from oppserver.contract.errors import Fault, InvalidReference, UnknownColumn, UnknownEventCode
from oppserver.contract.limits import EVENT_CODE_MAX, IN_ERROR_FAULTS_MAX
from oppserver.contract.model import Catalogue, Field, User
from oppserver.contract.names import comparable, nearest, quoted
from oppserver.contract.problems import refusal

_IN_ERROR_CODES_MAX: Final = 10


def event_code_of(text: str, catalogue: Catalogue, *, place: str) -> int:
    """The code of an opportunity type. Raises UnknownEventCode, with the known ones."""
    code = number_of(text)
    if code is None or code not in catalogue.types:
        raise UnknownEventCode(f"{place}: {_no_type(text)}. {_hint(catalogue)}")
    return code


def event_code_of_query(text: str, catalogue: Catalogue) -> int:
    """The code that ``event_code`` has in a query of ``/v1``. Raises as ``event_code_of``."""
    code = number_of(text)
    if code is None or code not in catalogue.types:
        fault = Fault(parameter="event_code", what=_no_type(text), hint=_hint(catalogue))
        raise refusal(UnknownEventCode, [fault])
    return code


def activity_code_of(text: str, catalogue: Catalogue, *, place: str) -> int:
    """The code of an activity type. Raises UnknownEventCode, with what to do."""
    code = number_of(text)
    if code is not None and code in catalogue.activity_types:
        return code
    if code is not None and code in catalogue.types:
        raise UnknownEventCode(
            f"{place}: {code} is an opportunity type. OpportunityManagement.svc/Capture posts"
            " opportunities."
        )
    if code is not None and code in POSTED_NAMES:
        raise UnknownEventCode(f"{place}: {code} is posted by the server alone.")
    raise UnknownEventCode(
        f"{place}: {quoted(text)} is the event code of no activity type here. Known:"
        f" {_listed(catalogue.activity_types)}. 'oppserver activity-type create CODE' adds one."
    )


def number_of(text: str) -> int | None:
    """Return the number of an event code; None for any other text and for too large numbers."""
    digits = text.strip()
    is_number = digits.isascii() and digits.isdecimal() and len(digits) <= len(str(EVENT_CODE_MAX))
    return int(digits) if is_number and int(digits) <= EVENT_CODE_MAX else None


def _no_type(text: str) -> str:
    return f"{quoted(text)} is the event code of no opportunity type here"


def _hint(catalogue: Catalogue) -> str:
    return f"Known: {_listed(catalogue.types)}. 'oppserver type create CODE' adds one."


def _listed(codes: Iterable[int]) -> str:
    return ", ".join(str(code) for code in sorted(codes)[:_IN_ERROR_CODES_MAX]) or "none"


OPPORTUNITY_CAPTURED: Final = 33
"""Posted with every new opportunity. Source: seen on timelines of real leads."""

DUPLICATE_DETECTED: Final = 34
"""Posted on the opportunity that a new one would have repeated. Chosen: the documentation names the
activity, but not its code; this is the next one."""

POSTED_NAMES: Final[Mapping[int, str]] = MappingProxyType(
    {
        OPPORTUNITY_CAPTURED: "Opportunity Captured",
        DUPLICATE_DETECTED: "Duplicate Opportunity Detected",
    }
)
"""The names of activities that the server posts, by event code."""

FIRST_SLOTS: Final = ("mx_Custom_1", "mx_Custom_2")
"""The custom fields of an opportunity that are answered among activities. Source: observed on the
hosted service."""


def event_name(code: int, catalogue: Catalogue) -> str:
    """Return the name of an activity's type."""
    known = catalogue.activity_types.get(code) or catalogue.types.get(code)
    return known.name if known else POSTED_NAMES.get(code, f"Activity {code}")


def user_here(name: str, users: Mapping[str, User], *, place: str) -> User:
    """Return the user of an id or address, by name as given. Raises InvalidReference."""
    user = users.get(name)
    if user is None:
        raise InvalidReference(
            f"{place} {quoted(name)} is no user here. Send a user's id or address."
        )
    return user


def columns_of_query(
    text: str, fields: Mapping[str, Field], *, event_code: int | None
) -> tuple[Column, ...]:
    """The columns of a row, from names with commas between; without any, all that the type has.

    They begin with the three that every row has. ``event_code`` None: the fields are those of all
    types. Raises UnknownColumn with every unknown name, and for each the nearest names, fields by
    their display names too.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        return every_column(fields)
    columns = [_column(name, fields) for name in names]
    unknown = [name for name, column in zip(names, columns, strict=True) if column is None]
    if unknown:
        raise refusal(
            UnknownColumn,
            [
                _fault(name, fields, event_code=event_code, suggests=index < IN_ERROR_FAULTS_MAX)
                for index, name in enumerate(dict.fromkeys(unknown))
            ],
        )
    return columns_of_row(column for column in columns if column is not None)


def every_column(fields: Iterable[str]) -> tuple[Column, ...]:
    """All columns of a type, each under one name: the system's, then its fields in their order.

    Members of sets are not among them: the text of their set has them.
    """
    of_fields = (column_named(name) for name in fields if not is_member(name))
    return columns_of_row(
        [
            *(column for column in SYSTEM_COLUMNS if column == first_of_stored(column)),
            *(column for column in of_fields if column is not None),
        ]
    )


def column_of_type(name: str, fields: Container[str]) -> Column | None:
    """Return a system column, or the column of one of a type's fields; None for other names."""
    column = column_named(name)
    is_there = column is not None and (is_system(column) or schema_name_of(column) in fields)
    return column if is_there else None


def schema_names_shown_as(name: str, fields: Iterable[Field]) -> list[str]:
    """The schema names of the fields that have a display name, each once, in order."""
    folded = _folded(name)
    alike = [one.schema_name for one in fields if _folded(one.display_name) == folded]
    return list(dict.fromkeys(alike))


def _folded(name: str) -> str:
    return comparable(name.strip()).casefold()


def _column(name: str, fields: Mapping[str, Field]) -> Column | None:
    is_version = name.casefold() == VERSION_COLUMN.name.casefold()
    return VERSION_COLUMN if is_version else column_of_type(name, fields)


def _fault(
    name: str, fields: Mapping[str, Field], *, event_code: int | None, suggests: bool
) -> Fault:
    """The fault of an unknown name. ``suggests``: with the nearest names; to find them is slow."""
    near = _near(name, fields) if suggests else ()
    hint = f"Did you mean {' or '.join(near)}?" if near else "Leave it out."
    kind = "any type" if event_code is None else f"type {event_code}"
    code = "CODE" if event_code is None else event_code
    return Fault(
        parameter="columns",
        what=f"{quoted(name)} is no column of {kind}",
        hint=f"{hint} 'oppserver field add {code} mx_Custom_N' adds a field.",
    )


def _near(name: str, fields: Mapping[str, Field]) -> Sequence[str]:
    """The nearest names. A field may be near by its display name, which is shown with it."""
    shown = {column.name: column.name for column in (*SYSTEM_COLUMNS, VERSION_COLUMN)}
    for schema_name, field in fields.items():
        shown[schema_name] = schema_name
        shown[field.display_name] = f"{schema_name} ({field.display_name})"
    return list(dict.fromkeys(shown[one] for one in nearest(name, shown)))
