"""Operations called without a socket: a call as the door takes it in, on any store."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from oppserver.calls.bulk_read.run import bulk_read
from oppserver.calls.shared.admission import secret_sha256
from oppserver.calls.shared.call import Answer, Call, Services
from oppserver.store import Store
from tests import stores

ACCESS_KEY, SECRET_KEY = "access", "secret"


def add_key(store: Store) -> None:
    """Gives a store the key that calls are made with."""
    store.add_key(stores.key(ACCESS_KEY, secret_sha256=secret_sha256(SECRET_KEY)))


def bulk_read_of(store: Store, message: Any, query: Mapping[str, str] = {}, **more: Any) -> Answer:
    """The answer to a bulk read; ``more`` are other members of the call, such as ``accept``."""
    call = Call(
        name="GetOpportunitiesById",
        writes=False,
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
        content_type="application/json",
        body=json.dumps(message).encode(),
        now=datetime(2024, 1, 1, tzinfo=UTC),
        query=query,
        **more,
    )
    return bulk_read(
        call, Services(store=store, rate_limiter=None, body_bytes_max=1 << 20, made_by="tests")
    )
