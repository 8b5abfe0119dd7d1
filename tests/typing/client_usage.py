"""How a caller uses the client, for type checkers: run by mypy and by pyright, both strict.

Nothing here is executed. Every ``assert_type`` is a promise about what an editor knows.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal
from typing import assert_type
from uuid import UUID

from oppserver.client import AsyncClient, Client, ClientError, Opportunity, RateLimit, Rows


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


async def reading_later(ids: AsyncIterator[str]) -> None:
    async with AsyncClient("host", "access", "secret", calls_in_flight=4) as client:
        async for row in client.get_opportunities(ids, event_code=12000, columns="Status"):
            assert_type(row, Opportunity)
            assert_type(row.status, str | None)
        rows = client.get_opportunities(["a"], event_code=12000, columns="Status")
        assert_type(await rows.all(), list[Opportunity])
        assert_type(rows.missing, list[str])


def failing(client: Client) -> str:
    try:
        return client.get_opportunities(["a"], event_code=1, columns="A").all()[0].id
    except ClientError as error:
        return str(error)
