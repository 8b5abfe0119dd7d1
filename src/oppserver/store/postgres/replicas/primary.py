"""The choice of the one primary among a database's servers.

A primary that was replaced may come back and take writes, or never have stopped. What tells the two
apart is the timeline, a number that rises with each promotion. So the server with the highest one
is taken, and none below the highest that this process has seen is used again. What a client can
know ends there: docs/decisions/0024.
"""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, NamedTuple

from oppserver import telemetry
from oppserver.contract.errors import StoreUnreachable, Unavailable
from oppserver.store.postgres.address import POSTGRES_LOOK_S, Address
from oppserver.store.postgres.connection import (
    GivenUp,
    PostgresConnection,
    connect,
    connecting,
    is_silence,
)
from oppserver.store.postgres.errors import DRIVER_ERRORS, told
from oppserver.store.postgres.replicas.watch import SETTINGS, Watch

_RANK: Final = (
    b"SELECT (SELECT system_identifier FROM pg_control_system()),"
    b" CASE WHEN NOT pg_is_in_recovery()"
    b" THEN substr(pg_walfile_name(pg_current_wal_flush_lsn()), 1, 8) END"
)

_NO_PRIMARY: Final = "The store has no primary now. Try again."


class Rank(NamedTuple):
    """The role of a server. ``timeline``: the one that a primary writes; 0 for a standby."""

    system: int
    timeline: int


class NotThePrimary(Exception):
    """A server answers, but is not to be written to; ``str()`` says why."""


class Primary:
    """The primary of an address that may name several hosts, or one that moves.

    Owner of what is known of it: where it was last, its system, and the newest timeline. With
    several hosts, all of them are watched, so that a promotion is noticed in a second even while
    the old primary still answers.
    """

    def __init__(self, address: Address) -> None:
        self._places: Final = address.places()
        self._lock: Final = threading.Lock()  # guards the next three
        self._system: int | None = None
        self._timeline = 0
        self._place: Address | None = self._places[0] if len(self._places) == 1 else None
        self._finding: Final = threading.Lock()  # guards the next two
        self._asked_at = float("-inf")
        self._trouble: NotThePrimary | GivenUp | None = None
        self._watches: Final = [
            Watch(connecting(place), look=partial(self._look, place), failed=lambda *_: None)
            for place in (self._places if len(self._places) > 1 else [])
        ]

    def open(self) -> None:
        """Begins to watch the hosts, where there are several."""
        for watch in self._watches:
            watch.start()

    def close(self) -> None:
        """Ends that."""
        for watch in self._watches:
            watch.close()

    def newest_timeline(self) -> int:
        """The highest timeline that a primary was seen to write; 0 before the first."""
        return self._timeline

    def connect(
        self, settings: Mapping[str, str], *, is_over: Callable[[], bool]
    ) -> PostgresConnection:
        """A connection to the primary, which has its timeline. Raises StoreUnreachable.

        First where the primary was last; if it is not there, wherever it is now.
        """
        asked_at = time.monotonic()
        place = self._place
        if place is not None:
            try:
                return self._connected(place, settings, is_over)
            except StoreUnreachable:
                if len(self._places) == 1:
                    raise
        return self._connected(self._find(asked_at), settings, is_over)

    # --- one place

    def _connected(
        self, place: Address, settings: Mapping[str, str], is_over: Callable[[], bool]
    ) -> PostgresConnection:
        driver = connect(place.of_primary(), settings, is_over=is_over)
        try:
            driver.timeline = self._accepted(place, _rank(driver))
        except NotThePrimary as error:
            driver.close()
            raise StoreUnreachable(_NO_PRIMARY) from error
        except BaseException:
            driver.close()
            raise
        return driver

    def _accepted(self, place: Address, rank: Rank) -> int:
        """The timeline of a primary that is to be used, which is noted. Raises NotThePrimary."""
        with self._lock:
            before = self._timeline
            if rank.timeline == 0:
                raise NotThePrimary(f"{place} is a standby")
            if self._system not in (None, rank.system):
                raise NotThePrimary(
                    f"{place} is of another cluster, system {rank.system}, than when this process"
                    f" was started, {self._system}"
                )
            if rank.timeline < before:
                raise NotThePrimary(
                    f"{place} is an old primary, of timeline {rank.timeline}; {before} has begun"
                )
            self._system, self._timeline, self._place = rank.system, rank.timeline, place
        if 0 < before < rank.timeline:
            telemetry.logger().info("primary_found", primary=str(place), timeline=rank.timeline)
        return rank.timeline

    # --- all places

    def _find(self, asked_at: float) -> Address:
        """Asks all hosts at once, unless somebody else has since ``asked_at``, and takes the best.

        Raises StoreUnreachable, with what each host is as its cause.
        """
        with self._finding:
            if self._asked_at <= asked_at:
                self._asked_at = time.monotonic()
                self._place = None
                self._trouble = self._take_best()
            if self._place is None:
                raise StoreUnreachable(_NO_PRIMARY) from self._trouble
            return self._place

    def _take_best(self) -> NotThePrimary | GivenUp | None:
        """Makes the best of all hosts the place; if none will do, what is wrong with them."""
        with ThreadPoolExecutor(len(self._places)) as threads:
            asked = list(threads.map(_asked, self._places))
        refusals = [str(one) for one in asked if not isinstance(one, Rank)]
        ranked = [
            (one, place)
            for one, place in zip(asked, self._places, strict=True)
            if isinstance(one, Rank)
        ]
        for rank, place in sorted(ranked, key=lambda one: -one[0].timeline):
            try:
                self._accepted(place, rank)
            except NotThePrimary as error:
                refusals.append(str(error))
            else:
                return None
        # a host that was silent may be the primary, and have stopped
        is_silent = any(isinstance(one, GivenUp) for one in asked)
        return (GivenUp if is_silent else NotThePrimary)("; ".join(refusals))

    def _look(self, place: Address, driver: PostgresConnection) -> None:
        rank = _rank(driver)
        if rank.timeline > self._timeline and rank.system == self._system:
            self._accepted(place, rank)


def _rank(driver: PostgresConnection) -> Rank:
    row = driver.execute(_RANK, prepare=True).fetchone()
    assert row is not None, "a SELECT without FROM has one row"
    return Rank(system=row[0], timeline=int(row[1] or "0", 16))


def _asked(place: Address) -> Rank | NotThePrimary | GivenUp:
    """Return the role of a host, or why it is unknown, within the connect timeout."""
    ends_at = time.monotonic() + POSTGRES_LOOK_S
    try:
        driver = connect(place, SETTINGS, is_over=lambda: time.monotonic() > ends_at)
        try:
            return _rank(driver)
        finally:
            driver.close()
    except (*DRIVER_ERRORS, Unavailable) as error:
        cause = error.__cause__ or error
        return (GivenUp if is_silence(cause) else NotThePrimary)(f"{place}: {told(cause)}")
