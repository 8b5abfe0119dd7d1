"""Types, their metadata and types of activities over a socket."""

import json
from typing import Any

import pytest

from tests.support import typed
from tests.support.running import Server

ENGINES = ["sqlite", "postgres"]

SERVICE = "/v2/OpportunityManagement.svc"
TYPES = f"{SERVICE}/GetOpportunityTypes"
METADATA = f"{SERVICE}/GetOpportunityTypeMetadata"
ENABLED = f"{SERVICE}/IsOpportunityEnabled"
ACTIVITY_TYPES = "/v2/ProspectActivity.svc/ActivityTypes.Get"
FIELD_KEYS = [
    "SchemaName",
    "InternalName",
    "DisplayName",
    "Value",
    "DataType",
    "IsMandatory",
    "ShowInForm",
    "Sequence",
    "ParentField",
    "OptionSet",
    "DependentOptionSet",
    "IsDefault",
    "IsReadOnly",
    "RenderType",
    "ExportAsPlainText",
    "IsMultiSelectDropdown",
    "IncludeOthersOption",
    "BehaviorOnMissingDropdownOption",
    "IsOthersValue",
    "InternalSchemaName",
    "CustomObjectType",
    "MaxFieldLength",
]
OPTION_KEYS = [
    "IsDefault",
    "Text",
    "Value",
    "CanDelete",
    "CanEdit",
    "IsLastOption",
    "Order",
    "BackgroundColor",
    "FontColor",
]


def answered(server: Server, path: str) -> Any:
    answer = server.get(path)
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "application/json"
    return answer.json


def fields_of(server: Server) -> dict[str, dict[str, Any]]:
    fields = answered(server, f"{METADATA}?code={typed.CODE}")["Fields"]
    return {field["SchemaName"]: field for field in fields}


# --- types -------------------------------------------------------------------------------------


def test_types_are_listed_without_fields(typed_server: Server) -> None:
    """A bare array by event code; Fields is null."""
    assert answered(typed_server, TYPES) == [
        {
            "AllowAttachments": False,
            "CanDelete": False,
            "Description": "All loans",
            "DisplayName": "Loan",
            "EventCode": 12005,
            "Fields": None,
            "DuplicateRules": [["ProspectId", "mx_Custom_1"]],
        }
    ]


def test_all_types_are_listed_by_code(server: Server) -> None:
    """Types from an import are listed too."""
    assert [one["EventCode"] for one in answered(server, TYPES)] == [12001, 12003, 12100, 12200]


# --- metadata ----------------------------------------------------------------------------------


def test_the_metadata_of_a_type(typed_server: Server) -> None:
    """The type's own members, and its fields: note and status, then its own in their sequence."""
    found = answered(typed_server, f"{METADATA}?code=12005")
    fields = found.pop("Fields")
    assert [{**found, "Fields": None}] == answered(typed_server, TYPES)
    names = [field["SchemaName"] for field in fields]
    assert names == ["ActivityEvent_Note", "Status", "mx_Custom_6", "mx_Custom_2", "mx_Custom_1"]


def test_a_field_has_every_documented_key(typed_server: Server) -> None:
    """All 22, in the documented order, with what was defined; Value is null."""
    fields = fields_of(typed_server)
    for field in fields.values():
        assert list(field) == FIELD_KEYS
        assert field["Value"] is None
        assert field["InternalName"] == field["SchemaName"]
    name = fields["mx_Custom_1"]
    assert (name["DisplayName"], name["DataType"]) == ("Name", "String")
    assert (name["IsMandatory"], name["MaxFieldLength"], name["Sequence"]) == (True, 90, 3)
    assert (name["OptionSet"], name["DependentOptionSet"], name["ParentField"]) == ("", "", "")
    size = fields["mx_Custom_6"]
    assert (size["DataType"], size["IsMandatory"], size["MaxFieldLength"]) == (
        "Number",
        False,
        32_000,
    )


def test_the_status_is_open_won_or_lost(typed_server: Server) -> None:
    """A mandatory dropdown with the documented options, on every type."""
    status = fields_of(typed_server)["Status"]
    assert (status["DataType"], status["IsMandatory"]) == ("SearchableDropdown", True)
    options = json.loads(status["OptionSet"])
    assert all(list(option) == OPTION_KEYS for option in options)
    told = [(option["Value"], option["Order"], option["IsDefault"]) for option in options]
    assert told == [("Open", 0, True), ("Won", 1, False), ("Lost", 2, False)]
    colors = [(option["BackgroundColor"], option["FontColor"]) for option in options]
    assert colors == [("#FFFB83", "#A08427"), ("#A5E887", "#347715"), ("#FFD4D0", "#E31D00")]


def test_option_sets_are_texts_that_hold_json(typed_server: Server) -> None:
    """A dropdown's options, and, by the parent's value, those that depend on it."""
    stage = fields_of(typed_server)["mx_Custom_2"]
    assert (stage["DataType"], stage["ParentField"]) == ("SearchableDropdown", "Status")
    assert stage["DisplayName"] == 'The "Stage"'
    options = json.loads(stage["OptionSet"])
    assert all(list(option) == OPTION_KEYS for option in options)
    assert [option["Value"] for option in options] == ["New", "Called", "Paid"]
    dependent = json.loads(stage["DependentOptionSet"])
    told = {one["Parent"]: [option["Value"] for option in one["Options"]] for one in dependent}
    assert told == {"Open": ["New", "Called"], "Won": ["Paid"]}


@pytest.mark.parametrize(
    ("query", "exception_type", "said"),
    [
        ("", "MXMandatoryAttributeMissingException", "'code' is mandatory in the query"),
        ("code=", "MXMandatoryAttributeMissingException", "'code' is mandatory in the query"),
        ("code=12099", "MXInvalidEntityReferenceException", "'12099'"),
        ("code=loan", "MXInvalidEntityReferenceException", "Known: 12005"),
        ("code=99999999999999999999", "MXInvalidEntityReferenceException", "query parameter"),
    ],
)
def test_a_code_that_cannot_be_is_400(
    typed_server: Server, query: str, exception_type: str, said: str
) -> None:
    """Missing or of no type: 400 that names the parameter and the types there are."""
    answer = typed_server.get(f"{METADATA}?{query}")
    assert (answer.status, answer.exception_type) == (400, exception_type)
    assert said in answer.message


@pytest.mark.parametrize("query", ["CODE=12005", "code=%2012005%20", "Code=12005&code=1"])
def test_the_code_in_other_forms(typed_server: Server, query: str) -> None:
    """Its name in any case, with blanks around it; the first of a name counts."""
    assert answered(typed_server, f"{METADATA}?{query}")["EventCode"] == 12005


# --- what is beside types ----------------------------------------------------------------------


@pytest.mark.parametrize("query", ["", "?orgId=3b1041a3-8374-11e7-8758-0a106ee76b21", "?orgId="])
def test_opportunities_are_enabled(typed_server: Server, query: str) -> None:
    """Always, whatever the organisation is called."""
    assert answered(typed_server, ENABLED + query) == {"OpportunityManagement": "Enabled"}


def test_types_of_activities(typed_server: Server) -> None:
    """Activity types, then opportunity types, by code; their form is a text that holds JSON."""
    found = answered(typed_server, ACTIVITY_TYPES)
    assert [(one["ActivityEvent"], one["DisplayName"]) for one in found] == [
        (201, "Visit"),
        (202, "Call"),
        (12005, "Loan"),
    ]
    for one in found:
        assert list(one) == [
            "ActivityEvent",
            "ActivityEventName",
            "DisplayName",
            "EventType",
            "EventDirection",
            "Tags",
            "ActivityProperties",
        ]
        assert one["ActivityEventName"] == one["DisplayName"]
    forms = [json.loads(one["ActivityProperties"])["FormMetaData"] for one in found]
    assert [field["SchemaName"] for field in forms[0]] == ["ActivityEvent_Note"]
    assert {field["SchemaName"]: field for field in forms[2]} == fields_of(typed_server)


@pytest.mark.parametrize("path", [TYPES, f"{METADATA}?code=12005", ENABLED, ACTIVITY_TYPES])
def test_keys_are_asked_for(typed_server: Server, path: str) -> None:
    """Without keys 401; with POST 405."""
    assert typed_server.call("GET", path).status == 401
    assert typed_server.post({}, path=path).status == 405
