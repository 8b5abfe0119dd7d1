"""The client's other calls against the real server: lists, searches, details, types, writes."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from oppserver.client import (
    AccessRefused,
    Addition,
    Client,
    InvalidCall,
    NewActivity,
    NotFound,
    RequestRefused,
    Update,
    WritesStopped,
    any_of,
    field,
    where,
)
from oppserver.contract.model import ActivityType, DataType, Field, OpportunityType
from oppserver.store import open_store
from tests.support.both_clients import EITHER, Either
from tests.support.running import Keys, Server, create_key, serving

CODE = 12000
FIELDS = [
    ("mx_Custom_1", DataType.STRING, ()),
    ("mx_Custom_2", DataType.SEARCHABLE_DROPDOWN, ("New", "Hot", "Cold")),
    ("mx_Custom_6", DataType.NUMBER, ()),
    ("mx_Custom_8", DataType.DATE_TIME, ()),
    ("mx_Custom_9", DataType.BOOLEAN, ()),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one type of five fields, a type without deletes, and activities."""
    folder = tmp_path_factory.mktemp("calls")
    store = open_store(f"sqlite:///{folder}/oppserver.db")
    store.put_types(
        [
            OpportunityType(
                event_code=CODE, name="Loan", duplicate_rules=(("ProspectId", "mx_Custom_1"),)
            ),
            OpportunityType(event_code=12001, name="Kept", can_delete=False),
        ]
    )
    store.put_fields(
        [
            Field(
                event_code=CODE,
                schema_name=name,
                display_name=f"Display {name}",
                data_type=data_type,
                options=options,
                sequence=number,
            )
            for number, (name, data_type, options) in enumerate(FIELDS)
        ]
    )
    store.put_activity_types([ActivityType(event_code=200, name="Call")])
    store.close()
    keys = create_key(folder, role="administrator", email="me@example.com")
    with serving(folder, keys=keys) as running:
        yield running


@pytest.fixture
def me(server: Server) -> Iterator[Client]:
    with Client(server.url, server.keys.access, server.keys.secret, rate_limit="off") as client:
        yield client


def call(client: Either, server: Server, method: str, *arguments: Any, **given: Any) -> Any:
    keys = (server.keys.access, server.keys.secret)
    return client.call(server.url, method, *arguments, given=given, keys=keys)


def capture(
    client: Either, server: Server, name: str, *, email: str | None = None, **fields: Any
) -> Any:
    return call(
        client,
        server,
        "capture",
        CODE,
        {"Status": "Open", "mx_Custom_1": name, **fields},
        lead={"EmailAddress": email or f"{client.name}@example.com"},
    )


# --- writes and what they leave ----------------------------------------------------------------


@EITHER
def test_an_opportunity_s_life(client: Either, server: Server) -> None:
    """Capture with values of every type, meet it as a duplicate, change it, read it, delete it."""
    made = capture(
        client,
        server,
        f"life {client.name}",
        mx_Custom_2="hot",
        mx_Custom_6=Decimal("1200.50"),
        mx_Custom_8=datetime(2024, 2, 29, 13, 5, 9, tzinfo=UTC),
        mx_Custom_9=True,
    )
    assert made.is_new
    again = capture(client, server, f"life {client.name}")
    assert (again.is_new, again.opportunity_id) == (False, made.opportunity_id)
    one = UUID(made.opportunity_id)
    call(client, server, "update", one, {"mx_Custom_6": None, "Status": "Won"}, note="Done")
    details = call(client, server, "get_opportunity", one)
    assert (details.id, details.lead_id) == (made.opportunity_id, made.lead_id)
    assert details.type_name == "Loan"
    assert details.row.status == "Won"
    assert details.row.note == "Done"
    assert details.row["mx_Custom_2"] == "Hot"
    assert details.row.number("mx_Custom_6") is None
    assert details.row.date("mx_Custom_8") == datetime(2024, 2, 29, 13, 5, 9, tzinfo=UTC)
    assert details.row["mx_Custom_9"] == "1"
    assert {field.schema_name for field in details.fields} >= {name for name, *_ in FIELDS}
    assert call(client, server, "delete", one) is None
    with pytest.raises(NotFound, match="have been deleted"):
        call(client, server, "get_opportunity", one)


@EITHER
def test_many_writes_in_calls_of_25(client: Either, server: Server) -> None:
    """60 opportunities are added and then updated, in three calls each, in order."""
    email = f"many-{client.name}@example.com"
    first = capture(client, server, "first", email=email)
    added = call(
        client,
        server,
        "add_opportunities",
        (
            Addition(lead=email, fields={"Status": "Open", "mx_Custom_1": f"{client.name} {n}"})
            for n in range(60)
        ),
        event_code=CODE,
    )
    assert len({one.opportunity_id for one in added}) == 60
    assert {one.lead_id for one in added} == {first.lead_id}
    updates = [
        Update(one.opportunity_id, {"mx_Custom_6": n}, note=f"note {n}")
        for n, one in enumerate(added)
    ]
    assert call(client, server, "update_opportunities", iter(updates), event_code=CODE) == 60
    rows = call(
        client,
        server,
        "get_opportunities",
        [one.opportunity_id for one in added],
        event_code=CODE,
        columns="mx_Custom_6,OpportunityNote",
    )
    assert [row.number("mx_Custom_6") for row in rows] == list(range(60))
    assert rows[59].note == "note 59"


@EITHER
def test_many_writes_of_which_one_is_refused(client: Either, server: Server) -> None:
    """That call fails as a whole; the error has the number written before it."""
    made = capture(client, server, f"stopped {client.name}", email=f"s-{client.name}@example.com")
    email = f"s-{client.name}@example.com"
    values = [f"{client.name} {n}" for n in range(80)]
    additions = [
        Addition(lead=email, fields={"Status": "Open", "mx_Custom_1": value}) for value in values
    ]
    additions[30] = Addition(lead=email, fields={"Status": "Nonsense"})
    with pytest.raises(WritesStopped, match="The 25 before that are written") as caught:
        call(client, server, "add_opportunities", additions, event_code=CODE)
    assert caught.value.done == 25
    rows = call(client, server, "get_opportunities_of_lead", made.lead_id)
    assert len(rows) == 26
    with pytest.raises(RequestRefused, match="Nonsense"):
        call(client, server, "add_opportunities", additions[30:], event_code=CODE)


@EITHER
def test_what_a_type_does_not_allow(client: Either, server: Server) -> None:
    """AccessRefused, with the command that allows it."""
    made = call(
        client,
        server,
        "capture",
        12001,
        {"Status": "Open"},
        lead={"EmailAddress": f"kept-{client.name}@example.com"},
    )
    with pytest.raises(AccessRefused, match="cannot be deleted"):
        call(client, server, "delete", made.opportunity_id)


@EITHER
def test_activities_are_posted_and_read(client: Either, server: Server) -> None:
    """30 are posted in two calls; a list can be limited to one type."""
    made = capture(client, server, f"active {client.name}")
    ids = call(
        client,
        server,
        "add_activities",
        made.opportunity_id,
        [NewActivity(event_code=200, owner_email="me@example.com", note=str(n)) for n in range(30)],
    )
    assert len(set(ids)) == 30
    rows = call(client, server, "get_activities", made.opportunity_id, event_code=200)
    assert len(rows) == 30


# --- types -------------------------------------------------------------------------------------


@EITHER
def test_types_and_fields(client: Either, server: Server) -> None:
    """All types have code and name; one type has its fields with types and options."""
    types = call(client, server, "get_types")
    assert {one.event_code: one.name for one in types} == {CODE: "Loan", 12001: "Kept"}
    one = call(client, server, "get_type", CODE)
    assert (one.event_code, one.name, one.can_delete) == (CODE, "Loan", True)
    assert not call(client, server, "get_type", "12001").can_delete
    fields = {field.schema_name: field for field in one.fields}
    assert fields["mx_Custom_2"].options == ("New", "Hot", "Cold")
    assert fields["mx_Custom_6"].data_type == "Number"
    assert fields["Status"].options == ("Open", "Won", "Lost")
    assert fields["Status"].is_mandatory
    with pytest.raises(RequestRefused, match="12999"):
        call(client, server, "get_type", 12999)


# --- searches ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def deals(server: Server) -> dict[int, str]:
    """Ten opportunities of one lead by their size, 1,000 to 10,000; every second has no date."""
    with Client(server.url, server.keys.access, server.keys.secret, rate_limit="off") as client:
        made = {}
        for n in range(1, 11):
            fields: dict[str, Any] = {
                "Status": "Open" if n % 3 else "Won",
                "mx_Custom_1": f"deal {n}",
                "mx_Custom_2": "Hot" if n > 5 else "Cold",
                "mx_Custom_6": n * 1_000,
            }
            if n % 2:
                fields["mx_Custom_8"] = date(2024, 1, n)
            captured = client.capture(CODE, fields, lead={"EmailAddress": "deals@example.com"})
            assert captured.opportunity_id
            made[n] = captured.opportunity_id
        return made


SIZE = field("mx_Custom_6")
EIGHT_THOUSAND = Decimal(8_000)
INFINITE = Decimal("inf")
ANYTHING: Any = "Status"
DEAL = field("mx_Custom_1").begins_with("deal ")
SEARCHES = [
    (where(DEAL), set(range(1, 11))),
    (where(DEAL, SIZE > 8_000), {9, 10}),
    (where(DEAL, SIZE >= EIGHT_THOUSAND), {8, 9, 10}),
    (where(DEAL, SIZE < 2_000.5), {1, 2}),
    (where(DEAL, SIZE <= 2_000), {1, 2}),
    (where(DEAL, SIZE == 4_000), {4}),
    (where(DEAL, SIZE != 4_000), set(range(1, 11)) - {4}),
    (where(DEAL, SIZE.between(3_000, 5_000)), {3, 4, 5}),
    (where(DEAL, field("Status") == "Won"), {3, 6, 9}),
    (where(DEAL, field("Status") == "Won", SIZE > 5_000), {6, 9}),
    (where(DEAL, any_of(SIZE == 1_000, SIZE == 7_000)), {1, 7}),
    (
        where(
            DEAL,
            any_of(SIZE < 3_000, SIZE > 8_000),
            any_of(field("Status") == "Won", field("mx_Custom_2") == "Cold"),
        ),
        {1, 2, 9},
    ),
    (where(DEAL, field("mx_Custom_8") == None), {2, 4, 6, 8, 10}),  # noqa: E711 (a condition)
    (where(DEAL, field("mx_Custom_8").is_set(), SIZE < 4_000), {1, 3}),
    (where(DEAL, field("mx_Custom_8") >= date(2024, 1, 5)), {5, 7, 9}),
    (where(DEAL, field("mx_Custom_8") == date(2024, 1, 5)), {5}),
    (where(field("mx_Custom_1").contains("EAL 1")), {1, 10}),
]


@EITHER
@pytest.mark.parametrize(("conditions", "found"), SEARCHES)
def test_conditions_mean_what_they_say(
    client: Either, server: Server, deals: dict[int, str], conditions: Any, found: set[int]
) -> None:
    """Every comparison, and, or, dates and numbers work on the real server."""
    rows = call(client, server, "search", CODE, conditions, columns="mx_Custom_1")
    assert {row.id for row in rows} == {deals[n] for n in found}
    assert call(client, server, "count", CODE, conditions) == len(found)


@EITHER
def test_searches_are_paged_in_order_and_in_every_form(
    client: Either, server: Server, deals: dict[int, str]
) -> None:
    """Rows are sorted by size; dicts and data frames have the same rows."""
    given = {"columns": "mx_Custom_6,CreatedOn", "order_by": "mx_Custom_6", "descending": False}
    rows = call(client, server, "search", CODE, where(DEAL), **given)
    assert [row.id for row in rows] == [deals[n] for n in range(1, 11)]
    assert rows[0].created_on.tzinfo is UTC
    dicts = call(client, server, "search", CODE, where(DEAL), rows_as="dict", **given)
    assert dicts == [row.to_dict() for row in rows]
    frame = call(client, server, "search", CODE, where(DEAL), rows_as="dataframe", **given)
    assert frame["mx_Custom_6"].tolist() == [str(n * 1_000) for n in range(1, 11)]


def test_a_search_of_several_pages(me: Client, deals: dict[int, str]) -> None:
    """Pages are read until all rows are read; ``total`` is known from the first page."""
    me.add_opportunities(
        (
            Addition(
                lead="deals@example.com", fields={"Status": "Lost", "mx_Custom_1": f"page {n}"}
            )
            for n in range(1_050)
        ),
        event_code=CODE,
    )
    rows = me.search(CODE, where(field("mx_Custom_1").begins_with("page ")), columns="Status")
    totals = [rows.total, next(rows) and rows.total]
    assert totals == [None, 1_050]
    assert len(rows.all()) == 1_049


@EITHER
def test_lists_of_a_lead(client: Either, server: Server, deals: dict[int, str]) -> None:
    """By the lead's id and e-mail address; for one type, with the requested columns."""
    [lead] = {
        row.lead_id for row in call(client, server, "search", CODE, where(DEAL), columns="Status")
    }
    rows = call(
        client, server, "get_opportunities_of_lead", lead, event_code=CODE, columns="mx_Custom_1"
    )
    assert set(deals.values()) <= {row.id for row in rows}
    by_address = call(
        client, server, "get_opportunities_by_lead_field", "EmailAddress", "deals@example.com"
    )
    assert {row.lead_id for row in by_address} == {lead}
    assert len(by_address) == len(rows)


# --- invalid arguments -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: field(""), "A field needs a name"),
        (any_of, "needs at least one condition"),
        (lambda: where(ANYTHING), "str is not a condition"),
        (lambda: any_of(ANYTHING), "str is not a condition"),
        (lambda: SIZE > "", "is_not_set"),
        (lambda: SIZE == [1], "list is not a value"),
        (lambda: bool(SIZE > 1), "no truth value"),
        (lambda: 1_000 < SIZE < 2_000, "no truth value"),
        (lambda: SIZE > INFINITE, "cannot be stored"),
    ],
)
def test_invalid_conditions_are_rejected(make: Any, said: str) -> None:
    """InvalidCall is raised where the condition is written."""
    with pytest.raises(InvalidCall, match=said):
        make()


@pytest.mark.parametrize(
    ("method", "arguments", "given", "said"),
    [
        ("get_opportunity", ("abc",), {}, "opportunity_id: 'abc' is not a GUID"),
        ("delete", ("abc",), {}, "opportunity_id: 'abc' is not a GUID"),
        ("update", ("24cf277e-70fe-4b2f-a9c2-9a68f45feaba", {}), {}, "nothing to change"),
        ("capture", (CODE, {}), {"lead": {}}, "lead is empty"),
        ("capture", ("x", {}), {"lead": {"a": "b"}}, "event_code is 'x'"),
        ("capture", (CODE, {"a": object()}), {"lead": {"a": "b"}}, "object is not a value"),
        ("get_opportunities_of_lead", ("abc",), {}, "lead_id: 'abc' is not a GUID"),
    ],
)
@EITHER
def test_invalid_arguments_are_rejected(
    client: Either, method: str, arguments: Any, given: Any, said: str
) -> None:
    """Nothing is sent."""
    with pytest.raises(InvalidCall, match=said):
        client.call("http://127.0.0.1:1", method, *arguments, given=given)


def test_a_reader_may_read_and_not_write(server: Server, tmp_path: Path) -> None:
    """AccessRefused names the role."""
    keys: Keys = create_key(server.log_file.parent, role="reader", email="reader@example.com")
    with Client(server.url, keys.access, keys.secret) as reader:
        assert reader.get_types()
        with pytest.raises(AccessRefused, match="reader"):
            reader.capture(CODE, {"Status": "Open"}, lead={"EmailAddress": "a@example.com"})
