"""The error tree: exception type, HTTP status, message. One table, ``HTTP_ERRORS``.

Every error that reaches a caller is one of these. ``str(error)`` is the sentence the caller reads:
it names the place and says what to do. The documented exception types of the API family are used
where one fits (docs/fidelity.md says which are documented and which are ours).
"""

from collections.abc import Sequence
from typing import ClassVar

import msgspec

from oppserver.contract.limits import RETRY_AFTER_S


class OppserverError(Exception):
    """The root of the tree. ``str()`` is one sentence for the person who has to act."""


# --- what a caller of the API gets -------------------------------------------------------------


class Fault(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One fault of a call: its place, what is wrong, and what to do.

    The place is a parameter of the query, a header, or a line of the body (from 1).
    """

    parameter: str | None = None
    header: str | None = None
    line: int | None = None
    what: str
    hint: str

    def __str__(self) -> str:
        place = f"query parameter '{self.parameter}'" if self.parameter else self.header
        return f"{place or f'line {self.line}'}: {self.what}. {self.hint}"


class ApiError(OppserverError):
    """An answer that is not 200: ``status`` and ``exception_type`` are sent.

    ``faults``: the faults one by one, where there is more to say than the message says.
    """

    status: ClassVar[int]
    exception_type: ClassVar[str]
    meaning: ClassVar[str]
    """One line for the documents: when this is answered."""

    def __init__(self, message: str, *, faults: Sequence[Fault] = ()) -> None:
        super().__init__(message)
        self.faults = tuple(faults)

    @property
    def headers(self) -> dict[str, str]:
        """Headers that belong to the error, such as ``Retry-After``."""
        return {}


class InvalidCredentials(ApiError):
    status = 401
    exception_type = "MXInvalidAccessDetailsException"
    meaning = "The keys are missing, wrong, revoked, or of an inactive user."

    def __init__(self) -> None:
        super().__init__(
            "Invalid Access Details provided. Pass accessKey and secretKey in the query, or"
            " x-LSQ-AccessKey and x-LSQ-SecretKey as headers."
        )


class AccessDenied(ApiError):
    status = 403
    exception_type = "MXAccessDeniedException"
    meaning = "The key's role, or the opportunity's type, does not allow this call."


class UnsupportedMediaType(ApiError):
    status = 415
    exception_type = "MXUnsupportedMediaTypeException"
    meaning = "The call does not take this type or coding of a body."


class UnsupportedCoding(UnsupportedMediaType):
    """The body has a content coding that is not unpacked here."""

    @property
    def headers(self) -> dict[str, str]:
        """The codings that are unpacked (RFC 9110, 15.5.16)."""
        return {"Accept-Encoding": "gzip, deflate, zstd"}


class IdempotencyConflict(ApiError):
    status = 422
    exception_type = "MXIdempotencyKeyException"
    meaning = "The `Idempotency-Key` is invalid, or of another request."


class RateLimited(ApiError):
    status = 429
    exception_type = "MXAPIRateLimitExceededException"
    meaning = "More calls with this key than the limit."

    def __init__(self, *, calls: int, window_s: int, retry_after_s: int) -> None:
        super().__init__(f"API calls exceeded the limit of {calls} in {window_s} second(s)")
        self.retry_after_s = retry_after_s

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after_s)}


class TooManySignIns(RateLimited):
    """Somebody tries one key after the other in the console, or a program has the wrong one."""

    def __str__(self) -> str:
        return f"Too many sign-ins from your address. Try again in {self.retry_after_s} seconds."


class WrongContentType(ApiError):
    status = 400
    exception_type = "MXInvalidContentTypeException"
    meaning = "`Content-Type` is not JSON."


class MalformedBody(ApiError):
    status = 400
    exception_type = "MXMalformedRequestException"
    meaning = "There is no body, or it is not JSON in UTF-8."


class MalformedHead(ApiError):
    status = 400
    exception_type = "MXMalformedHeadException"
    meaning = "The request is not HTTP/1.1, as without `Host`."


class WrongDataType(ApiError):
    status = 400
    exception_type = "MXInvalidDataTypeException"
    meaning = "A member of the body has the wrong type."


class MissingAttribute(ApiError):
    status = 400
    exception_type = "MXMandatoryAttributeMissingException"
    meaning = "A mandatory member is missing or empty."


class InvalidValue(ApiError):
    status = 400
    exception_type = "MXInvalidInputException"
    meaning = "A value is impossible, such as an id that is not a GUID."


class UnknownEventCode(ApiError):
    status = 400
    exception_type = "MXInvalidEntityReferenceException"
    meaning = "No opportunity type has this `EventCode`."


class UnknownColumn(ApiError):
    status = 400
    exception_type = "MXUnknownAttributeException"
    meaning = "The type does not have a requested column."


class InvalidFieldValue(ApiError):
    status = 400
    exception_type = "MXInvalidActivityFieldsException"
    meaning = "A value does not fit its field, or a mandatory field has none."


class InvalidReference(ApiError):
    status = 400
    exception_type = "MXInvalidEntityException"
    meaning = "The body names a lead, user or opportunity that is not here."


class DuplicateEntry(ApiError):
    status = 400
    exception_type = "MXDuplicateEntryException"
    meaning = "Another lead has the address, number or id, or another activity type the name."


class LimitExceeded(ApiError):
    status = 400
    exception_type = "MXLimitExceededException"
    meaning = "More ids, rows, columns or conditions than one call takes."


class RequestTimeout(ApiError):
    status = 408
    exception_type = "MXRequestTimeoutException"
    meaning = "The head or the body did not arrive in time."


class BodyTooLarge(ApiError):
    status = 413
    exception_type = "MXRequestTooLargeException"
    meaning = "The body is too large."


class UrlTooLong(ApiError):
    status = 414
    exception_type = "MXUrlTooLongException"
    meaning = "The URL is too long."


class HeadTooLarge(ApiError):
    status = 431
    exception_type = "MXRequestHeadersTooLargeException"
    meaning = "The headers are too many or too long."


class UnknownPath(ApiError):
    status = 404
    exception_type = "MXApiNotFoundException"
    meaning = "There is no such call."


class OpportunityNotFound(ApiError):
    status = 404
    exception_type = "MXOpportunityNotFoundException"
    meaning = "There is no such opportunity, or it was deleted."


class CursorGone(ApiError):
    status = 410
    exception_type = "MXCursorGoneException"
    meaning = "The cursor is of another database, or of a state that a restored one lacks."


class MethodNotAllowed(ApiError):
    status = 405
    exception_type = "MXMethodNotAllowedException"
    meaning = "The call has another method, in `Allow`."


class NotAcceptable(ApiError):
    status = 406
    exception_type = "MXNotAcceptableException"
    meaning = "The call answers none of the formats in `Accept`."


class Unavailable(ApiError):
    """The store is not there, busy, full, or too slow, or too many calls are under way."""

    status = 503
    exception_type = "MXServiceUnavailableException"
    meaning = "The store cannot be used now, or the server is full."

    def __init__(self, message: str, *, retry_after_s: int = RETRY_AFTER_S) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after_s)}


class InternalFault(ApiError):
    status = 500
    exception_type = "MXInternalException"
    meaning = "A fault of the server. Its log has the cause."

    def __init__(self) -> None:
        super().__init__(
            "The server failed to answer this call. Try again; if it stays, report the X-Request-Id"
            " to whoever runs this server."
        )


HTTP_ERRORS: tuple[type[ApiError], ...] = (
    WrongContentType,
    MalformedBody,
    MalformedHead,
    WrongDataType,
    MissingAttribute,
    InvalidValue,
    UnknownEventCode,
    UnknownColumn,
    InvalidFieldValue,
    InvalidReference,
    DuplicateEntry,
    LimitExceeded,
    InvalidCredentials,
    AccessDenied,
    UnknownPath,
    OpportunityNotFound,
    MethodNotAllowed,
    NotAcceptable,
    RequestTimeout,
    CursorGone,
    BodyTooLarge,
    UrlTooLong,
    UnsupportedMediaType,
    IdempotencyConflict,
    RateLimited,
    HeadTooLarge,
    InternalFault,
    Unavailable,
)
"""Every error of the API, by status."""

# --- what the one at the command line gets -----------------------------------------------------


class OperatorError(OppserverError):
    """A command cannot do its work: one line on stderr, exit status 1."""


class InvalidSetting(OperatorError):
    """A setting has a value that it cannot have."""


class InvalidInput(OperatorError):
    """An argument of a command is invalid, or names something unknown."""


class InvalidDatabaseUrl(OperatorError):
    """The database URL names no engine that is here."""


class DatabaseRefused(OperatorError):
    """The database cannot be opened or written, or is not one of ours, or of a newer version."""


class AddressRefused(OperatorError):
    """The server cannot listen on the given address, or not with the given certificate."""


class RateLimitStoreLost(OppserverError):
    """The store of the shared rate limit cannot be asked now; it is tried again."""


class RateLimitStoreRefused(RateLimitStoreLost, OperatorError):
    """The store of the shared rate limit answers, and refuses the credentials or the command."""


class WorkerFailed(OperatorError):
    """Workers cannot be started, or the first ended before it could serve, without a word."""


class StoreUnreachable(Unavailable):
    """No server of the store answers, or only one that cannot serve the call."""

    def __init__(self, message: str = "The store cannot be reached now. Try again.") -> None:
        super().__init__(message)


class StoreReplaced(Unavailable):
    """The database's files were removed or replaced while the store had them open.

    ``where`` names the file, for the log and for the one at the command line.
    """

    def __init__(self, where: str, *, is_written: bool = False) -> None:
        outcome = " It is not known whether this write is kept." if is_written else ""
        super().__init__(
            "The database was moved, removed or replaced while the server uses it. Nothing is read"
            f" or written until whoever runs the server has put it in order.{outcome}"
        )
        self.where = where


class StoreFull(Unavailable, OperatorError):
    """The disk is full. The batch that met it is not in the store."""


class InvalidFile(OperatorError):
    """A file cannot be read or written, or has another format than its name says."""


class OutputLost(OperatorError):
    """The standard output takes nothing more; ``is_reader_gone``: nobody reads it any more."""

    def __init__(self, message: str, *, is_reader_gone: bool) -> None:
        super().__init__(message)
        self.is_reader_gone = is_reader_gone


class StoppedImport(InvalidFile):
    """A line could not be imported, and the import stops at the first such line."""


class RejectedLine(OppserverError):
    """One line of an imported file cannot become an opportunity; ``str()`` is the reason."""
