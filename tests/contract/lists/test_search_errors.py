"""``Retrieve/BySearchParameter`` over a socket: errors name the place and say what to do."""

from typing import Any

import pytest

from oppserver.contract.limits import SEARCH_VALUES_MAX
from tests.support import listed
from tests.support.advanced_search import BASE, LOST, OPEN, WON, condition, joined, posted, row
from tests.support.listed import SEARCH, refused
from tests.support.running import Server

ENGINES = ["sqlite", "postgres"]

folder, server = listed.folder, listed.server

INVALID = "MXInvalidInputException"
MISSING = "MXMandatoryAttributeMissingException"
MISFIT = "MXInvalidActivityFieldsException"
UNKNOWN = "MXUnknownAttributeException"

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
        (row("mx_Custom_3~mx_CustomObject_1", "eq", "x"), UNKNOWN, ["is no column of type 12000"]),
        (row("mx_Custom_3x007Emx_CustomObject_1", "eq", "x"), UNKNOWN, ["is no column"]),
        (row("Status", "eq"), MISSING, [f"{AT_FIRST}.RSO", "isnull"]),
        (row("Status", "eq", " "), MISSING, [f"{AT_FIRST}.RSO"]),
        (row("CreatedOn", "eq"), MISSING, [f"{AT_FIRST}.RSO"]),
        (row("mx_Custom_3", "gt", "many"), MISFIT, [f"{AT_FIRST}.RSO", "'many'", "Deal size"]),
        (row("mx_Custom_5", "eq", "maybe"), MISFIT, [f"{AT_FIRST}.RSO", "true or false"]),
        (row("mx_Custom_4", "gt", "soon"), MISFIT, [f"{AT_FIRST}.RSO", "'soon'", "2024-02-29"]),
        (row("CreatedOn", "eq", "2024-02-30"), MISFIT, ["'2024-02-30'"]),
        (row("CreatedOn", "eq", "2024-02-01 13:00:00 PM"), MISFIT, ["13:00:00 PM"]),
        (row("CreatedOn", "between", "2024-02-01"), INVALID, [f"{AT_FIRST}.RSO", "'A TO B'"]),
        (row("CreatedOn", "between", "a TO b TO c"), INVALID, ["BETWEEN needs two values"]),
        (row("CreatedOn", "eq", "opt-toady"), INVALID, ["opt-toady", "opt-last-N-days"]),
        (row("CreatedOn", "eq", "opt-last-0-days"), INVALID, [AT_FIRST, "opt-last-N-days"]),
        (row("CreatedOn", "gt", "opt-all-time"), INVALID, [f"{AT_FIRST}.RSO", "operator eq"]),
        (row("Status", "gt", "OpenMXDATASEPERATORWon"), INVALID, ["2 values", "eq, contains"]),
        (
            row("mx_Custom_3", "eq", "9MXDATASEPERATORmany"),
            MISFIT,
            [f"{AT_FIRST}.RSO", "'many'", "Deal size"],
        ),
        (row("Status", "eq", "MXDATASEPERATOR"), MISSING, [f"{AT_FIRST}.RSO"]),
        (row("Status", "eq", ""), MISSING, [f"{AT_FIRST}.RSO", "isnull"]),
        ({"RSO": "Open"}, MISSING, ["'LSO'", AT_FIRST]),
        (row("Owner", "eq", "ann@example.com"), INVALID, [f"{AT_FIRST}.RSO", "GUID"]),
        (row("mx_Custom_1", "eq", "\0"), MISFIT, [f"{AT_FIRST}.RSO", "U+0000"]),
        ({**OPEN, "RSO_IsMailMerged": True}, INVALID, [f"{AT_FIRST}.RSO_IsMailMerged"]),
        ({**OPEN, "SubConOp": "xor"}, INVALID, [f"{AT_FIRST}.SubConOp", "'xor'", "'And' or 'Or'"]),
    ],
)  # fmt: skip
def test_a_row_that_is_wrong_is_named(
    one: dict[str, Any], exception_type: str, words: list[str], server: Server
) -> None:
    """The error says what is wrong, where in the conditions, and what to send instead."""
    refused(posted(server, {"Conditions": [condition(BASE, one)]}), exception_type, *words)


def test_the_number_of_values_is_limited(server: Server) -> None:
    """All values of all rows count; as many as are allowed are compared."""
    most = "MXDATASEPERATOR".join(f"x{number}" for number in range(SEARCH_VALUES_MAX - 1))
    assert (
        posted(server, {"Conditions": [condition(BASE, row("Status", "eq", most))]}).status == 200
    )
    dates = "MXDATASEPERATOR".join(["2024-01-01"] * (SEARCH_VALUES_MAX - 1))
    one = condition(BASE, row("CreatedOn", "neq", dates))
    assert posted(server, {"Conditions": [one]}).status == 200
    answer = posted(server, {"Conditions": [condition(BASE, row("Status", "eq", most), OPEN)]})
    refused(answer, "MXLimitExceededException", str(SEARCH_VALUES_MAX + 1), str(SEARCH_VALUES_MAX))


def test_what_contradicts_itself_is_refused(server: Server) -> None:
    """And and Or in one Condition, or between Conditions: the error names both places."""
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
    """Pages and sorting are those of the lists."""
    refused(posted(server, {"Conditions": [condition(BASE)]}, **more), exception_type, *words)
