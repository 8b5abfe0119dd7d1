"""Mandatory fields that have a default option, which a new opportunity need not name."""

import json
from pathlib import Path
from typing import Any

import pytest

from oppserver.contract.model import DataType, OpportunityType
from tests.support import writing
from tests.support.databases import kept_in
from tests.support.lead_calls import saved
from tests.support.running import Answer, Server, run, run_well
from tests.support.writing import (
    BULK_ADD,
    CAPTURE,
    DEAL,
    UNIQUE,
    field,
    fields,
    fresh,
    lead,
    row,
    well,
)

TICKET = 12002
"""A type whose mandatory dropdowns have defaults; what depends on another stands before it."""

CITY = {"North": ("Oslo", "Bergen"), "South": ("Rome",)}

server = writing.server


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, folder_engine: str) -> Path:
    """A folder with the world's database, and tickets in it."""
    folder = kept_in(tmp_path_factory.mktemp("defaults"), folder_engine)
    store = writing.store_of(folder)
    writing.define(store)
    store.put_types([OpportunityType(event_code=TICKET, name="Ticket")])
    dropdown: dict[str, Any] = {"code": TICKET, "data_type": DataType.SEARCHABLE_DROPDOWN}
    must: dict[str, Any] = dropdown | {"is_mandatory": True}
    city: dict[str, Any] = {"parent_field": "mx_Custom_4", "dependent_options": CITY}
    options = ("Oslo", "Bergen", "Rome")
    store.put_fields(
        [
            field(3, "City", options=options, default_option="Oslo", **city, **must),
            field(4, "Region", options=("South", "North"), default_option="North", **must),
            field(5, "Priority", options=("Low", "High"), default_option="Low", **dropdown),
        ]
    )
    store.close()
    return folder


def capture(server: Server, code: int, lead: list[dict[str, Any]], **more: Any) -> Answer:
    """A capture of these fields and of nothing else."""
    opportunity = {"OpportunityEventCode": code, **more}
    return server.post({"LeadDetails": lead, "Opportunity": opportunity}, path=CAPTURE)


def add(server: Server, code: int, lead: list[dict[str, Any]], **more: Any) -> Answer:
    """The same as an addition, of a lead that is found by its phone number."""
    [phone] = [one["Value"] for one in lead]
    saved(server, Phone=phone)
    addition = {"SearchByValue": phone, "OpportunityEventCode": code, **more}
    return server.post([addition], path=f"{BULK_ADD}?SearchBy=Phone")


def made(answer: Answer) -> str:
    """The id of the opportunity that was created."""
    message = well(answer)
    one = message.get("Response", [message])[0]["CreatedOpportunityId"]
    assert isinstance(one, str)
    return one


@pytest.fixture(params=[capture, add])
def call(request: pytest.FixtureRequest) -> Any:
    """Each call that creates opportunities."""
    return request.param


def values(server: Server, one: str, *columns: str, code: int) -> list[str | None]:
    found = row(server, one, *columns, code=code)
    assert found is not None
    return [found[column] for column in columns]


def test_c2_an_opportunity_without_a_status_is_open(call: Any, server: Server) -> None:
    """The documented request names a name and a stage; both have to fit an open one."""
    asked = fields(c1=fresh(), c2="Prospecting")
    one = made(call(server, DEAL, lead(Phone=fresh()), Fields=asked))
    assert values(server, one, "Status", "mx_Custom_2", code=DEAL) == ["Open", "Prospecting"]
    silent: list[dict[str, Any]] = [{}, {"Fields": None}, {"Fields": []}]
    for nothing in silent:
        one = made(call(server, UNIQUE, lead(Phone=fresh()), **nothing))
        assert values(server, one, "Status", code=UNIQUE) == ["Open"]
    answer = call(server, DEAL, lead(Phone=fresh()), Fields=fields(c1=fresh(), c2="Closed"))
    assert answer.status == 400
    assert "mx_Custom_2 (Stage) 'Closed' does not go with Status 'Open'" in answer.message


def test_a_mandatory_field_without_a_default_is_still_asked_for(call: Any, server: Server) -> None:
    """And one that has a default is not cleared."""
    answer = call(server, DEAL, lead(Phone=fresh()), Fields=fields(c2="Prospecting"))
    assert answer.exception_type == "MXInvalidActivityFieldsException"
    assert answer.message.startswith("Field name : 'mx_Custom_1' of datatype : 'String' is mandat")
    for empty in (None, ""):
        asked = fields(c1=fresh(), Status=empty)
        answer = call(server, DEAL, lead(Phone=fresh()), Fields=asked)
        assert answer.status == 400
        assert answer.message.startswith("Field name : 'Status' of datatype : 'SearchableDropdown'")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ["Open", "Oslo", "North", None]),
        ({"Status": "Won"}, ["Won", "Oslo", "North", None]),
        ({"c3": "bergen"}, ["Open", "Bergen", "North", None]),
        ({"c4": "South", "c3": "Rome"}, ["Open", "Rome", "South", None]),
        ({"c5": "High"}, ["Open", "Oslo", "North", "High"]),
    ],
)
def test_c2_each_mandatory_field_takes_its_default(
    given: dict[str, Any], expected: list[str | None], call: Any, server: Server
) -> None:
    """A dependent dropdown takes its default after its parent; optional fields stay unset."""
    one = made(call(server, TICKET, lead(Phone=fresh()), Fields=fields(**given)))
    columns = ("Status", "mx_Custom_3", "mx_Custom_4", "mx_Custom_5")
    assert values(server, one, *columns, code=TICKET) == expected


def test_a_default_that_does_not_go_with_the_parent_is_not_taken(call: Any, server: Server) -> None:
    """Then the field is asked for: Oslo is not in the south."""
    answer = call(server, TICKET, lead(Phone=fresh()), Fields=fields(c4="South"))
    assert answer.status == 400
    assert answer.message.startswith("Field name : 'mx_Custom_3' of datatype")


def test_a_default_changes_nothing_that_is_there(call: Any, server: Server) -> None:
    """A duplicate that is met takes what was sent, and keeps its status."""
    phone, name = fresh(), fresh()
    asked = fields(Status="Won", c2=name)
    one = made(call(server, UNIQUE, lead(Phone=phone), Fields=asked))
    again = fields(c2=name, c3="second")
    well(call(server, UNIQUE, lead(Phone=phone), Fields=again, OverwriteFields=True))
    assert values(server, one, "Status", "mx_Custom_3", code=UNIQUE) == ["Won", "second"]


def test_a_default_is_shown_and_comes_with_a_file(server: Server, tmp_path: Path) -> None:
    """In the type's metadata; a type that is imported from there has it too."""
    path = f"{writing.SERVICE}/GetOpportunityTypeMetadata?code={TICKET}"
    answer = server.call("GET", path, headers=server.keys.headers)
    options = {
        one["SchemaName"]: json.loads(one["OptionSet"] or "[]") for one in answer.json["Fields"]
    }
    told = {
        name: [option["Value"] for option in some if option["IsDefault"]]
        for name, some in options.items()
        if some
    }
    assert told == {
        "Status": ["Open"],
        "mx_Custom_3": ["Oslo"],
        "mx_Custom_4": ["North"],
        "mx_Custom_5": ["Low"],
    }
    done = run("type", "import", "-", folder=tmp_path, text=answer.body.decode())
    assert (done.returncode, done.stderr) == (0, "")
    exported = run_well("type", "export", str(TICKET), folder=tmp_path)
    assert json.loads(exported) == answer.json
