"""What the two clients share: options, the calls they make, the order of pages. No I/O."""

import ssl
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Final, Literal, NoReturn, Protocol, TypedDict, TypeVar
from uuid import uuid4

import msgspec

from oppserver.client.address import Keys, base_url_of
from oppserver.client.bulk_read import (
    Batch,
    Chunk,
    Id,
    Packer,
    as_columns,
    as_event_code,
    bulk_read,
)
from oppserver.client.calls import HostCall
from oppserver.client.errors import InvalidCall
from oppserver.client.exchange import Exchange, Flow, Retries, Retry
from oppserver.client.rate_limiter import DEFAULT_RATE_LIMIT, RateLimit, RateLimiter
from oppserver.client.transports import Wire

T = TypeVar("T")

CALLS_IN_FLIGHT_DEFAULT: Final = 8
"""Enough to make 25 calls in 5 seconds of a host that takes 1.5 s for each; 2,000 decoded rows wait
for each of them."""

TIMEOUT_S_DEFAULT: Final = 60.0
"""Seconds until an answer's next bytes: a shared service may take long for 2,000 ids."""

CONNECT_TIMEOUT_S_DEFAULT: Final = 10.0

RETRY_FOR_S_DEFAULT: Final = 120.0
"""Seconds for which a call is tried again: a host that is restarted is back by then."""


class Options(TypedDict, total=False):
    """What both clients take by name.

    - ``keys_in``: ``"headers"`` (default), or ``"query"`` for what cannot pass headers on; a URL
      ends up in the logs of proxies.
    - ``rate_limit``: ``"learn"`` (default) begins with 25 calls in 5 seconds and follows what the
      host says; ``RateLimit(10, 5)`` is never passed; ``"off"`` keeps none.
    - ``calls_in_flight``: calls under way at once when many ids are read.
    - ``retry_for_s``: for how long a call is tried again; 0 never.
    - ``timeout_s``, ``connect_timeout_s``: how long to wait for an answer, and a connection.
    - ``idempotency_keys``: whether writes carry a key by which a host knows them again (default).
    - ``on_retry``: told before each call that is sent again, from any thread.
    - ``proxy``: the URL of a proxy. ``verify``: False, or a context, for a certificate of your own.
    """

    keys_in: Literal["headers", "query"]
    rate_limit: RateLimit | Literal["learn", "off"]
    calls_in_flight: int
    retry_for_s: float
    timeout_s: float
    connect_timeout_s: float
    idempotency_keys: bool
    on_retry: Callable[[Retry], None] | None
    proxy: str | None
    verify: bool | ssl.SSLContext


class Core:
    """The state of a client beside its connections: keys, pace, options."""

    def __init__(self, host: str, access_key: str, secret_key: str, options: Options) -> None:
        if unknown := options.keys() - Options.__annotations__.keys():
            raise InvalidCall(f"'{min(unknown)}' is no option of a client.")
        keys = Keys(access_key, secret_key)
        self.calls_in_flight: Final = options.get("calls_in_flight", CALLS_IN_FLIGHT_DEFAULT)
        if not 1 <= self.calls_in_flight <= 1_000:
            raise InvalidCall("calls_in_flight is from 1 to 1000.")
        self._idempotency_keys: Final = options.get("idempotency_keys", True)
        self.wire: Final = Wire(
            base_url=base_url_of(host),
            keys=keys,
            are_keys_in_query=_are_in_query(options.get("keys_in", "headers")),
            timeout_s=options.get("timeout_s", TIMEOUT_S_DEFAULT),
            connect_timeout_s=options.get("connect_timeout_s", CONNECT_TIMEOUT_S_DEFAULT),
            connections_max=self.calls_in_flight,
            proxy=options.get("proxy"),
            verify=options.get("verify", True),
        )
        self.exchange: Final = Exchange(
            rate_limiter=_rate_limiter(options.get("rate_limit", "learn")),
            retries=Retries(retry_for_s=options.get("retry_for_s", RETRY_FOR_S_DEFAULT)),
            keys=keys,
            on_retry=options.get("on_retry"),
        )

    def flow(self, call: HostCall[T]) -> Flow[T]:
        """The way of a call; a write gets a key by which the host knows it again."""
        if call.writes and self._idempotency_keys and call.idempotency_key is None:
            call = with_idempotency_key(call, str(uuid4()))
        return self.exchange.flow(call)

    def __reduce__(self) -> NoReturn:
        raise TypeError("A client is not pickled: it holds keys. Make one in each process.")


class BulkPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a read by id asks of every chunk, checked before anything is sent."""

    event_code: str
    columns: str

    @classmethod
    def of(cls, event_code: int | str, columns: str | Iterable[str]) -> "BulkPlan":
        """Raises InvalidCall when one of the two cannot be."""
        return cls(event_code=as_event_code(event_code), columns=as_columns(columns))

    def call(self, chunk: Chunk) -> HostCall[Batch]:
        """The call for a chunk."""
        return bulk_read(chunk, event_code=self.event_code, columns=self.columns)


def chunks(ids: Iterable[Id]) -> Iterator[Chunk]:
    """The chunks of ids; no more ids are taken than the next chunk needs."""
    _refuse_one_text(ids)
    packer, source = Packer(), iter(ids)
    while batch := list(islice(source, packer.room)):
        packer.add(batch)
        if not packer.room and (chunk := packer.take()):
            yield chunk
    if last := packer.take():
        yield last


async def async_chunks(ids: Iterable[Id] | AsyncIterable[Id]) -> AsyncIterator[Chunk]:
    """As ``chunks``, of either kind of iterable."""
    if not isinstance(ids, AsyncIterable):
        for chunk in chunks(ids):
            yield chunk
        return
    packer = Packer()
    batch: list[Id] = []
    async for one in ids:
        batch.append(one)
        if len(batch) == packer.room:
            packer.add(batch)
            batch = []
            if not packer.room and (full := packer.take()):
                yield full
    packer.add(batch)
    if last := packer.take():
        yield last


class Pages(Protocol):
    """Calls that are made one after the other, and what is given of their answers."""

    def next_call(self) -> HostCall[Batch] | None:
        """The next call; None when there is none."""
        ...

    def took(self, batch: Batch) -> Batch:
        """What is given of the answer to the call that was made last."""
        ...


class PagePlan:
    """The pages of a list, one after the other, until all rows that it counts were read.

    A host that gives smaller pages than asked for is followed: it is the count that ends a list.
    """

    def __init__(self, call: Callable[[int], HostCall[Batch]]) -> None:
        """``call`` makes the call of a page, from 1."""
        self._call: Final = call
        self._page = 0
        self._rows = 0
        self._is_done = False

    def next_call(self) -> HostCall[Batch] | None:
        """The call of the next page; None when there is none."""
        if self._is_done:
            return None
        self._page += 1
        return self._call(self._page)

    def took(self, batch: Batch) -> Batch:
        """Takes note of the page that was asked for last; all of it is given."""
        self._rows += len(batch.rows)
        self._is_done = not batch.rows or self._rows >= (batch.total or 0)
        return batch


def with_idempotency_key(call: HostCall[T], key: str) -> HostCall[T]:
    """The call with a key by which the host knows it again."""
    fields: dict[str, Any] = {name: getattr(call, name) for name in call.__slots__}
    return HostCall(**{**fields, "idempotency_key": key})


def ignore(_: object) -> None:
    """Takes an answer that has nothing to be kept."""


def _refuse_one_text(ids: object) -> None:
    if isinstance(ids, (str, bytes)):
        raise InvalidCall("ids is one text; pass a list of ids, or another iterable of them.")


def _are_in_query(keys_in: str) -> bool:
    if keys_in not in ("headers", "query"):
        raise InvalidCall("keys_in is 'headers' or 'query'.")
    return keys_in == "query"


def _rate_limiter(rate_limit: RateLimit | str) -> RateLimiter:
    if isinstance(rate_limit, RateLimit):
        if rate_limit.calls < 1 or rate_limit.window_s <= 0:
            raise InvalidCall("rate_limit has at least one call, in more than 0 seconds.")
        return RateLimiter(rate_limit, is_fixed=True)
    if rate_limit not in ("learn", "off"):
        raise InvalidCall("rate_limit is 'learn', 'off', or a RateLimit(calls, window_s).")
    return RateLimiter(DEFAULT_RATE_LIMIT if rate_limit == "learn" else None, is_fixed=False)
