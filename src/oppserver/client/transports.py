"""The I/O of the two clients: run the steps of calls, one flow or several at once."""

import asyncio
import logging
import re
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Final, TypeVar

import httpx

from oppserver.client.calls import Broken, HostAnswer, HostCall
from oppserver.client.core import Wire, answer_of
from oppserver.client.exchange import Flow, Reply, Send, Wait

T = TypeVar("T")

_KEYS: Final = re.compile(r"((?:access|secret)_?key(?:=|%3D))[^&\s'\"]+", re.IGNORECASE)


class _HidesKeys(logging.Filter):
    """Hides keys in httpcore's logs: it logs headers of answers, and a redirect may repeat keys."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Hide the keys in a record; let every record pass."""
        record.msg = _KEYS.sub(r"\1[hidden]", str(record.msg))
        return True


logging.getLogger("httpcore.http11").addFilter(_HidesKeys())


class _Abandoned(Exception):
    """The result of a flow is no longer needed."""


class SyncTransport:
    """Runs flows. Its owner closes it. ``transport`` replaces the network, in tests."""

    def __init__(self, wire: Wire, transport: httpx.BaseTransport | None) -> None:
        self._wire: Final = wire
        self._http: Final = transport or httpx.HTTPTransport(
            verify=wire.tls(), limits=wire.limits(), proxy=wire.proxy_url()
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def run(self, flow: Flow[T], *, abandoned: threading.Event | None = None) -> T:
        """Run a flow to its result; raise its error. ``abandoned`` ends its waits."""
        never = threading.Event() if abandoned is None else abandoned
        replies: list[Reply] = [None]  # popped when sent: no frame of a traceback holds a reply
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
        """Run up to ``at_once`` flows in parallel; yield their results in order.

        The first failure ends all: its error is raised, and the other flows abandon their waits.
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
            return self._wire.broken_by(error)
        finally:
            if response is not None:
                with suppress(httpx.TransportError):
                    response.close()


class AsyncTransport:
    """Runs flows. Its owner closes it. ``transport`` replaces the network, in tests."""

    def __init__(self, wire: Wire, transport: httpx.AsyncBaseTransport | None) -> None:
        self._wire: Final = wire
        self._http: Final = transport or httpx.AsyncHTTPTransport(
            verify=wire.tls(), limits=wire.limits(), proxy=wire.proxy_url()
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow to its result; raise its error."""
        replies: list[Reply] = [None]  # popped when sent: no frame of a traceback holds a reply
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
        """Run up to ``at_once`` flows in parallel; yield their results in order.

        The first failure ends all: its error is raised, and the other flows are cancelled.
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
            return self._wire.broken_by(error)
        finally:
            if response is not None:
                with suppress(httpx.TransportError):
                    await response.aclose()
