"""The commands of types, fields, activity types and users as typed."""

import json
from pathlib import Path

import msgspec
import pytest

from oppserver.contract.model import DataType, Field, OpportunityType
from tests.support import typed
from tests.support.running import run, run_well
from tests.support.typed import catalogue, refusal, shown

made, copied = typed.made, typed.copied

CODE = str(typed.CODE)
ADD = ("field", "add", CODE)


def field_of(folder: Path, name: str) -> Field:
    return catalogue(folder).fields[typed.CODE][name]


# --- types -------------------------------------------------------------------------------------


def test_a_type_is_shown_whole(made: Path) -> None:
    """Everything that was given, rules with canonical names, and the fields in their sequence."""
    found = shown(made)
    fields = found.pop("fields")
    assert found == {
        "eventCode": 12005,
        "name": "Loan",
        "description": "All loans",
        "canDelete": False,
        "duplicateRules": [["ProspectId", "mx_Custom_1"]],
        "opportunities": 3,
    }
    assert [one["schemaName"] for one in fields] == ["mx_Custom_6", "mx_Custom_2", "mx_Custom_1"]
    assert fields[1] == {
        "schemaName": "mx_Custom_2",
        "displayName": 'The "Stage"',
        "dataType": "SearchableDropdown",
        "isMandatory": False,
        "sequence": 2,
        "maxLength": None,
        "options": ["New", "Called", "Paid"],
        "defaultOption": None,
        "parentField": "Status",
        "dependentOptions": {"Open": ["New", "Called"], "Won": ["Paid"]},
    }
    listed = json.loads(run_well("field", "list", CODE, "--json", folder=made))
    assert listed == fields
    text = run_well("type", "show", CODE, folder=made)
    for part in ("All loans", "ProspectId,mx_Custom_1", "Open=New,Called", "Won=Paid"):
        assert part in text


def test_a_type_keeps_what_is_not_given(tmp_path: Path) -> None:
    """Each member is changed alone; rules are replaced as a whole, or taken away."""
    create = ("type", "create", CODE)
    run_well(*create, "--name", "Loan", "--duplicate-rule", "EmailAddress", folder=tmp_path)
    run_well(*create, "--description", "All loans", "--no-allow-delete", folder=tmp_path)
    whole = OpportunityType(
        event_code=typed.CODE,
        name="Loan",
        description="All loans",
        can_delete=False,
        duplicate_rules=(("EmailAddress",),),
    )
    assert catalogue(tmp_path).types[typed.CODE] == whole
    rules = ("--duplicate-rule", "owner, Status,OWNER", "--duplicate-rule", "activityevent_note")
    run_well(*create, *rules, folder=tmp_path)
    changed = msgspec.structs.replace(
        whole, duplicate_rules=(("Owner", "Status"), ("OpportunityNote",))
    )
    assert catalogue(tmp_path).types[typed.CODE] == changed
    run_well(*create, "--no-duplicate-rules", "--allow-delete", folder=tmp_path)
    changed = msgspec.structs.replace(whole, duplicate_rules=(), can_delete=True)
    assert catalogue(tmp_path).types[typed.CODE] == changed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--duplicate-rule", "EmailAdress"), "Did you mean EmailAddress?"),
        (("--duplicate-rule", "the stge"), 'Did you mean The "Stage"?'),
        (("--duplicate-rule", "mx_Custom_9"), "'mx_Custom_9'"),
        (("--duplicate-rule", "ModifiedOn"), "'ModifiedOn'"),
        (("--duplicate-rule", "ProspectActivityId"), "'ProspectActivityId'"),
        (("--duplicate-rule", "Status,"), "''"),
        (("--duplicate-rule", "Status", "--no-duplicate-rules"), "contradict"),
        (("--name", " "), "--name"),
        (("--name", "a\nb"), "a line of text"),
        (("--name", "\udcff"), "a line of text"),
        (("--name", "x" * 201), "201 characters"),
        (("--description", "x" * 32_001), "--description"),
    ],
)
def test_types_that_cannot_be(made: Path, arguments: tuple[str, ...], said: str) -> None:
    """One line that says what can be; the type stays as it was."""
    before = catalogue(made)
    assert said in refusal(run("type", "create", CODE, *arguments, folder=made))
    assert catalogue(made) == before


# --- fields ------------------------------------------------------------------------------------


def test_a_field_keeps_what_is_not_given(tmp_path: Path) -> None:
    """Each of its members is changed alone."""
    run_well("type", "create", CODE, folder=tmp_path)
    add = (*ADD, "mx_Custom_7")
    run_well(*add, "--display-name", "Size", "--data-type", "Number", folder=tmp_path)
    run_well(*add, "--mandatory", "--max-length", "12", "--sequence", "3", folder=tmp_path)
    whole = Field(
        event_code=typed.CODE,
        schema_name="mx_Custom_7",
        display_name="Size",
        data_type=DataType.NUMBER,
        is_mandatory=True,
        sequence=3,
        max_length=12,
    )
    assert field_of(tmp_path, "mx_Custom_7") == whole
    run_well(*add, "--optional", folder=tmp_path)
    assert field_of(tmp_path, "mx_Custom_7") == msgspec.structs.replace(whole, is_mandatory=False)


def test_options_make_a_dropdown(tmp_path: Path) -> None:
    """With options a field is a dropdown; new ones replace the old; another type has none."""
    run_well("type", "create", CODE, folder=tmp_path)
    add = (*ADD, "mx_Custom_3")
    run_well(*add, "--option", "Web, ads", "--option", "Branch", folder=tmp_path)
    found = field_of(tmp_path, "mx_Custom_3")
    assert found.data_type is DataType.SEARCHABLE_DROPDOWN
    assert found.options == ("Web, ads", "Branch")
    run_well(*add, "--option", "Partner", folder=tmp_path)
    assert field_of(tmp_path, "mx_Custom_3").options == ("Partner",)
    run_well(*add, "--default-option", "partner", folder=tmp_path)
    assert field_of(tmp_path, "mx_Custom_3").default_option == "Partner"
    assert "Partner (default)" in run_well("field", "list", ADD[2], folder=tmp_path)
    said = refusal(run(*add, "--option", "Branch", folder=tmp_path))
    assert "the default 'Partner' is no option" in said
    run_well(*add, "--option", "Branch", "--default-option", "", folder=tmp_path)
    assert field_of(tmp_path, "mx_Custom_3").default_option is None
    run_well(*add, "--data-type", "String", folder=tmp_path)
    assert field_of(tmp_path, "mx_Custom_3").options == ()


def test_options_depend_on_a_parent(tmp_path: Path) -> None:
    """By the parent's value, in its spelling; another parent, or none, forgets what depended."""
    run_well("type", "create", CODE, folder=tmp_path)
    run_well(*ADD, "mx_Custom_1", "--option", "Yes", "--option", "No", folder=tmp_path)
    add = (*ADD, "mx_Custom_2")
    run_well(*add, "--parent", "status", "--dependent-option", "OPEN=a, b", folder=tmp_path)
    run_well(*add, "--dependent-option", "Won=c", folder=tmp_path)
    run_well(*add, "--dependent-option", "Open=d,a", folder=tmp_path)
    found = field_of(tmp_path, "mx_Custom_2")
    assert found.parent_field == "Status"
    assert found.dependent_options == {"Open": ("d", "a"), "Won": ("c",)}
    assert found.options == ("a", "c", "d")
    run_well(*add, "--parent", "MX_custom_1", "--dependent-option", "yes=a=b", folder=tmp_path)
    found = field_of(tmp_path, "mx_Custom_2")
    assert (found.parent_field, found.dependent_options) == ("mx_Custom_1", {"Yes": ("a=b",)})
    run_well(*add, "--parent", "", folder=tmp_path)
    found = field_of(tmp_path, "mx_Custom_2")
    assert (found.parent_field, found.dependent_options) == (None, {})
    assert found.options == ("a=b",)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("mx_Custom_0",), "mx_Custom_1 to mx_Custom_250"),
        (("Owner",), "another --display-name"),
        (("mx_Custom_3", "--display-name", ""), "display name"),
        (("mx_Custom_3", "--option", "a", "--option", "A"), "'a' and 'A' are the same"),
        (("mx_Custom_3", "--option", " "), "a line of text"),
        (("mx_Custom_3", "--option", "Web", "--default-option", "Wep"), "Did you mean Web?"),
        (("mx_Custom_3", "--data-type", "Number", "--default-option", "1"), "SearchableDropdown"),
        (("mx_Custom_3", "--option", "abc", "--max-length", "2"), "longer than 2"),
        (("mx_Custom_3", "--data-type", "Number", "--option", "1"), "SearchableDropdown"),
        (("mx_Custom_3", "--parent", "mx_Custom_1"), "no dropdown with options"),
        (("mx_Custom_3", "--parent", "mx_Custom_22"), "Did you mean mx_Custom_2?"),
        (("mx_Custom_3", "--dependent-option", "Open=a"), "--parent SCHEMA_NAME"),
        (("mx_Custom_2", "--dependent-option", "Opne=a"), "Did you mean Open"),
        (("mx_Custom_2", "--option", "Always"), "--dependent-option"),
        (("mx_Custom_2", "--dependent-option", "Open"), "Open=Prospecting,Qualified"),
        (("mx_Custom_2", "--parent", "mx_Custom_2"), "depends on it"),
        (("mx_Custom_2", "--max-length", "3"), "longer than 3"),
    ],
)
def test_fields_that_cannot_be(made: Path, arguments: tuple[str, ...], said: str) -> None:
    """One line that says what can be; the fields stay as they were."""
    before = catalogue(made)
    assert said in refusal(run(*ADD, *arguments, folder=made))
    assert catalogue(made) == before


def test_a_parent_keeps_the_options_that_others_depend_on(tmp_path: Path) -> None:
    """A parent cannot lose an option, or all of them, while another field depends on it."""
    run_well("type", "create", CODE, folder=tmp_path)
    run_well(*ADD, "mx_Custom_1", "--option", "Yes", "--option", "No", folder=tmp_path)
    child = (*ADD, "mx_Custom_2", "--parent", "mx_Custom_1", "--dependent-option", "Yes=a")
    run_well(*child, folder=tmp_path)
    lost = refusal(run(*ADD, "mx_Custom_1", "--option", "No", folder=tmp_path))
    assert "Field mx_Custom_2" in lost
    assert "'Yes'" in lost
    lost = refusal(run(*ADD, "mx_Custom_1", "--data-type", "String", folder=tmp_path))
    assert "Field mx_Custom_2" in lost
    circle = refusal(run(*ADD, "mx_Custom_1", "--parent", "mx_Custom_2", folder=tmp_path))
    assert "depends on it" in circle


# --- activity types and users --------------------------------------------------------------------


def test_activity_types(made: Path) -> None:
    """Created, renamed, listed by code; a code is of one kind only."""
    assert json.loads(run_well("activity-type", "list", "--json", folder=made)) == [
        {"eventCode": 201, "name": "Visit"},
        {"eventCode": 202, "name": "Call"},
    ]
    assert "Visit" in run_well("activity-type", "list", folder=made)
    create = ("activity-type", "create")
    assert "is an opportunity type" in refusal(run(*create, CODE, "--name", "x", folder=made))
    assert "activity type 'Visit'" in refusal(run("type", "create", "201", folder=made))
    assert "--name" in refusal(run(*create, "203", "--name", "", folder=made))
    assert run(*create, "203", folder=made).returncode == 2


def test_users(copied: Path) -> None:
    """Owners of imports and those behind keys; a key names its user, now or later."""
    create = ("key", "create", "--email", "ada@example.com")
    run_well(*create, "--first-name", "Ada", folder=copied)
    run_well(*create, "--last-name", "Lovelace", "--role", "administrator", folder=copied)
    listed = json.loads(run_well("user", "list", "--json", folder=copied))
    by_email = {one.pop("email"): one for one in listed}
    assert by_email["owner@example.com"] == {
        "id": typed.OWNER_ID,
        "firstName": None,
        "lastName": None,
        "isActive": True,
        "isAdministrator": False,
    }
    del by_email["ada@example.com"]["id"]
    assert by_email["ada@example.com"] == {
        "firstName": "Ada",
        "lastName": "Lovelace",
        "isActive": True,
        "isAdministrator": True,
    }
    assert "ada@example.com" in run_well("user", "list", folder=copied)
    assert "--last-name" in refusal(run(*create, "--last-name", "\t", folder=copied))
