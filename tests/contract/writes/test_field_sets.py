"""Custom field sets over a socket: written by every call, and read in every form."""

import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from msgspec import structs

from oppserver.client import Client, field, where
from oppserver.contract.model import StoredOpportunity
from tests.support import activity_calls, writing
from tests.support.activity_calls import CALL, POST, POST_ON, RETRIEVE, item, listed, new_lead
from tests.support.lead_calls import SAVE
from tests.support.running import Server, asking, group, run, run_well
from tests.support.writing import (
    BULK_ADD,
    BULK_UPDATE,
    DEAL,
    SERVICE,
    UNIQUE,
    UPDATE,
    capture,
    capturing,
    field_set_of,
    fields,
    fresh,
    lead,
    well,
)

ENGINES = ["sqlite", "postgres"]

folder, server = activity_calls.folder, writing.server

SLOT = "mx_Custom_13"
EVERY = "Status,mx_CustomObject_1,mx_CustomObject_2,mx_CustomObject_10"
MEMBERS = ",".join(f"{SLOT}~{name}" for name in EVERY.split(","))


def read(server: Server, one: str, columns: str = SLOT, code: int = DEAL) -> dict[str, Any]:
    """The row of a bulk read."""
    answer = server.post(asking(group([one], columns, code=code)))
    assert answer.status == 200, answer.body
    [row] = answer.json[0]["Opportunities"]
    assert isinstance(row, dict)
    return row


def of_set(server: Server, one: str, code: int = DEAL) -> Any:
    """The members that are stored; None where the set is not set."""
    text = read(server, one, code=code)[SLOT]
    return None if text is None else json.loads(text)


def updated(server: Server, one: str, *sent: dict[str, Any]) -> None:
    well(server.post({"ProspectOpportunityId": one, "Fields": list(sent)}, path=UPDATE))


def new(server: Server, **members: Any) -> str:
    """The id of a new opportunity with a set."""
    values = [*fields(c1="x", Status="Open"), field_set_of(**members)]
    return str(capture(server, Fields=values)["CreatedOpportunityId"])


# --- written -----------------------------------------------------------------------------------


def test_c1_a_set_is_stored_and_read_back(server: Server) -> None:
    """The documented form: the slot is a text of JSON, and each member is a column."""
    one = new(server)
    updated(server, one, field_set_of(o10="2/29/2024 1:05:09 PM", o2="1,200.50", o1="N"))
    row = read(server, one, f"{SLOT},{MEMBERS},{SLOT}x007Emx_customobject_1")
    assert row[SLOT] == (
        '{"mx_CustomObject_1":"N","mx_CustomObject_2":"1200.5",'
        '"mx_CustomObject_10":"2024-02-29 13:05:09"}'
    )
    assert [row[name] for name in MEMBERS.split(",")] == [
        None,
        "N",
        "1200.5",
        "2024-02-29 13:05:09",
    ]
    assert row[f"{SLOT}x007Emx_CustomObject_1"] == "N"


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (field_set_of(o1="M"), {"Status": "Done", "mx_CustomObject_1": "M"}),
        (field_set_of(o1=None), {"Status": "Done"}),
        (field_set_of(o1="", Status=None), None),
        (field_set_of(status="pending", Kind="K"), {"Status": "Pending", "mx_CustomObject_1": "K"}),
        ({"SchemaName": SLOT, "Value": ""}, None),
        ({"SchemaName": "Papers", "Value": None, "Fields": []}, None),
        ({"SchemaName": SLOT, "Value": '{"MX_customobject_2": 7}'}, {"mx_CustomObject_2": "7"}),
        (
            {"SchemaName": f"{SLOT}x007Emx_CustomObject_2", "Value": 8},
            {"Status": "Done", "mx_CustomObject_1": "N", "mx_CustomObject_2": "8"},
        ),
        ({"SchemaName": f"{SLOT}~status", "Value": ""}, {"mx_CustomObject_1": "N"}),
    ],
)
def test_a_write_changes_the_members_that_it_names(
    sent: dict[str, Any], stored: Any, server: Server
) -> None:
    """Others stay; a set without any member is not set; a text of JSON replaces the whole set."""
    one = new(server, Status="done", o1="N")
    updated(server, one, sent)
    assert of_set(server, one) == stored


def test_every_call_that_writes_opportunities_writes_sets(server: Server) -> None:
    """Capture, both bulk writes, and a duplicate that takes values."""
    one = new(server, o1="N")
    change = {"ProspectOpportunityId": one, "OpportunityEventCode": DEAL}
    well(server.post([{**change, "Fields": [field_set_of(o2=1)]}], path=BULK_UPDATE))
    assert of_set(server, one) == {"mx_CustomObject_1": "N", "mx_CustomObject_2": "1"}
    name = fresh()
    addition = {
        "SearchByValue": new_lead(server),
        "OpportunityEventCode": UNIQUE,
        "Fields": [*fields(Status="Open", c2=name), field_set_of(o1="a")],
    }
    [added] = well(server.post([addition], path=f"{BULK_ADD}?SearchBy=ProspectId"))["Response"]
    other = added["CreatedOpportunityId"]
    assert of_set(server, other, UNIQUE) == {"mx_CustomObject_1": "a"}
    for flag, stored in (
        ("UpdateEmptyFields", {"mx_CustomObject_1": "a", "mx_CustomObject_2": "5"}),
        ("OverwriteFields", {"mx_CustomObject_1": "b", "mx_CustomObject_2": "5"}),
    ):
        sent = [*fields(Status="Open", c2=name), field_set_of(o1="b", o2="5")]
        done = capture(server, code=UNIQUE, Fields=sent, **{flag: True})
        assert done["ConflictedOpportunityId"] == other
        assert of_set(server, other, UNIQUE) == stored


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (field_set_of(o2="many"), ["Fields[0].Fields[0].Value", "'many'", f"{SLOT}~mx_CustomObj"]),
        (field_set_of(Status="Open"), ["'Pending', 'Done'"]),
        (field_set_of(o9="x"), ["'mx_CustomObject_9' is no member of mx_Custom_13", "field add"]),
        ({"SchemaName": SLOT, "Value": "N"}, ["an object of its members"]),
        ({"SchemaName": SLOT, "Value": '{"mx_CustomObject_9":"x"}'}, ["mx_CustomObject_9"]),
        ({"SchemaName": SLOT, "Value": '{"mx_CustomObject_2":"x"}'}, ["mx_CustomObject_2", "'x'"]),
        ({"SchemaName": "mx_Custom_14", "Value": "", "Fields": fields(o1="x")}, ["mx_Custom_14"]),
        ({**field_set_of(o1="x"), "SchemaName": "mx_Custom_10"}, ["is no custom field set"]),
        ({**field_set_of(o1="x"), "SchemaName": "Status"}, ["is no custom field set"]),
        (field_set_of(o1="x" * 32_000), ["32000"]),
    ],
)
def test_a_member_that_does_not_fit_is_named(
    sent: dict[str, Any], words: list[str], server: Server
) -> None:
    """A 400 with place and cure; the set stays as it was."""
    one = new(server, o1="N")
    answer = server.post({"ProspectOpportunityId": one, "Fields": [sent]}, path=UPDATE)
    assert answer.status == 400, answer.body
    for word in words:
        assert word in answer.message
    assert of_set(server, one) == {"mx_CustomObject_1": "N"}


def test_sets_of_activities_and_leads_have_no_definition(server: Server) -> None:
    """Any custom field can be one, members are text; those of a lead that are not named stay."""
    lead_id = new_lead(server)
    message = {"RelatedProspectId": lead_id, "ActivityEvent": CALL}
    sent = [field_set_of(o12="x", Status="Pending", o2=5)]
    posted = well(server.post({**message, "Fields": sent}, path=POST))["Message"]["Id"]
    text = '{"Status":"Pending","mx_CustomObject_2":"5","mx_CustomObject_12":"x"}'
    rows = well(server.post({}, path=f"{RETRIEVE}?leadId={lead_id}"))["ProspectActivities"]
    assert rows[0]["ActivityFields"][SLOT] == text
    done = capture(server)["CreatedOpportunityId"]
    well(server.post([item(Fields=sent)], path=f"{POST_ON}?opportunityId={done}"))
    columns = {"Include_CSV": f"{SLOT},{SLOT}~mx_CustomObject_12"}
    [row] = listed(server, done, f"&activityEventCode={CALL}", Columns=columns)["List"]
    assert (row[SLOT], row[f"{SLOT}~mx_CustomObject_12"]) == (text, "x")

    path = f"{activity_calls.SERVICE}/GetActivityDetails?activityId={posted}"
    [field] = [one for one in server.get(path).json["Fields"] if one["SchemaName"] == SLOT]
    members = field["CustomObjectFormProperties"]["FieldProperties"]["FormMetaData"]
    assert (field["Value"], field["DataType"]) == (text, "CustomObject")
    assert [(one["SchemaName"], one["Value"]) for one in members] == [
        ("Status", "Pending"),
        ("mx_CustomObject_2", "5"),
        ("mx_CustomObject_12", "x"),
    ]
    base = {"LSO": "ActivityEvent", "Operator": "eq", "RSO": str(CALL)}
    member = {"LSO": f"{SLOT}x007Emx_CustomObject_12", "Operator": "eq", "RSO": "x"}
    rows = [base, member, {"LSO": "ProspectActivityId", "Operator": "eq", "RSO": posted}]
    advanced = json.dumps({"Conditions": [{"Type": "Activity", "RowCondition": rows}]})
    body = {"ActivityEvent": CALL, "AdvancedSearch": advanced}
    found = well(
        server.post(body, path=f"{activity_calls.SERVICE}/Activity/Retrieve/BySearchParameter")
    )
    assert found["RecordCount"] == 1

    phone = fresh()
    for members in ({"mx_CustomObject_1": "N", "Status": "a"}, {"mx_CustomObject_2": "M"}):
        of_lead = {"Attribute": "mx_Set", "Value": "", "Fields": lead(**members)}
        answer = well(server.post([*lead(Phone=phone), of_lead], path=SAVE))
    path = f"/v2/LeadManagement.svc/Leads.GetById?id={answer['Message']['Id']}"
    assert json.loads(server.get(path).json[0]["mx_Set"]) == {
        "Status": "a",
        "mx_CustomObject_1": "N",
        "mx_CustomObject_2": "M",
    }
    well(server.post(capturing(lead=[*lead(Phone=phone), of_lead]), path=writing.CAPTURE))


def test_a_text_that_was_stored_before_is_not_lost(server: Server, folder: Path) -> None:
    """A slot, or a lead's attribute, that holds another text keeps it until it is cleared."""
    one = new(server, o1="N")
    store = writing.store_of(folder)
    opportunity = store.opportunity(one)
    assert isinstance(opportunity, StoredOpportunity)
    old = structs.replace(opportunity, slots={"mx_custom_1": "x", "mx_custom_13": "old"})
    store.write_opportunities([old], now="2024-01-01 00:00:00")
    store.close()
    assert read(server, one, f"{SLOT},{MEMBERS}")[f"{SLOT}~mx_CustomObject_1"] is None
    assert search(server, ("OpportunityId", "eq", one), (f"{SLOT}~Status", "eq", "Done")) == []
    sent = {"ProspectOpportunityId": one, "Fields": [field_set_of(o1="M")]}
    answer = server.post(sent, path=UPDATE)
    assert answer.status == 400, answer.body
    assert "'old'" in answer.message
    assert read(server, one)[SLOT] == "old"
    updated(server, one, {"SchemaName": SLOT, "Value": ""})
    updated(server, one, field_set_of(o1="M"))
    assert of_set(server, one) == {"mx_CustomObject_1": "M"}
    phone = fresh()
    well(server.post(lead(Phone=phone, mx_Set="old"), path=SAVE))
    of_lead = {"Attribute": "mx_Set", "Value": "", "Fields": lead(Status="a")}
    answer = server.post([*lead(Phone=phone), of_lead], path=SAVE)
    assert (answer.status, "'old'" in answer.message) == (400, True)


# --- read --------------------------------------------------------------------------------------


def search(server: Server, *rows: tuple[str, str, Any], **more: Any) -> list[dict[str, Any]]:
    base = {"LSO": "ActivityEvent", "LSO_Type": "PAEvent", "Operator": "eq", "RSO": str(DEAL)}
    conditions = [{"LSO": lso, "Operator": operator, "RSO": rso} for lso, operator, rso in rows]
    advanced = {"Conditions": [{"Type": "Activity", "RowCondition": [base, *conditions]}]}
    body = {"OpportunityEventCode": DEAL, "AdvancedSearch": json.dumps(advanced), **more}
    found: list[dict[str, Any]] = well(
        server.post(body, path=f"{SERVICE}/Retrieve/BySearchParameter")
    )["List"]
    return found


def test_members_are_searched_and_sorted_by_their_data_type(server: Server) -> None:
    """All operators, as of a field with a slot; both spellings of the name."""
    mark = fresh()
    numbers = ("9", "10.50", "-1", None)
    ids = [new(server, o1=mark, o2=number, o10="2024-03-01 10:00:00") for number in numbers]
    of_mark = (f"{SLOT}~mx_CustomObject_1", "eq", mark)
    number = f"{SLOT}x007Emx_CustomObject_2"

    def found(*rows: tuple[str, str, Any]) -> list[int]:
        by_number = {"ColumnName": f"{SLOT}~mx_CustomObject_2", "Direction": 0}
        rows_found = search(server, of_mark, *rows, Sorting=by_number)
        return [ids.index(row["OpportunityId"]) for row in rows_found]

    assert found() == [3, 2, 0, 1]
    assert found((number, "gt", 9)) == [1]
    assert found((number, "eq", "10.5MXDATASEPERATOR-1.0")) == [2, 1]
    assert found((number, "between", "-1 TO 9")) == [2, 0]
    assert found((number, "neq", "9")) == [3, 2, 1]
    assert found((number, "isnull", None)) == [3]
    assert found((f"{SLOT}~mx_CustomObject_10", "eq", "2024-03-01"), (number, "lt", 0)) == [2]
    assert found((f"{SLOT}~Status", "eq", "pending")) == []
    assert found((SLOT, "contains", mark)) == [3, 2, 0, 1]
    named = search(server, of_mark, Columns={"Include_CSV": "Kind,Papers"})
    assert {row[f"{SLOT}~mx_CustomObject_1"] for row in named} == {mark}
    assert all(SLOT in row for row in named)


def test_rows_of_lists_have_the_set_as_its_text(server: Server) -> None:
    """Without columns: the slot's text alone; members where they are asked for."""
    done = capture(server, Fields=[*fields(c1="x", Status="Open"), field_set_of(o1="N")])
    text = '{"mx_CustomObject_1":"N"}'
    path = f"{SERVICE}/GetOpportunitiesOfLead?leadId={done['RelatedProspectId']}"
    [row] = well(server.post({}, path=path))["List"]
    assert row[SLOT] == text
    assert not [name for name in row if "~" in name]
    [row] = well(server.post({"Columns": {"Include_CSV": MEMBERS}}, path=path))["List"]
    assert row[f"{SLOT}~mx_CustomObject_1"] == "N"
    parameter = {"ActivityEvent": DEAL, "IncludeCustomFields": 1}
    body = {"Parameter": parameter, "Paging": {"PageSize": 5_000}}
    rows = well(server.post(body, path="/v2/ProspectActivity.svc/RetrieveRecentlyModified"))
    [row] = [row for row in rows["ProspectActivities"] if row["Id"] == done["CreatedOpportunityId"]]
    assert {"Key": SLOT, "Value": text} in row["Fields"]


def test_details_and_metadata_have_the_members(server: Server) -> None:
    """In FormMetaData of the set's field, in their sequence, with values in details."""
    one = new(server, o1='"N": null', o2="5")

    def members(path: str) -> list[dict[str, Any]]:
        [field] = [f for f in server.get(path).json["Fields"] if f["SchemaName"] == SLOT]
        assert field["DataType"] == "CustomObject"
        found = field["CustomObjectFormProperties"]["FieldProperties"]["FormMetaData"]
        assert isinstance(found, list)
        return [{**one, "OfSet": field["Value"]} for one in found]

    in_details = members(f"{SERVICE}/GetOpportunityDetails?OpportunityId={one}")
    assert [(one["SchemaName"], one["Value"]) for one in in_details] == [
        ("Status", None),
        ("mx_CustomObject_1", '"N": null'),
        ("mx_CustomObject_2", "5"),
        ("mx_CustomObject_10", None),
    ]
    assert json.loads(in_details[0]["OfSet"])["mx_CustomObject_2"] == "5"
    defined = members(f"{SERVICE}/GetOpportunityTypeMetadata?code={DEAL}")
    assert [one["DataType"] for one in defined] == [
        "SearchableDropdown",
        "String",
        "Number",
        "DateTime",
    ]
    assert [option["Value"] for option in json.loads(defined[0]["OptionSet"])] == [
        "Pending",
        "Done",
    ]


def test_members_are_typed_in_tables(server: Server) -> None:
    """Arrow has them by their data types, with the display name beside."""
    one = new(server, o1="N", o2="1200.50", o10="2024-02-29 13:05:09")
    group = {
        "EventCode": str(DEAL),
        "ProspectActivityId": [one],
        "Columns": {"Include_CSV": f"{SLOT},{MEMBERS}"},
    }
    answer = server.post(
        {"SearchParameters": [group]}, Accept="application/vnd.apache.arrow.stream"
    )
    table = pa.ipc.open_stream(io.BytesIO(answer.body)).read_all()
    row = table.to_pylist()[0]
    assert [row[name] for name in MEMBERS.split(",")] == [
        None,
        "N",
        Decimal("1200.50"),
        datetime(2024, 2, 29, 13, 5, 9, tzinfo=UTC),
    ]
    field = table.schema.field(f"{SLOT}~mx_CustomObject_1")
    assert b"Kind" in (field.metadata or {}).values()


def test_the_client_writes_and_reads_members(server: Server) -> None:
    """A mapping as a value is a set; members are columns and fields of conditions."""
    with Client(server.url, server.keys.access, server.keys.secret, rate_limit="off") as client:
        phone = fresh()
        values: dict[str, Any] = {
            "mx_Custom_1": "x",
            "Status": "Open",
            SLOT: {"mx_CustomObject_2": 5},
        }
        of_lead: dict[str, Any] = {"Phone": phone, "mx_Set": {"Status": "a"}}
        one = client.capture(DEAL, values, lead=of_lead).opportunity_id
        assert one is not None
        client.update(one, {SLOT: {"Status": "Done", "mx_CustomObject_1": phone}})
        assert of_set(server, one) == {
            "Status": "Done",
            "mx_CustomObject_1": phone,
            "mx_CustomObject_2": "5",
        }
        kind = field(f"{SLOT}~mx_CustomObject_1") == phone
        [row] = client.search(DEAL, where(kind), columns=f"{SLOT}~mx_CustomObject_2")
        assert row[f"{SLOT}~mx_CustomObject_2"] == "5"


# --- commands ----------------------------------------------------------------------------------


def test_commands_define_import_and_export_sets(tmp_path: Path) -> None:
    """A member is added by its name; a type with sets goes through a file; so do opportunities."""
    add = ("field", "add", "12001", "mx_Custom_13~mx_CustomObject_1")
    run_well("type", "create", "12001", folder=tmp_path)
    run_well(*add, "--data-type", "Number", "--display-name", "Amount", folder=tmp_path)
    run_well(
        *add[:3], "mx_custom_13x007Estatus", "--option", "Done", "--mandatory", folder=tmp_path
    )
    shown = json.loads(run_well("field", "list", "12001", "--json", folder=tmp_path))
    assert [(one["schemaName"], one["dataType"]) for one in shown] == [
        ("mx_Custom_13~Status", "SearchableDropdown"),
        ("mx_Custom_13~mx_CustomObject_1", "Number"),
        ("mx_Custom_13", "CustomObject"),
    ]
    text = run_well("type", "export", "12001", folder=tmp_path)
    (tmp_path / "type.json").write_text(text)
    imported = run("type", "import", "type.json", folder=tmp_path)
    assert (imported.returncode, imported.stderr) == (0, "")
    assert run_well("type", "export", "12001", folder=tmp_path) == text
    (tmp_path / "in.csv").write_text(
        "ProspectActivityId,EventCode,ProspectId,mx_Custom_13~mx_CustomObject_1,mx_Custom_13~Status\n"
        f'{writing.UNKNOWN_ID},12001,{writing.UNKNOWN_ID},"1,200",done\n'
    )
    run_well("import", "in.csv", folder=tmp_path)
    run_well("export", "--output", "out.ndjson", folder=tmp_path)
    [line] = (tmp_path / "out.ndjson").read_text().splitlines()
    assert json.loads(line)[SLOT] == '{"Status":"Done","mx_CustomObject_1":"1200"}'
    run_well("import", "out.ndjson", folder=tmp_path)
    run_well("export", "--output", "again.ndjson", folder=tmp_path)
    assert (tmp_path / "again.ndjson").read_text().splitlines() == [line]
