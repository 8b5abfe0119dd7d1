"""A visit of the console, its replies, and the table of a section: what a section is made of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import parse_qs, urlencode

import msgspec

from oppserver.calls.run import run_as
from oppserver.calls.shared.call import Answer, Call, Operation, Services
from oppserver.config import Settings
from oppserver.console.access import Access, Right, Session, SignIns
from oppserver.console.app import CallRoute
from oppserver.console.request_log import RequestLogs
from oppserver.contract.errors import AccessDenied, InvalidValue, OppserverError
from oppserver.contract.model import Principal

_FIELDS_MAX: Final = 2_000
"""Fields of a form. Chosen: those of an opportunity, several times."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ConsoleServer:
    """The server around the console.

    ``secret`` signs sessions, the same in all workers. ``folder`` is shared by the workers, for the
    output of jobs. ``routes`` are the calls of the API by their path.
    """

    settings: Settings
    access: Access
    services: Services
    requests: RequestLogs
    routes: Mapping[str, CallRoute]
    secret: bytes
    folder: Callable[[], Path]
    sign_ins: SignIns
    started_on: datetime


class Values:
    """The names and values of a query or a form, as they were sent."""

    def __init__(self, text: str = "") -> None:
        self._values: Final = parse_qs(text, keep_blank_values=True, max_num_fields=_FIELDS_MAX)

    def one(self, name: str, default: str = "") -> str:
        """Return the first value of a name, without blanks around it."""
        values = self._values.get(name)
        return values[0].strip() if values else default

    def all(self, name: str) -> list[str]:
        """Return all values of a name, in order, without blanks around them."""
        return [value.strip() for value in self._values.get(name, ())]

    def has(self, name: str) -> bool:
        """Return true when the name was sent, also without a value."""
        return name in self._values

    def items(self) -> list[tuple[str, str]]:
        """Return all names and values, in order."""
        return [(name, value) for name, values in self._values.items() for value in values]


class FormError(InvalidValue):
    """A field of a form has a value that it cannot have; the message is shown beside it."""

    def __init__(self, field_name: str, message: str) -> None:
        super().__init__(message)
        self.field = field_name


# --- replies ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shown:
    """A page: a template and its values. ``status`` is 200, or that of what went wrong."""

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True, slots=True)
class Moved:
    """The browser goes on to another page of the console.

    ``note``: a line that is shown there once. ``session``: the one that begins here.
    """

    path: str
    note: str = ""
    session: Session | None = None
    ends_session: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """Bytes that are no page. ``file_name``: the browser saves them under this name."""

    body: bytes
    media_type: str
    file_name: str = ""


@dataclass(frozen=True, slots=True)
class Live:
    """A stream of server-sent events.

    ``poll`` gets a place: at first that of the page (``visit.place``), then the one that it
    returned last. It returns the template's name and values of what is new, or None, and the new
    place. It runs on a worker thread. A browser whose connection was lost goes on where it was.
    """

    poll: Callable[[str], tuple[tuple[str, Mapping[str, Any]] | None, str]]


Reply = Shown | Moved | Sent | Live

# --- the visit ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Visit:
    """One request to the console, admitted.

    ``parts`` are the parameters of the path. ``error`` is there when a form is shown again because
    it was refused; ``form`` has then what was typed. ``is_fragment``: htmx asks for a part of the
    page. ``place`` is where live events begin. ``upload`` is the file that was sent to a page that
    takes one; it goes with the visit. ``base`` is before every path of the console.
    """

    server: ConsoleServer
    principal: Principal
    rights: frozenset[Right]
    session: Session
    is_local: bool
    base: str
    host: str
    scheme: str
    caller: str
    request_id: str
    path: str
    query: Values
    form: Values
    body: bytes
    token: str
    now: datetime
    is_fragment: bool = False
    place: str = ""
    upload: Path | None = None
    parts: Mapping[str, str] = field(default_factory=dict)
    error: OppserverError | None = None

    def can(self, right: Right) -> bool:
        """Return true when the visitor has a right."""
        return right in self.rights

    def check(self, right: Right) -> None:
        """Check a right. Raises AccessDenied."""
        if right not in self.rights:
            raise AccessDenied(
                "The console only shows here: start the server with '--console full' to change"
                " things."
                if self.server.access.mode == "read"
                else f"The role {self.principal.role} may not do this. Sign in with another key."
            )

    def url(self, path: str, **query: str | int | Sequence[str] | None) -> str:
        """Return the address of a page of the console; None leaves a parameter out."""
        given = {name: value for name, value in query.items() if value is not None}
        return f"{self.base}{path}{'?' if given else ''}{urlencode(given, doseq=True)}"

    @property
    def api_url(self) -> str:
        """Return the URL of the API as this browser sees it."""
        return f"{self.scheme}://{self.host}{self.server.settings.path_prefix or ''}"

    def call(
        self,
        operation: Operation,
        *,
        name: str = "Console",
        query: Mapping[str, str] | None = None,
        body: Any = None,
        accept: str = "application/json",
        idempotency_key: str | None = None,
    ) -> Answer:
        """Make a call of the API as the visitor, and return its answer.

        ``query`` has lower-case names. ``body`` is bytes, or is encoded as JSON. The call takes the
        same way as others but for keys and limit. Raises an ApiError.
        """
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        call = Call(
            name=name,
            access_key=self.principal.access_key,
            secret_key="",
            content_type="application/json",
            body=b"" if body is None else data,
            now=self.now,
            host=self.host,
            accept=accept,
            query=query or {},
            request_id=self.request_id,
            idempotency_key=idempotency_key,
        )
        answer, _ = run_as(operation, call, self.server.services, self.principal)
        return answer

    def json(self, operation: Operation, **options: Any) -> Any:
        """Make a call as ``call`` does, and return its answer, decoded."""
        return msgspec.json.decode(self.call(operation, **options).body)


# --- sections -----------------------------------------------------------------------------------

Handler = Callable[[Visit], Reply]


class Page(NamedTuple):
    """An address of the console: its method, its path below ``/console``, who does the work.

    ``form``: the page that is shown again, with ``visit.error``, when ``handler`` raises.
    ``needs``: the right without which the page is a 403. ``takes_file``: the body is a file, of any
    size up to ``UPLOAD_BYTES_MAX``, and the token is in a header.
    """

    method: Literal["GET", "POST"]
    path: str
    handler: Handler
    needs: Right = Right.READ
    form: Handler | None = None
    takes_file: bool = False


class Section(NamedTuple):
    """A section: its name in the navigation, its first page, all its pages.

    ``needs``: the right without which it is not in the navigation.
    """

    title: str
    path: str
    pages: Sequence[Page]
    needs: Right = Right.READ
