"""The meaning of comparisons, without a server: operators, data types, dates."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oppserver.calls.shared.conditions import (
    OPERATORS,
    comparison_named,
    condition_of,
    searched_condition_of,
)
from oppserver.contract.columns import Column
from oppserver.contract.dates import to_answer
from oppserver.contract.errors import ApiError, InvalidFieldValue, InvalidValue, MissingAttribute
from oppserver.contract.model import DataType, Field
from oppserver.store.queries import ColumnCondition, Comparison, ConditionGroup
from tests.property.laws import cased, examples, texts
from tests.support.memory_search import meets

COLUMN = Column(name="mx_Custom_1", stored="mx_custom_1")


def meaning(
    data_type: DataType, comparison: Comparison | str, operand: str | None, **more: Any
) -> ColumnCondition | ConditionGroup:
    """The condition of a comparison with a field of a data type."""
    field = Field(
        event_code=12_000,
        schema_name="mx_Custom_1",
        display_name="One",
        data_type=data_type,
        **more,
    )
    return condition_of(COLUMN, field, Comparison(comparison), operand, place="RSO")


def holds(condition: ColumnCondition | ConditionGroup, value: str | None) -> bool:
    """Return whether a value meets a condition."""
    return meets(lambda _: value, ConditionGroup(members=(condition,)))


# --- operators ---------------------------------------------------------------------------------


@given(data=st.data(), operator=st.sampled_from(sorted(OPERATORS)))
@examples(60)
def test_an_operator_in_any_case(data: st.DataObject, operator: str) -> None:
    """Each is found in any case, with blanks around it; every comparison has its own name."""
    assert comparison_named(data.draw(cased(operator)), place="x") is OPERATORS[operator]
    assert all(OPERATORS[comparison.value] is comparison for comparison in Comparison)


@given(operator=texts().filter(lambda text: text.strip().lower() not in OPERATORS))
@examples(60)
def test_what_is_no_operator_is_named(operator: str) -> None:
    """With its place and those there are."""
    with pytest.raises(InvalidValue, match=r"at here: .*eq, neq, lt"):
        comparison_named(operator, place="at here")


# --- dates -------------------------------------------------------------------------------------

DAYS = [date(2024, 2, 28) + timedelta(days=number) for number in range(3)]
MOMENTS = [
    datetime(day.year, day.month, day.day) + timedelta(seconds=seconds)  # noqa: DTZ001 (as stored)
    for day in DAYS
    for seconds in (0, 1, 43_199, 43_200, 86_399)
]
NUMBER_BY_COMPARISON = {Comparison.BETWEEN: 2}


def spelled(moment: datetime, form: int) -> str:
    """A moment in one of the forms that are read."""
    stored = moment.isoformat(sep=" ")
    half = moment.strftime("%Y-%m-%d %I:%M:%S %p")
    return (stored, f"{moment.isoformat()}Z", to_answer(stored), half, half.lower())[form]


ends = st.tuples(st.sampled_from([*MOMENTS, *DAYS]), st.integers(0, 4))


@given(
    first=ends,
    last=ends,
    comparison=st.sampled_from(
        [one for one in Comparison if one not in (Comparison.CONTAINS, Comparison.BEGINS)]
    ),
    stored=st.none() | st.sampled_from([*MOMENTS, *DAYS]),
)
@examples(400)
def test_a_day_is_all_of_its_moments(
    first: tuple[Any, int],
    last: tuple[Any, int],
    comparison: Comparison,
    stored: datetime | date | None,
) -> None:
    """A day is equal to each of its moments and before those of the next; a stored day is in it."""

    def text(end: tuple[Any, int]) -> str:
        value, form = end
        return spelled(value, form) if isinstance(value, datetime) else value.isoformat()

    def span(value: datetime | date) -> tuple[datetime, datetime]:
        if isinstance(value, datetime):
            return value, value
        begin = datetime(value.year, value.month, value.day)  # noqa: DTZ001 (as stored)
        return begin, begin + timedelta(seconds=86_399)

    operand = f"{text(first)} TO {text(last)}" if comparison is Comparison.BETWEEN else text(first)
    condition = meaning(DataType.DATE_TIME, comparison, operand)
    if stored is None:
        expected = comparison in (Comparison.NOT_EQUAL, Comparison.IS_NULL)
        assert holds(condition, None) is expected
        return
    if not isinstance(stored, datetime) and isinstance(first[0], datetime):
        return  # a stored day is not compared with moments
    at, begin, end = span(stored)[0], *span(first[0])
    expected = {
        Comparison.EQUAL: begin <= at <= end,
        Comparison.NOT_EQUAL: not begin <= at <= end,
        Comparison.LESS: at < begin,
        Comparison.LESS_OR_EQUAL: at <= end,
        Comparison.GREATER: at > end,
        Comparison.GREATER_OR_EQUAL: at >= begin,
        Comparison.BETWEEN: begin <= at <= span(last[0])[1],
        Comparison.IS_NULL: False,
        Comparison.IS_NOT_NULL: True,
    }[comparison]
    kept = str(stored) if isinstance(stored, datetime) else stored.isoformat()
    assert holds(condition, kept) is expected


@pytest.mark.parametrize(
    "operand",
    ["", " ", "x", "2024-02-30", "2024-2-1", "2024-01-01 25:00:00", "2024-01-01 00:00:00 AM"],
)
def test_what_is_no_date_is_refused(operand: str) -> None:
    """Hours of the clock, days of the calendar, known forms."""
    with pytest.raises((InvalidFieldValue, MissingAttribute), match="RSO"):
        meaning(DataType.DATE_TIME, "eq", operand)


# --- other types -------------------------------------------------------------------------------


@given(
    number=st.integers(-10_000, 10_000),
    stored=st.integers(-10_000, 10_000) | st.just(None),
    comparison=st.sampled_from([Comparison.LESS, Comparison.EQUAL, Comparison.GREATER_OR_EQUAL]),
)
@examples(100)
def test_numbers_by_their_value(number: int, stored: int | None, comparison: Comparison) -> None:
    """Whatever the spelling: signs of thousands, zeros behind the point."""
    kept = None if stored is None else f"{stored}.00"
    condition = meaning(DataType.NUMBER, comparison, f" {number:,} ")
    expected = (
        stored is not None
        and {
            Comparison.LESS: stored < number,
            Comparison.EQUAL: stored == number,
            Comparison.GREATER_OR_EQUAL: stored >= number,
        }[comparison]
    )
    assert holds(condition, kept) is expected


def test_an_option_in_any_case() -> None:
    """The option's own spelling is sought; any other text is sought as it is."""
    options = {"options": ("Open", "Won")}
    for operand in ("won", "WON", " Won "):
        condition = meaning(DataType.SEARCHABLE_DROPDOWN, "eq", operand, **options)
        assert holds(condition, "Won")
    dependent = {"dependent_options": {"Open": ("New",)}, "parent_field": "Status"}
    assert holds(meaning(DataType.SEARCHABLE_DROPDOWN, "eq", "NEW", **dependent), "New")
    assert holds(meaning(DataType.SEARCHABLE_DROPDOWN, "eq", "Gone", **options), "Gone")


def test_a_length_that_bounds_what_is_stored_bounds_nothing_else() -> None:
    """A value longer than the field takes can be sought; it is not found."""
    condition = meaning(DataType.NUMBER, "eq", "123456", max_length=3)
    assert not holds(condition, "123")


@given(operand=texts().filter(str.strip))
@examples(100)
def test_text_is_sought_as_it_is(operand: str) -> None:
    """Nothing is cut or folded; contains and begins find it in itself."""
    assert holds(meaning(DataType.STRING, "eq", operand), operand)
    assert not holds(meaning(DataType.STRING, "neq", operand), operand)
    assert holds(meaning(DataType.STRING, "contains", operand), f"x{operand}y")
    assert holds(meaning(DataType.STRING, "begins", operand), f"{operand}y")


@given(data_type=st.sampled_from(DataType), comparison=st.sampled_from(Comparison), operand=texts())
@examples(300)
def test_whatever_is_compared_is_a_condition_or_a_named_refusal(
    data_type: DataType, comparison: Comparison, operand: str
) -> None:
    """Every operand of every comparison of every type."""
    try:
        condition = meaning(data_type, comparison, operand)
    except ApiError as error:
        assert error.status == 400
        assert str(error).startswith("RSO")
        return
    assert holds(condition, "x") in (True, False)


@pytest.mark.parametrize(
    ("option", "first", "last"),
    [
        ("opt-today", "2024-02-29", "2024-02-29"),
        ("opt-tomorrow", "2024-03-01", "2024-03-01"),
        ("opt-this-week", "2024-02-26", "2024-03-03"),
        ("opt-last-week", "2024-02-19", "2024-02-25"),
        ("opt-next-month", "2024-03-01", "2024-03-31"),
        ("opt-last-month", "2024-01-01", "2024-01-31"),
        ("opt-this-quarter", "2024-01-01", "2024-03-31"),
        ("opt-last-quarter", "2023-10-01", "2023-12-31"),
        ("opt-this-year", "2024-01-01", "2024-12-31"),
        ("opt-next-year", "2025-01-01", "2025-12-31"),
        ("opt-last-30-days", "2024-01-31", "2024-02-29"),
        ("opt-next-1-days", "2024-02-29", "2024-02-29"),
    ],
)
def test_the_days_of_a_time_option(option: str, first: str, last: str) -> None:
    """On the last day of a February: both ends belong to the span."""
    field = Field(event_code=1, schema_name="x", display_name="x", data_type=DataType.DATE_TIME)
    condition = searched_condition_of(
        COLUMN, field, Comparison.EQUAL, option, place="x", today=date(2024, 2, 29)
    )
    assert condition == ColumnCondition(
        stored=COLUMN.stored, comparison=Comparison.BETWEEN, values=(first, f"{last} 23:59:59")
    )
