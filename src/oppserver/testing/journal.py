"""The calls that a server under test has received."""

import json
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, overload
from urllib.parse import parse_qsl

from oppserver.api.observe import folded
from oppserver.api.routes import ROUTES
from oppserver.contract.secrets import hide_secrets

TESTED_BODY_CHARACTERS_SHOWN: Final = 400
"""Characters of a request's body that the printed journal shows. Ours: some lines of a terminal."""

TESTED_BODY_BYTES_KEPT_MAX: Final = 4 << 20
"""Bytes of a request's body that are kept; of a longer one, its beginning as text. Ours: bounds
the memory, and is more than a call of 2,000 ids takes."""

_KEYS: Final = ("accesskey", "secretkey")

_HIDDEN_HEADERS: Final = ("x-lsq-accesskey", "x-lsq-secretkey", "authorization", "cookie")

_NAMES: Final = {route.path.lower(): route.name for route in ROUTES}


@dataclass(frozen=True, kw_only=True)
class ReceivedCall:
    """A received call, and its answer. The caller's keys are nowhere in it.

    ``name`` is the call's in the documents (``Capture``), empty where there is no such call.
    ``query`` has names as they were sent. ``body`` is JSON as Python has it, else text; None when
    it was empty, or is not read yet. ``status``: None until something was answered, and when the
    connection was cut before. ``at`` is by the server's clock; ``took_ms`` is the world's time
    until the answer began. ``fault`` says which fault it met, empty when it met none.
    """

    method: str
    path: str
    name: str
    query: dict[str, str]
    headers: dict[str, str] = field(repr=False)
    body: Any
    status: int | None
    at: datetime
    took_ms: float
    fault: str = ""

    def __str__(self) -> str:
        status = "-" if self.status is None else str(self.status)
        query = "".join(f" {name}={value}" for name, value in self.query.items())
        fault = f"  [{self.fault}]" if self.fault else ""
        line = f"{status:>3}  {self.method} {self.path}{query}  {self.took_ms:.1f} ms{fault}"
        return hide_secrets(f"{line}\n     {self._shown_body()}" if self.body else line)

    def _shown_body(self) -> str:
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        limit = TESTED_BODY_CHARACTERS_SHOWN
        return text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"


class Journal(Sequence[ReceivedCall]):
    """Calls in the order in which they came."""

    def __init__(self, calls: Sequence[ReceivedCall]) -> None:
        self._calls: Final = tuple(calls)

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[ReceivedCall]:
        return iter(self._calls)

    @overload
    def __getitem__(self, index: int) -> ReceivedCall: ...

    @overload
    def __getitem__(self, index: slice) -> "Journal": ...

    def __getitem__(self, index: int | slice) -> "ReceivedCall | Journal":
        if isinstance(index, slice):
            return Journal(self._calls[index])
        return self._calls[index]

    def __repr__(self) -> str:
        return "\n".join([f"<{len(self)} calls>", *map(str, self)])

    def matching(
        self,
        name: str | None = None,
        *,
        method: str | None = None,
        path: str | None = None,
        status: int | None = None,
    ) -> "Journal":
        """Return the calls of a name, method, path or status; None does not filter.

        Names and paths do not tell capitals; a path may be its end alone.
        """
        return Journal(
            [
                one
                for one in self
                if (name is None or one.name.lower() == name.lower())
                and (method is None or one.method == method.upper())
                and (path is None or one.path.lower().endswith(path.lower()))
                and (status is None or one.status == status)
            ]
        )

    def one(
        self,
        name: str | None = None,
        *,
        method: str | None = None,
        path: str | None = None,
        status: int | None = None,
    ) -> ReceivedCall:
        """The only call that matches. Raises AssertionError with the journal when it is not one."""
        found = self.matching(name, method=method, path=path, status=status)
        if len(found) != 1:
            raise AssertionError(f"{len(found)} calls match, not one. The journal:\n{self!r}")
        return found[0]


# --- as it is written ---------------------------------------------------------------------------


class Arrival:
    """A call that came, as far as it got. Owner: the task that serves it; others read ``call``."""

    def __init__(self, scope: Any, *, at: datetime) -> None:
        pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        self._started: Final = time.perf_counter()
        self._body = bytearray()
        self._call = ReceivedCall(
            method=scope["method"],
            path=scope["path"],
            name=_NAMES.get(folded(scope["path"]), ""),
            query={name: value for name, value in pairs if name.lower() not in _KEYS},
            headers=_headers(scope),
            body=None,
            status=None,
            at=at,
            took_ms=0.0,
        )

    @property
    def call(self) -> ReceivedCall:
        """Return the call as it is known now."""
        return self._call

    def read(self, data: bytes, *, is_last: bool) -> None:
        """Takes a part of the body."""
        self._body += data[: TESTED_BODY_BYTES_KEPT_MAX - len(self._body)]
        if is_last:
            self._change(body=_decoded(bytes(self._body)))
            self._body = bytearray()

    def ended(self, status: int | None) -> None:
        """The answer begins now, or the connection is cut."""
        took_ms = (time.perf_counter() - self._started) * 1_000
        self._change(status=status, took_ms=took_ms)

    def met(self, fault: str) -> None:
        """It met a fault."""
        self._change(fault=fault)

    def _change(self, **values: Any) -> None:
        self._call = replace(self._call, **values)


class Arrivals:
    """The calls since a test began. Safe from several threads."""

    def __init__(self, *, calls_max: int | None = None) -> None:
        """``calls_max``: beyond it the oldest call is forgotten."""
        self._lock = threading.Lock()
        self._arrivals: deque[Arrival] = deque(maxlen=calls_max)

    def add(self, scope: Any, *, at: datetime) -> Arrival:
        """A call comes."""
        arrival = Arrival(scope, at=at)
        with self._lock:
            self._arrivals.append(arrival)
        return arrival

    def journal(self) -> Journal:
        """The calls so far."""
        with self._lock:
            return Journal([one.call for one in self._arrivals])

    def clear(self) -> None:
        """Forgets them."""
        with self._lock:
            self._arrivals.clear()


def call_names() -> list[str]:
    """The names that calls have."""
    return list(_NAMES.values())


def _headers(scope: Any) -> dict[str, str]:
    named = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
    return {name: value for name, value in named if name not in _HIDDEN_HEADERS}


def _decoded(body: bytes) -> Any:
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError:  # no JSON, or no UTF-8
        return body.decode("utf-8", "replace")
