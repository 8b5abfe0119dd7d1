"""Both clients behind one interface, so that one test covers both."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any, NamedTuple

import pytest

from oppserver.client import AsyncClient, Client

ACCESS = "access-key-of-tests"
SECRET = "secret-key-of-tests"


class Outcome(NamedTuple):
    """The result of a read by id."""

    rows: list[Any]
    missing: list[str]


class Sync:
    """The synchronous client."""

    name = "sync"

    def read(
        self, host: str, ids: Iterable[Any], *, columns: Any = "Status", **options: Any
    ) -> Outcome:
        options.setdefault("rate_limit", "off")
        with Client(host, ACCESS, SECRET, **options) as client:
            rows = client.get_opportunities(ids, event_code=12000, columns=columns)
            return Outcome(rows.all(), rows.missing)

    def call(self, host: str, method: str, *arguments: Any, **options: Any) -> Any:
        """A method's result, as a list if it is iterable; ``given`` are its keywords."""
        given = options.pop("given", {})
        options.setdefault("rate_limit", "off")
        access, secret = options.pop("keys", (ACCESS, SECRET))
        with Client(host, access, secret, **options) as client:
            result = getattr(client, method)(*arguments, **given)
            return result.all() if hasattr(result, "all") else result


class Async:
    """The asynchronous client, with ids from an ``async`` iterable."""

    name = "async"

    def read(
        self, host: str, ids: Iterable[Any], *, columns: Any = "Status", **options: Any
    ) -> Outcome:
        async def later() -> AsyncIterator[Any]:
            for one in ids:
                yield one

        async def reading() -> Outcome:
            async with AsyncClient(host, ACCESS, SECRET, **options) as client:
                rows = client.get_opportunities(later(), event_code=12000, columns=columns)
                return Outcome(await rows.all(), rows.missing)

        options.setdefault("rate_limit", "off")
        return asyncio.run(reading())

    def call(self, host: str, method: str, *arguments: Any, **options: Any) -> Any:
        given = options.pop("given", {})
        options.setdefault("rate_limit", "off")
        access, secret = options.pop("keys", (ACCESS, SECRET))

        async def calling() -> Any:
            async with AsyncClient(host, access, secret, **options) as client:
                result = getattr(client, method)(*arguments, **given)
                return await (result.all() if hasattr(result, "all") else result)

        return asyncio.run(calling())


Either = Sync | Async

EITHER = pytest.mark.parametrize("client", [Sync(), Async()], ids=lambda one: one.name)
"""Runs the test with each client; it takes a ``client`` of type ``Either``."""
