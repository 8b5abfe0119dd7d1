"""The methods of leads and users of both clients, on a real server and on a scripted host."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from oppserver.client import (
    ActivityPage,
    InvalidCall,
    LeadPage,
    RequestRefused,
    SavedLead,
    UnexpectedAnswer,
    field,
    where,
)
from tests.support import writing
from tests.support.both_clients import EITHER, Either
from tests.support.running import Server, create_key
from tests.support.scripted_host import Reply, scripted_host
from tests.support.writing import fresh

LEAD = "a368678f-1e81-4fb8-af0a-4b896f6330e1"

folder, server = writing.folder, writing.server


@pytest.fixture
def call(client: Either, server: Server) -> Iterator[Any]:
    """Calls a method of a client of the server."""

    def method(name: str, *arguments: Any, **given: Any) -> Any:
        keys = (server.keys.access, server.keys.secret)
        return client.call(server.url, name, *arguments, given=given, keys=keys)

    yield method


@EITHER
def test_leads_are_written_and_found(call: Any) -> None:
    """Created, captured, saved in bulk; by id, address, number, words and change."""
    email, phone = f"{uuid4().hex}@example.com", f"+91-{uuid4().int % 10**10:010d}"
    created = call("create_lead", {"EmailAddress": email, "FirstName": "Jane"})
    assert created.is_new
    assert call("capture_lead", {"EmailAddress": email, "Phone": phone}) == SavedLead(
        id=created.id, is_new=False
    )
    kept = {"EmailAddress": email, "FirstName": "no"}
    assert call("capture_lead", kept, search_by="EmailAddress", update="DoNotUpdate").id
    lead = call("get_lead", created.id)
    assert (lead["FirstName"], lead["Phone"]) == ("Jane", phone)
    assert call("get_lead", email=email.upper()) == lead
    assert call("get_lead", phone=phone.replace("-", "")) == lead
    assert call("get_lead", uuid4()) is None
    assert call("find_leads", email) == [lead]
    page = call("get_modified_leads", "2024-01-01", columns=["ProspectID", "FirstName"])
    assert {"ProspectID": created.id, "FirstName": "Jane"} in page.leads
    assert page.total >= len(page.leads) > 0
    saved = call(
        "save_leads",
        [{"Phone": fresh()} for _ in range(26)] + [{"EmailAddress": email}, {"Fone": "1"}],
    )
    assert [one.is_new for one in saved] == [True] * 26 + [False] * 2
    assert saved[26].id == created.id
    assert saved[27].id is None
    assert saved[27].error.startswith("MXUnknownAttributeException: Attribute(s) does not exist")
    with pytest.raises(RequestRefused, match="A Lead with same Email already exists"):
        call("create_lead", {"EmailAddress": email})


@EITHER
def test_a_user_is_read_by_id(call: Any, folder: Path) -> None:
    """The user's values by name; None for nobody."""
    keys = create_key(folder, role="reader", email=f"{uuid4().hex}@example.com")
    assert keys.access
    assert call("get_user", uuid4()) is None


@EITHER
def test_answers_of_other_hosts_are_understood(client: Either) -> None:
    """An answer without members, with numbers, and one that is no list of leads."""
    with scripted_host(Reply(200, {"RecordCount": 0})) as host:
        page = client.call(host.url, "get_modified_leads")
        assert page == LeadPage(total=0, leads=[])
    with scripted_host(Reply(200, [{"ProspectID": "x", "Score": 5, "Groups": []}])) as host:
        assert client.call(host.url, "find_leads", "x") == [{"ProspectID": "x", "Score": "5"}]
    with scripted_host(Reply(200, {"Status": "Success", "Message": {"Id": "x"}})) as host:
        assert client.call(host.url, "create_lead", {"FirstName": "x"}).id == "x"
    with scripted_host(Reply(200, [])) as host, pytest.raises(UnexpectedAnswer, match="1 were"):
        client.call(host.url, "save_leads", [{"Phone": "1"}])


@EITHER
@pytest.mark.parametrize(
    ("method", "arguments", "given", "said"),
    [
        ("get_lead", (), {}, "Pass one of lead_id, email and phone"),
        ("get_lead", (), {"email": "a", "phone": "1"}, "Pass one of lead_id, email and phone"),
        ("get_lead", ("7",), {}, "lead_id: '7' is not a GUID"),
        ("find_leads", (" ",), {}, "key is empty"),
        ("capture_lead", ({},), {}, "no attributes"),
        ("get_user", ("7",), {}, "user_id: '7' is not a GUID"),
    ],
)
def test_arguments_that_cannot_be_are_named(
    client: Either, method: str, arguments: Any, given: Any, said: str
) -> None:
    """Nothing is sent."""
    with pytest.raises(InvalidCall, match=said):
        client.call("http://127.0.0.1:9", method, *arguments, given=given)


@EITHER
def test_activities_are_searched_and_their_types_created(call: Any) -> None:
    """A page of those that meet conditions; one activity with the values of its fields."""
    name = f"Visit {uuid4().hex}"
    code = call("create_activity_type", name, {"mx_Custom_1": "Place"})
    assert code >= 200
    page = call("search_activities", code, where(field("mx_Custom_1") == "x"), columns="Status")
    assert page == ActivityPage(total=0, activities=[])
    with pytest.raises(RequestRefused, match="there is no activity"):
        call("get_activity", uuid4())
    with pytest.raises(RequestRefused, match="is the name of the activity type"):
        call("create_activity_type", name)
    with pytest.raises(InvalidCall, match="name is empty"):
        call("create_activity_type", " ")


@EITHER
def test_an_activity_of_another_host_is_understood(client: Either) -> None:
    """Values by name, numbers as text."""
    message = {"ID": LEAD, "Fields": [{"SchemaName": "mx_Custom_1", "Value": 5}]}
    with scripted_host(Reply(200, message)) as host:
        found = client.call(host.url, "get_activity", LEAD)
        assert found == {"ProspectActivityId": LEAD, "mx_Custom_1": "5"}
