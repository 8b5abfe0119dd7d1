"""Reads by id from a scripted host: order, packing, spellings, forms of rows, memory."""

import gc
import json
import threading
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from oppserver.client import Client, InvalidCall
from tests.support.both_clients import ACCESS, EITHER, SECRET, Either, Sync
from tests.support.running import poll
from tests.support.scripted_host import IDS, Reply, guid, row, scripted_host

# --- order, packing, what is missing -----------------------------------------------------------


@EITHER
def test_rows_in_request_order_and_what_is_missing(client: Either) -> None:
    """Three full calls for 5,000 ids: rows in order, though answers are not, and missing ids."""
    absent = frozenset(IDS[7:4_000:500])
    with scripted_host(absent=absent) as host:
        host.answer = lambda request: Reply(
            body=host.rows(request).body, delay_s=0.2 if guid(0) in request.ids else 0.0
        )
        outcome = client.read(host.url, iter(IDS))
    assert [one.id for one in outcome.rows] == [one for one in IDS if one not in absent]
    assert outcome.missing == [one for one in IDS if one in absent]
    assert sorted(len(request.ids) for request in host.requests) == [1_000, 2_000, 2_000]


@EITHER
def test_a_repeated_id_repeats_its_row(client: Either) -> None:
    """Also across calls; each call has the id once, in canonical form."""
    ids = [IDS[1].upper(), *IDS, IDS[1]]
    with scripted_host() as host:
        outcome = client.read(host.url, ids)
    assert [one.id for one in outcome.rows] == [one.lower() for one in ids]
    assert all(len(set(request.ids)) == len(request.ids) for request in host.requests)


@EITHER
def test_a_host_answers_in_its_own_order_and_spelling(client: Either) -> None:
    """Rows may be in other entries or another order, have upper-case ids, or be unrequested."""

    def answer(request: Any) -> Reply:
        rows = [row(one.upper(), ["Status"]) for one in reversed(request.ids)]
        half = len(rows) // 2
        return Reply(
            body=[
                {"EventCode": 12000, "RecordCount": len(rows) - half, "Opportunities": rows[half:]},
                {"EventCode": "12001", "RecordCount": "0", "Opportunities": None},
                {"EventCode": "12001", "Opportunities": [*rows[:half], row(guid(1), [])]},
            ]
        )

    asked = IDS[10:20]
    with scripted_host(answer=answer) as host:
        outcome = client.read(host.url, asked)
    assert [one.id.lower() for one in outcome.rows] == asked
    assert outcome.missing == []


def test_on_missing_takes_the_missing_ids() -> None:
    """It gets them per call; then ``missing`` stays empty."""
    told: list[str] = []
    with (
        scripted_host(absent=frozenset(IDS[:3])) as host,
        Client(host.url, ACCESS, SECRET) as client,
    ):
        rows = client.get_opportunities(
            IDS, event_code=12000, columns="Status", on_missing=told.extend
        )
        assert len(rows.all()) == 4_997
    assert told == IDS[:3]
    assert rows.missing == []


@EITHER
def test_no_ids_make_no_call(client: Either) -> None:
    """An empty iterable sends nothing."""
    with scripted_host() as host:
        assert client.read(host.url, []) == ([], [])
        assert host.requests == []


# --- as they come ------------------------------------------------------------------------------


def test_rows_arrive_before_all_ids() -> None:
    """The first call's rows arrive before the ids of all calls in flight."""
    given = threading.Event()

    def slowly() -> Iterator[str]:
        yield from IDS[:2_000]
        yield from IDS[2_000:4_000]
        poll(lambda: len(host.requests) == 2 or None, what="two calls")
        time.sleep(0.05)
        given.set()
        yield from IDS[4_000:]

    with scripted_host() as host, Client(host.url, ACCESS, SECRET) as client:
        rows = client.get_opportunities(slowly(), event_code=12000, columns="Status")
        assert next(rows).id == IDS[0]
        assert given.is_set()
        assert len(rows.all()) == 4_999


def test_an_endless_read_sends_only_the_calls_in_flight() -> None:
    """Leaving the loop ends it."""

    def endless() -> Iterator[str]:
        number = 0
        while True:
            yield guid(number)
            number += 1

    with scripted_host() as host:
        with Client(host.url, ACCESS, SECRET, calls_in_flight=3) as client:
            rows = client.get_opportunities(endless(), event_code=12000, columns="Status")
            for number, _ in enumerate(rows):
                if number == 100:
                    break
            rows.close()
            assert list(rows) == []
        assert len(host.requests) <= 4


def test_memory_is_flat() -> None:
    """Ten times the ids need no more memory."""

    def peak_bytes(number: int) -> int:
        gc.collect()
        tracemalloc.start()
        rows = client.get_opportunities(
            (guid(n) for n in range(number)),
            event_code=12000,
            columns="Status",
            on_missing=lambda _: None,
        )
        assert not list(rows)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    body = b'[{"EventCode":"1","RecordCount":0,"Opportunities":[]}]'
    with (
        scripted_host(answer=lambda _: Reply(body=body)) as host,
        Client(host.url, ACCESS, SECRET, rate_limit="off", calls_in_flight=2) as client,
    ):
        host.requests = _Forgetful()
        peak_bytes(10_000)
        assert peak_bytes(100_000) < 1.3 * peak_bytes(10_000)


class _Forgetful(list[Any]):
    def append(self, _: Any) -> None:
        """A host that remembers nothing, so that the client's memory is what is measured."""


# --- spellings ---------------------------------------------------------------------------------


@EITHER
def test_numbers_and_booleans_become_text(client: Either) -> None:
    """They are spelled as the API spells them."""
    rows = [{"ProspectActivityId": IDS[0], "mx_Custom_6": 1.5, "mx_Custom_7": True, "Status": None}]
    with scripted_host(Reply(200, [{"RecordCount": 1, "Opportunities": rows}])) as host:
        [read] = client.read(host.url, IDS[:1]).rows
    assert (read["mx_Custom_6"], read["mx_Custom_7"], read.status) == ("1.5", "1", None)


@EITHER
@pytest.mark.parametrize(
    "text", ["4/6/2023 3:23:34 PM", "2023-04-06 15:23:34", "2023-04-06 15:23:34.000"]
)
def test_dates_in_three_forms(client: Either, text: str) -> None:
    """All three are the same datetime."""
    rows = [{"ProspectActivityId": IDS[0], "CreatedOn": text}]
    with scripted_host(Reply(200, [{"RecordCount": 1, "Opportunities": rows}])) as host:
        [read] = client.read(host.url, IDS[:1]).rows
    assert read.created_on.isoformat() == "2023-04-06T15:23:34+00:00"


# --- what is refused before anything is sent ---------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"event_code": "abc"}, "event_code is 'abc'"),
        ({"columns": " , "}, "columns is empty"),
        ({"columns": []}, "columns is empty"),
        ({"rows_as": "xml"}, "rows_as is 'xml'"),
    ],
)
def test_invalid_arguments_are_rejected(changed: dict[str, Any], said: str) -> None:
    """InvalidCall is raised at once, not at the first row."""
    given: dict[str, Any] = {"event_code": 12000, "columns": "Status", **changed}
    with (
        Client("http://127.0.0.1:1", ACCESS, SECRET) as client,
        pytest.raises(InvalidCall, match=said),
    ):
        client.get_opportunities(IDS, **given)


@pytest.mark.parametrize(
    ("host", "options", "said"),
    [
        ("", {}, "is not a host"),
        ("ftp://host", {}, "is not a host"),
        ("http://user:word@host", {}, "is not a host"),
        ("https://host/v2?accessKey=a", {}, "is not a host"),
        ("http://host:99999", {}, "is not a host"),
        ("host", {"keys_in": "body"}, "keys_in is"),
        ("host", {"rate_limit": "25/5"}, "rate_limit is"),
        ("host", {"calls_in_flight": 0}, "calls_in_flight is"),
        ("host", {"colour": 1}, "'colour' is not an option"),
    ],
)
def test_invalid_options_are_rejected(host: str, options: dict[str, Any], said: str) -> None:
    """InvalidCall is raised by the constructor."""
    with pytest.raises(InvalidCall, match=said):
        Client(host, ACCESS, SECRET, **options)
    for keys in (("", SECRET), (ACCESS, ""), (ACCESS, "with\nline")):
        with pytest.raises(InvalidCall):
            Client("host", *keys)


def test_a_host_name_becomes_an_https_url() -> None:
    """``api.example.com`` and ``https://api.example.com/v2/`` are the same host."""
    for host in ("api.example.com", " https://api.example.com/v2/ "):
        assert repr(Client(host, ACCESS, SECRET)) == "Client('https://api.example.com')"


# --- forms of rows -----------------------------------------------------------------------------


@EITHER
def test_rows_as_dicts_arrow_and_data_frames(client: Either) -> None:
    """All forms have the same rows and typed dates; an empty result has its columns."""
    given: dict[str, Any] = {"event_code": 12000, "columns": "Status,CreatedOn,Owner"}
    names = [
        "ProspectId",
        "EmailAddress",
        "ProspectActivityId",
        "Status",
        "CreatedOn",
        "Owner",
        "OwnerEmailAddress",
    ]
    with scripted_host() as host:
        forms = {
            form: client.call(host.url, "get_opportunities", IDS, given=given | {"rows_as": form})
            for form in ("dict", "arrow", "dataframe")
        }
        empty = client.call(
            host.url, "get_opportunities", [], given=given | {"rows_as": "dataframe"}
        )
    assert [one["ProspectActivityId"] for one in forms["dict"]] == IDS
    assert forms["arrow"].column_names == names == list(forms["dataframe"].columns)
    assert forms["arrow"].column("ProspectActivityId").to_pylist() == IDS
    assert forms["dataframe"]["ProspectActivityId"].tolist() == IDS
    assert str(forms["dataframe"]["CreatedOn"].iloc[-1]) == "2023-04-06 15:23:34+00:00"
    assert list(empty.columns) == names
    assert len(empty) == 0


def test_batches_are_the_calls() -> None:
    """A batch has the rows, the ids and the missing ids of one call."""
    with (
        scripted_host(absent=frozenset(IDS[:1])) as host,
        Client(host.url, ACCESS, SECRET) as client,
    ):
        rows = client.get_opportunities(IDS, event_code=12000, columns="Status")
        batches = list(rows.batches())
    assert [len(batch.ids) for batch in batches] == [2_000, 2_000, 1_000]
    assert [len(batch.rows) for batch in batches] == [1_999, 2_000, 1_000]
    assert list(batches[0].missing) == IDS[:1]


def test_the_request_is_the_documented_one() -> None:
    """Path, content type, keys in headers, body."""
    with scripted_host() as host:
        Sync().read(host.url, IDS[:2], columns=["Status", " mx_Custom_1 "])
    [request] = host.requests
    assert request.path == "/v2/OpportunityManagement.svc/GetOpportunitiesById"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-lsq-accesskey"] == ACCESS
    assert request.headers["x-lsq-secretkey"] == SECRET
    assert request.query == {}
    assert json.loads(request.body) == {
        "SearchParameters": [
            {
                "EventCode": "12000",
                "ProspectActivityId": IDS[:2],
                "Columns": {"Include_CSV": "Status,mx_Custom_1"},
            }
        ]
    }
