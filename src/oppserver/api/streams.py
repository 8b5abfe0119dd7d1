"""Streams: ids are received, read and answered at the same time, at the pace of the slowest step.

The problem. A caller may send millions of ids and take its time to read the rows. Memory has to
stay small, a slow caller must hold no thread, and a stream that ends early must never look whole.

The invariant. Each stream holds at most one received piece, ``STREAM_READS_IN_FLIGHT`` batches
that are being read, and one batch that is being sent. Batches are answered in the order of their
ids. The end record is sent only after the last row; after any error the answer is either complete
with an error record, or its connection is cut.

Why it holds. Three tasks have bounded queues between them: one receives, one plans and has batches
read on worker threads, one answers in order. When the caller takes no rows, the answering task
waits, then the queues are full, then nothing is received; and the other way round. Every wait for
the caller has a deadline. An error takes its turn in the queue, behind the rows that came before.
Each batch is read in one snapshot and counted against the rate limit before it is read; the stream
as a whole has no snapshot.

What breaks it. A format whose rows must all be known first (JSON of a whole answer), and a render
step that keeps rows: Parquet keeps one row group. A caller that asks for an id again in a later
batch gets its row again, because nobody remembers millions of ids.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

from starlette.requests import Request

from oppserver import telemetry
from oppserver.api.dispatcher import (
    Dispatcher,
    call_of,
    check_method,
    instance_of,
    method_headers,
    to_api_error,
)
from oppserver.api.exchange import Exchange, Stalled
from oppserver.api.observe import CALLER_LEFT, CallerLeft, Receive, Scope, Send, observed
from oppserver.api.routes import Route
from oppserver.calls.run import open_stream
from oppserver.calls.shared.call import Call
from oppserver.calls.shared.negotiate import StreamEncoder
from oppserver.calls.streams.batches import IdBatch
from oppserver.calls.streams.rows import StreamFound
from oppserver.calls.streams.run import ExportStream, ReadStream
from oppserver.contract.errors import ApiError, MethodNotAllowed, RequestTimeout, Unavailable

STREAM_READS_IN_FLIGHT: Final = 2
"""Reads of one stream that are under way or wait to be sent. Ours: the second one keeps another
core busy while rows are sent; more would take threads from other calls."""

STREAMS_MAX: Final = 32
"""Streams that a worker serves at once; above that 503. Ours: bounds their memory, some MB each."""

STREAM_PAUSE_S: Final = 0.05
"""Seconds without new ids after which those that are there are read. Ours: a caller that waits for
rows before it sends on sees no delay; one that sends on fills whole batches."""


class _Under(NamedTuple):
    """A batch that is being read."""

    batch: IdBatch
    found: "asyncio.Future[StreamFound]"


class Streams:
    """Answers the calls that are streams, behind a dispatcher that is asked for each time."""

    def __init__(self, dispatcher: Callable[[], Dispatcher]) -> None:
        self._dispatcher: Final = dispatcher
        self._open = 0  # owner: answer(), on the event loop's one thread

    async def answer(self, scope: Scope, receive: Receive, send: Send, route: Route) -> None:
        """Answer one call; errors are answers too."""
        observed(scope).call = route.name
        dispatcher = self._dispatcher()
        exchange = Exchange(scope, receive, send, timeout_s=dispatcher.settings.stream_timeout_s)
        self._open += 1
        try:
            await self._answer(dispatcher, exchange, route)
        except CallerLeft:
            if not exchange.has_started:
                observed(scope).status = CALLER_LEFT
            telemetry.logger().info("stream_left", call=route.name)
        except Stalled:
            telemetry.logger().warning("stream_stalled", call=route.name)
            await exchange.cut(at_once=True)
        except asyncio.CancelledError:  # the server stops, and its timeout is over
            telemetry.logger().warning("stream_cut", call=route.name)
            with suppress(asyncio.CancelledError):  # once more, when the event loop ends
                await exchange.cut(at_once=True)
        finally:
            self._open -= 1

    async def _answer(self, dispatcher: Dispatcher, exchange: Exchange, route: Route) -> None:
        call: Call | None = None
        try:
            call = call_of(
                exchange.request, route.name, body=b"", now=dispatcher.services.sources.now()
            )
            self._check(exchange.request, route)
            stream = await dispatcher.on_worker(
                open_stream, route.operation, call, dispatcher.services
            )
        except Exception as error:  # noqa: BLE001 (every error ends here or in _Running)
            headers = dispatcher.headers(exchange.request, call)
            if isinstance(error, MethodNotAllowed):
                headers |= method_headers(route)
            await exchange.refuse(to_api_error(error), headers)
            return
        running = _Running(dispatcher, exchange, call, stream)
        await (running.describe() if exchange.request.method == "HEAD" else running.run())

    def _check(self, request: Request, route: Route) -> None:
        check_method(request, route)
        if self._open > STREAMS_MAX:
            raise Unavailable("The server is busy: too many streams at once. Try again.")


class _Running:
    """A stream under way."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        exchange: Exchange,
        call: Call,
        stream: ReadStream | ExportStream,
    ) -> None:
        self._dispatcher: Final = dispatcher
        self._exchange: Final = exchange
        self._call: Final = call
        self._stream: Final = stream
        self._is_text: Final = stream.wanted.format.is_text
        self._coding: Final = call.coding if self._is_text else "identity"
        self._encoder: Final = StreamEncoder(self._coding)
        self._arrived: Final[asyncio.Queue[bytes]] = asyncio.Queue(1)
        self._reads: Final[asyncio.Queue[_Under | Exception | None]] = asyncio.Queue(
            STREAM_READS_IN_FLIGHT - 1
        )
        self._has_begun = False
        self._early: ApiError | None = None
        """The error that refuses the call while nothing is sent. Owned by the planning task."""

    async def run(self) -> None:
        """Answers to the end. Raises CallerLeft or Stalled."""
        receiving = asyncio.create_task(self._receive())
        planning = asyncio.create_task(self._plan())
        answering = asyncio.create_task(self._answer())
        try:
            await asyncio.wait({receiving, answering}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                receiving.result()  # raises CallerLeft
                await asyncio.wait({answering})
            failure = answering.exception()
        finally:
            await _ended(receiving, planning, answering)
        if isinstance(failure, CallerLeft | Stalled):
            raise failure
        if failure is not None:
            assert isinstance(failure, Exception), "a task is cancelled by run() alone"
            await self._fail(to_api_error(failure))

    async def describe(self) -> None:
        """Answer HEAD: the headers of the stream, and no rows."""
        await self._started()
        await self._exchange.send(b"", is_last=True)

    # --- three tasks

    async def _receive(self) -> None:
        """Ends when the caller goes, with CallerLeft if that is before the answer has ended."""
        while data := await self._exchange.received():
            await self._arrived.put(data)
        await self._arrived.put(b"")
        await self._exchange.until_gone()
        if not self._exchange.is_ending:
            raise CallerLeft

    async def _plan(self) -> None:
        """Has what arrives read, batch by batch; an error takes its turn behind the rows before."""
        end: Exception | None = None
        try:
            if isinstance(self._stream, ExportStream):
                await self._plan_stored(self._stream)
            else:
                await self._plan_arriving(self._stream)
        except Exception as error:  # noqa: BLE001 (it is raised where it is answered)
            end = error
        await self._reads.put(end)

    async def _plan_arriving(self, stream: ReadStream) -> None:
        while data := await self._next(stream):
            stream.feed(data)
            while (batches := await self._on_worker(stream.next)) is not None:
                await self._have_read(batches)
        await self._have_read(await self._on_worker(stream.finish))

    async def _plan_stored(self, stream: ExportStream) -> None:
        while batches := await self._on_worker(stream.more):
            await self._have_read(batches)

    async def _answer(self) -> None:
        """Sends rows in the order of their ids. Raises what ends the stream."""
        while (read := await self._reads.get()) is not None:
            if isinstance(read, Exception):
                raise read
            found = await read.found
            body = await self._on_worker(self._rendered, read.batch, found)
            await self._started()
            await self._exchange.send(body)
        last = await self._on_worker(self._last)
        await self._started()
        await self._exchange.send(last, is_last=True)

    # --- what they do

    async def _next(self, stream: ReadStream) -> bytes:
        """The next bytes of the body. When none come, what has come is read meanwhile."""
        try:
            async with asyncio.timeout(STREAM_PAUSE_S):
                return await self._arrived.get()
        except TimeoutError:
            await self._have_read(await self._on_worker(stream.pause))
        try:
            async with asyncio.timeout(self._exchange.timeout_s):
                return await self._arrived.get()
        except TimeoutError:
            raise RequestTimeout(
                f"No ids have come for {self._exchange.timeout_s:g} seconds. Send them, or end the"
                " body."
            ) from None

    async def _have_read(self, batches: Sequence[IdBatch]) -> None:
        for batch in batches:
            if batch.refusal is not None:
                self._early = batch.refusal
        for batch in batches:
            if batch.refusal is not None:
                raise batch.refusal
            await self._counted(batch)
            found = asyncio.ensure_future(self._on_worker(self._stream.fetch, batch))
            found.add_done_callback(_looked_at)
            await self._reads.put(_Under(batch, found))

    async def _counted(self, batch: IdBatch) -> None:
        """Waits for the batch's turn in the window of the rate limit."""
        while True:
            wait_s = await self._on_worker(self._stream.wait_s, batch)
            if not wait_s:
                return
            await asyncio.sleep(wait_s)

    async def _started(self) -> None:
        """Sends status and headers, before the first rows and when these could be rendered."""
        if self._exchange.has_started:
            return
        if self._early is not None:
            raise self._early
        media_type = self._stream.wanted.format.content_type
        headers = self._dispatcher.headers(self._exchange.request, self._call) | {
            **self._stream.headers,
            "Vary": "Accept, Accept-Encoding",
            "Content-Type": f"{media_type}; charset=utf-8"
            if media_type.startswith("text/")
            else media_type,
        }
        if self._coding != "identity":
            headers["Content-Encoding"] = self._coding
        await self._exchange.start([*headers.items()])

    def _rendered(self, batch: IdBatch, found: StreamFound) -> bytes:
        return self._encoder.part(self._begun() + self._stream.render(batch, found))

    def _last(self) -> bytes:
        return self._encoder.part(self._begun() + self._stream.end()) + self._encoder.end()

    def _begun(self) -> bytes:
        """Return the bytes before all rows, once: they are packed with the first rows."""
        has_begun, self._has_begun = self._has_begun, True
        return b"" if has_begun else self._stream.begin()

    async def _fail(self, error: ApiError) -> None:
        """Answers an error: as a document while nothing is sent, else behind the rows."""
        exchange = self._exchange
        if not exchange.has_started:
            await exchange.refuse(error, self._dispatcher.headers(exchange.request, self._call))
            return
        instance = instance_of(observed(exchange.scope).request_id)
        report, is_whole = self._stream.failed(error, instance=instance)
        telemetry.logger().info("stream_refused", status=error.status, reason=str(error))
        await exchange.send(self._encoder.part(report) + self._encoder.end())
        if is_whole and await exchange.discard():
            await exchange.send(b"", is_last=True)
        else:
            await exchange.cut(at_once=False)

    async def _on_worker(self, work: Any, *arguments: Any) -> Any:
        return await self._dispatcher.on_worker(work, *arguments)


async def _ended(*tasks: "asyncio.Task[None]") -> None:
    """Ends tasks and waits for their end."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _looked_at(found: "asyncio.Future[StreamFound]") -> None:
    """Takes note of an error of a read that nobody waits for any more."""
    if not found.cancelled():
        found.exception()
