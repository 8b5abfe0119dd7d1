"""Uses of the plug-in, read by mypy and pyright, both strict. Nothing here is executed."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import assert_type

from oppserver.client import AsyncClient, Client, RateLimit
from oppserver.testing import Fault, OppserverFixture, OppserverUser, ReceivedCall


def using(oppserver: OppserverFixture) -> None:
    assert_type(oppserver.url, str)
    assert_type(oppserver.headers, dict[str, str])
    assert_type(oppserver.client(rate_limit=RateLimit(1, 1)), Client)
    assert_type(oppserver.async_client(), AsyncClient)
    oppserver.add_type(12000, "Deal", fields={"mx_Custom_1": "Name"}, duplicate_rules=[["Status"]])
    oppserver.add_field(12000, "mx_Custom_2", options=["a"], dependent_options={"Open": ["b"]})
    assert_type(oppserver.add_user("a@b.c", role="reader"), OppserverUser)
    lead = oppserver.add_lead(EmailAddress="a@b.c", Score=1)
    one = oppserver.add_opportunity(12000, ProspectId=lead, mx_Custom_8=datetime.now(UTC))
    assert_type(oppserver.add_opportunities(12000, [{"mx_Custom_6": 1.5}, {}]), list[str])
    assert_type(oppserver.opportunity(one), dict[str, str] | None)
    oppserver.reset(rate_limit="25/5", now=datetime.now(UTC), seed=1)


def controlling(oppserver: OppserverFixture) -> None:
    def is_large(call: ReceivedCall) -> bool:
        return call.took_ms > 1

    assert_type(oppserver.faults.rate_limited(retry_after_s=2, times=None, every=2), Fault)
    oppserver.faults.slow(0.5, on="Capture").remove()
    oppserver.faults.cut("middle", on=is_large)
    oppserver.clock.set("2026-11-24")
    oppserver.clock.advance(timedelta(hours=1))
    assert_type(oppserver.clock.now(), datetime)
    assert_type(oppserver.calls[0], ReceivedCall)
    assert_type(oppserver.calls.one("Capture", status=200).status, int | None)
    assert_type([call.query for call in oppserver.calls], list[dict[str, str]])


def making(oppserver_factory: Callable[..., OppserverFixture]) -> str:
    return oppserver_factory(seed=1).secret_key
