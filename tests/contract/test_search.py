"""``Retrieve/BySearchParameter`` over a socket: the condition language, its rows, its errors."""

import json
from typing import Any

import pytest

from oppserver.contract.limits import SEARCH_CONDITIONS_MAX
from tests import listed
from tests.listed import (
    ANN,
    BEN,
    CAR,
    JANE,
    JANE_EMAIL,
    JOE,
    LOAN,
    SEARCH,
    numbers_of,
    refused,
    rows_of,
)
from tests.running import Answer, Server
from tests.stores import guid

ENGINES = ["sqlite", "postgres"]

folder, server = listed.folder, listed.server

INVALID = "MXInvalidInputException"
MISSING = "MXMandatoryAttributeMissingException"
MISFIT = "MXInvalidActivityFieldsException"
UNKNOWN = "MXUnknownAttributeException"

BASE = {"LSO": "ActivityEvent", "LSO_Type": "PAEvent", "Operator": "eq", "RSO": str(LOAN)}
BY_ID = {"Sorting": {"ColumnName": "OpportunityId", "Direction": 0}}


def row(name: str, operator: str, value: Any = None, joiner: str | None = None) -> dict[str, Any]:
    """One row of a Condition."""
    made = {"LSO": name, "LSO_Type": "String", "Operator": operator, "RSO": value}
    return made if joiner is None else {"SubConOp": joiner, **made}


def condition(*rows: dict[str, Any], joiner: str | None = None) -> dict[str, Any]:
    """One Condition."""
    made = {"Type": "Activity", "RowCondition": list(rows)}
    return made if joiner is None else {"ConOp": joiner, **made}


def posted(server: Server, advanced: Any, code: Any = LOAN, **more: Any) -> Answer:
    """The answer to a search, whose conditions are JSON in a text."""
    text = advanced if isinstance(advanced, str) else json.dumps(advanced)
    body = {"OpportunityEventCode": code, "AdvancedSearch": text, **more}
    return server.post(body, path=SEARCH)


def searched(server: Server, *conditions: dict[str, Any], joiner: str | None = None) -> list[int]:
    """The numbers that a search of Conditions finds, lowest first."""
    advanced: dict[str, Any] = {"Conditions": list(conditions)}
    if joiner is not None:
        advanced["GrpConOp"] = joiner
    return numbers_of(posted(server, advanced, **BY_ID))


def found(server: Server, *rows: dict[str, Any]) -> list[int]:
    """The numbers that a search of one Condition finds, lowest first."""
    return searched(server, condition(BASE, *rows))


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

OPEN, WON, LOST = (row("Status", "eq", status) for status in ("Open", "Won", "Lost"))


def joined(one: dict[str, Any], joiner: str) -> dict[str, Any]:
    return {"SubConOp": joiner, **one}


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


# --- refused -----------------------------------------------------------------------------------

AT_FIRST = "$.AdvancedSearch.Conditions[0].RowCondition[1]"


@pytest.mark.parametrize(
    ("body", "exception_type", "words"),
    [
        ({}, MISSING, ["'OpportunityEventCode'"]),
        ({"OpportunityEventCode": None}, MISSING, ["'OpportunityEventCode'"]),
        ({"OpportunityEventCode": 12000}, MISSING, ["'AdvancedSearch'"]),
        ({"OpportunityEventCode": 12000, "AdvancedSearch": " "}, MISSING, ["'AdvancedSearch'"]),
        (
            {"OpportunityEventCode": 12000, "AdvancedSearch": {"Conditions": []}},
            "MXInvalidDataTypeException",
            ["$.AdvancedSearch", "str"],
        ),
        (
            {"OpportunityEventCode": 12000, "AdvancedSearch": "{"},
            "MXMalformedRequestException",
            ["AdvancedSearch", "not JSON"],
        ),
        (
            {"OpportunityEventCode": 12000, "AdvancedSearch": '{"Conditions":[{"Type":5}]}'},
            "MXInvalidDataTypeException",
            ["$.AdvancedSearch.Conditions[0].Type"],
        ),
    ],
)  # fmt: skip
def test_a_body_that_is_no_search_is_refused(
    body: Any, exception_type: str, words: list[str], server: Server
) -> None:
    """Both members are mandatory; what stands in AdvancedSearch is JSON of the right types."""
    refused(server.post(body, path=SEARCH), exception_type, *words)


@pytest.mark.parametrize(
    "conditions",
    [
        None,
        [],
        [condition()],
        [condition(OPEN)],
        [condition({**BASE, "RSO": "12001"})],
        [condition({**BASE, "RSO": "x"})],
        [condition({**BASE, "RSO": None})],
        [condition({**BASE, "Operator": "neq"})],
        [condition(BASE), condition({**BASE, "RSO": "12001"})],
    ],
)
def test_the_type_has_to_be_repeated_in_the_conditions(conditions: Any, server: Server) -> None:
    """The message of the hosted API, and what row to send."""
    answer = posted(server, {"Conditions": conditions})
    refused(answer, INVALID, '"ActivityEvent"', '"PAEvent"', "'12000'")
    assert answer.message.startswith("AdvancedSearch criteria does not match ActivityEvent passed")


def test_a_type_that_is_not_here(server: Server) -> None:
    """Named, with the types there are."""
    advanced = {"Conditions": [condition({**BASE, "RSO": 5})]}
    answer = posted(server, advanced, 5)
    refused(answer, "MXInvalidEntityReferenceException", "$.OpportunityEventCode", "'5'", "12000")


@pytest.mark.parametrize(
    ("one", "exception_type", "words"),
    [
        ({"Operator": "eq", "RSO": "1"}, MISSING, ["'LSO'", AT_FIRST]),
        ({"LSO": "Status", "RSO": "1"}, MISSING, ["'Operator'", AT_FIRST]),
        (row("Status", "equals", "Open"), INVALID, [f"{AT_FIRST}.Operator", "'equals'", "eq, neq"]),
        (row("Statsu", "eq", "x"), UNKNOWN, [f"{AT_FIRST}.LSO", "'Statsu'", "Status"]),
        (row("Colour", "eq", "x"), UNKNOWN, ["'Colour' is no column of type 12000"]),
        (row("P_FirstName", "eq", "x"), UNKNOWN, ["'P_FirstName'"]),
        (row("Reference", "eq", "x"), UNKNOWN, ["mx_Custom_7 and mx_Custom_8"]),
        (row("mx_Custom_3~mx_CustomObject_1", "eq", "x"), UNKNOWN, ["custom field sets"]),
        (row("mx_Custom_3x007Emx_CustomObject_1", "eq", "x"), UNKNOWN, ["custom field sets"]),
        (row("Status", "eq"), MISSING, [f"{AT_FIRST}.RSO", "isnull"]),
        (row("Status", "eq", " "), MISSING, [f"{AT_FIRST}.RSO"]),
        (row("mx_Custom_3", "gt", "many"), MISFIT, [f"{AT_FIRST}.RSO", "'many'", "Deal size"]),
        (row("mx_Custom_5", "eq", "maybe"), MISFIT, [f"{AT_FIRST}.RSO", "true or false"]),
        (row("mx_Custom_4", "gt", "soon"), MISFIT, [f"{AT_FIRST}.RSO", "'soon'", "2024-02-29"]),
        (row("CreatedOn", "eq", "2024-02-30"), MISFIT, ["'2024-02-30'"]),
        (row("CreatedOn", "eq", "2024-02-01 13:00:00 PM"), MISFIT, ["13:00:00 PM"]),
        (row("CreatedOn", "between", "2024-02-01"), INVALID, [f"{AT_FIRST}.RSO", "'A TO B'"]),
        (row("CreatedOn", "between", "a TO b TO c"), INVALID, ["two ends"]),
        (row("Owner", "eq", "ann@example.com"), INVALID, [f"{AT_FIRST}.RSO", "GUID"]),
        (row("mx_Custom_1", "eq", "\0"), MISFIT, [f"{AT_FIRST}.RSO", "U+0000"]),
        ({**OPEN, "RSO_IsMailMerged": True}, INVALID, [f"{AT_FIRST}.RSO_IsMailMerged"]),
        ({**OPEN, "SubConOp": "xor"}, INVALID, [f"{AT_FIRST}.SubConOp", "'xor'", "'And' or 'Or'"]),
    ],
)  # fmt: skip
def test_a_row_that_is_wrong_is_named(
    one: dict[str, Any], exception_type: str, words: list[str], server: Server
) -> None:
    """What is wrong, where in the conditions, and what to send instead."""
    refused(posted(server, {"Conditions": [condition(BASE, one)]}), exception_type, *words)


def test_what_contradicts_itself_is_refused(server: Server) -> None:
    """And and Or in one Condition, or between Conditions: both places are named, and the mend."""
    mixed = condition(BASE, joined(OPEN, "And"), joined(WON, "Or"))
    answer = posted(server, {"Conditions": [mixed]})
    refused(
        answer,
        INVALID,
        f"{AT_FIRST}.SubConOp is 'And'",
        "$.AdvancedSearch.Conditions[0].RowCondition[2].SubConOp is 'Or'",
        "one Condition",
    )
    three = [condition(BASE, OPEN), condition(WON, joiner="or"), condition(LOST, joiner="and")]
    answer = posted(server, {"Conditions": three})
    refused(answer, INVALID, "Conditions[2].ConOp is 'And'", "Conditions[1].ConOp is 'Or'")
    answer = posted(server, {"GrpConOp": "And", "Conditions": three[:2]})
    refused(answer, INVALID, "Conditions[1].ConOp is 'Or'", "$.AdvancedSearch.GrpConOp is 'And'")
    answer = posted(server, {"GrpConOp": "nor", "Conditions": three[:1]})
    refused(answer, INVALID, "$.AdvancedSearch.GrpConOp", "'nor'")


@pytest.mark.parametrize("kind", ["Lead", "Task"])
def test_conditions_of_another_kind_are_refused(kind: str, server: Server) -> None:
    """Conditions on leads or tasks are not supported, and it is said where they stand."""
    other = {"Type": kind, "RowCondition": [row("FirstName", "eq", "Jane")]}
    answer = posted(server, {"Conditions": [condition(BASE), other]})
    refused(answer, INVALID, "$.AdvancedSearch.Conditions[1].Type", f"'{kind}'", "'Activity'")


@pytest.mark.parametrize(
    ("more", "exception_type", "words"),
    [
        (
            {"Paging": {"PageSize": 5_001}},
            "MXLimitExceededException",
            ["$.Paging.PageSize", "5,000"],
        ),
        (
            {"Columns": {"Include_CSV": "FirstName"}},
            UNKNOWN,
            ["$.Columns.Include_CSV", "FirstName"],
        ),
        ({"Sorting": {"ColumnName": "Nothing"}}, UNKNOWN, ["$.Sorting.ColumnName"]),
    ],
)
def test_rows_columns_and_order_are_checked(
    more: dict[str, Any], exception_type: str, words: list[str], server: Server
) -> None:
    """As those of the lists."""
    refused(posted(server, {"Conditions": [condition(BASE)]}, **more), exception_type, *words)
