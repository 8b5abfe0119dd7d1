"""Around the application of a server under test: the journal is written, faults are met."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from oppserver.api.dispatcher import described_error
from oppserver.api.observe import Application, Message, Receive, Scope, Send, folded
from oppserver.api.protocol import connection_of
from oppserver.contract.errors import ApiError
from oppserver.testing.faults import Act, Fault, PreparedAnswer
from oppserver.testing.journal import Arrival
from oppserver.testing.world import World

_PAUSE_S: Final = 0.01


class FaultyApplication:
    """The ASGI layer around the application that production has, which knows nothing of it."""

    def __init__(
        self, app: Application, world: Callable[[], World], *, passed_on: Sequence[str] = ()
    ) -> None:
        """``passed_on``: paths below these are neither noted nor met by faults."""
        self._app: Final = app
        self._world: Final = world
        self._passed_on: Final = tuple(passed_on)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request. The journal has its status before the caller has a byte of it."""
        if scope["type"] != "http" or folded(scope["path"]).startswith(self._passed_on):
            await self._app(scope, receive, send)
            return
        world = self._world()
        arrival = world.arrivals.add(scope, at=world.clock.now())
        receive = _reading(receive, arrival)
        if not world.faults.are_set:
            await self._app(scope, receive, _answering(send, arrival))
            return
        body = await _read(receive)
        fault = world.faults.meeting(arrival.call)
        if fault is None:
            await self._app(scope, _again(body, receive), _answering(send, arrival))
            return
        arrival.met(fault.name)
        await _Met(fault, world, arrival, send=send, receive=receive).meet(
            lambda hold: self._app(scope, _again(body, receive), hold), scope
        )


class _Met:
    """A call that meets a fault. Its body is read."""

    def __init__(
        self, fault: Fault, world: World, arrival: Arrival, *, send: Send, receive: Receive
    ) -> None:
        self._fault = fault
        self._world = world
        self._arrival = arrival
        self._send = send
        self._receive = receive

    async def meet(self, work: Callable[[Send], Any], scope: Scope) -> None:
        """Does to the call what the fault does; ``work`` does the call, and gives its answer."""
        act = self._fault.act
        if act is Act.ANSWER:
            assert self._fault.answer is not None, "an answer is what this fault has"
            prepared = _prepared(self._fault.answer, scope["path"])
            await _answer(prepared, _answering(self._send, self._arrival))
            return
        if act is Act.CUT_BEFORE:
            await self._cut(scope)
            return
        held: list[Message] = []

        async def hold(message: Message) -> None:
            held.append(message)

        await work(hold)
        if act is Act.CUT_AFTER:
            await self._cut(scope)
        elif act is Act.CUT_MIDDLE:
            await self._cut_middle(held, scope)
        else:
            await self._answer_late(held, scope)

    async def _answer_late(self, held: list[Message], scope: Scope) -> None:
        loop = asyncio.get_running_loop()
        ends = loop.time() + self._fault.seconds
        while (left := ends - loop.time()) > 0:  # a test that ends does not wait for it
            if self._world.has_ended:
                await self._cut(scope)
                return
            await asyncio.sleep(min(left, _PAUSE_S))
        send = _answering(self._send, self._arrival)
        for message in held:
            await send(message)

    async def _cut_middle(self, held: list[Message], scope: Scope) -> None:
        start, body = held[0], held[1]["body"]
        await _answering(self._send, self._arrival)(start)
        half = {"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True}
        await self._send(half)
        connection_of(scope).close()  # what was sent goes out first
        await self._gone()

    async def _cut(self, scope: Scope) -> None:
        self._arrival.ended(None)
        connection_of(scope).abort()
        await self._gone()

    async def _gone(self) -> None:
        """Returns when the connection is; else the HTTP server would miss an answer."""
        while (await self._receive())["type"] != "http.disconnect":
            pass


def _answering(send: Send, arrival: Arrival) -> Send:
    async def answering(message: Message) -> None:
        if message["type"] == "http.response.start":
            arrival.ended(message["status"])
        await send(message)

    return answering


def _reading(receive: Receive, arrival: Arrival) -> Receive:
    async def reading() -> Message:
        message = await receive()
        if message["type"] == "http.request":
            arrival.read(message.get("body", b""), is_last=not message.get("more_body", False))
        return message

    return reading


async def _read(receive: Receive) -> list[Message]:
    """The messages of a body, to its end."""
    messages = [await receive()]
    while messages[-1].get("more_body", False):
        messages.append(await receive())
    return messages


def _again(messages: list[Message], receive: Receive) -> Receive:
    left = iter(messages)

    async def again() -> Message:
        for message in left:
            return message
        return await receive()

    return again


def _prepared(answer: PreparedAnswer | ApiError, path: str) -> PreparedAnswer:
    """An answer as it is sent; an error has the form that errors have at the path."""
    if isinstance(answer, PreparedAnswer):
        return answer
    body, media_type = described_error(answer, path, request_id="")
    return PreparedAnswer(answer.status, body, {"Content-Type": media_type, **answer.headers})


async def _answer(prepared: PreparedAnswer, send: Send) -> None:
    headers = {
        "content-type": "application/json",
        **{name.lower(): value for name, value in prepared.headers.items()},
        "content-length": str(len(prepared.body)),
    }
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": prepared.status, "headers": encoded})
    await send({"type": "http.response.body", "body": prepared.body})
