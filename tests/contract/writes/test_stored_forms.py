"""One stored form for each data type: it is found, and read in every format."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support import writing
from tests.support.databases import database_of
from tests.support.running import Server, one_line, run, run_well
from tests.support.stores import guid, opportunity
from tests.support.values import (
    ARROW,
    DATE,
    FLAG,
    NUMBER,
    PARQUET,
    found,
    imported,
    numbers,
    table,
)
from tests.support.writing import (
    CAPTURE,
    DEAL,
    captured,
    capturing,
    store_of,
    update,
    value,
    well,
)

ENGINES = ["sqlite", "postgres"]

folder, server = writing.folder, writing.server

DATES = ["2024-07-01 00:00:00", "2024-07-01T00:00:00Z", "7/1/2024 12:00:00 AM", "2024-07-01"]
MORE_DATES = [" 2024-07-01 ", "2024-07-01 02:00:00+02", "2024-06-30T19:30:00.9-0430"]


@pytest.mark.parametrize(
    ("column", "values", "searches"),
    [
        pytest.param(
            DATE,
            DATES + MORE_DATES,
            [
                ("eq", "2024-07-01 00:00:00", 7),
                ("between", "2024-06-01 TO 2024-07-31", 7),
                ("gt", "2024-07-02", 0),
                ("eq", "2024-07-01T00:00:00Z", 7),
            ],
            id="V1-dates",
        ),
        pytest.param(
            FLAG,
            ["1", "Yes", "No", "true", True, "FALSE", 0],
            [("eq", "true", 4), ("eq", "0", 3), ("neq", "yes", 3)],
            id="V1-booleans",
        ),
        pytest.param(
            NUMBER,
            ["777000", "777,000.00", 777000.0, "7,77,000", "+0777000."],
            [("eq", "777000.0", 5), ("gt", "777000", 0), ("neq", "777,000", 0)],
            id="V1-numbers",
        ),
        pytest.param("mx_Custom_3", ["web", "WEB", "Web"], [("eq", "wEb", 3)], id="V1-options"),
    ],
)
def test_imported_values_are_found_however_they_are_spelled(
    server: Server, folder: Path, column: str, values: list[Any], searches: list[Any]
) -> None:
    """An import gives them the form that writes give them, and typed formats read it."""
    ids = imported(folder, *({column: one} for one in values))
    for operator, operand, expected in searches:
        assert found(server, ids, column, operator, operand) == expected, (operator, operand)
    distinct = 2 if column == FLAG else 1
    for accept in (ARROW, PARQUET):
        typed = table(server, ids, column, accept).column(column)
        assert typed.null_count == 0
        assert len(set(typed.to_pylist())) == distinct


def test_numbers_are_compared_and_sorted_exactly(server: Server) -> None:
    """V4: two neighbours are two numbers, also where a double could not hold them."""
    texts = ["9007199254740992", "9007199254740993", "9007199254740993.5", "-9007199254740993"]
    texts += ["-9007199254740993.5", "12345678901234567890123", "12345678901234567890124"]
    ids = [captured(server, values={"c6": text}) for text in texts]
    for text in texts:
        assert found(server, ids, NUMBER, "eq", text) == 1
        for operator, holds in (
            ("gt", Decimal.__gt__),
            ("lt", Decimal.__lt__),
            ("gte", Decimal.__ge__),
            ("neq", Decimal.__ne__),
        ):
            expected = sum(holds(Decimal(one), Decimal(text)) for one in texts)
            assert found(server, ids, NUMBER, operator, text) == expected, (operator, text)
    span = "9007199254740993 TO 9007199254740993.2"
    assert found(server, ids, NUMBER, "between", span) == 1


@pytest.mark.parametrize(
    ("field_type", "first", "others"),
    [
        pytest.param("Number", 200000, ["200000.0", "200,000.00", "2,00,000", 2e5], id="V5"),
        ("DateTime", "2024-07-01", ["7/1/2024 12:00:00 AM", "2024-07-01T05:30:00+05:30"]),
        ("Boolean", "yes", [True, "1", "TRUE"]),
        ("String", "Café", ["Cafe\u0301"]),
    ],
)
def test_duplicates_are_found_however_they_are_spelled(
    server: Server, folder: Path, field_type: str, first: Any, others: list[Any]
) -> None:
    """A duplicate rule compares stored forms."""
    code = str(next(numbers))
    at = ("--database", database_of(folder))
    run_well("type", "create", code, "--name", code, *at, folder=folder)
    run_well("field", "add", code, "mx_Custom_6", "--data-type", field_type, *at, folder=folder)
    run_well("type", "create", code, "--duplicate-rule", "mx_Custom_6", *at, folder=folder)
    created = [
        well(server.post(capturing(code=int(code), values={"c6": one}), path=CAPTURE))
        for one in (first, *others)
    ]
    assert [one["CreatedOpportunityId"] is None for one in created] == [
        False,
        *[True] * len(others),
    ]


def test_a_field_that_gets_its_type_after_the_data(server: Server, folder: Path) -> None:
    """Stored values take its form and count as changes; one that does not fit changes nothing."""
    at = ("--database", database_of(folder))
    add = ("field", "add", str(DEAL), "mx_Custom_30")
    texts = ["1,000.50", "7.0", "1e3", "x"]
    ids = imported(folder, *({"mx_Custom_30": text} for text in texts))
    done = run(*add, "--data-type", "Number", *at, folder=folder)
    assert done.returncode
    assert f"mx_Custom_30 of {ids[3]}: 'x'" in one_line(done)
    assert [value(server, one, "mx_Custom_30") for one in ids] == texts
    well(update(server, ids[3], mx_Custom_30="5"))
    run_well(*add, "--data-type", "Number", *at, folder=folder)
    assert [value(server, one, "mx_Custom_30") for one in ids] == ["1000.5", "7", "1000", "5"]
    assert found(server, ids, "mx_Custom_30", "eq", "7.00") == 1
    assert run_well("db", "check", *at, folder=folder).endswith("ok\n")


def test_values_of_older_versions_get_their_form(server: Server, folder: Path) -> None:
    """``db upgrade`` changes them, ``db check`` names them; what does not fit is kept."""
    at = ("--database", database_of(folder))
    number = next(numbers)
    slots = {"mx_custom_6": "0E-10", "mx_custom_8": "2024-07-01", "mx_custom_9": "Yes"}
    store = store_of(folder)
    store.write_opportunities(
        [
            opportunity(number, status="open", slots=slots),
            opportunity(number + 1, slots={"mx_custom_6": "twelve"}),
        ],
        now="2024-01-01 00:00:00",
    )
    store.close()
    next(numbers)
    assert "'oppserver db upgrade'" in run("db", "check", *at, folder=folder).stdout
    assert run_well("db", "upgrade", *at, folder=folder).startswith("changed 1 opportunity:")
    assert run_well("db", "check", *at, folder=folder).endswith("ok\n")
    one = guid(number)
    columns = (NUMBER, DATE, FLAG, "Status")
    assert [value(server, one, name) for name in columns] == [
        "0",
        "2024-07-01 00:00:00",
        "1",
        "Open",
    ]
    assert value(server, guid(number + 1), NUMBER) == "twelve"
    assert table(server, [one, guid(number + 1)], NUMBER).column(NUMBER).to_pylist() == [
        Decimal(0),
        None,
    ]
    well(update(server, guid(number + 1), c6=None))
