"""Names of the schema, from which statements are built.

The tables are made by ``sqlite/schema.sql`` in a new file and by the migrations everywhere else.
Tests hold both, and the names here, against ``migrations/tables.py``. Nothing here loads
SQLAlchemy: that takes a third of the time in which a server starts.
"""

from typing import Final

from oppserver.contract.limits import CUSTOM_SLOTS

NUMBER_SEPARATORS: Final = " -+()."
"""Characters that a phone number may have between its digits."""

SLOT_NAMES: Final = tuple(f"mx_custom_{slot}" for slot in range(1, CUSTOM_SLOTS + 1))

OPPORTUNITY_REQUIRED: Final = (
    "id",
    "event_code",
    "version",
    "lead_id",
    "created_on",
    "modified_on",
    "change_number",
    "has_moved",
)
"""The columns of an opportunity that are never null."""

OPPORTUNITY_WRITTEN: Final = (
    "id",
    "event_code",
    "version",
    "lead_id",
    "lead_email",
    "owner_id",
    "status",
    "created_on",
    "modified_on",
    "created_by",
    "modified_by",
    *SLOT_NAMES,
    "note",
    "change_number",
    "has_moved",
)
"""The columns of an opportunity that are written, in the order of the table."""

OPPORTUNITY_COLUMNS: Final = frozenset(
    {*OPPORTUNITY_WRITTEN, "created_on_answer", "modified_on_answer"}
)
"""Every column of an opportunity; two are generated."""

LEAD_COLUMNS: Final = (
    "id",
    "email",
    "first_name",
    "last_name",
    "phone",
    "mobile",
    "owner_id",
    "created_on",
    "modified_on",
    "attributes",
)


NUMBER_ENDING_CHARACTERS: Final = 7
"""Characters of the end of a phone number by which it is found. Ours: few numbers share seven."""


ACTIVITY_COLUMNS: Final = (
    "id",
    "event_code",
    "lead_id",
    "opportunity_id",
    "note",
    "owner_id",
    "created_by",
    "created_on",
    "modified_on",
)
"""The columns of an activity that have a value each."""

ACTIVITY_REQUIRED: Final = ("id", "created_on", "modified_on")
"""The columns of an activity that are never null, of those that orders name."""


def number_ending(column: str) -> str:
    """The SQL expression for the end of a phone number, without what is written between digits.

    An index over it finds a number with or without its country code. Portable and immutable.
    """
    digits = column
    for between in NUMBER_SEPARATORS:
        digits = f"replace({digits}, '{between}', '')"
    start = NUMBER_ENDING_CHARACTERS - 1
    return (
        f"(CASE WHEN length({digits}) > {NUMBER_ENDING_CHARACTERS}"
        f" THEN substr({digits}, length({digits}) - {start}) ELSE {digits} END)"
    )


def answer_form(column: str) -> str:
    """The SQL expression that renders a stored date as ``M/d/yyyy h:mm:ss AM/PM``.

    Rendered once, when a row is written, not 4,000 times per call. Portable and immutable, so that
    a stored generated column may use it in every engine.
    """

    def number(start: int, length: int) -> str:
        return f"CAST(CAST(substr({column}, {start}, {length}) AS INTEGER) AS TEXT)"

    return (
        f"{number(6, 2)} || '/' || {number(9, 2)} || '/' || substr({column}, 1, 4) || ' ' ||"
        f" CAST((CAST(substr({column}, 12, 2) AS INTEGER) + 11) % 12 + 1 AS TEXT) ||"
        f" substr({column}, 14, 6) ||"
        f" CASE WHEN substr({column}, 12, 2) < '12' THEN ' AM' ELSE ' PM' END"
    )
