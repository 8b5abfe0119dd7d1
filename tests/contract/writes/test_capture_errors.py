"""``Capture`` of what cannot be captured: a 4xx that names the place, and nothing is written."""

from pathlib import Path
from typing import Any

import pytest

from tests.support import writing
from tests.support.running import Answer, Server, create_key
from tests.support.writing import (
    CAPTURE,
    UNKNOWN_ID,
    captured,
    capturing,
    fresh,
    lead,
    row,
    store_of,
    value,
)

folder, server = writing.folder, writing.server


def refused(server: Server, message: Any) -> Answer:
    """The answer to a capture that is refused; nothing is written by it."""
    answer = server.post(message, path=CAPTURE)
    assert 400 <= answer.status < 500, answer.body
    assert answer.json["Status"] == "Error"
    return answer


@pytest.mark.parametrize(
    ("change", "exception_type", "message"),
    [
        ({"LeadDetails": None}, "MXMandatoryAttributeMissing", "'LeadDetails' is mandatory"),
        ({"LeadDetails": []}, "MXMandatoryAttributeMissing", "'LeadDetails' is mandatory"),
        ({"Opportunity": None}, "MXMandatoryAttributeMissing", "'Opportunity' is mandatory"),
        (
            {"Opportunity": {}},
            "MXMandatoryAttributeMissing",
            "'OpportunityEventCode' is mandatory in Opportunity",
        ),
        ({"LeadDetails": {}}, "MXInvalidDataType", "$.LeadDetails: Expected array"),
        (
            {"LeadDetails": lead(FirstName="x", Phone=" ")},
            "MXMandatoryAttributeMissing",
            "LeadDetails has no unique field with a value",
        ),
        (
            {"LeadDetails": [{"Attribute": "", "Value": "x"}]},
            "MXMandatoryAttributeMissing",
            "'Attribute' is mandatory in LeadDetails[0]",
        ),
        (
            {"LeadDetails": [{"Attribute": "Phone"}]},
            "MXMandatoryAttributeMissing",
            "'Value' is mandatory in LeadDetails[0]",
        ),
        (
            {"LeadDetails": lead(Phone="1", Fone="2")},
            "MXUnknownAttribute",
            "Attribute(s) does not exist - Fone (LeadDetails[1].Attribute). Did you mean Phone",
        ),
        (
            {"LeadDetails": lead(Phone="1", **{"Phone Number": "2"})},
            "MXInvalidInput",
            "LeadDetails[1].Attribute: 'Phone Number' is named twice",
        ),
        (
            {"LeadDetails": lead(Phone="1", CreatedOn="2024-01-01")},
            "MXInvalidInput",
            "LeadDetails[1].Attribute: CreatedOn is set by the server",
        ),
        (
            {"LeadDetails": lead(Phone="1", SearchBy="FirstName")},
            "MXInvalidInput",
            "LeadDetails: Invalid SearchBy value provided: 'FirstName'. It takes EmailAddress,",
        ),
        (
            {"LeadDetails": lead(Phone="1", SearchBy="Mobile")},
            "MXMandatoryAttributeMissing",
            "LeadDetails: SearchBy is 'Mobile', but that attribute has no value",
        ),
        (
            {"LeadDetails": lead(ProspectID="7")},
            "MXInvalidInput",
            "LeadDetails: ProspectID: '7' is not a GUID",
        ),
        (
            {"LeadDetails": lead(**{f"mx_{number}": "x" for number in range(251)})},
            "MXLimitExceeded",
            "LeadDetails has 251 attributes; a lead takes 250",
        ),
        (
            {"LeadDetails": lead(Phone="1", mx_Text="x" * 32_001)},
            "MXInvalidActivityFields",
            "LeadDetails[1].Value has 32001 characters; it takes 32000",
        ),
    ],
)
def test_a_bad_lead_is_a_400_that_names_the_place(
    change: dict[str, Any], exception_type: str, message: str, server: Server
) -> None:
    """Each kind of mistake, its type and what the message begins with."""
    answer = refused(server, capturing() | change)
    assert answer.status == 400
    assert answer.exception_type == f"{exception_type}Exception"
    assert answer.message.startswith(message), answer.message


@pytest.mark.parametrize(
    ("what", "exception_type", "message"),
    [
        (
            {"OpportunityEventCode": 7},
            "MXInvalidEntityReference",
            "Opportunity.OpportunityEventCode: '7' is the event code of no opportunity type",
        ),
        (
            {"OpportunityDateTime": "yesterday"},
            "MXInvalidInput",
            "Opportunity.OpportunityDateTime: 'yesterday' is not a date",
        ),
        (
            {"OverwriteFields": "perhaps"},
            "MXInvalidInput",
            "Opportunity.OverwriteFields: 'perhaps' is neither true nor false",
        ),
        (
            {"Fields": [{"Value": "x"}]},
            "MXMandatoryAttributeMissing",
            "'SchemaName' is mandatory in Opportunity.Fields[0]",
        ),
        (
            {"Fields": [{"SchemaName": "Status"}]},
            "MXMandatoryAttributeMissing",
            "'Value' is mandatory in Opportunity.Fields[0]",
        ),
        ({"Fields": [{"Value": {}}]}, "MXInvalidDataType", "$.Opportunity.Fields[0].Value: "),
    ],
)
def test_a_bad_opportunity_is_a_400_that_names_the_place(
    what: dict[str, Any], exception_type: str, message: str, server: Server
) -> None:
    """Each kind of mistake, its type and what the message begins with."""
    answer = refused(server, capturing(**what))
    assert answer.status == 400
    assert answer.exception_type == f"{exception_type}Exception"
    assert answer.message.startswith(message), answer.message


@pytest.mark.parametrize(
    ("values", "exception_type", "message"),
    [
        (
            {"Status": None},
            "MXInvalidActivityFields",
            "Field name : 'Status' of datatype : 'SearchableDropdown' is mandatory. Add it to Op",
        ),
        (
            {"c1": ""},
            "MXInvalidActivityFields",
            "Field name : 'mx_Custom_1' of datatype : 'String' is mandatory.",
        ),
        (
            {"c1": "x" * 51},
            "MXInvalidActivityFields",
            "Opportunity.Fields[1].Value has 51 characters; it takes 50",
        ),
        (
            {"Status": "Opened"},
            "MXInvalidActivityFields",
            "Opportunity.Fields[0].Value: 'Opened' does not fit Status (Status, Searchable",
        ),
        (
            {"c3": "Mail"},
            "MXInvalidActivityFields",
            "Opportunity.Fields[2].Value: 'Mail' does not fit mx_Custom_3 (Source,",
        ),
        (
            {"c2": "Closed"},
            "MXInvalidActivityFields",
            "Opportunity.Fields[2].Value: mx_Custom_2 (Stage) 'Closed' does not go with Status '",
        ),
        ({"c6": "many"}, "MXInvalidActivityFields", "Opportunity.Fields[2].Value: 'many'"),
        ({"c8": "2023-02-29"}, "MXInvalidActivityFields", "Opportunity.Fields[2].Value: '2023"),
        ({"c9": "perhaps"}, "MXInvalidActivityFields", "Opportunity.Fields[2].Value: 'perhaps'"),
        ({"c10": "a\0"}, "MXInvalidActivityFields", "Opportunity.Fields[2].Value has the char"),
        (
            {"Deal Sise": "1"},
            "MXUnknownAttribute",
            "Opportunity.Fields[2].SchemaName: 'Deal Sise' is no field of type 12000. Did you mea",
        ),
        (
            {"c99": "1"},
            "MXUnknownAttribute",
            "Opportunity.Fields[2].SchemaName: 'mx_Custom_99' is no field of type 12000.",
        ),
        (
            {"Twin": "1"},
            "MXUnknownAttribute",
            "Opportunity.Fields[2].SchemaName: mx_Custom_11 and mx_Custom_12 are called 'Twin'.",
        ),
        (
            {"CreatedOn": "2024-01-01"},
            "MXInvalidActivityFields",
            "Opportunity.Fields[2].SchemaName: CreatedOn is set by the server.",
        ),
        (
            {"mx_custom_1": "x"},
            "MXInvalidInput",
            "Opportunity.Fields[2].SchemaName: 'mx_custom_1' also has a value in Opportunity.F",
        ),
        (
            {"Owner": "nobody@example.com"},
            "MXInvalidEntity",
            "Opportunity.Fields[2].Value: 'nobody@example.com' is no user here.",
        ),
        ({"Owner": UNKNOWN_ID}, "MXInvalidEntity", "Opportunity.Fields[2].Value: 'eeeeeeee-"),
    ],
)
def test_a_bad_value_is_a_400_that_names_the_field(
    values: dict[str, Any], exception_type: str, message: str, server: Server
) -> None:
    """Values go by their fields' definitions; the message names place, field and remedy."""
    answer = refused(server, capturing(values=values))
    assert answer.status == 400
    assert answer.exception_type == f"{exception_type}Exception"
    assert answer.message.startswith(message), answer.message


def test_a_note_is_given_once(server: Server) -> None:
    """The note is given as a member or as a field, not as both."""
    answer = refused(server, capturing(values={"ActivityEvent_Note": "a"}, OpportunityNote="b"))
    assert "also has a value in Opportunity.Fields[2].Value" in answer.message
    one = captured(server, values={"ActivityEvent_Note": "a"})
    assert value(server, one, "OpportunityNote") == "a"


def test_a_field_may_be_named_as_people_call_it(server: Server) -> None:
    """By its display name, in any case; schema names too in any case."""
    one = captured(server, values={"deal size": "7", "MX_CUSTOM_10": "x"})
    found = row(server, one, "mx_Custom_6,mx_Custom_10")
    assert found is not None
    assert (found["mx_Custom_6"], found["mx_Custom_10"]) == ("7", "x")


def test_a_refused_capture_leaves_nothing(server: Server, folder: Path) -> None:
    """Not even the lead that it would have created."""
    email = f"{fresh()}@example.com"
    refused(server, capturing(lead=lead(EmailAddress=email), values={"c6": "many"}))
    refused(server, capturing(lead=lead(EmailAddress=email), values={"c1": None}))
    store = store_of(folder)
    assert store.write(lambda transaction: transaction.leads_by("email", [email])) == {}
    store.close()


def test_a_reader_cannot_capture(server: Server, folder: Path) -> None:
    """403, and nothing is written."""
    keys = create_key(folder, role="reader", email="reader@example.com")
    answer = server.post(capturing(), path=CAPTURE, keys=keys)
    assert (answer.status, answer.exception_type) == (403, "MXAccessDeniedException")
