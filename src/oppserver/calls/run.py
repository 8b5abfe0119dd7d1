"""The runner: the corridor that every call goes through, written once.

    identify → count → authorise → negotiate → decode → parse → plan → read or write
             → render → encode

A read that comes again byte for byte may skip the steps from decode to render (``AnswerCache``).

Keys and limit come before anything of the body is decoded: a stranger cannot make the server work.
Only a plan reaches the store. Everything here runs in one job on a worker thread, in synchronous
code; the event loop reads and writes sockets (``api/dispatcher.py``).
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar

from oppserver.calls.shared.admission import authorise, count, identify
from oppserver.calls.shared.call import (
    NO_BODY,
    Answer,
    Call,
    Operation,
    Read,
    Services,
    Stream,
    Write,
    WriteContext,
)
from oppserver.calls.shared.inflate import unpacked_body
from oppserver.calls.shared.negotiate import encode, negotiate
from oppserver.calls.shared.repeats import Question, State
from oppserver.contract.dates import now_stored
from oppserver.contract.errors import IdempotencyConflict
from oppserver.contract.limits import IDEMPOTENCY_HOURS, IDEMPOTENCY_KEY_CHARACTERS_MAX
from oppserver.contract.model import Principal
from oppserver.store.port import Transaction
from oppserver.store.queries import IdempotencyRecord

OpenedStream = TypeVar("OpenedStream")


def run(operation: Operation, call: Call, services: Services) -> tuple[Answer, str]:
    """Run a call from its keys to its answer; return the answer and its content coding.

    Raises an ApiError for every answer that is an error.
    """
    principal = identify(call, services)
    call.principal = principal
    count(call, services)
    return run_as(operation, call, services, principal)


def run_as(
    operation: Operation, call: Call, services: Services, principal: Principal
) -> tuple[Answer, str]:
    """Run a call of a principal who is known, from authorisation on: also that of a page.

    Raises as ``run``.
    """
    call.principal = principal
    authorise(call, writes=isinstance(operation, Write))
    if isinstance(operation, Read):
        call.format = negotiate(call.accept, operation.formats)
    if call.content_encoding and call.body and operation.body is not NO_BODY:
        call.body = unpacked_body(
            call.body, call.content_encoding, body_bytes_max=services.body_bytes_max
        )
    if isinstance(operation, Read) and (kept := _kept_answer(operation, call, services)):
        return _encode(kept, call.coding)
    message = operation.body.decode(
        call.body, content_type=call.content_type, body_bytes_max=services.body_bytes_max
    )
    asked = operation.parse(call, message)
    if isinstance(operation, Write):
        return _encode(_write(operation, asked, call, services), call.coding)
    return _encode(_read(operation, asked, call, services), call.coding)


def open_stream(operation: Stream[OpenedStream], call: Call, services: Services) -> OpenedStream:
    """Open a stream: the same corridor up to the plan. Its first unit of ids is counted.

    Raises an ApiError for what is wrong with the call, before anything of the body is read.
    """
    call.principal = identify(call, services)
    count(call, services)
    authorise(call, writes=False)
    call.format = negotiate(call.accept, operation.formats)
    return operation.open(call, services)


def _read(
    operation: Read[Any, Any, Any, Any], asked: Any, call: Call, services: Services
) -> Answer | bytes:
    if operation.plan is None:
        return operation.render(asked, operation.read(asked, services))
    catalogue = services.store.catalogue()
    planned = operation.plan(asked, catalogue)
    found = operation.read(planned, services)
    answer = operation.render(planned, found)
    if services.answer_cache is not None and operation.repeats is not None:
        found_again = operation.repeats(found)
        if found_again is not None and isinstance(answer, Answer):
            state = State(found_again.place, catalogue.version)
            services.answer_cache.keep(_question(call), state, answer, ids=found_again.ids)
    return answer


def _kept_answer(
    operation: Read[Any, Any, Any, Any], call: Call, services: Services
) -> Answer | None:
    """Return the answer that the same call got before, if nothing has changed."""
    if services.answer_cache is None or operation.repeats is None or not call.body:
        return None
    return services.answer_cache.find(_question(call), services.store)


def _question(call: Call) -> Question:
    assert call.body is not None, "a call whose body is too large is refused"
    return Question(call.body, call.content_type, call.query, call.if_none_match, call.format)


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


# --- writes that are safe to repeat -------------------------------------------------------------


def write_once(call: Call, services: Services, work: Callable[[Transaction], bytes]) -> bytes:
    """Return the body that the work returns, when its writes are durable.

    With a key, body and writes are one transaction: a call that is repeated within 24 hours gets
    the stored body and writes nothing, also when both come at the same time. A key belongs to the
    user who calls. A refused call stores nothing and may be repeated.

    Raises what the work raises, and IdempotencyConflict when the key was used for another request.
    """
    if call.idempotency_key is None:
        return services.store.write(work)
    key_sha256 = _key_sha256(call)
    request_sha256 = _request_sha256(call)
    not_before = now_stored(call.now - timedelta(hours=IDEMPOTENCY_HOURS))

    def once(transaction: Transaction) -> bytes:
        kept = transaction.idempotency_record(key_sha256, not_before=not_before)
        call.is_replayed = kept is not None
        if kept is not None:
            if kept.request_sha256 != request_sha256:
                raise IdempotencyConflict(
                    "The Idempotency-Key was used for another request within"
                    f" {IDEMPOTENCY_HOURS} hours. Send a new key with a new request."
                )
            return kept.body
        body = work(transaction)
        transaction.put_idempotency_record(
            IdempotencyRecord(
                key_sha256=key_sha256,
                request_sha256=request_sha256,
                body=body,
                created_on=now_stored(call.now),
            ),
            not_before=not_before,
        )
        return body

    return services.store.write(once)


def _key_sha256(call: Call) -> str:
    assert call.principal is not None, "a call is admitted before it writes"
    key = call.idempotency_key or ""
    if not 0 < len(key) <= IDEMPOTENCY_KEY_CHARACTERS_MAX:
        raise IdempotencyConflict(
            f"The Idempotency-Key has {len(key)} characters. Send 1 to"
            f" {IDEMPOTENCY_KEY_CHARACTERS_MAX}, a new GUID for example."
        )
    return _sha256(call.principal.user_id, key)


def _request_sha256(call: Call) -> str:
    query = (text for item in sorted(call.query.items()) for text in item)
    return _sha256(call.name, *query, call.body or b"")


def _sha256(*parts: str | bytes) -> str:
    """The hash of the parts, each preceded by its length, so that they cannot run together."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(b"%d:" % len(data) + data)
    return digest.hexdigest()
