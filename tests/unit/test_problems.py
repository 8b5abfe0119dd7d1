"""Problem documents, and the columns that a query names: all that is wrong, told at once."""

import msgspec
import pytest

from oppserver.calls.shared.names import columns_of_query
from oppserver.contract.errors import HTTP_ERRORS, Fault, InvalidValue, StoreFull, UnknownColumn
from oppserver.contract.model import Field
from oppserver.contract.problems import all_problems, kind_named, problem_of, refusal

FIELDS = {
    name: Field(event_code=12003, schema_name=name, display_name=shown)
    for name, shown in (("mx_Custom_1", "Opportunity name"), ("mx_Custom_6", "Deal size"))
}


def names(text: str) -> list[str]:
    return [column.name for column in columns_of_query(text, FIELDS, event_code=12003)]


def test_every_problem_has_a_type_of_its_own() -> None:
    """Its name leads back to its class."""
    types = {str(problem["type"]) for problem in all_problems()}
    assert len(types) == len(HTTP_ERRORS)
    assert {kind_named(one.rpartition("/")[2]) for one in types} == set(HTTP_ERRORS)
    assert kind_named("nothing") is None


def test_an_error_that_narrows_another_has_that_ones_type() -> None:
    """Callers know the types of the table alone."""
    problem = problem_of(StoreFull("The disk is full."))
    assert (problem.type, problem.status) == ("/problems/unavailable", 503)


def test_twenty_faults_are_named_and_the_others_are_counted() -> None:
    """The detail has the first, and how many more there are."""
    faults = [Fault(line=line, what="'x' is not a GUID", hint="Mend it.") for line in range(1, 24)]
    problem = msgspec.to_builtins(problem_of(refusal(InvalidValue, faults), instance="urn:x"))
    assert problem == {
        "type": "/problems/invalid-value",
        "title": "Invalid value",
        "status": 400,
        "detail": "line 1: 'x' is not a GUID. Mend it. There are 22 more such faults.",
        "instance": "urn:x",
        "errors": [
            {"line": line, "what": "'x' is not a GUID", "hint": "Mend it."} for line in range(1, 21)
        ],
        "moreErrors": 3,
    }


def test_all_unknown_columns_are_named_at_once() -> None:
    """Each once, with the nearest names, also by what its field is called."""
    with pytest.raises(UnknownColumn) as caught:
        columns_of_query("Status,Stats,mx_Custom_7,deal sise,Stats,zzz", FIELDS, event_code=12003)
    faults = caught.value.faults
    assert [fault.what.partition(" is ")[0] for fault in faults] == [
        "'Stats'",
        "'mx_Custom_7'",
        "'deal sise'",
        "'zzz'",
    ]
    assert "Did you mean Status" in faults[0].hint
    assert "mx_Custom_6" in faults[1].hint
    assert "Did you mean mx_Custom_6 (Deal size)?" in faults[2].hint
    assert faults[3].hint.startswith("Leave it out.")


def test_columns_of_a_query_are_those_of_the_bulk_read() -> None:
    """In any case, each once, behind the three of every row; without names all of the type."""
    identity = ["ProspectId", "EmailAddress", "ProspectActivityId"]
    assert names(" status, MX_CUSTOM_6 ,Status,Owner,") == [
        *identity,
        "Status",
        "mx_Custom_6",
        "Owner",
        "OwnerEmailAddress",
    ]
    assert names("")[3:] == [
        "EventCode",
        "Owner",
        "OwnerEmailAddress",
        "Status",
        "OpportunityNote",
        "CreatedOn",
        "CreatedBy",
        "ModifiedOn",
        "ModifiedBy",
        "mx_Custom_1",
        "mx_Custom_6",
    ]
