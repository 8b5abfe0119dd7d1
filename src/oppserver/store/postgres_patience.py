"""Connections to PostgreSQL that do not wait for ever: for a server that is frozen, or vanished.

The server's own limits of time need a server that runs, and a frozen one's system acknowledges all
that is sent to it. So the end of waiting is decided here.
"""

import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

import psycopg
from psycopg.abc import PQGen

_T = TypeVar("_T")


class GivenUp(psycopg.OperationalError):
    """A server was waited for in vain; the connection is closed."""


def is_silence(error: BaseException | None) -> bool:
    """Whether an error tells of a server that took what was sent and answered nothing."""
    return isinstance(error, GivenUp | psycopg.errors.ConnectionTimeout)


class PatientConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that waits for its server until ``is_over`` says that this has no end.

    It is asked ten times a second while nothing comes, and not while anything does. An answer that
    does not begin within ``patience_s`` is not waited for either.
    """

    is_over: Callable[[], bool] = staticmethod(lambda: False)
    patience_s = float("inf")
    timeline = 0
    """That of a primary, or whose mark a standby has (``postgres_position.py``)."""
    was_warned = False
    """Whether a warning has come; whoever wants to know sets it back before."""

    def note_warning(self, notice: psycopg.errors.Diagnostic) -> None:
        """Takes what a server says beside its answers. Its words may be in any language."""
        self.was_warned |= notice.severity_nonlocalized == "WARNING"

    def wait(self, gen: PQGen[_T], *limits: Any, **named_limits: Any) -> _T:
        """As the driver's own, but raises GivenUp when the wait is over."""
        ends_at = time.monotonic() + self.patience_s

        def is_over() -> bool:
            return self.is_over() or time.monotonic() > ends_at

        try:
            return super().wait(_until(gen, is_over), *limits, **named_limits)
        except GivenUp:
            self.close()
            raise


def _until(gen: PQGen[_T], is_over: Callable[[], bool]) -> PQGen[_T]:
    """The driver's steps, as they are, but for the end.

    A step yields what it waits for, and is sent what has come: nothing, each 0.1 s, if nothing has.
    """
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and is_over():
                raise GivenUp("the server has not answered in time")
            wanted = gen.send(ready)
    except StopIteration as end:
        return cast("_T", end.value)
