"""A call to the host as data, and the meaning of its answer. No I/O.

The hosted service has several dialects, all understood here: errors in an envelope under status
200; the rate limit as 429, 403 or 200; validation errors under 500; ``Status`` as text or number;
empty bodies. docs/client.md has the table.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, Generic, Literal, TypeVar

import msgspec

from oppserver.client.errors import (
    AccessRefused,
    ClientError,
    HostError,
    HostFailed,
    HostUnavailable,
    HostUnreachable,
    KeysRefused,
    NotFound,
    RateLimitExceeded,
    RequestRefused,
    UnexpectedAnswer,
)

T = TypeVar("T")

OPPORTUNITIES: Final = "/v2/OpportunityManagement.svc/"

ACTIVITIES: Final = "/v2/ProspectActivity.svc/"


@dataclass(frozen=True, kw_only=True, slots=True)
class HostCall(Generic[T]):
    """A call to the host, without keys. ``read`` turns the body of a good answer into the result.

    ``may_be_empty``: ``read`` understands an empty body; otherwise an empty body is a temporary
    fault of the host. ``idempotency_key`` is the same in every try of a write.
    """

    name: str
    method: Literal["GET", "POST"]
    path: str
    read: Callable[[bytes], T]
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    writes: bool = False
    may_be_empty: bool = False
    idempotency_key: str | None = None


def reading_call(
    name: str,
    message: Any,
    read: Callable[[bytes], T],
    *,
    query: tuple[tuple[str, str], ...] = (),
    base: str = OPPORTUNITIES,
    may_be_empty: bool = False,
) -> HostCall[T]:
    """A call that reads: a POST of the message, or a GET without one."""
    return HostCall(
        name=name,
        method="GET" if message is None else "POST",
        path=base + name,
        query=query,
        body=None if message is None else msgspec.json.encode(message),
        read=read,
        may_be_empty=may_be_empty,
    )


def writing_call(
    name: str,
    message: Any,
    read: Callable[[bytes], T],
    *,
    query: tuple[tuple[str, str], ...] = (),
    base: str = OPPORTUNITIES,
) -> HostCall[T]:
    """A call that writes: a POST of the message, or a GET without one."""
    call = reading_call(name, message, read, query=query, base=base, may_be_empty=True)
    return replace(call, writes=True)


def decoded(decoder: "msgspec.json.Decoder[T]", body: bytes, *, name: str) -> T:
    """Decode the body of an answer. Raises UnexpectedAnswer if it does not have the call's form."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise not_understood(name, str(error)) from None


def not_understood(name: str, why: str) -> UnexpectedAnswer:
    """The error for an answer that does not have the form of this API."""
    return UnexpectedAnswer(
        f"The answer to {name} cannot be understood: {why}. Check that the host speaks this API,"
        " and that no proxy answers for it."
    )


# --- answers -----------------------------------------------------------------------------------

_MESSAGE_CHARACTERS_MAX: Final = 1_000

_RETRY_AFTER_S_MAX: Final = 86_400.0

_SECONDS: Final = re.compile(r"\d{1,9}(?:\.\d+)?", re.ASCII)  # RFC 9110 allows whole seconds only

_HOST_ADVICE: Final = ("Check ", "Try ", "Use ", "Wait ", "Look ")
"""A host's message that says at its end what to do: ours would say it once more."""

_DATE_COMMA: Final = re.compile(r"(?<!\b[A-Z][a-z]{2})(?<!day),")
"""A comma between two values; that of a date is behind the name of a day."""

_RATE_LIMIT_WORDS: Final = "api calls exceeded the limit"

_GOOD_STATUSES: Final = ("success", "0", "none", "true", "")

_BAD_STATUSES: Final = ("error", "failure", "failed")

_BY_TYPE: Final[Mapping[str, type[HostError]]] = {
    "MXInvalidAccessDetailsException": KeysRefused,
    "MXAPIRateLimitExceededException": RateLimitExceeded,
    "MXAccessDeniedException": AccessRefused,
    "MXOpportunityNotFoundException": NotFound,
    "MXInternalException": HostFailed,
    "MXServiceUnavailableException": HostUnavailable,
}

_BY_STATUS: Final[Mapping[int, type[HostError]]] = {
    401: KeysRefused,
    403: AccessRefused,
    408: HostUnavailable,
    425: HostUnavailable,
    429: RateLimitExceeded,
    502: HostUnavailable,
    503: HostUnavailable,
    504: HostUnavailable,
    # of a proxy whose host is away. Source: Cloudflare's documentation of its own statuses
    **dict.fromkeys(range(520, 531), HostUnavailable),
}

_WHAT_TO_DO: Final[Mapping[type[HostError], str]] = {
    KeysRefused: "Check both keys, and that they belong to this host: each region has its own.",
    AccessRefused: "Use the keys of a user with this right.",
    NotFound: "Check the id; the opportunity may have been deleted.",
    RequestRefused: "Change the request: the same request gets the same answer.",
    RateLimitExceeded: "Other programs use the account as well: run fewer at once, or try later.",
    HostUnavailable: "Try again later.",
    HostFailed: "Try once more; if the error remains, report it to the operator of the host.",
}


class HostAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, read completely and decompressed. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """A failed connection. ``was_sent``: the host may have received the request.

    ``advice`` is what to do about it; ``is_lasting``: another try fails too.
    """

    reason: str
    was_sent: bool
    advice: str = "Check the host's name and the network, then try again."
    is_lasting: bool = False


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """The reason why a call has no result.

    ``is_temporary``: another try may succeed. ``may_be_done``: the host may have done the call.
    ``retry_after_s`` comes from the host.
    """

    error: ClientError
    is_temporary: bool = False
    may_be_done: bool = False
    retry_after_s: float | None = None


class _Envelope(msgspec.Struct, frozen=True):
    """The members of an error, and of the answer to a write."""

    Status: Any = None
    ExceptionType: Any = None
    ExceptionMessage: Any = None
    Message: Any = None


_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)


def problem_of(reply: HostAnswer | Broken, call: HostCall[Any]) -> Problem | None:
    """The problem in a reply; None if its body can be read as the call's result."""
    if isinstance(reply, Broken):
        error = HostUnreachable(f"{call.name}: {reply.reason}. {reply.advice}")
        return Problem(error=error, is_temporary=not reply.is_lasting, may_be_done=reply.was_sent)
    envelope = _envelope_of(reply.body)
    if not 200 <= reply.status < 300 or _is_error(envelope, call):
        return _refusal(reply, envelope, call)
    if call.writes and not _has_length(reply) and _is_unfinished(reply.body):
        cut = not_understood(call.name, "it was cut off")
        return Problem(error=cut, is_temporary=True, may_be_done=True)
    if not reply.body.strip() and not call.may_be_empty:
        empty = UnexpectedAnswer(
            f"The answer to {call.name} is empty (status {reply.status}): it has neither a result"
            " nor an error. Try again later."
        )
        return Problem(error=empty, is_temporary=not call.writes)
    return None


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The seconds of ``Retry-After`` (RFC 9110, 10.2.3), from a number or from a date.

    Of several, which two proxies may have sent, the longest.
    """
    waits: list[float] = []
    for text in _DATE_COMMA.split(headers.get("retry-after", "")):
        if _SECONDS.fullmatch(text.strip()):
            waits.append(min(float(text), _RETRY_AFTER_S_MAX))
            continue
        with suppress(ValueError, TypeError):
            until = parsedate_to_datetime(text)
            now = parsedate_to_datetime(headers["date"]) if "date" in headers else datetime.now(UTC)
            waits.append(min(max(0.0, (until - now).total_seconds()), _RETRY_AFTER_S_MAX))
    return max(waits, default=None)


def is_cut(answer: HostAnswer, error: ClientError) -> bool:
    """Tell whether an answer that cannot be understood may be only the beginning of one.

    One that says no length ends where the connection does (RFC 9112, 6.3).
    """
    is_unfinished = isinstance(error, UnexpectedAnswer) and _is_unfinished(answer.body)
    return is_unfinished and not _has_length(answer)


def _has_length(answer: HostAnswer) -> bool:
    return "content-length" in answer.headers or "transfer-encoding" in answer.headers


def _is_unfinished(body: bytes) -> bool:
    """Tell whether a body is the beginning of JSON."""
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return bool(body.strip()) and "truncated" in str(error)
    return False


def _envelope_of(body: bytes) -> _Envelope:
    """The envelope in a body; an empty one if the body is not a JSON object."""
    if body.lstrip()[:1] != b"{":
        return _Envelope()
    try:
        return _ENVELOPE.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Envelope()


def _is_error(envelope: _Envelope, call: HostCall[Any]) -> bool:
    """Tell whether a body under a good status is an error."""
    if isinstance(envelope.ExceptionType, str) and envelope.ExceptionType.strip():
        return True
    status = str(envelope.Status).strip().lower()
    return status not in _GOOD_STATUSES if call.writes else status in _BAD_STATUSES


def _refusal(reply: HostAnswer, envelope: _Envelope, call: HostCall[Any]) -> Problem:
    exception_type = envelope.ExceptionType if isinstance(envelope.ExceptionType, str) else ""
    message = _host_message(reply, envelope)
    kind = _kind(reply.status, exception_type, message)
    where = f"{call.name}: status {reply.status}"
    where += f", {exception_type}:" if exception_type else "."
    last_sentence = message[:-1].replace("; ", ". ").rpartition(". ")[2]
    advice = "" if last_sentence.startswith(_HOST_ADVICE) else _WHAT_TO_DO[kind]
    error = kind(
        " ".join(filter(None, (where, message, advice))),
        status=reply.status,
        exception_type=exception_type or None,
        request_id=reply.headers.get("x-request-id"),
        retry_after_s=retry_after_s(reply.headers),
    )
    return Problem(
        error=error,
        is_temporary=kind in (RateLimitExceeded, HostUnavailable, HostFailed),
        may_be_done=kind in (HostUnavailable, HostFailed),
        retry_after_s=error.retry_after_s,
    )


def _kind(status: int, exception_type: str, message: str) -> type[HostError]:
    if _RATE_LIMIT_WORDS in message.lower():
        return RateLimitExceeded
    if exception_type in _BY_TYPE:
        return _BY_TYPE[exception_type]
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    # the service's own refusals have a type that begins with MX, also under 500
    # (source: the documentation of errors)
    is_deliberate = exception_type.startswith("MX")
    return HostFailed if status >= 500 and not is_deliberate else RequestRefused


def _host_message(reply: HostAnswer, envelope: _Envelope) -> str:
    """The host's own sentence with a full stop; empty if the host gave none."""
    message = envelope.ExceptionMessage or envelope.Message
    text = message if isinstance(message, str) else ""
    if 300 <= reply.status < 400 and "location" in reply.headers:
        text = f"It redirects to {reply.headers['location'].partition('?')[0]}"
    text = " ".join(text.split())[:_MESSAGE_CHARACTERS_MAX]
    return text if not text or text.endswith((".", "?", "!")) else f"{text}."
