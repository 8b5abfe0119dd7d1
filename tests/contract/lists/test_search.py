"""``Retrieve/BySearchParameter`` over a socket: the condition language, and its rows."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from oppserver.contract.dates import now_stored
from oppserver.contract.limits import SEARCH_CONDITIONS_MAX
from tests.support import listed
from tests.support.advanced_search import BASE, LOST, OPEN, WON, condition, joined, posted, row
from tests.support.listed import (
    ANN,
    BEN,
    CAR,
    JANE,
    JANE_EMAIL,
    JOE,
    LOAN,
    numbers_of,
    refused,
    rows_of,
)
from tests.support.running import Server
from tests.support.stores import guid

ENGINES = ["sqlite", "postgres"]

folder, server = listed.folder, listed.server

BY_ID = {"Sorting": {"ColumnName": "OpportunityId", "Direction": 0}}


def searched(server: Server, *conditions: dict[str, Any], joiner: str | None = None) -> list[int]:
    """The numbers that a search of Conditions finds, lowest first."""
    advanced: dict[str, Any] = {"Conditions": list(conditions)}
    if joiner is not None:
        advanced["GrpConOp"] = joiner
    return numbers_of(posted(server, advanced, **BY_ID))


def found(server: Server, *rows: dict[str, Any]) -> list[int]:
    """The numbers that a search of one Condition finds, lowest first."""
    return searched(server, condition(BASE, *rows))


# --- texts that the hosted pages write ---------------------------------------------------------


def several(*values: str) -> str:
    """Several values in one operand."""
    return "MXDATASEPERATOR".join(values)


@pytest.mark.parametrize(
    ("name", "operator", "value", "numbers"),
    [
        pytest.param("Status", "eq", several("Open", "Won"), [1, 2, 3, 5], id="C4"),
        ("Status", "eq", several("lost", "", "WON", "lost"), [3, 4, 5]),
        ("Status", "eq", several("", "Lost"), [4]),
        ("Status", "neq", several("Open", "Won"), [4]),
        ("mx_Custom_3", "eq", several("9", "10.50"), [1, 2, 5]),
        ("mx_Custom_3", "neq", several("9", "10.5"), [3, 4]),
        ("mx_Custom_1", "contains", several("home", "CAR"), [1, 2, 4]),
        ("mx_Custom_1", "begins", several("100", "Car"), [3, 4]),
        ("mx_Custom_4", "eq", several("2024-03-01", "2024-03-02"), [1, 2, 4]),
        ("mx_Custom_4", "neq", several("2024-03-01 00:00:00", "2024-03-02"), [2, 3, 5]),
        ("Owner", "eq", several(ANN, BEN.upper()), [1, 3, 5]),
        ("EmailAddress", "eq", several("JOE@example.com", "x@example.com"), [3, 4]),
        ("Is hot", "eq", several("true", "0"), [1, 3]),
        ("Status", "eq", "WonMXDATASEPARATORLost", [3, 4, 5]),
        # time options of dates; in a text they are a text
        pytest.param("mx_Custom_4", "eq", "opt-all-time", [1, 2, 3, 4, 5], id="C4-all"),
        ("ActivityTime", "eq", "OPT-all-time", [1, 2, 3, 4, 5]),
        ("CreatedOn", "eq", "", [1, 2, 3, 4, 5]),
        ("CreatedOn", "eq", "opt-today", []),
        ("CreatedOn", "neq", "opt-today", [1, 2, 3, 4, 5]),
        ("CreatedOn", "lt", "opt-yesterday", [1, 2, 3, 4, 5]),
        ("mx_Custom_4", "neq", "opt-last-7-days", [1, 2, 3, 4, 5]),
        ("mx_Custom_4", "eq", several("opt-today", "2024-03-02"), [4]),
        ("mx_Custom_4", "eq", several("opt-today", "opt-all-time"), [1, 2, 3, 4, 5]),
        ("ActivityTime", "between", "2023-12-26 TO 2023-12-27", [4, 5]),
        ("mx_Custom_1", "eq", "opt-all-time", []),
    ],
)
def test_texts_that_the_hosted_pages_write_are_understood(
    name: str, operator: str, value: str, numbers: list[int], server: Server
) -> None:
    """Several values in one operand, names of spans of days, and dates that limit nothing."""
    assert found(server, row(name, operator, value)) == numbers


@pytest.mark.parametrize(
    "padding",
    [
        {"RSO": ""},
        {},
        {"IsFilterCondition": True},
        {"SubConOp": "Or", "LSO": "", "LSO_Type": "", "Operator": " ", "RSO": None},
        {"RSO": "", "RSO_IsMailMerged": False, "IsFilterCondition": True},
    ],
)
def test_c4_padding_rows_compare_nothing(padding: dict[str, Any], server: Server) -> None:
    """They neither limit the search nor say how rows are joined."""
    assert found(server, padding) == [1, 2, 3, 4, 5]
    assert found(server, joined(OPEN, "And"), padding, joined(row("mx_Custom_3", "gt", 9), "And"))
    assert searched(server, condition(BASE, WON), condition(padding, padding)) == [3, 5]


def test_c4_a_day_of_now_is_found(server: Server, folder: Path) -> None:
    """Rows of three days around now, found by the names of their days."""
    now = datetime.now(UTC)
    store = listed.store_of(folder)
    store.write_opportunities(
        [
            listed.loan(
                900 + days, event_code=listed.EMPTY, created_on=now_stored(now + timedelta(days))
            )
            for days in (-1, 0, 1)
        ],
        now=now_stored(now),
    )
    store.close()
    expected = {
        "opt-yesterday": [899],
        "opt-today": [900],
        "opt-tomorrow": [901],
        "opt-last-2-days": [899, 900],
        "opt-next-2-days": [900, 901],
        several("opt-yesterday", "opt-tomorrow"): [899, 901],
    }
    base = {**BASE, "RSO": str(listed.EMPTY)}
    for option, numbers in expected.items():
        search = {"Conditions": [condition(base, row("CreatedOn", "eq", option))]}
        assert numbers_of(posted(server, search, listed.EMPTY, **BY_ID)) == numbers, option


# --- the documented form -----------------------------------------------------------------------


def test_the_documented_request(server: Server) -> None:
    """The form of the documentation, with the members that clients send beside it."""
    advanced = {
        "GrpConOp": "And",
        "Conditions": [
            {
                "Type": "Activity",
                "ConOp": "and",
                "RowCondition": [
                    {
                        "SubConOp": "And",
                        "LSO": "ActivityEvent",
                        "LSO_Type": "PAEvent",
                        "Operator": "eq",
                        "RSO": "12000",
                    },
                    {
                        "RSO": "Open",
                        "SubConOp": "And",
                        "LSO": "Status",
                        "LSO_Type": "SearchableDropdown",
                        "Operator": "eq",
                        "RSO_IsMailMerged": False,
                    },
                ],
            }
        ],
        "QueryTimeZone": "India Standard Time",
    }
    answer = posted(
        server,
        advanced,
        Paging={"PageIndex": 1, "PageSize": 1},
        Sorting={"ColumnName": "CreatedOn", "Direction": 1},
        Columns={"Include_CSV": "Status, mx_Custom_1,P_FirstName,P_Source,Owner"},
    )
    assert answer.json == {
        "RecordCount": 2,
        "List": [
            {
                "OpportunityId": guid(1),
                "RelatedProspectId": JANE,
                "Status": "Open",
                "mx_Custom_1": "Home loan",
                "P_FirstName": "Jane",
                "P_Source": "Lead source",
                "Owner": ANN,
            }
        ],
    }


def test_a_row_has_the_system_columns_and_all_fields(server: Server) -> None:
    """When no columns are asked for; dates are ``yyyy-MM-dd HH:mm:ss``."""
    [only] = rows_of(
        posted(server, {"Conditions": [condition(BASE, row("mx_Custom_6", "eq", "Web"))]})
    )
    assert list(only.items()) == [
        ("OpportunityId", guid(5)),
        ("RelatedProspectId", JANE),
        ("Owner", ANN),
        ("Status", "Won"),
        ("CreatedOn", "2023-12-26 10:00:00"),
        ("ModifiedOn", "2024-01-05 12:00:00"),
        ("OpportunityNote", None),
        ("mx_Custom_1", None),
        ("mx_Custom_2", "Old stage"),
        ("mx_Custom_3", "10.5"),
        *((f"mx_Custom_{slot}", "Web" if slot == 6 else None) for slot in range(4, 9)),
    ]


def test_without_conditions_the_whole_type_is_found(server: Server) -> None:
    """The base row alone, newest change first; codes as number or text; keys in the query."""
    whole = {"Conditions": [condition(BASE)]}
    for code in (LOAN, str(LOAN), f" {LOAN} "):
        assert numbers_of(posted(server, whole, code)) == [5, 4, 3, 2, 1]
    number = {**BASE, "RSO": LOAN, "Operator": "EQ", "LSO": " activityevent "}
    assert numbers_of(posted(server, {"Conditions": [condition(number)]})) == [5, 4, 3, 2, 1]
    of_cars = {"Conditions": [condition({**BASE, "RSO": CAR})]}
    assert numbers_of(posted(server, of_cars, CAR)) == [6]


def test_pages_of_a_search(server: Server) -> None:
    """Each page says how many match in all; past the end is nothing."""
    pages = [
        posted(server, {"Conditions": [condition(BASE)]}, Paging={"PageIndex": n, "PageSize": 2})
        for n in (1, 2, 3, 4)
    ]
    assert [numbers_of(page) for page in pages] == [[5, 4], [3, 2], [1], []]
    assert {page.json["RecordCount"] for page in pages} == {5}


# --- comparisons -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "operator", "value", "numbers"),
    [
        # text
        ("mx_Custom_1", "eq", "Home loan", [1]),
        ("mx_Custom_1", "eq", "home loan", []),
        ("Opportunity NAME", "eq", "Home loan", [1]),
        ("mx_Custom_1", "neq", "Home loan", [2, 3, 4, 5]),
        ("mx_Custom_1", "contains", "LOAN", [1, 3, 4]),
        ("mx_Custom_1", "contains", "%", [3]),
        ("mx_Custom_1", "contains", "_", [4]),
        ("mx_Custom_1", "begins", "HOME", [1, 2]),
        ("mx_Custom_1", "isnull", None, [5]),
        ("mx_Custom_1", "isnotnull", "ignored", [1, 2, 3, 4]),
        ("mx_Custom_1", "gt", "a", [2]),
        ("mx_Custom_1", "between", "Car TO Home loan", [1, 4]),
        ("OpportunityNote", "contains", "first", [1]),
        ("ActivityEvent_Note", "isnull", None, [2, 3, 4, 5]),
        # numbers
        ("mx_Custom_3", "eq", "10.5", [2, 5]),
        ("Deal size", "eq", 10.5, [2, 5]),
        ("mx_Custom_3", "neq", "10.5", [1, 3, 4]),
        ("mx_Custom_3", "gt", "9", [2, 5]),
        ("mx_Custom_3", "gte", 9, [1, 2, 5]),
        ("mx_Custom_3", "lt", "1,000", [1, 2, 3, 5]),
        ("mx_Custom_3", "between", "-1 TO 9", [1, 3]),
        ("mx_Custom_3", "isnull", None, [4]),
        ("mx_Custom_3", "contains", "n/", [4]),
        # options and booleans
        ("Status", "eq", "won", [3, 5]),
        ("Status", "neq", "OPEN", [3, 4, 5]),
        ("Stage", "eq", "closed", [2]),
        ("Stage", "eq", "Old stage", [5]),
        ("Stage", "eq", "old stage", []),
        ("Is hot", "eq", True, [1]),
        ("mx_Custom_5", "eq", "false", [3]),
        ("mx_Custom_5", "neq", "1", [2, 3, 4, 5]),
        # dates: a moment, or a whole day
        ("Closure date", "eq", "2024-03-01", [1, 2]),
        ("mx_Custom_4", "eq", "2024-03-01 00:00:00", [1]),
        ("mx_Custom_4", "eq", "3/1/2024 11:59:59 PM", [2]),
        ("mx_Custom_4", "eq", "2024-03-01T23:59:59Z", [2]),
        ("mx_Custom_4", "eq", "2024-03-01 12:00:00 AM", [1]),
        ("mx_Custom_4", "neq", "2024-03-01", [3, 4, 5]),
        ("mx_Custom_4", "neq", "2024-03-01 00:00:00", [2, 3, 4, 5]),
        ("mx_Custom_4", "gt", "2024-03-01", [4]),
        ("mx_Custom_4", "gte", "2024-03-01", [1, 2, 4]),
        ("mx_Custom_4", "lt", "2024-03-02", [1, 2]),
        ("mx_Custom_4", "lte", "2024-03-02", [1, 2, 4]),
        ("mx_Custom_4", "eq", "2024-03-02", [4]),
        ("mx_Custom_4", "between", "2024-02-29 TO 2024-03-01", [1, 2]),
        ("mx_Custom_4", "between", "2024-03-01 01:00:00 AM to 2024-03-02 11:00:00 pm", [2, 4]),
        ("mx_Custom_4", "isnull", None, [3, 5]),
        ("ModifiedOn", "between", "2024-01-02 TO 2024-01-03", [2, 3]),
        ("ModifiedOn", "gt", "2024-01-03", [4, 5]),
        ("ModifiedOn", "gt", "2024-01-03 11:59:59", [3, 4, 5]),
        ("CreatedOn", "eq", "12/30/2023 10:00:00 AM", [1]),
        ("CreatedOn", "lte", "2023-12-27", [4, 5]),
        # ids, addresses and names
        ("Owner", "eq", "{" + ANN.upper() + "}", [1, 5]),
        ("Owner", "isnull", None, [2, 4]),
        ("OwnerEmailAddress", "eq", "ANN@example.com", [1, 5]),
        ("OwnerName", "eq", "Ann Lee", [1, 5]),
        ("CreatedBy", "eq", ANN.upper(), [1]),
        ("ModifiedBy", "neq", BEN, [2, 3, 4, 5]),
        ("ProspectId", "eq", JOE, [3, 4]),
        ("RelatedProspectId", "neq", JANE, [3, 4]),
        ("EmailAddress", "eq", JANE_EMAIL.upper(), [1, 2, 5]),
        ("EmailAddress", "contains", "JOE@", [3, 4]),
        ("OpportunityId", "eq", guid(3), [3]),
        ("ProspectActivityId", "begins", "00000002", [2]),
        ("EventCode", "eq", "12000.0", [1, 2, 3, 4, 5]),
    ],
)  # fmt: skip
def test_values_are_compared_by_their_data_type(
    name: str, operator: str, value: Any, numbers: list[int], server: Server
) -> None:
    """Numbers as numbers, dates as moments or days, options by their spelling, text exactly."""
    assert found(server, row(name, operator, value)) == numbers


@pytest.mark.parametrize(
    ("operators", "numbers"),
    [
        (("eq", "=", "EQ", " Eq "), [1]),
        (("neq", "noteq", "ne", "<>", "!=", "NotEq"), [2, 3, 4, 5]),
        (("lt", "<"), [3]),
        (("lte", "le", "<="), [1, 3]),
        (("gt", ">"), [2, 5]),
        (("gte", "ge", ">=", "GTE"), [1, 2, 5]),
        (("contains", "like"), [1]),
        (("begins", "beginswith", "startswith", "BeginsWith"), [1]),
        (("isnull", "null"), [4]),
        (("isnotnull", "notnull", "IsNotNull"), [1, 2, 3, 5]),
    ],
)
def test_operators_under_all_their_names(
    operators: tuple[str, ...], numbers: list[int], server: Server
) -> None:
    """Names in any case, and signs."""
    for operator in operators:
        assert found(server, row("mx_Custom_3", operator, "9")) == numbers, operator


# --- joined ------------------------------------------------------------------------------------


def test_rows_are_joined_by_what_they_say(server: Server) -> None:
    """All hold where nothing is said; any where they say Or; the base row has no say."""
    hot = row("mx_Custom_5", "eq", "1")
    assert found(server, OPEN, hot) == [1]
    assert found(server, joined(OPEN, "AND"), joined(hot, "and")) == [1]
    assert found(server, joined(LOST, "or"), joined(hot, "Or")) == [1, 4]
    assert found(server, LOST, joined(hot, "or")) == [1, 4]
    assert found(server, joined(LOST, "Or")) == [4]
    base = joined(BASE, "And")
    assert searched(server, condition(base, joined(LOST, "Or"), joined(WON, "Or"))) == [3, 4, 5]
    base = joined(BASE, "Or")
    assert searched(server, condition(joined(OPEN, "And"), base, joined(hot, "And"))) == [1]


def test_conditions_are_joined_by_what_they_or_the_search_say(server: Server) -> None:
    """By ConOp of those after the first; by GrpConOp; all hold where nothing is said."""
    first = condition(BASE, joined(OPEN, "Or"), joined(WON, "Or"))
    named = row("mx_Custom_1", "isnotnull")
    assert searched(server, first, condition(named)) == [1, 2, 3]
    assert searched(server, first, condition(named), joiner="And") == [1, 2, 3]
    assert searched(server, first, condition(LOST), joiner="or") == [1, 2, 3, 4, 5]
    assert searched(server, first, condition(LOST, joiner="OR")) == [1, 2, 3, 4, 5]
    assert searched(server, first, condition(LOST, joiner="and")) == []
    other = condition(BASE, joined(LOST, "And"), named, joiner="Or")
    assert searched(server, first, other, joiner="Or") == [1, 2, 3, 4, 5]
    # what the first says joins it to nothing
    ignored = {**first, "ConOp": "and"}
    assert searched(server, ignored, condition(LOST), joiner="Or") == [1, 2, 3, 4, 5]


def test_a_condition_that_names_the_type_alone_is_no_member(server: Server) -> None:
    """Joined by Or it would let everything through."""
    assert searched(server, condition(BASE), condition(LOST, joiner="Or")) == [4]
    assert searched(server, condition(BASE), condition(LOST), joiner="Or") == [4]
    assert searched(
        server, condition(LOST), condition(BASE), {"RowCondition": []}, joiner="Or"
    ) == [4]
    assert searched(server, {"RowCondition": None}, condition(BASE)) == [1, 2, 3, 4, 5]


def test_as_many_conditions_as_a_search_takes(server: Server) -> None:
    """A hundred rows, the base row among them; one more is refused."""
    rows = [row("mx_Custom_1", "neq", f"x{number}") for number in range(SEARCH_CONDITIONS_MAX - 1)]
    assert found(server, *rows) == [1, 2, 3, 4, 5]
    anyone = [joined(one, "Or") for one in rows]
    assert found(server, *anyone) == [1, 2, 3, 4, 5]
    answer = posted(server, {"Conditions": [condition(BASE, *rows, OPEN)]})
    refused(answer, "MXLimitExceededException", str(SEARCH_CONDITIONS_MAX + 1))
    answer = posted(server, {"Conditions": [condition(BASE)] * (SEARCH_CONDITIONS_MAX + 1)})
    refused(answer, "MXLimitExceededException", str(SEARCH_CONDITIONS_MAX + 1))
