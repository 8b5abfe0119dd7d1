"""The runner: the corridor that every call goes through, written once.

    identify → count → authorise → negotiate → decode → parse → plan → read or write
             → render → encode

Keys and limit come before anything of the body is decoded: a stranger cannot make the server work.
Only a plan reaches the store. Everything here runs in one job on a worker thread, in synchronous
code; the event loop reads and writes sockets (``api/dispatcher.py``).
"""

from dataclasses import replace
from typing import Any, TypeVar

from oppserver.calls.shared.admission import authorise, count, identify
from oppserver.calls.shared.call import (
    Answer,
    Call,
    Operation,
    Read,
    Services,
    Stream,
    Write,
    WriteContext,
)
from oppserver.calls.shared.idempotency import write_once
from oppserver.calls.shared.negotiate import encode, negotiate
from oppserver.contract.dates import now_stored

OpenedStream = TypeVar("OpenedStream")


def run(operation: Operation, call: Call, services: Services) -> tuple[Answer, str]:
    """Run a call from its keys to its answer; return the answer and its content coding.

    Raises an ApiError for every answer that is an error.
    """
    call.principal = identify(call, services)
    count(call, services)
    authorise(call, writes=isinstance(operation, Write))
    if isinstance(operation, Read):
        call.format = negotiate(call.accept, operation.formats)
    message = operation.body.decode(
        call.body, content_type=call.content_type, body_bytes_max=services.body_bytes_max
    )
    asked = operation.parse(call, message)
    if isinstance(operation, Write):
        return _encode(_write(operation, asked, call, services), call.coding)
    return _encode(_read(operation, asked, services), call.coding)


def open_stream(operation: Stream[OpenedStream], call: Call, services: Services) -> OpenedStream:
    """Open a stream: the same corridor up to the plan. Its first unit of ids is counted.

    Raises an ApiError for what is wrong with the call, before anything of the body is read.
    """
    call.principal = identify(call, services)
    count(call, services)
    authorise(call, writes=False)
    call.format = negotiate(call.accept, operation.formats)
    return operation.open(call, services)


def _read(operation: Read[Any, Any, Any, Any], asked: Any, services: Services) -> Answer | bytes:
    planned = asked
    if operation.plan is not None:
        planned = operation.plan(asked, services.store.catalogue())
    found = operation.read(planned, services)
    return operation.render(planned, found)


def _write(operation: Write[Any, Any], asked: Any, call: Call, services: Services) -> bytes:
    assert call.principal is not None, "a call is identified before it writes"
    context = WriteContext(
        now=now_stored(call.now),
        user_id=call.principal.user_id,
        request_id=call.request_id,
        new_id=services.sources.new_id,
    )
    return write_once(
        call, services, lambda transaction: operation.write(transaction, asked, context)
    )


def _encode(answer: Answer | bytes, coding: str) -> tuple[Answer, str]:
    done = Answer(body=answer) if isinstance(answer, bytes) else answer
    if done.is_packed:
        return done, "identity"
    body, used = encode(done.body, coding)
    return replace(done, body=body), used
