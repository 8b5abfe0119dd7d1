"""Names of columns."""

import pytest

from oppserver.contract.columns import (
    CUSTOM_COLUMNS,
    SYSTEM_COLUMNS,
    column_named,
    is_system,
    slot_of,
)
from oppserver.store.migrations import tables


@pytest.mark.parametrize("column", SYSTEM_COLUMNS + CUSTOM_COLUMNS, ids=lambda column: column.name)
def test_a_column_is_found_in_any_case_and_between_blanks(column: object) -> None:
    """A name in any case, with blanks around it, is the column in its canonical spelling."""
    name = getattr(column, "name")  # noqa: B009 (a parameter's type is object)
    for asked in (name, name.upper(), name.lower(), f" \t{name}\n "):
        assert column_named(asked) == column


@pytest.mark.parametrize(
    "name",
    ["", "x", "Prospect Id", "mx_Custom_0", "mx_Custom_251", "mx_Custom_01", "mx_Custom_", "id"],
)
def test_other_names_are_no_columns(name: str) -> None:
    """A text that is not the name of a column is None, near as it may be."""
    assert column_named(name) is None


def test_system_columns_are_those_without_a_field() -> None:
    """Every type has the system columns; a slot needs a field."""
    assert all(is_system(column) for column in SYSTEM_COLUMNS)
    assert not any(is_system(column) for column in CUSTOM_COLUMNS)


def test_every_column_is_stored_somewhere() -> None:
    """Behind each column is one of the table, but for the owner's address, which the owner has."""
    stored = {column.stored for column in SYSTEM_COLUMNS + CUSTOM_COLUMNS} - {"owner_email"}
    assert stored <= {column.name for column in tables.opportunity.columns}


@pytest.mark.parametrize(
    ("name", "slot"),
    [
        ("mx_Custom_1", 1),
        ("MX_CUSTOM_250", 250),
        (" mx_custom_9999 ", 9999),
        ("mx_Custom_0", None),
        ("mx_Custom_01", None),
        ("mx_Custom_1x", None),
        ("mx_Custom_٣", None),
        ("Status", None),
    ],
)
def test_the_slot_of_a_name(name: str, slot: int | None) -> None:
    """The number in ``mx_Custom_N``, also of slots that are not there; None of other names."""
    assert slot_of(name) == slot
