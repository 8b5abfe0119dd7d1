"""``type export`` and ``type import`` as typed: files of this server and of the hosted one."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from tests.support import typed
from tests.support.running import Server, create_key, run, run_well, serving
from tests.support.typed import catalogue, refusal, shown

if TYPE_CHECKING:
    import subprocess

made, copied = typed.made, typed.copied

CODE = str(typed.CODE)


def exported(folder: Path, *arguments: str) -> Any:
    return json.loads(run_well("type", "export", *arguments, folder=folder))


def imported(folder: Path, types: Any) -> "subprocess.CompletedProcess[str]":
    text = types if isinstance(types, str) else json.dumps(types)
    return run("type", "import", "-", folder=folder, text=text)


def test_export_of_an_import_equals_it(
    copied: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """One type as an object, all as an array; nothing is lost, and again changes nothing."""
    run_well("type", "create", "12100", "--name", "Zweiter Typ äöü", folder=copied)
    everything = run_well("type", "export", folder=copied)
    tmp_path = tmp_path_factory.mktemp("imported")
    (tmp_path / "types.json").write_text(everything)
    for _ in range(2):
        done = run("type", "import", "types.json", folder=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "type 12005 Loan: 3 fields\ntype 12100 Zweiter Typ äöü: 0 fields\n"
        assert run_well("type", "export", folder=tmp_path) == everything
    assert exported(tmp_path, CODE) == json.loads(everything)[0]
    assert {**shown(tmp_path), "opportunities": 3} == shown(copied)


def test_the_answer_of_a_server_is_a_file(typed_server: Server, tmp_path: Path) -> None:
    """An answer of GetOpportunityTypeMetadata is imported, and exported again as it was."""
    path = "/v2/OpportunityManagement.svc/GetOpportunityTypeMetadata?code=12005"
    answer = typed_server.get(path).json
    done = imported(tmp_path, answer)
    assert (done.returncode, done.stderr) == (0, "")
    assert exported(tmp_path, CODE) == answer


HOSTED = {
    "AllowAttachments": True,
    "CanDelete": False,
    "Description": None,
    "DisplayName": "Loan",
    "EventCode": "12005",
    "Fields": [
        {"SchemaName": "ActivityEvent_Note", "DisplayName": "Notes", "MaxFieldLength": 200},
        {
            "SchemaName": "Status",
            "DataType": "SearchableDropdown",
            "OptionSet": json.dumps([{"Value": "Open", "FontColor": "#000"}, {"Value": "Hold"}]),
        },
        {"SchemaName": "Owner", "DataType": "ActiveUsers"},
        {"SchemaName": "mx_CustomObject_1", "DisplayName": "Documents"},
        {
            "SchemaName": "mx_custom_2",
            "DisplayName": "Stage",
            "DataType": "SearchableDropdown",
            "IsMandatory": None,
            "ShowInForm": False,
            "Sequence": 3,
            "ParentField": "Status",
            "OptionSet": "",
            "DependentOptionSet": json.dumps(
                [
                    {"Parent": "Open", "Options": [{"Value": "New"}, {"Text": "Called"}]},
                    {"Parent": "Gone", "Options": [{"Value": "Lost"}]},
                ]
            ),
            "RenderType": "Radio",
            "IsSortable": True,
        },
        {
            "SchemaName": "mx_Custom_3",
            "DataType": "MultiSelect",
            "OptionSet": json.dumps(
                [
                    {"Value": "b", "Order": 2, "OldValue": "B"},
                    {"Value": "a", "Text": "a", "Order": 1},
                    {"Value": "A", "Order": 3},
                    {"Value": ""},
                ]
            ),
            "MaxFieldLength": 200,
        },
        {"SchemaName": "mx_Custom_4", "DataType": "Product", "IsMandatory": True},
        {
            "SchemaName": "mx_Custom_5",
            "DataType": "SearchableDropdown",
            "ParentField": "mx_Custom_3",
            "DependentOptionSet": json.dumps({"b": ["x", {"Value": "y"}]}),
        },
    ],
}


def test_the_hosted_service_s_form_is_understood(tmp_path: Path) -> None:
    """Options in texts, dependent ones in both forms, numbers as text, null, what is left out."""
    assert imported(tmp_path, [HOSTED]).returncode == 0
    found = shown(tmp_path)
    assert (found["name"], found["canDelete"], found["description"]) == ("Loan", False, "")
    fields = {one["schemaName"]: one for one in found["fields"]}
    assert list(fields) == ["mx_Custom_2", "mx_Custom_3", "mx_Custom_4", "mx_Custom_5"]
    stage = fields["mx_Custom_2"]
    assert (stage["displayName"], stage["sequence"], stage["parentField"]) == ("Stage", 3, "Status")
    assert stage["dependentOptions"] == {"Open": ["New", "Called"]}
    several = fields["mx_Custom_3"]
    assert (several["displayName"], several["sequence"]) == ("mx_Custom_3", 3)
    assert (several["dataType"], several["maxLength"]) == ("SearchableDropdown", 200)
    assert several["options"] == ["a", "b"]
    assert (fields["mx_Custom_4"]["dataType"], fields["mx_Custom_4"]["isMandatory"]) == (
        "String",
        True,
    )
    assert fields["mx_Custom_5"]["dependentOptions"] == {"b": ["x", "y"]}


def test_what_is_not_taken_over_is_named(tmp_path: Path) -> None:
    """Everything of the file that the server does not keep is named, with its fields."""
    done = imported(tmp_path, HOSTED)
    assert sorted(line.removeprefix("type 12005: ") for line in done.stderr.splitlines()) == sorted(
        f"not taken over: {what}"
        for what in (
            "AllowAttachments true",
            "MaxFieldLength '200' of ActivityEvent_Note",
            "FontColor of options of Status",
            "options 'Hold' of Status",
            "everything of 'mx_CustomObject_1'",
            "ShowInForm false of mx_Custom_2",
            "RenderType 'Radio' of mx_Custom_2",
            "IsSortable true of mx_Custom_2",
            "DependentOptionSet of mx_Custom_2",
            "DataType 'MultiSelect' of mx_Custom_3",
            "OldValue of options of mx_Custom_3",
            "options '', 'A' of mx_Custom_3",
            "DataType 'Product' of mx_Custom_4",
        )
    )


def test_an_import_keeps_what_is_not_in_the_file(copied: Path) -> None:
    """Fields that the file lacks, and duplicate rules when it says nothing of them."""
    before = shown(copied)
    listed = exported(copied, CODE)
    del listed["DuplicateRules"]
    listed["Fields"] = None
    listed["DisplayName"] = "Renamed"
    assert imported(copied, [listed]).returncode == 0
    assert shown(copied) == {**before, "name": "Renamed"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"EventCode": 1, "Fields": [{}]}', "-, $.Fields[0]: Object missing required field"),
        ('{"EventCode": 201}', "201 is the activity type 'Visit'"),
    ],
)
def test_files_that_are_no_types(made: Path, text: str, said: str) -> None:
    """One line with the place; nothing of the file is stored."""
    before = catalogue(made)
    assert said in refusal(imported(made, text))
    assert catalogue(made) == before


def test_c9_fields_of_every_type_can_be_renamed(copied: Path, tmp_path: Path) -> None:
    """By command and by file: metadata, details, lists and tables say the new names."""
    add = ("field", "add", CODE)
    run_well(*add, "Status", "--display-name", "State", folder=copied)
    run_well(*add, "owner", "--display-name", "Advisor", folder=copied)
    run_well(*add, "ActivityEvent_Note", "--display-name", "Remarks", folder=copied)
    everything = exported(copied, CODE)
    names = {field["SchemaName"]: field["DisplayName"] for field in everything["Fields"]}
    assert list(names)[:3] == ["ActivityEvent_Note", "Status", "Owner"]
    assert list(names.values())[:3] == ["Remarks", "State", "Advisor"]
    done = imported(tmp_path, everything)
    assert (done.returncode, done.stderr) == (0, "")
    assert exported(tmp_path, CODE) == everything
    with serving(copied, keys=create_key(copied)) as server:
        service = "/v2/OpportunityManagement.svc"
        one = f"{service}/GetOpportunityDetails?OpportunityId={typed.SET_ID}"
        in_details = {f["SchemaName"]: f["DisplayName"] for f in server.get(one).json["Fields"]}
        assert in_details.items() >= names.items()
        assert in_details["CreatedOn"] == "Created On"
        described = server.get(f"{service}/GetOpportunityTypeMetadata?code={CODE}").json
        assert described == everything
        path = f"{service}/GetOpportunitiesOfLead?leadId={typed.LEAD_ID}&opportunityType={CODE}"
        columns = {"Include_CSV": "advisor,State,Remarks"}
        rows = server.post({"Columns": columns}, path=path).json["List"]
        [row] = [row for row in rows if row["OpportunityId"] == typed.SET_ID]
        assert row["Status"] == "Open"
        assert (row["Owner"], row["ActivityEvent_Note"]) == (typed.OWNER_ID, typed.NOTE)
        group = {
            "EventCode": CODE,
            "ProspectActivityId": [typed.SET_ID],
            "Columns": {"Include_CSV": "Status,Owner,OpportunityNote,CreatedBy"},
        }
        answer = server.post(
            {"SearchParameters": [group]}, Accept="application/vnd.apache.arrow.stream"
        )
        schema = pa.ipc.open_stream(answer.body).schema
        shown = {f.name: (f.metadata or {}).get(b"display_name") for f in schema}
        assert (shown["Status"], shown["Owner"]) == (b"State", b"Advisor")
        assert (shown["OpportunityNote"], shown["CreatedBy"]) == (b"Remarks", None)
    everything["Fields"][1]["DisplayName"] = "Status"
    imported(tmp_path, everything)
    assert exported(tmp_path, CODE)["Fields"][1]["DisplayName"] == "Status"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("Status",), "--display-name"),
        (("Owner", "--display-name", "x", "--mandatory"), "nothing else"),
        (("Status", "--display-name", " "), "line of text"),
        (("Version", "--display-name", "x"), "is no slot"),
        (("ProspectId", "--display-name", "x"), "is no slot"),
    ],
)
def test_c9_nothing_else_of_them_can_be_changed(
    more: tuple[str, ...], words: str, made: Path
) -> None:
    """One line that says so, and nothing is changed."""
    before = exported(made, CODE)
    done = run("field", "add", CODE, *more, folder=made)
    assert done.returncode != 0
    assert words in done.stderr
    assert exported(made, CODE) == before
