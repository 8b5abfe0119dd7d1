"""Home: where the server is, how it does, and what to do next."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from oppserver.console.access import Right
from oppserver.console.request_log import KeyUse
from oppserver.console.snippets import CopiedCall, snippets_of
from oppserver.console.visit import Moved, Page, Reply, Section, Shown, Visit
from oppserver.contract import sample
from oppserver.contract.dates import now_stored
from oppserver.contract.model import StoredOpportunity
from oppserver.contract.names import counted

SAMPLE_ROWS: Final = 1_000

_BULK_READ: Final = "/v2/OpportunityManagement.svc/GetOpportunitiesById"

_CHART_HEIGHT: Final = 40


class KeyLimit(NamedTuple):
    """The calls that a key has left, and its last use; None where it was not used."""

    access_key: str
    email: str
    role: str
    left: int | None
    use: KeyUse | None


def _home(visit: Visit) -> Reply:
    server = visit.server
    first = _first_opportunity(visit)
    minutes = server.requests.minutes(visit.now.timestamp())
    return Shown(
        "home/home.html",
        {
            "is_empty": first is None,
            "has_keys": bool(server.services.store.keys()),
            "snippets": snippets_of(_example(visit, first)),
            "sample_rows": SAMPLE_ROWS,
            "calls_last_minute": minutes[-2][0],
            "calls_last_hour": sum(calls for calls, _ in minutes),
            "errors_last_hour": sum(errors for _, errors in minutes),
            "bars": _bars(minutes),
            "chart_height": _CHART_HEIGHT,
            "size": server.services.store.size_bytes(),
            "engine": server.services.store.engine(),
            "library": server.services.store.library(),
            "servers": server.services.store.servers(),
            "limit": server.settings.rate_limit,
            "keys": key_limits(visit) if visit.can(Right.SEE_ALL) else [],
        },
    )


def _first_opportunity(visit: Visit) -> StoredOpportunity | None:
    page = visit.server.services.store.read_opportunities(event_code=None, after_id="", limit=1)
    return page[0] if page else None


def _example(visit: Visit, first: StoredOpportunity | None) -> CopiedCall:
    group = {
        "EventCode": str(first.event_code if first else sample.EVENT_CODE),
        "ProspectActivityId": [first.id if first else "24cf277e-70fe-4b2f-a9c2-9a68f45feaba"],
        "Columns": {"Include_CSV": "CreatedOn,ModifiedOn,Owner,Status"},
    }
    return CopiedCall(
        url=visit.api_url,
        method="POST",
        path=_BULK_READ,
        headers={"Content-Type": "application/json"},
        body=msgspec.json.encode({"SearchParameters": [group]}),
    )


class Bar(NamedTuple):
    """A minute of the chart: heights of its calls and of the errors among them."""

    calls: int
    height: int
    error_height: int


def _bars(minutes: Sequence[tuple[int, int]]) -> list[Bar]:
    most = max(1, *(calls for calls, _ in minutes))
    return [
        Bar(calls, -(-calls * _CHART_HEIGHT // most), -(-errors * _CHART_HEIGHT // most))
        for calls, errors in minutes
    ]


def key_limits(visit: Visit) -> list[KeyLimit]:
    """Return each live key with the calls that it has left now, at least."""
    server = visit.server
    uses, limit = server.requests.keys(), server.settings.rate_limit
    found = []
    for key in server.services.store.keys():  # noqa: SIM118 (a method of the store; it is no mapping)
        if key.revoked_on is not None:
            continue
        use = uses.get(key.access_key)
        left = None if limit is None else limit.calls
        if limit and use and use.remaining is not None:
            is_over = visit.now.timestamp() - use.at >= limit.window_s
            left = limit.calls if is_over else use.remaining
        found.append(KeyLimit(key.access_key, key.email, key.role.value, left, use))
    return found


def _load_sample(visit: Visit) -> Reply:
    store = visit.server.services.store
    now = now_stored(visit.now)
    store.put_types([sample.TYPE])
    store.put_fields(list(sample.FIELDS))
    store.write_opportunities(list(sample.opportunities(SAMPLE_ROWS)), now=now)
    return Moved(
        "", note=f"Loaded {counted(SAMPLE_ROWS, 'opportunity')} of type {sample.EVENT_CODE}."
    )


SECTION: Final = Section(
    title="Home",
    path="",
    pages=(
        Page("GET", "/", _home),
        Page("POST", "/sample", _load_sample, needs=Right.ADMINISTER, form=_home),
    ),
)
