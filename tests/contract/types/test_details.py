"""GetOpportunityDetails over a socket."""

from pathlib import Path
from typing import Any

import pytest

from tests.support import typed, world
from tests.support.running import Server, create_key, run_well, serving

ENGINES = ["sqlite", "postgres"]

PATH = "/v2/OpportunityManagement.svc/GetOpportunityDetails"
METADATA = "/v2/OpportunityManagement.svc/GetOpportunityTypeMetadata"


def details(server: Server, id_: str) -> dict[str, Any]:
    answer = server.get(f"{PATH}?OpportunityId={id_}")
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json
    return found


def values(found: dict[str, Any]) -> dict[str, Any]:
    return {field["SchemaName"]: field["Value"] for field in found["Fields"]}


def test_the_object_and_its_members(typed_server: Server) -> None:
    """The opportunity's id, its type by both names and by code, its lead, its note, its fields."""
    found = details(typed_server, typed.SET_ID)
    assert list(found) == [
        "ID",
        "Name",
        "DisplayName",
        "EventCode",
        "RelatedProspectId",
        "OpportunityNote",
        "CreatedOn",
        "ModifiedOn",
        "CreatedByName",
        "ModifiedByName",
        "Fields",
    ]
    assert found["ID"] == typed.SET_ID
    assert found["Name"] == found["DisplayName"] == "Loan"
    assert found["EventCode"] == typed.CODE
    assert found["RelatedProspectId"] == typed.LEAD_ID
    assert found["OpportunityNote"] == typed.NOTE


def test_c7_who_and_when_are_beside_the_fields(typed_server: Server) -> None:
    """Dates in the form of the hosted service; names of users, null for one who is not known."""
    found = details(typed_server, typed.SET_ID)
    assert (found["CreatedOn"], found["ModifiedOn"]) == (
        "/Date(1709164800000+0000)/",
        "/Date(1733054709000+0000)/",
    )
    assert (found["CreatedByName"], found["ModifiedByName"]) == (None, None)
    named = details(typed_server, typed.NAMED_ID)
    assert named["CreatedOn"] == "/Date(-1000+0000)/"
    assert (named["CreatedByName"], named["ModifiedByName"]) == ("Ann Lee", "owner@example.com")


def test_each_field_has_its_value(typed_server: Server) -> None:
    """The note and the status first, then owner and dates, then the fields in their sequence."""
    assert list(values(details(typed_server, typed.SET_ID)).items()) == [
        ("ActivityEvent_Note", typed.NOTE),
        ("Status", "Open"),
        ("Owner", typed.OWNER_ID),
        ("OwnerEmailAddress", "owner@example.com"),
        ("CreatedOn", "2024-02-29 00:00:00"),
        ("CreatedBy", "creator"),
        ("ModifiedOn", "2024-12-01 12:05:09"),
        ("ModifiedBy", "modifier"),
        ("mx_Custom_6", "250000.50"),
        ("mx_Custom_2", "New"),
        ("mx_Custom_1", typed.NAME),
    ]


def test_what_is_not_set_is_null_and_its_field_is_there(typed_server: Server) -> None:
    """An opportunity without values has every field of its type, with null."""
    found = details(typed_server, typed.UNSET_ID)
    assert found["OpportunityNote"] is None
    at = "2024-05-05 05:05:05"
    is_set = {name: value for name, value in values(found).items() if value is not None}
    assert is_set == {"CreatedOn": at, "ModifiedOn": at}
    assert list(values(found)) == list(values(details(typed_server, typed.SET_ID)))


def test_a_field_is_described_as_the_metadata_does(typed_server: Server) -> None:
    """But for its value, a field of the details is the field of the type's metadata."""
    found = details(typed_server, typed.SET_ID)
    metadata = typed_server.get(f"{METADATA}?code={typed.CODE}").json
    described = {field["SchemaName"]: field for field in found["Fields"]}
    for field in metadata["Fields"]:
        assert list(described[field["SchemaName"]]) == list(field)
        assert {**described[field["SchemaName"]], "Value": None} == field


def test_a_type_with_every_slot(server: Server) -> None:
    """250 fields and their values come out, each with its own."""
    found = values(details(server, world.WIDE_ID))
    assert found["ActivityEvent_Note"] == world.NOTE
    for slot in range(1, 251):
        expected = "2024-03-01 07:08:09" if slot == 8 else f"value {slot}"
        assert found[f"mx_Custom_{slot}"] == expected


@pytest.mark.parametrize(
    "query",
    [
        f"opportunityid={typed.SET_ID}",
        f"OPPORTUNITYID={typed.SET_ID.upper()}",
        f"getFileURL=true&OpportunityId=%7B{typed.SET_ID}%7D",
        f"OpportunityId={typed.SET_ID.replace('-', '')}&unknown=1",
    ],
)
def test_names_and_ids_in_any_form(typed_server: Server, query: str) -> None:
    """Names in any case, ids in every form of a GUID; getFileURL changes nothing."""
    answer = typed_server.get(f"{PATH}?{query}")
    assert answer.status == 200
    assert answer.json == details(typed_server, typed.SET_ID)


def test_an_unknown_id_is_404(typed_server: Server) -> None:
    """An id that never was: 404 that names it."""
    unknown = "99999999-9999-4999-8999-999999999999"
    answer = typed_server.get(f"{PATH}?OpportunityId={unknown}")
    assert (answer.status, answer.exception_type) == (404, "MXOpportunityNotFoundException")
    assert unknown in answer.message
    assert "deleted" not in answer.message


def test_a_deleted_id_is_404_that_says_when_and_by_whom(
    typed_server: Server, server: Server
) -> None:
    """The tombstone is reported: when, of which type, and by whom where that is known."""
    answer = typed_server.get(f"{PATH}?OpportunityId={typed.DELETED_ID}")
    assert (answer.status, answer.exception_type) == (404, "MXOpportunityNotFoundException")
    for told in ("2024-06-06 06:06:06 (UTC)", "by owner@example.com", "12005", "'Loan'"):
        assert told in answer.message
    by_nobody = server.get(f"{PATH}?OpportunityId={world.DELETED_ID}")
    assert by_nobody.status == 404
    assert by_nobody.message.endswith("deleted on 2024-06-06 06:06:06 (UTC).")


@pytest.mark.parametrize(
    ("query", "exception_type", "said"),
    [
        ("", "MXMandatoryAttributeMissingException", "'OpportunityId' is mandatory"),
        ("OpportunityId=", "MXMandatoryAttributeMissingException", "'OpportunityId' is mandatory"),
        ("Id=x", "MXMandatoryAttributeMissingException", "'OpportunityId' is mandatory"),
        ("OpportunityId=12005", "MXInvalidInputException", "'12005' is not a GUID"),
        (f"OpportunityId={typed.SET_ID}0", "MXInvalidInputException", "is not a GUID"),
    ],
)
def test_an_id_that_cannot_be_is_400(
    typed_server: Server, query: str, exception_type: str, said: str
) -> None:
    """Missing or no GUID: 400 that names the parameter."""
    answer = typed_server.get(f"{PATH}?{query}")
    assert (answer.status, answer.exception_type) == (400, exception_type)
    assert said in answer.message
    assert "OpportunityId" in answer.message


def test_a_change_of_data_or_type_is_answered_at_once(tmp_path: Path) -> None:
    """A type that another process has defined is in the next answer of a running server."""
    typed.define(tmp_path)
    with serving(tmp_path, keys=create_key(tmp_path)) as server:
        assert values(details(server, typed.SET_ID))["mx_Custom_1"] == typed.NAME
        (tmp_path / "changed.csv").write_text(
            "ProspectActivityId,EventCode,ProspectId,mx_Custom_1,mx_Custom_9\n"
            f"{typed.SET_ID},{typed.CODE},{typed.LEAD_ID},changed,new\n"
        )
        run_well("import", "changed.csv", folder=tmp_path)
        changed = values(details(server, typed.SET_ID))
        assert (changed["mx_Custom_1"], changed["mx_Custom_9"]) == ("changed", "new")
        code = str(typed.CODE)
        run_well("field", "add", code, "mx_Custom_9", "--display-name", "Nine", folder=tmp_path)
        [field] = [
            field
            for field in details(server, typed.SET_ID)["Fields"]
            if field["SchemaName"] == "mx_Custom_9"
        ]
        assert (field["DisplayName"], field["Value"]) == ("Nine", "new")
