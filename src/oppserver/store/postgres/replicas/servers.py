"""The servers of a PostgreSQL store: a primary, and the standbys that reads go to.

The problem. Standbys make reads grow with machines, but they lag, stop, follow another branch of
the log after a failover, or are promoted. A caller must see its own writes in its next call,
whichever process and server answers it, without sending a token.

The invariant. A read on a standby sees every write, of any process, that returned before the read
began, or the read is done on the primary.

Why it holds.
- A read first asks the primary for the flushed position of its log (``position.py``). Every commit
  that returned lies before it. The standby is then asked, on the connection that will read, whether
  it has applied that much; it may take ``STANDBY_WAIT_S``, else the primary reads.
- A position is a place in one timeline. A standby is read only after it has shown the mark that the
  primary wrote for its timeline: only a standby that follows the timeline can have it.
- The primary is the server with the highest timeline; a server below the highest one that this
  process has seen is never used again (``primary.py``).
- One thread per server looks at it twice a second and ends calls that wait for a frozen one
  (``watch.py``), so every wait is bounded.

What breaks it. While the primary is unreachable, standbys that have everything this process knows
of may miss the last half second of other processes' writes. A process that starts after a failover
and reaches only the old primary cannot know better; a synchronous standby makes this safe.
Decisions 0022 to 0024 have the reasons and the measurements.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Final, TypeVar

from oppserver import telemetry
from oppserver.contract.errors import InvalidDatabaseUrl, StoreUnreachable, Unavailable
from oppserver.contract.model import ServerState, StoreServer
from oppserver.store.port import StoreOptions
from oppserver.store.postgres.connection import PostgresConnection
from oppserver.store.postgres.connections import Connections
from oppserver.store.postgres.errors import told
from oppserver.store.postgres.replicas.position import (
    BEGINNING,
    Position,
    leave_mark,
    read_identity,
    read_mark,
    read_position,
)
from oppserver.store.postgres.replicas.standby import Standby, StandbyUnusable
from oppserver.store.postgres.replicas.watch import Watch

STANDBY_WAIT_S: Final = 0.02
"""Seconds that a read waits for a standby to reach the primary's position; then the primary is
read. Ours: measured, a standby is 0.1 ms behind, and 1.3 ms in one of a hundred looks; and waiting
for longer than a bulk read takes would gain nothing."""

STANDBY_STAND_IN_S: Final = 0.25
"""Seconds that a read waits, while the primary cannot be reached, for a standby to have all that is
known; then 503. Ours: what a standby has received, it applies in far less, or is paused."""

_T = TypeVar("_T")


class Servers:
    """Which server a call goes to. Owner of the standbys, and of what is known of the primary.

    Without standbys, everything goes to the primary and nothing is watched.
    """

    def __init__(self, primary: Connections, options: StoreOptions) -> None:
        self._primary: Final = primary
        self._tell: Final = options.on_server or (lambda _: None)
        self._lock: Final = threading.Lock()  # guards the next two
        self._newest = BEGINNING
        self._reads = 0
        self._marked = 0  # the timeline whose mark the primary has
        self._is_primary_lost = False
        self._told_lost = False  # what the log knows
        self._cause: BaseException | None = None
        self._turns: Final = count()
        self._standbys: Final = [
            self._standby(number, one, options) for number, one in enumerate(options.read_urls, 1)
        ]
        self._watch: Final = Watch(primary.connect, look=self._look, failed=self._failed)

    def _standby(self, number: int, url: str, options: StoreOptions) -> Standby:
        try:
            return Standby(url, options, newest=lambda: self._newest, tell=self._tell)
        except InvalidDatabaseUrl as error:
            raise InvalidDatabaseUrl(f"Read database {number}: {error}") from None

    # --- their life

    def open(self) -> None:
        """Looks at all standbys of a database that is up to date. Raises DatabaseRefused."""
        if not self._standbys:
            return
        self._note(self._primary.read(read_position))
        self._watch.look_now()  # leaves the mark too
        if self._is_primary_lost:
            raise StoreUnreachable from self._cause
        self._note(self._primary.read(read_position))
        identity = self._primary.read(read_identity)
        for standby in self._standbys:
            standby.open(identity)
        self._watch.start()

    def close(self) -> None:
        """Ends all watches and all connections, the primary's too."""
        for standby in self._standbys:
            standby.stop()
        self._watch.close()
        for standby in self._standbys:
            standby.close()
        self._primary.close()

    def told(self) -> list[StoreServer]:
        """The primary and its standbys; nothing where there are no standbys."""
        if not self._standbys:
            return []
        return [self._server, *(standby.server for standby in self._standbys)]

    @property
    def is_primary_lost(self) -> bool:
        """True when reads are served without the primary."""
        return self._is_primary_lost

    # --- calls

    def read(self, work: Callable[[PostgresConnection], _T]) -> _T:
        """Run ``Connections.read``, on a standby where that sees the same."""
        if not self._standbys:
            return self._primary.read(work)
        try:
            position = self._on_primary(read_position)
        except StoreUnreachable as error:
            return self._without_primary(work, error)
        self._note(position)
        ends_at = time.monotonic() + STANDBY_WAIT_S
        for standby in self._in_turn(is_primary_lost=False):
            with suppress(StandbyUnusable):
                return standby.read(work, position=position, is_primary_lost=False, ends_at=ends_at)
        answer = self.read_newest(work)
        with self._lock:
            self._reads += 1
        return answer

    def read_newest(self, work: Callable[[PostgresConnection], _T]) -> _T:
        """Run ``Connections.read``; on a standby only while the primary cannot be reached.

        For what is so short that asking how far the primary is would take as long.
        """
        try:
            return self._on_primary(work)
        except StoreUnreachable as error:
            return self._without_primary(work, error)

    def write(
        self,
        work: Callable[[PostgresConnection], _T],
        *,
        is_limited: bool = True,
        is_gated: bool = True,
    ) -> _T:
        """Run ``Connections.write``; all later reads see what it wrote."""
        if self._primary.is_silent:
            raise StoreUnreachable
        answer = self._primary.write(work, is_limited=is_limited, is_gated=is_gated)
        if self._standbys:
            # for reads without the primary. When it dies before it can be asked, all that a standby
            # has received has to do, which includes this write where commits wait for standbys
            with suppress(Unavailable):
                self._note(self._primary.read(read_position))
                self._is_primary_lost = False
        return answer

    # --- which server

    def _without_primary(
        self, work: Callable[[PostgresConnection], _T], error: StoreUnreachable
    ) -> _T:
        """Reads on a standby that has all that this process knows of.

        Without a primary, it is tried all the same: it may be back since the last look.
        """
        position = self._newest
        ends_at = time.monotonic() + STANDBY_STAND_IN_S
        for standby in self._in_turn(is_primary_lost=True):
            with suppress(StandbyUnusable):
                return standby.read(work, position=position, is_primary_lost=True, ends_at=ends_at)
        if self._primary.is_silent or not self._standbys:
            raise error
        return self._primary.read(work)

    def _in_turn(self, *, is_primary_lost: bool) -> list[Standby]:
        """The standbys that can be read, the least busy first, and each of them in its turn."""
        able = [one for one in self._standbys if one.can_be_read(is_primary_lost=is_primary_lost)]
        if len(able) > 1:
            first = next(self._turns) % len(able)
            able = able[first:] + able[:first]
            able.sort(key=lambda standby: standby.reads_under_way)
        return able

    def _on_primary(self, work: Callable[[PostgresConnection], _T]) -> _T:
        """Reads on the primary, unless it is known to be lost. Raises StoreUnreachable."""
        if self._is_primary_lost:
            raise StoreUnreachable
        try:
            return self._primary.read(work)
        except StoreUnreachable:
            if self._standbys:
                self._is_primary_lost = True
                self._watch.look_soon()
            raise

    def _note(self, position: Position) -> None:
        with self._lock:
            self._newest = max(self._newest, position)

    # --- looks at the primary

    @property
    def _server(self) -> StoreServer:
        return StoreServer(
            address=str(self._primary.address),
            is_primary=True,
            state=ServerState.LOST if self._is_primary_lost else ServerState.IN_USE,
            bytes_behind=None,
            reads=self._reads,
        )

    def _look(self, driver: PostgresConnection) -> None:
        self._primary.refuse_old(driver)
        position = read_position(driver)
        self._note(position)
        if position.timeline != self._marked:
            if read_mark(driver) != position.timeline:
                leave_mark(driver)
            self._marked = position.timeline
        self._primary.is_silent = False
        if self._told_lost:
            telemetry.logger().info("primary_back", primary=str(self._primary.address))
        self._is_primary_lost = self._told_lost = False
        self._report()

    def _failed(self, cause: BaseException, is_silent: bool) -> None:
        self._is_primary_lost = True
        self._cause = cause
        self._primary.is_silent = is_silent
        if not self._told_lost:
            self._told_lost = True
            telemetry.logger().warning(
                "primary_lost", primary=str(self._primary.address), cause=told(cause)
            )
        self._report()

    def _report(self) -> None:
        with self._lock:
            server = self._server
            self._reads = 0
        self._tell(server)
