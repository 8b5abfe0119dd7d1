"""What an answer means: good, or a problem with its error, whatever dialect the host speaks.

The dialects that are known of the hosted service: errors in an envelope under status 200; the rate
limit as 429, 403 or 200; validation errors under 500; ``Status`` as text or number; bodies that are
empty. docs/client.md has the table.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import msgspec

from oppserver.client.calls import HostCall
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

_IN_ERROR_CHARACTERS_MAX: Final = 1_000

_RETRY_AFTER_S_MAX: Final = 86_400.0

_SECONDS: Final = re.compile(r"\d{1,9}(?:\.\d+)?", re.ASCII)  # RFC 9110 has whole ones only

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
    429: RateLimitExceeded,
    502: HostUnavailable,
    503: HostUnavailable,
    504: HostUnavailable,
}

_WHAT_TO_DO: Final[Mapping[type[HostError], str]] = {
    KeysRefused: "Check both keys, and that they belong to this host: each region has its own.",
    AccessRefused: "Use the keys of a user who may do this.",
    NotFound: "Check the id; what was deleted is not found either.",
    RequestRefused: "Change the request: sent again as it is, it gets the same answer.",
    RateLimitExceeded: "Other programs use the account as well: run fewer at once, or try later.",
    HostUnavailable: "Try again later.",
    HostFailed: "Try once more; if it stays, report it to whoever runs the host.",
}


class HostAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, read whole and unpacked. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """No answer: the connection failed. ``was_sent``: the host may have got the request."""

    reason: str
    was_sent: bool


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Why a call has no result.

    ``is_temporary``: it may be good the next time. ``may_be_done``: the host may have done what was
    asked all the same. ``retry_after_s`` is the host's own word.
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
    """The problem that a reply tells of; None when its body is good to be read."""
    if isinstance(reply, Broken):
        return Problem(
            error=HostUnreachable(
                f"{call.name}: {reply.reason}. Check the host's name and the network, then try"
                " again."
            ),
            is_temporary=True,
            may_be_done=reply.was_sent,
        )
    envelope = _envelope_of(reply.body)
    if not 200 <= reply.status < 300 or _tells_of_an_error(envelope, call):
        return _refusal(reply, envelope, call)
    if not reply.body.strip() and not call.may_be_empty:
        return Problem(
            error=UnexpectedAnswer(
                f"The answer to {call.name} is empty (status {reply.status}), which says neither"
                " what was found nor what is wrong. Try again later."
            ),
            is_temporary=not call.writes,
        )
    return None


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The seconds of ``Retry-After`` (RFC 9110, 10.2.3), as a number or as a date."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    if _SECONDS.fullmatch(text):
        return min(float(text), _RETRY_AFTER_S_MAX)
    try:
        until = parsedate_to_datetime(text)
        now = parsedate_to_datetime(headers["date"]) if "date" in headers else datetime.now(UTC)
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError):
        return None


def _envelope_of(body: bytes) -> _Envelope:
    """The envelope of a body; one without members when the body is no object."""
    if body.lstrip()[:1] != b"{":
        return _Envelope()
    try:
        return _ENVELOPE.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Envelope()


def _tells_of_an_error(envelope: _Envelope, call: HostCall[Any]) -> bool:
    """Whether a body under a good status is an error's."""
    if isinstance(envelope.ExceptionType, str) and envelope.ExceptionType.strip():
        return True
    status = str(envelope.Status).strip().lower()
    return status not in _GOOD_STATUSES if call.writes else status in _BAD_STATUSES


def _refusal(reply: HostAnswer, envelope: _Envelope, call: HostCall[Any]) -> Problem:
    exception_type = envelope.ExceptionType if isinstance(envelope.ExceptionType, str) else ""
    said = _said(reply, envelope)
    kind = _kind(reply.status, exception_type, said)
    error = kind(
        " ".join(filter(None, (_where(call, reply, exception_type), said, _WHAT_TO_DO[kind]))),
        status=reply.status,
        exception_type=exception_type or None,
        request_id=reply.headers.get("x-request-id"),
    )
    return Problem(
        error=error,
        is_temporary=kind in (RateLimitExceeded, HostUnavailable),
        may_be_done=kind in (HostUnavailable, HostFailed),
        retry_after_s=retry_after_s(reply.headers),
    )


def _kind(status: int, exception_type: str, said: str) -> type[HostError]:
    if _RATE_LIMIT_WORDS in said.lower():
        return RateLimitExceeded
    if exception_type in _BY_TYPE:
        return _BY_TYPE[exception_type]
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    # what the service refuses for a reason of its own has a type that begins so, also under 500
    # (source: the documentation of errors)
    is_reasoned = exception_type.startswith("MX")
    return HostFailed if status >= 500 and not is_reasoned else RequestRefused


def _where(call: HostCall[Any], reply: HostAnswer, exception_type: str) -> str:
    what = f"{call.name}: status {reply.status}"
    return f"{what}, {exception_type}:" if exception_type else f"{what}."


def _said(reply: HostAnswer, envelope: _Envelope) -> str:
    """The host's own sentence, ended by a full stop; nothing when it gave none."""
    message = envelope.ExceptionMessage or envelope.Message
    text = message if isinstance(message, str) else ""
    if 300 <= reply.status < 400 and "location" in reply.headers:
        text = f"It redirects to {reply.headers['location'].partition('?')[0]}"
    text = " ".join(text.split())[:_IN_ERROR_CHARACTERS_MAX]
    return text if not text or text.endswith((".", "?", "!")) else f"{text}."
