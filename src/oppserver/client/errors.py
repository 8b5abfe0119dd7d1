"""The client's errors: one tree; each message says what to do.

No error contains a key, a URL, or an error of the HTTP library, so its text may be logged. Errors
can be copied and pickled.
"""

from oppserver.contract.errors import OppserverError


class ClientError(OppserverError):
    """The root of the client's errors."""


class InvalidCall(ClientError):
    """An argument is invalid. Nothing was sent."""


class HostUnreachable(ClientError):
    """No connection, or no answer in time, in any try."""


class UnexpectedAnswer(ClientError):
    """The answer does not have the form of this API; it may come from another program."""


class WriteUnconfirmed(ClientError):
    """A write was sent but got no answer: it may have been done.

    The client repeats it only if the host recognizes repeated writes.
    """


class WritesStopped(ClientError):
    """One call of many writes failed. The first ``done`` writes are done.

    The message tells whether the writes of the failed call are done.
    """

    def __init__(self, message: str, *, done: int = 0) -> None:
        super().__init__(message)
        self.done = done


class HostError(ClientError):
    """The host refused the call or failed.

    ``status`` is the HTTP status; some hosts send errors under 200. ``exception_type``,
    ``request_id`` and ``retry_after_s`` come from the host; None if it sent none.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        exception_type: str | None = None,
        request_id: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.status = status
        self.exception_type = exception_type
        self.request_id = request_id


class KeysRefused(HostError):
    """The keys are wrong or revoked, or belong to an inactive user or another region's host."""


class AccessRefused(HostError):
    """The keys are right, but their user has no right to do this."""


class NotFound(HostError):
    """The opportunity does not exist or was deleted."""


class RequestRefused(HostError):
    """The request is invalid: the same request gets the same answer."""


class RateLimitExceeded(HostError):
    """Every try exceeded the host's rate limit: other programs use the same account."""


class HostUnavailable(HostError):
    """The host, or a proxy in front of it, was unavailable in every try (408, 502 to 504, 520…)."""


class HostFailed(HostError):
    """The host failed (500)."""
