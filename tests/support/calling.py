"""Calls run without a socket: a call as the dispatcher takes it in, on any store."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from oppserver.calls.bulk_read.run import BULK_READ
from oppserver.calls.run import run
from oppserver.calls.shared.admission import secret_sha256
from oppserver.calls.shared.call import Answer, Call, Services
from oppserver.store import Store
from tests.support import stores

ACCESS_KEY, SECRET_KEY = "access", "secret"


def add_key(store: Store) -> None:
    """Gives a store the key that calls are made with."""
    store.add_key(stores.key(ACCESS_KEY, secret_sha256=secret_sha256(SECRET_KEY)))


def a_call(name: str, body: bytes = b"", query: Mapping[str, str] = {}, **more: Any) -> Call:
    """A call with the key of ``add_key``; ``more`` are other members, such as ``accept``."""
    members = {"content_type": "application/json", "now": datetime(2024, 1, 1, tzinfo=UTC), **more}
    return Call(
        name=name, access_key=ACCESS_KEY, secret_key=SECRET_KEY, body=body, query=query, **members
    )


def services_of(store: Store) -> Services:
    """Services without a limit on calls."""
    return Services(store=store, rate_limiter=None, body_bytes_max=1 << 20, made_by="tests")


def bulk_read_of(store: Store, message: Any, query: Mapping[str, str] = {}, **more: Any) -> Answer:
    """The answer to a bulk read; ``more`` are other members of the call, such as ``accept``."""
    call = a_call("GetOpportunitiesById", json.dumps(message).encode(), query, **more)
    answer, _ = run(BULK_READ, call, services_of(store))
    return answer
