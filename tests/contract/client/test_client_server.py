"""The client against the real server, over a socket."""

import json
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from oppserver.client import (
    Client,
    HostUnreachable,
    InvalidCall,
    KeysRefused,
    RequestRefused,
    any_of,
    field,
    where,
)
from oppserver.contract import example
from tests.support.both_clients import EITHER, Either
from tests.support.running import Keys, Server, create_key, serving
from tests.support.world import DELETED_ID, NOTE, OTHER_ID, SPARSE_ID, WIDE_CODE, WIDE_ID


def read(client: Either, server: Server, ids: Any, *, columns: Any, code: int, **more: Any) -> Any:
    return client.call(
        server.url,
        "get_opportunities",
        ids,
        given={"event_code": code, "columns": columns},
        keys=(server.keys.access, server.keys.secret),
        **more,
    )


@EITHER
@pytest.mark.parametrize("keys_in", ["headers", "query"])
def test_the_page_s_example(client: Either, server: Server, keys_in: str) -> None:
    """The documented rows are read, with the keys in headers or query."""
    [group, _] = json.loads(example.request())["SearchParameters"]
    rows = read(
        client,
        server,
        group["ProspectActivityId"],
        columns=group["Columns"]["Include_CSV"],
        code=12003,
        keys_in=keys_in,
    )
    documented = json.loads(example.response())[0]["Opportunities"][:2]
    assert [row.to_dict() for row in rows] == documented
    assert rows[0].created_on.isoformat() == "2023-04-06T15:23:34+00:00"
    assert rows[0].owner_email == "sri.sudhan@mcn.christuniversity.in"


@EITHER
def test_every_column_of_a_wide_row(client: Either, server: Server) -> None:
    """250 slots, a note with every kind of character, dates, and unset fields."""
    names = ["OpportunityNote", "EventCode", *(f"mx_Custom_{n}" for n in range(1, 251))]
    rows = read(
        client,
        server,
        [DELETED_ID, SPARSE_ID, OTHER_ID, WIDE_ID],
        columns=names,
        code=WIDE_CODE,
    )
    assert [row.id for row in rows] == [SPARSE_ID, WIDE_ID]
    sparse, wide = rows
    assert wide.note == NOTE
    assert wide.event_code == WIDE_CODE
    assert wide["mx_Custom_250"] == "value 250"
    assert wide.date("mx_Custom_8").isoformat() == "2024-03-01T07:08:09+00:00"
    assert sparse["mx_Custom_1"] is None


@EITHER
def test_refusals_have_the_server_s_words(client: Either, server: Server) -> None:
    """The error suggests the right column and has the request id."""
    with pytest.raises(RequestRefused, match=r"Did you mean Status\?") as caught:
        read(client, server, [WIDE_ID], columns="Statsu", code=WIDE_CODE)
    assert caught.value.exception_type == "MXUnknownAttributeException"
    assert caught.value.request_id


def test_every_answer_says_how_long_keys_are_kept(server: Server) -> None:
    """Good and bad answers have ``Idempotency-Key-Hours``."""
    for answer in (server.post(b"{}"), server.post(b"{}", keys=Keys("x", "y"))):
        assert answer.headers["idempotency-key-hours"] == "24"


@EITHER
def test_wrong_keys(client: Either, server: Server) -> None:
    """KeysRefused, without a retry."""
    with pytest.raises(KeysRefused, match="each region has its own"):
        client.read(server.url, [WIDE_ID])


def test_https_with_a_private_certificate(filled_folder: Path, tmp_path: Path) -> None:
    """``verify`` takes a context; without it the certificate is refused."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    for number, part in enumerate(certificate.cert_chain_pems):
        part.write_to_path(tmp_path / "cert.pem", append=number > 0)
    flags = (
        "--ssl-certfile",
        str(tmp_path / "cert.pem"),
        "--ssl-keyfile",
        str(tmp_path / "key.pem"),
    )
    keys = create_key(filled_folder)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with serving(filled_folder, *flags, keys=keys) as server:
        given: dict[str, Any] = {"event_code": WIDE_CODE, "columns": "Status"}
        with Client(server.url, keys.access, keys.secret, verify=context) as client:
            assert client.get_opportunities([WIDE_ID], **given).all()[0].status == "Open"
        with (
            Client(server.url, keys.access, keys.secret, retry_for_s=0) as client,
            pytest.raises(HostUnreachable, match="certificate"),
        ):
            client.get_opportunities([WIDE_ID], **given).all()


SEARCHES: dict[str, Any] = {
    "O13": lambda: field("mx_Custom_250") == "value 250",
    "O13 not set": lambda: field("mx_Custom_1").is_set(),
    "O13 any": lambda: any_of(field("mx_Custom_250") == "x", field("mx_Custom_250") == "value 250"),
    "O13 where": lambda: where(field("mx_Custom_250") == "value 250"),
}


@EITHER
@pytest.mark.parametrize("made", SEARCHES.values(), ids=SEARCHES)
def test_o13_one_condition_needs_no_where(client: Either, server: Server, made: Any) -> None:
    """A search and a count take it as it is."""
    keys = (server.keys.access, server.keys.secret)
    given = {"conditions": made()}
    rows = client.call(server.url, "search", WIDE_CODE, given=given, keys=keys)
    assert [row.id for row in rows] == [WIDE_ID]
    assert client.call(server.url, "count", WIDE_CODE, given=given, keys=keys) == 1


@pytest.mark.parametrize("given", [True, "Status", None, [field("Status") == "Open"]])
def test_o13_other_conditions_are_refused(given: Any, server: Server) -> None:
    """At once, with what to pass."""
    with (
        Client(server.url, server.keys.access, server.keys.secret) as client,
        pytest.raises(InvalidCall, match=r"is not a condition here. Pass field\("),
    ):
        client.search(WIDE_CODE, given)


@EITHER
@pytest.mark.parametrize("name", ["OpportunityNote", "Owner", "Status", "ModifiedOn"])
def test_o14_modified_rows_have_their_columns(client: Either, server: Server, name: str) -> None:
    """The members of ``Fields`` are columns too, with the values of the bulk read."""
    keys = (server.keys.access, server.keys.secret)
    rows = client.call(server.url, "get_modified", WIDE_CODE, keys=keys)
    [row] = [one for one in rows if one.id == WIDE_ID]
    [wide] = read(client, server, [WIDE_ID], columns=[name], code=WIDE_CODE)
    if name == "ModifiedOn":
        assert row.modified_on == wide.modified_on
    else:
        assert row[{"OpportunityNote": "ActivityEvent_Note"}.get(name, name)] == wide[name]
    assert row.status == row["Status"]
    assert "Fields" not in row
