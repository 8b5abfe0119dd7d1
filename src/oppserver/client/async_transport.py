"""The asynchronous transport: does what flows ask for, with tasks where several run at once."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import suppress
from typing import Final, TypeVar

import httpx

from oppserver.client.answers import Answer, Broken
from oppserver.client.calls import Call
from oppserver.client.exchange import Flow, Reply, Send, Wait
from oppserver.client.wire import Wire, answer_of, broken_by

T = TypeVar("T")


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

    async def _send(self, call: Call[object]) -> Answer | Broken:
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
