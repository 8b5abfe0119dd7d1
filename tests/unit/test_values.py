"""The stored form of a value, by its field's definition."""

import unicodedata
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oppserver.contract.errors import InvalidFieldValue
from oppserver.contract.limits import TEXT_CHARACTERS_MAX
from oppserver.contract.model import DataType, Field
from oppserver.contract.values import status_field, stored_value

STAGE = {"parent_field": "Status", "dependent_options": {"Open": ("New", "Hot"), "Won": ("Paid",)}}


def field(data_type: DataType, **values: Any) -> Field:
    return Field(
        event_code=12000,
        schema_name="mx_Custom_1",
        display_name="One",
        data_type=data_type,
        **values,
    )


def stored(value: Any, data_type: DataType, **values: Any) -> str | None:
    return stored_value(value, field(data_type, **values), place="Fields[0].Value")


@pytest.mark.parametrize("data_type", DataType)
@pytest.mark.parametrize("value", [None, ""])
def test_an_empty_text_and_null_clear_a_field(value: Any, data_type: DataType) -> None:
    """Every data type takes them, and a dropdown that has options too."""
    assert stored(value, data_type, options=("a",)) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("200,000", "200000"),
        ("2,00,000.50", "200000.5"),
        ("1,000", "1000"),
        ("1,00,000", "100000"),
        ("-12,34,567.89", "-1234567.89"),
        ("+1,234,567.", "1234567"),
        ("999,999", "999999"),
        (" 7 ", "7"),
        ("007", "7"),
        ("-12.5", "-12.5"),
        ("+3", "3"),
        (".5", "0.5"),
        ("-.5", "-0.5"),
        ("5.", "5"),
        ("-0", "0"),
        ("-0.00", "0"),
        ("200,000.00", "200000"),
        ("0.10", "0.1"),
        ("1" * 28 + "." + "2" * 10, "1" * 28 + "." + "2" * 10),
        ("   ", None),
        (200000, "200000"),
        (-3, "-3"),
        (1.5, "1.5"),
        (1e21, "1000000000000000000000"),
        (1e-7, "0.0000001"),
        (10**27, "1" + "0" * 27),
    ],
)
def test_numbers_are_plain_decimals(value: Any, expected: str | None) -> None:
    """Text or number, with or without signs of thousands; equal numbers are equal texts."""
    assert stored(value, DataType.NUMBER) == expected


@pytest.mark.parametrize(
    "value",
    [
        *("x", "1e5", "1 000", "--1", ",", ".", "-", "\u0661\u0662", "0x1", True),
        *("1499,90", "1,2,3", "1.499,90", "0,500", "00,500", "1 499,90", "1\u00a0499", "1'499"),
        *(",5", "5,", "1,,000", "1,0000", "1,00", "1000,000", "1,000,00", "1,0,000", "1.000,000"),
        *("1.5,000", "-,500", "-0,500", "1,000,", ",000", "\u0661,\u0660\u0660\u0660", "1,000.5.5"),
    ],
)
def test_what_is_no_number_is_refused(value: Any) -> None:
    """The error names the place, the value, the field and what it takes."""
    with pytest.raises(InvalidFieldValue, match=r"^Fields\[0\]\.Value: .* mx_Custom_1 \(One, Num"):
        stored(value, DataType.NUMBER)


@pytest.mark.parametrize(
    ("value", "limit"),
    [
        pytest.param("0.30000000000000004", "17 digits behind the point; it takes 10", id="V2"),
        ("0.12345678901", "11 digits behind"),
        (1e-11, "11 digits behind"),
        ("1" * 29, "29 digits before the point; it takes 28"),
        (10**30, "31 digits before"),
        (1e300, "301 digits before"),
    ],
)
def test_a_number_that_arrow_cannot_hold_is_refused(value: Any, limit: str) -> None:
    """The error names the limit: what is stored can be read in every format."""
    with pytest.raises(InvalidFieldValue, match=limit):
        stored(value, DataType.NUMBER)


@given(
    st.decimals("-1e24", "1e24", allow_nan=False, allow_infinity=False, places=3)
    | st.integers(-(10**28) + 1, 10**28 - 1)
)
def test_a_plain_decimal_is_its_own_form(value: Any) -> None:
    """A stored value is stored the same when it is sent again."""
    once = stored(str(value) if isinstance(value, int) else format(value, "f"), DataType.NUMBER)
    assert once is not None
    assert stored(once, DataType.NUMBER) == once
    assert Decimal(once) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2024-02-29 13:05:09", "2024-02-29 13:05:09"),
        ("2/29/2024 1:05:09 PM", "2024-02-29 13:05:09"),
        ("2024-02-29T13:05:09+02:00", "2024-02-29 11:05:09"),
        (" 2024-02-29 ", "2024-02-29 00:00:00"),
    ],
)
def test_dates_are_stored_in_the_form_that_sorts(value: str, expected: str) -> None:
    """In any of the three forms, or a day alone, which begins at midnight UTC."""
    assert stored(value, DataType.DATE_TIME) == expected


@pytest.mark.parametrize("value", ["2023-02-29", "yesterday", "29.02.2024", 20240229, False])
def test_what_is_no_date_is_refused(value: Any) -> None:
    """Also days that the calendar does not have."""
    with pytest.raises(InvalidFieldValue, match="expected a date"):
        stored(str(value), DataType.DATE_TIME)
    with pytest.raises(InvalidFieldValue):
        stored(value, DataType.DATE_TIME)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(True, "1"), (False, "0"), (1, "1"), (0, "0"), ("TRUE", "1"), ("no", "0"), ("Yes", "1")],
)
def test_booleans_are_1_and_0(value: Any, expected: str) -> None:
    """A boolean is a boolean, number or word."""
    assert stored(value, DataType.BOOLEAN) == expected


@pytest.mark.parametrize("value", ["2", "on", 2, 0.5])
def test_what_is_no_boolean_is_refused(value: Any) -> None:
    """The error says what is one."""
    with pytest.raises(InvalidFieldValue, match="expected true or false"):
        stored(value, DataType.BOOLEAN)


def test_an_option_is_stored_in_its_own_spelling() -> None:
    """A to Z are matched in any case; of options that differ in nothing else, the exact one."""
    options = ("Hot", "hot", "Ärger", "7")
    assert stored("HOT", DataType.SEARCHABLE_DROPDOWN, options=options) == "Hot"
    assert stored("hot", DataType.SEARCHABLE_DROPDOWN, options=options) == "hot"
    assert stored(7, DataType.SEARCHABLE_DROPDOWN, options=options) == "7"
    decomposed = unicodedata.normalize("NFD", "Ärger")
    assert stored(decomposed, DataType.SEARCHABLE_DROPDOWN, options=options) == "Ärger"
    assert stored("Ärger", DataType.SEARCHABLE_DROPDOWN, options=(decomposed,)) == decomposed
    with pytest.raises(InvalidFieldValue, match="Did you mean Ärger"):
        stored("ärger", DataType.SEARCHABLE_DROPDOWN, options=options)


def test_what_is_no_option_is_refused_with_those_there_are() -> None:
    """The first ten, and how many more."""
    options = tuple(f"option {number}" for number in range(12))
    with pytest.raises(InvalidFieldValue, match=r"'option 0', .*'option 9' and 2 more"):
        stored("x", DataType.SEARCHABLE_DROPDOWN, options=options)
    with pytest.raises(InvalidFieldValue, match="takes 'Open', 'Won', 'Lost'"):
        stored_value("x", status_field(12000), place="Status")


def test_a_dropdown_without_options_takes_any_text() -> None:
    """Nothing says what it takes."""
    assert stored("x", DataType.SEARCHABLE_DROPDOWN) == "x"


def test_a_dependent_dropdown_takes_the_options_of_all_parents() -> None:
    """Which of them go with the parent's value is checked where that is known."""
    assert stored("paid", DataType.SEARCHABLE_DROPDOWN, **STAGE) == "Paid"
    with pytest.raises(InvalidFieldValue, match="'New', 'Hot', 'Paid'"):
        stored("x", DataType.SEARCHABLE_DROPDOWN, **STAGE)


def test_texts_are_stored_as_they_are_up_to_their_length() -> None:
    """Blanks stay; characters are counted, not bytes; numbers and booleans become text."""
    assert stored("  Ä ", DataType.STRING, max_length=4) == "  Ä "
    assert stored(1.50, DataType.STRING) == "1.5"
    assert stored(True, DataType.STRING) == "true"
    with pytest.raises(InvalidFieldValue, match="has 5 characters; it takes 4"):
        stored("12345", DataType.STRING, max_length=4)
    with pytest.raises(InvalidFieldValue, match=f"it takes {TEXT_CHARACTERS_MAX}"):
        stored("x" * (TEXT_CHARACTERS_MAX + 1), DataType.STRING)
    with pytest.raises(InvalidFieldValue, match=r"U\+0000"):
        stored("a\0b", DataType.STRING)
