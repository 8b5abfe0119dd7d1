"""The calls around the bulk read: single rows, lists, searches, deep pages, writes."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import msgspec

from bench.database import ids_and_leads
from bench.peers.product import Product
from bench.pressure import CLIENTS, median_rate, outcomes, press, write_requests
from bench.progress import step, tell
from bench.result import Result
from bench.stage import ONE_TYPE, SEARCHED, Stage
from bench.wire import Connection, get, post

_OPPORTUNITIES: Final = "/v2/OpportunityManagement.svc"
_SEARCH: Final = f"{_OPPORTUNITIES}/Retrieve/BySearchParameter"
_MODIFIED: Final = "/v2/ProspectActivity.svc/RetrieveRecentlyModified"
_CAPTURE: Final = f"{_OPPORTUNITIES}/Capture"
_ROWS: Final = 1_000
_MODIFIED_ROWS: Final = 5_000
_SMALL_ROWS: Final = 25
_CALLS: Final = 512
_CAPTURES: Final = 60_000
"""More than 8 clients can make in a run, so that no two captures are of one lead."""


def details(stage: Stage) -> Result:
    """``GetOpportunityDetails`` calls a second, 8 clients."""
    product = stage.one_type_product()
    rows = ids_and_leads(stage.one_type(), _CALLS)
    requests = [
        get(f"{_OPPORTUNITIES}/GetOpportunityDetails?OpportunityId={one}", product.headers)
        for one, _ in rows
    ]
    return _rate_of(stage, "details", requests)


def by_lead(stage: Stage) -> Result:
    """``GetOpportunitiesOfLead`` calls a second, 8 clients."""
    product = stage.one_type_product()
    path = f"{_OPPORTUNITIES}/GetOpportunitiesOfLead?opportunityType={ONE_TYPE}&leadId="
    requests = [
        post(path + lead, b"", product.headers)
        for _, lead in ids_and_leads(stage.one_type(), _CALLS)
    ]
    return _rate_of(stage, "by-lead", requests)


def captures(stage: Stage) -> Result:
    """Durable ``Capture`` calls a second, 8 clients, each of a new lead."""
    return _rate_of(stage, "capture", capture_requests(stage.one_type_product()))


def capture_requests(product: Product) -> list[bytes]:
    """More captures than a run makes, each of a new lead."""
    start = time.time_ns()
    return [
        post(_CAPTURE, _capture_body(f"new.{start}.{number}@example.com"), product.headers)
        for number in range(_CAPTURES)
    ]


def first_page(stage: Stage) -> Result:
    """A search with two indexed conditions: its first page of 25 rows, ``RecordCount`` exact."""
    return _search_of(stage, "search", rows=_SMALL_ROWS)


def first_thousand(stage: Stage) -> Result:
    """The same search, its first page of 1,000 rows."""
    return _search_of(stage, "search-1000", rows=_ROWS)


def deep_page(stage: Stage) -> Result:
    """The last 1,000 rows of a type, each time after a write."""
    product = stage.one_type_product()
    last = stage.options.opportunities // _ROWS
    body = _search_body([], page=last, rows=_ROWS)
    with Connection(product.port) as connection:
        write = _writer(connection, product)
        deep = post(_SEARCH, body, product.headers)
        page = msgspec.json.decode(bytes(connection.call(deep)))
        assert len(page["List"]) == _ROWS, "the page is not whole"
        with step(f"rows {(last - 1) * _ROWS + 1:,} to {last * _ROWS:,} of a type"):
            taken = [_ms(connection, deep, before=write) for _ in range(stage.options.rounds_slow)]
    return _milliseconds("deep", taken, note="each after a write, so that nothing is remembered")


def recently_modified(stage: Stage) -> Result:
    """``RetrieveRecentlyModified`` over a whole type, page by page: rows a second."""
    product = stage.one_type_product()
    pages = -(-stage.options.opportunities // _MODIFIED_ROWS)
    rows, each = 0, []
    with Connection(product.port) as connection:
        connection.call(post(_MODIFIED, _modified_body(1), product.headers))  # warms
        _writer(connection, product)()
        with step(f"{pages} pages of {_MODIFIED_ROWS:,} rows"):
            started = time.perf_counter()
            for number in range(1, pages + 1):
                request = post(_MODIFIED, _modified_body(number), product.headers)
                before = time.perf_counter()
                answer = connection.call(request)
                each.append((time.perf_counter() - before) * 1_000)
                rows += bytes(answer).count(b'"RelatedProspectId"')
            seconds = time.perf_counter() - started
    assert rows >= stage.options.opportunities, f"{rows} rows came"
    return Result(
        name="modified",
        figure=f"{rows / seconds:,.0f} rows/s",
        value=rows / seconds,
        note=(
            f"first page {each[0]:.0f} ms, the last three"
            f" {', '.join(f'{one:.0f}' for one in each[-3:])} ms"
        ),
        raw={"rows": rows, "seconds": seconds, "ms": each},
    )


def _rate_of(stage: Stage, name: str, requests: Sequence[bytes]) -> Result:
    path = write_requests(stage.scratch(f"{name}.msgpack"), requests)
    port, seconds = stage.one_type_product().port, stage.options.load_s
    with step(f"{name}, {CLIENTS} clients"):
        # captures are never sent twice, so all runs share one task
        runs = 1 if name == "capture" else stage.options.load_rounds
        taken = [press(port, path, CLIENTS, seconds=seconds) for _ in range(runs)]
    rates = [outcome.calls_per_s for outcome in taken]
    return Result(
        name=name,
        figure=f"{median_rate(taken):,.0f} calls/s ({min(rates):,.0f} to {max(rates):,.0f})",
        value=median_rate(taken),
        note=f"p50 {statistics.median(taken[0].latencies_ms):.2f} ms",
        raw={"eight": outcomes(taken)},
    )


def _search_of(stage: Stage, name: str, *, rows: int) -> Result:
    """Times a search of every pair of values, each time after a write."""
    product = stage.one_type_product()
    searches = [
        post(_SEARCH, _search_body(list(pair), page=1, rows=rows), product.headers)
        for pair in _pairs()
    ]
    totals = []
    with Connection(product.port) as connection:
        write = _writer(connection, product)
        for search in searches:
            page = msgspec.json.decode(bytes(connection.call(search)))
            assert len(page["List"]) == min(rows, page["RecordCount"]), "the page is not whole"
            totals.append(page["RecordCount"])
        with step(f"searches with two conditions, pages of {rows:,} rows"):
            taken = [
                _ms(connection, searches[turn % len(searches)], before=write)
                for turn in range(stage.options.rounds_slow)
            ]
    return _milliseconds(name, taken, note=f"of {min(totals):,} to {max(totals):,} matches")


def _ms(connection: Connection, request: bytes, *, before: Callable[[], None]) -> float:
    before()
    started = time.perf_counter()
    connection.call(request)
    return (time.perf_counter() - started) * 1_000


def _milliseconds(name: str, taken: Sequence[float], *, note: str) -> Result:
    median = statistics.median(taken)
    low, _, high = statistics.quantiles(taken, n=4)
    tell(f"{name}: p50 {median:.1f} ms")
    return Result(
        name=name,
        figure=f"{median:.1f} ms ({low:.1f} to {high:.1f})",
        value=median,
        note=note,
        raw={"ms": [round(one, 3) for one in taken]},
    )


# --- messages ----------------------------------------------------------------------------------


def _pairs() -> Iterator[tuple[tuple[str, str], ...]]:
    first, second = SEARCHED
    for status in ("Open", "Won"):
        for stage_name in ("Qualified", "Closed"):
            yield (first, status), (second, stage_name)


def _search_body(equal: Sequence[tuple[str, str]], *, page: int, rows: int) -> bytes:
    conditions = [("ActivityEvent", str(ONE_TYPE)), *equal]
    search = {
        "GrpConOp": "And",
        "Conditions": [
            {
                "Type": "Activity",
                "ConOp": "and",
                "RowCondition": [
                    {
                        "SubConOp": "And",
                        "LSO": name,
                        "LSO_Type": "PAEvent" if name == "ActivityEvent" else "String",
                        "Operator": "eq",
                        "RSO": value,
                    }
                    for name, value in conditions
                ],
            }
        ],
        "QueryTimeZone": "UTC",
    }
    return msgspec.json.encode(
        {
            "OpportunityEventCode": ONE_TYPE,
            "AdvancedSearch": msgspec.json.encode(search).decode(),
            "Columns": {"Include_CSV": "Status,Owner,mx_Custom_1,mx_Custom_4,CreatedOn,ModifiedOn"},
            "Paging": {"PageIndex": page, "PageSize": rows},
            "Sorting": {"ColumnName": "ModifiedOn", "Direction": 1},
        }
    )


def _modified_body(page: int) -> bytes:
    parameter = {
        "FromDate": "2000-01-01 00:00:00",
        "ToDate": "2100-01-01 00:00:00",
        "ActivityEvent": ONE_TYPE,
        "IncludeCustomFields": 1,
    }
    paging = {"PageIndex": page, "PageSize": _MODIFIED_ROWS}
    return msgspec.json.encode({"Parameter": parameter, "Paging": paging})


def _capture_body(email: str) -> bytes:
    attributes = [("EmailAddress", email), ("FirstName", "Jane"), ("SearchBy", "EmailAddress")]
    fields: dict[str, Any] = {"Status": "Open", "mx_Custom_1": "Home loan", "mx_Custom_4": "Closed"}
    return msgspec.json.encode(
        {
            "LeadDetails": [{"Attribute": name, "Value": value} for name, value in attributes],
            "Opportunity": {
                "OpportunityEventCode": ONE_TYPE,
                "Fields": [{"SchemaName": name, "Value": value} for name, value in fields.items()],
            },
        }
    )


def _writer(connection: Connection, product: Product) -> Callable[[], None]:
    """Makes one write, which is a new opportunity of one lead."""
    request = post(_CAPTURE, _capture_body("writer@example.com"), product.headers)

    def write() -> None:
        connection.call(request)

    return write
