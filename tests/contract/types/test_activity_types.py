"""``CreateType`` and ``CustomActivity/GetActivitySetting`` over a socket."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.support import activity_calls, writing
from tests.support.activity_calls import CALL, SERVICE, new_lead, posted
from tests.support.lead_calls import refused
from tests.support.running import Answer, Server
from tests.support.writing import DEAL, fresh, well

ENGINES = ["sqlite", "postgres"]

folder, server = activity_calls.folder, writing.server

CREATE = f"{SERVICE}/CreateType"
SETTING = f"{SERVICE}/CustomActivity/GetActivitySetting"


def setting(server: Server, code: Any) -> Answer:
    return server.call("GET", f"{SETTING}?code={code}", headers=server.keys.headers)


def created(server: Server, **more: Any) -> int:
    """The code of a new type."""
    answer = well(server.post({"ActivityEventName": fresh(), **more}, path=CREATE))
    code = answer["Message"]["Id"]
    assert isinstance(code, int)
    return code


def test_a_type_is_created_and_described(server: Server) -> None:
    """Codes rise from 200; a type has its fields after the note, in sequence."""
    name = fresh()
    fields = [
        {"SchemaName": "mx_custom_2", "DisplayName": "Place", "Sequence": 2, "OptionSet": "[]"},
        {
            "SchemaName": "mx_Custom_1",
            "DisplayName": "When",
            "DataType": "DateTime",
            "IsMandatory": "1",
            "ShowInForm": False,
            "Sequence": "1",
            "Value": None,
        },
    ]
    first = created(server)
    code = created(
        server, ActivityEventName=name, Score="7", Direction=1, CanDeleteActivity=True,
        Fields=fields,
    )  # fmt: skip
    assert code == first + 1 > CALL
    answer = well(setting(server, code))
    assert list(answer) == ["ID", "Name", "DisplayName", "Score", "Fields"]
    assert str(UUID(answer["ID"])) == answer["ID"]
    assert (answer["Name"], answer["DisplayName"], answer["Score"]) == (name, name, 7)
    note, when, place = answer["Fields"]
    assert note["SchemaName"] == "ActivityEvent_Note"
    assert "CustomObjectType" not in when
    assert (when["SchemaName"], when["DisplayName"]) == ("mx_Custom_1", "When")
    assert (when["DataType"], when["IsMandatory"]) == ("DateTime", True)
    assert (when["ShowInForm"], when["IsSortable"], when["DisplayValue"]) == (False, True, None)
    assert (place["SchemaName"], place["OptionSet"]) == ("mx_Custom_2", "[]")
    one = posted(server, new_lead(server), code)
    assert one
    types = server.call("GET", f"{SERVICE}/ActivityTypes.Get", headers=server.keys.headers).json
    [listed] = [one for one in types if one["ActivityEvent"] == code]
    described = json.loads(listed["ActivityProperties"])["FormMetaData"]
    assert [field["SchemaName"] for field in described][1:] == ["mx_Custom_1", "mx_Custom_2"]


@pytest.mark.parametrize("code", [CALL, DEAL])
def test_every_type_of_activities_has_a_setting(code: int, server: Server) -> None:
    """Types of commands too, and opportunity types, which are listed among activity types."""
    answer = well(setting(server, code))
    assert answer["Fields"][0]["SchemaName"] == "ActivityEvent_Note"


def test_a_name_is_of_one_activity_type(server: Server) -> None:
    """In any case; a repeated call with a key gets the first answer."""
    name, key = f"A {uuid4().hex}", str(uuid4())
    first = server.post({"ActivityEventName": name}, path=CREATE, Idempotency_Key=key)
    again = server.post({"ActivityEventName": name}, path=CREATE, Idempotency_Key=key)
    assert first.body == again.body
    answer = server.post({"ActivityEventName": name.upper()}, path=CREATE)
    code = first.json["Message"]["Id"]
    refused(answer, "DuplicateEntry", f"is the name of the activity type {code}")


@pytest.mark.parametrize(
    ("body", "exception_type", "expected"),
    [
        ({}, "MandatoryAttributeMissing", "'ActivityEventName' is mandatory"),
        ({"ActivityEventName": "a\nb"}, "InvalidInput", "has to be a line of text"),
        ({"ActivityEventName": "x", "Score": -1}, "InvalidInput", "$.Score: '-1' is not a whole"),
        ({"ActivityEventName": "x", "Direction": 2}, "InvalidInput", "$.Direction: '2' is not"),
        (
            {"ActivityEventName": "x", "TrackLocation": "maybe"},
            "InvalidInput",
            "$.TrackLocation: 'maybe' is neither",
        ),
        ({"ActivityEventName": "x", "Fields": [{}]}, "MandatoryAttributeMissing", "'SchemaName'"),
        (
            {"ActivityEventName": "x", "Fields": [{"SchemaName": "mx_Custom_51"}]},
            "InvalidInput",
            "'mx_Custom_51' is no field. Expected mx_Custom_1 to mx_Custom_50",
        ),
        (
            {"ActivityEventName": "x", "Fields": [{"SchemaName": "mx_Custom_1"}] * 2},
            "InvalidInput",
            "$.Fields[1].SchemaName: mx_Custom_1 is named twice",
        ),
        (
            {"ActivityEventName": "x", "Fields": [{"SchemaName": "mx_Custom_1"}] * 51},
            "LimitExceeded",
            "$.Fields has 51 fields",
        ),
    ],
)
def test_a_type_that_cannot_be_is_refused(
    body: Any, exception_type: str, expected: str, server: Server
) -> None:
    """Each kind of mistake, with its place; nothing is created."""
    refused(server.post(body, path=CREATE), exception_type, expected)


def test_an_unknown_type_has_no_setting(server: Server) -> None:
    """The error lists known codes."""
    refused(setting(server, 999), "InvalidEntityReference", "query parameter 'code': '999'")
    refused(setting(server, ""), "MandatoryAttributeMissing", "'code' is mandatory")
