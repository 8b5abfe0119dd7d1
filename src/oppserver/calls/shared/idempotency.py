"""A write that is safe to repeat: the same ``Idempotency-Key`` gets the same answer."""

import hashlib
from collections.abc import Callable
from datetime import timedelta

from oppserver.calls.shared.call import Call, Services
from oppserver.contract.dates import now_stored
from oppserver.contract.errors import IdempotencyConflict
from oppserver.contract.limits import IDEMPOTENCY_HOURS, IDEMPOTENCY_KEY_CHARACTERS_MAX
from oppserver.store.port import Transaction
from oppserver.store.queries import IdempotencyRecord


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
