"""The synchronous transport: does what flows ask for, with threads where several run at once."""

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Final, TypeVar

import httpx

from oppserver.client.answers import Answer, Broken
from oppserver.client.calls import Call
from oppserver.client.exchange import Flow, Reply, Send, Wait
from oppserver.client.wire import Wire, answer_of, broken_by

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

    def _send(self, call: Call[object]) -> Answer | Broken:
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
