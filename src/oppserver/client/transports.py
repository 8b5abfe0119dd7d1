"""From a call to an HTTP request, and back: what the two transports share.

They stand on httpx's transports, below its client: nothing on the way logs a URL, follows a
redirect with keys in it, or keeps a request that an error could show.
"""

import asyncio
import logging
import re
import ssl
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Final, TypeVar

import httpx
import msgspec

import oppserver
from oppserver.client.address import Keys
from oppserver.client.answers import Broken, HostAnswer
from oppserver.client.calls import HostCall
from oppserver.client.exchange import Flow, Reply, Send, Wait

_HEADERS: Final = (
    ("Accept", "application/json"),
    ("Accept-Encoding", "zstd, gzip"),
    ("User-Agent", f"oppserver-client/{oppserver.__version__}"),
)

_NOT_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpx.ProxyError,
)

_KEYS: Final = re.compile(r"((?:access|secret)_?key(?:=|%3D))[^&\s'\"]+", re.IGNORECASE)


class _HidesKeys(logging.Filter):
    """Hides keys in what the library below logs of answers: a redirect may repeat a query."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Lets every record through."""
        record.msg = _KEYS.sub(r"\1[hidden]", str(record.msg))
        return True


logging.getLogger("httpcore.http11").addFilter(_HidesKeys())


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """How a host is spoken to."""

    base_url: str
    keys: Keys
    are_keys_in_query: bool
    timeout_s: float
    connect_timeout_s: float
    connections_max: int
    proxy: str | None
    verify: bool | ssl.SSLContext

    def request(self, call: HostCall[object]) -> httpx.Request:
        """The request of a call, with the keys. Keep it in no variable: its repr has the URL."""
        headers = list(_HEADERS)
        query = list(call.query)
        if self.are_keys_in_query:
            query += self.keys.query()
        else:
            headers += self.keys.headers()
        if call.method == "POST":
            headers.append(("Content-Type", "application/json"))
        if call.writes and call.idempotency_key is not None:
            headers.append(("Idempotency-Key", call.idempotency_key))
        return httpx.Request(
            call.method,
            self.base_url + call.path,
            params=httpx.QueryParams(tuple(query)),
            headers=headers,
            content=call.body,
            extensions={"timeout": self._timeouts()},
        )

    def _timeouts(self) -> dict[str, float | None]:
        return {
            "connect": self.connect_timeout_s,
            "read": self.timeout_s,
            "write": self.timeout_s,
            "pool": None,  # the clients bound the calls in flight themselves
        }

    def limits(self) -> httpx.Limits:
        """Connections of a transport."""
        return httpx.Limits(
            max_connections=self.connections_max,
            max_keepalive_connections=self.connections_max,
            keepalive_expiry=4.0,  # below the 5 s after which usual servers close an idle one
        )


def answer_of(response: httpx.Response, body: bytes) -> HostAnswer:
    """An answer that was read whole."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    return HostAnswer(status=response.status_code, headers=headers, body=body)


def broken_by(error: Exception, wire: Wire) -> Broken:
    """What a failure of the transport comes to; its text has no key and no URL in it."""
    if isinstance(error, httpx.TimeoutException):
        reason = (
            f"no connection within {wire.connect_timeout_s:g} s"
            if isinstance(error, httpx.ConnectTimeout)
            else f"no answer within {wire.timeout_s:g} s"
        )
    elif isinstance(error, _NOT_SENT):
        reason = f"no connection ({wire.keys.hide(str(error)) or type(error).__name__})"
    else:
        reason = f"the connection broke ({wire.keys.hide(str(error)) or type(error).__name__})"
    return Broken(reason=reason, was_sent=not isinstance(error, _NOT_SENT))


T = TypeVar("T")


class _Abandoned(Exception):
    """Nobody waits for a flow's result any more."""


class SyncTransport:
    """Runs flows. Closed by whoever made it; ``transport`` takes the place of the network."""

    def __init__(self, wire: Wire, transport: httpx.BaseTransport | None) -> None:
        self._wire: Final = wire
        self._http: Final = transport or httpx.HTTPTransport(
            verify=wire.verify, limits=wire.limits(), proxy=wire.proxy
        )

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def run(self, flow: Flow[T], *, abandoned: threading.Event | None = None) -> T:
        """The result of a flow, or what it raises. ``abandoned`` ends its waits."""
        never = threading.Event() if abandoned is None else abandoned
        replies: list[Reply] = [None]  # taken out when it is sent: no traceback's frame holds one
        while True:
            try:
                step = flow.send(replies.pop())
            except StopIteration as done:
                result: T = done.value
                return result
            if isinstance(step, Wait):
                if never.wait(step.seconds):
                    raise _Abandoned
                replies.append(None)
            else:
                assert isinstance(step, Send)
                replies.append(self._send(step.call))

    def run_in_order(self, flows: Iterable[Flow[T]], *, at_once: int) -> Iterator[T]:
        """The results of flows in their order, with up to ``at_once`` of them under way.

        The first that fails ends all: its error is raised, those under way end by themselves.
        """
        abandoned = threading.Event()
        pool = ThreadPoolExecutor(at_once, thread_name_prefix="oppserver-client")
        under_way: deque[Future[T]] = deque()
        try:
            for flow in flows:
                under_way.append(pool.submit(self.run, flow, abandoned=abandoned))
                while under_way and (len(under_way) >= at_once or under_way[0].done()):
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            abandoned.set()
            pool.shutdown(wait=True, cancel_futures=True)

    def _send(self, call: HostCall[object]) -> HostAnswer | Broken:
        response: httpx.Response | None = None
        try:
            response = self._http.handle_request(self._wire.request(call))
            return answer_of(response, response.read())
        except (httpx.TransportError, httpx.DecodingError) as error:
            return broken_by(error, self._wire)
        finally:
            if response is not None:
                with suppress(httpx.TransportError):
                    response.close()


class AsyncTransport:
    """Runs flows. Closed by whoever made it; ``transport`` takes the place of the network."""

    def __init__(self, wire: Wire, transport: httpx.AsyncBaseTransport | None) -> None:
        self._wire: Final = wire
        self._http: Final = transport or httpx.AsyncHTTPTransport(
            verify=wire.verify, limits=wire.limits(), proxy=wire.proxy
        )

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def run(self, flow: Flow[T]) -> T:
        """The result of a flow, or what it raises."""
        replies: list[Reply] = [None]  # taken out when it is sent: no traceback's frame holds one
        while True:
            try:
                step = flow.send(replies.pop())
            except StopIteration as done:
                result: T = done.value
                return result
            if isinstance(step, Wait):
                await asyncio.sleep(step.seconds)
                replies.append(None)
            else:
                assert isinstance(step, Send)
                replies.append(await self._send(step.call))

    async def run_in_order(
        self, flows: AsyncIterable[Flow[T]], *, at_once: int
    ) -> AsyncGenerator[T, None]:
        """The results of flows in their order, with up to ``at_once`` of them under way.

        The first that fails ends all: its error is raised, those under way are cancelled.
        """
        under_way: deque[asyncio.Task[T]] = deque()
        try:
            async for flow in flows:
                under_way.append(asyncio.create_task(self.run(flow)))
                while under_way and (len(under_way) >= at_once or under_way[0].done()):
                    yield await under_way.popleft()
            while under_way:
                yield await under_way.popleft()
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _send(self, call: HostCall[object]) -> HostAnswer | Broken:
        response: httpx.Response | None = None
        try:
            response = await self._http.handle_async_request(self._wire.request(call))
            return answer_of(response, await response.aread())
        except (httpx.TransportError, httpx.DecodingError) as error:
            return broken_by(error, self._wire)
        finally:
            if response is not None:
                with suppress(httpx.TransportError):
                    await response.aclose()
