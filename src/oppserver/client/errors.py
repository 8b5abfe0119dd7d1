"""The client's errors: one tree, and each message says what to do.

No error holds a key, a URL, or an error of the HTTP library: its text may be logged and sent on.
Errors can be copied and pickled.
"""

from oppserver.contract.errors import OppserverError


class ClientError(OppserverError):
    """The root of the client's errors."""


class InvalidCall(ClientError):
    """An argument cannot be what it has to be. Nothing was sent."""


class HostUnreachable(ClientError):
    """The connection failed, or the answer did not come in time, in every try."""


class UnexpectedAnswer(ClientError):
    """The host answered, but not as this API does. It may be another program, or a proxy."""


class WriteUnconfirmed(ClientError):
    """A write was sent and no answer came: it may have been done or not.

    It is sent again only where the host has said that it knows repeated writes.
    """


class WritesStopped(ClientError):
    """Of many writes, a call in the middle failed. ``done`` are written, in their order.

    Whether those of the failed call are, its own words say.
    """

    def __init__(self, message: str, *, done: int = 0) -> None:
        super().__init__(message)
        self.done = done


class HostError(ClientError):
    """The host refused the call, or could not do it.

    ``status`` is that of HTTP, also where the host sends its errors under 200. ``exception_type``
    and ``request_id`` are the host's, or None where it gave none.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        exception_type: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.exception_type = exception_type
        self.request_id = request_id


class KeysRefused(HostError):
    """The keys are wrong, revoked, of an inactive user, or of another region's host."""


class AccessRefused(HostError):
    """The keys are right, and may not do this."""


class NotFound(HostError):
    """There is no such opportunity, or no longer."""


class RequestRefused(HostError):
    """The host does not take the request as it is: sending it again gets the same answer."""


class RateLimitExceeded(HostError):
    """The host's rate limit was met in every try: other programs use the same account."""


class HostUnavailable(HostError):
    """The host, or what stands before it, could not answer (502, 503, 504) in every try."""


class HostFailed(HostError):
    """The host failed at this call (500)."""
