"""Uses of the client, for type checkers: run by mypy and by pyright, both strict.

Nothing here is executed. Every ``assert_type`` is a promise about what an editor knows.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal
from typing import assert_type
from uuid import UUID

from oppserver.client import (
    Addition,
    AsyncClient,
    Captured,
    Client,
    ClientError,
    Condition,
    FieldInfo,
    Opportunity,
    OpportunityDetails,
    RateLimit,
    Rows,
    TypeInfo,
    Update,
    Where,
    any_of,
    field,
    where,
)


def reading(ids: list[str], more: set[UUID]) -> None:
    with Client("host", "access", "secret", rate_limit=RateLimit(10, 5), keys_in="query") as client:
        assert_type(client, Client)
        rows = client.get_opportunities(ids, event_code=12000, columns=["Status", "CreatedOn"])
        assert_type(rows, Rows[Opportunity, list[Opportunity]])
        for row in rows:
            assert_type(row, Opportunity)
            assert_type(row.id, str)
            assert_type(row.created_on, datetime | None)
            assert_type(row["mx_Custom_1"], str | None)
            assert_type(row.number("mx_Custom_6"), Decimal | None)
            assert_type(row.to_dict(), dict[str, str | None])
        assert_type(rows.missing, list[str])
        for batch in client.get_opportunities(more, event_code="12000", columns="A,B").batches():
            assert_type(list(batch.rows), list[Opportunity])
        dicts = client.get_opportunities(ids, event_code=1, columns="A", rows_as="dict").all()
        assert_type(dicts, list[dict[str, str | None]])
        table = client.get_opportunities(ids, event_code=1, columns="A", rows_as="arrow").all()
        print(table)


def searching(client: Client, day: datetime) -> None:
    assert_type(field("Status") == "Open", Condition)
    conditions = where(
        field("Status") == "Open",
        any_of(field("mx_Custom_6") > 1_000, field("mx_Custom_8") < day),
    )
    assert_type(conditions, Where)
    rows = client.search(12000, conditions, columns=["Status"], order_by="ModifiedOn")
    assert_type(rows.total, int | None)
    assert_type(rows.all(), list[Opportunity])
    assert_type(client.count(12000, conditions), int)
    assert_type(client.get_opportunities_of_lead("a").all(), list[Opportunity])
    assert_type(client.get_modified(12000, since=day).all(), list[Opportunity])
    assert_type(client.get_type(12000), TypeInfo)
    assert_type(list(client.get_type(12000).fields), list[FieldInfo])


def writing(client: Client) -> None:
    made = client.capture(12000, {"Status": "Open", "mx_Custom_6": 7}, lead={"Phone": "1"})
    assert_type(made, Captured)
    assert_type(made.opportunity_id, str | None)
    assert_type(client.get_opportunity(UUID(int=1)), OpportunityDetails)
    client.update("a", {"mx_Custom_6": Decimal("1.5"), "mx_Custom_8": None}, note="n")
    assert_type(client.update_opportunities([Update("a", {"b": 1})], event_code=12000), int)
    added = client.add_opportunities([Addition(lead="a@b.c", fields={"b": True})], event_code=1)
    assert_type(added, list[Captured])
    client.delete("a")


async def reading_later(ids: AsyncIterator[str]) -> None:
    async with AsyncClient("host", "access", "secret", calls_in_flight=4) as client:
        async for row in client.get_opportunities(ids, event_code=12000, columns="Status"):
            assert_type(row, Opportunity)
            assert_type(row.status, str | None)
        rows = client.get_opportunities(["a"], event_code=12000, columns="Status")
        assert_type(await rows.all(), list[Opportunity])
        assert_type(rows.missing, list[str])
        assert_type(await client.count(12000), int)
        assert_type(await client.get_types(), list[TypeInfo])


def failing(client: Client) -> str:
    try:
        return client.get_opportunities(["a"], event_code=1, columns="A").all()[0].id
    except ClientError as error:
        return str(error)
