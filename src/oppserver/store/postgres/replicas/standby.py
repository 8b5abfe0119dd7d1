"""One PostgreSQL standby: its freshness check, and reads on it.

A read goes through in one piece: on one connection, first the standby proves that it is one, that
it has the database as it was at a position of the primary's log, and that it follows the same
timeline; then it is read.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, TypeVar

from oppserver import telemetry
from oppserver.contract.errors import DatabaseRefused, StoreUnreachable
from oppserver.contract.model import ServerState, StoreServer
from oppserver.store.port import StoreOptions
from oppserver.store.postgres.address import Address
from oppserver.store.postgres.connection import PostgresConnection, connecting
from oppserver.store.postgres.connections import Connections
from oppserver.store.postgres.errors import (
    DRIVER_ERRORS,
    DriverError,
    is_busy,
    is_conflict,
    is_missing,
    is_refusal,
    raise_named,
    told,
)
from oppserver.store.postgres.replicas.position import (
    Position,
    ReplicationState,
    read_identity,
    read_mark,
    read_replication_state,
)
from oppserver.store.postgres.replicas.watch import Watch

STANDBY_POLL_S: Final = 0.0005
"""Seconds between two looks at a standby's position meanwhile. Ours: a few times its usual lag."""

STANDBY_OPEN_POLL_S: Final = 0.005
"""Seconds between two looks at a standby that has not received the database yet. Ours."""

STANDBY_CONNECT_TIMEOUT_S: Final = 2
"""Seconds in which a connection has to be made where standbys are read. Source: postgresql.org,
libpq, the shortest ``connect_timeout`` that there is."""

STANDBY_POOL_WAIT_S: Final = 0.05
"""Seconds to wait for a free connection to a standby; then the primary is read. Ours: a few calls'
time. There is a connection for each worker thread, so that nobody waits in a server."""

STANDBY_OPEN_S: Final = 5.0
"""Seconds that a standby gets, when a store is opened, to have what the primary has just been
given. Ours: a database that was made a moment ago is on its way."""

_T = TypeVar("_T")


class StandbyUnusable(Exception):
    """A standby cannot serve this read, and another server has to; ``state``: nor later ones."""

    def __init__(self, state: ServerState | None = None) -> None:
        super().__init__(state)
        self.state: Final = state


class Standby:
    """One standby. Owns its connections, its state and its counts.

    ``newest`` is the highest known position of the primary; ``tell`` gets the standby
    twice a second.
    """

    def __init__(
        self,
        url: str,
        options: StoreOptions,
        *,
        newest: Callable[[], Position],
        tell: Callable[[StoreServer], None],
    ) -> None:
        self.address: Final = Address.of(url, {"connect_timeout": STANDBY_CONNECT_TIMEOUT_S})
        self._connections: Final = Connections(
            self.address, options, pool_wait_s=STANDBY_POOL_WAIT_S
        )
        self._newest: Final = newest
        self._tell: Final = tell
        self._watch: Final = Watch(connecting(self.address), look=self._look, failed=self._failed)
        self._is_open = False  # before, what is wrong is an error and no line of the log
        self._identity: tuple[int, str] | None = None
        self._state = ServerState.LOST
        self._told_state = ServerState.IN_USE  # what the log knows
        self._cause: BaseException | None = None
        self._newest_before: Position | None = None
        self._bytes_behind: int | None = None
        self._lock: Final = threading.Lock()  # guards the next two
        self._reads = 0
        self.reads_under_way = 0

    # --- its life

    def open(self, identity: tuple[int, str]) -> None:
        """Looks at it for the first time, and begins to watch it.

        One that is away or behind may come back, and is left out until then. Raises DatabaseRefused
        for a fault that will not go away by itself.
        """
        self._identity = identity
        ends = time.monotonic() + STANDBY_OPEN_S
        while True:
            self._watch.look_now()
            is_on_its_way = self._cause is not None and is_missing(self._cause)
            if not is_on_its_way or time.monotonic() > ends:
                break
            time.sleep(STANDBY_OPEN_POLL_S)
        self._refuse_unfit(is_missing=is_on_its_way)
        self._is_open = True
        self._report()
        self._watch.start()

    def _refuse_unfit(self, *, is_missing: bool) -> None:
        if self._state is ServerState.OTHER_DATABASE:
            raise DatabaseRefused(
                f"The read database {self.address} is no copy of the database: it is of another"
                " server, or another database. Name a standby of the one that is written to."
            )
        if self._cause is not None and (is_missing or is_refusal(self._cause)):
            raise DatabaseRefused(
                f"The read database {self.address} cannot be opened: {told(self._cause)}"
            ) from self._cause

    def stop(self) -> None:
        """Begins to end, so that several can end at the same time."""
        self._watch.stop()

    def close(self) -> None:
        """Ends the watch and all connections."""
        self._watch.close()
        self._connections.close()

    # --- reads

    def can_be_read(self, *, is_primary_lost: bool) -> bool:
        """Return true when a read may be tried; without a primary also on one that is behind."""
        if self._state is ServerState.BEHIND:
            return is_primary_lost
        return self._state is ServerState.IN_USE

    def read(
        self,
        work: Callable[[PostgresConnection], _T],
        *,
        position: Position,
        is_primary_lost: bool,
        ends_at: float,
    ) -> _T:
        """Reads when the standby has the position, for which it is waited until a moment.

        Raises StandbyUnusable.
        """

        def check_fresh(driver: PostgresConnection) -> None:
            self._check_fresh(driver, position, is_whole=is_primary_lost, ends_at=ends_at)

        try:
            with self._counted():
                return self._connections.read_once(work, first=check_fresh)
        except StandbyUnusable as passed:
            self._leave_out(passed.state)
            raise
        except (*DRIVER_ERRORS, StoreUnreachable) as error:
            raise self._passed_over(error) from error

    def _passed_over(self, error: DriverError | StoreUnreachable) -> StandbyUnusable:
        """Translate the error of a read here; raise it when any server would raise it."""
        if not isinstance(error, StoreUnreachable):
            # a conflict: the standby has ended what kept it from applying what others wrote
            if is_conflict(error) or is_busy(error):
                return StandbyUnusable()
            with suppress(StoreUnreachable):
                raise_named(error)
        self._leave_out(ServerState.LOST)
        return StandbyUnusable(ServerState.LOST)

    def _check_fresh(
        self, driver: PostgresConnection, position: Position, *, is_whole: bool, ends_at: float
    ) -> None:
        """Returns when the standby has a position; ``is_whole``: and all that it has received."""
        while True:
            replication_state = read_replication_state(driver)
            if not replication_state.is_standby:
                raise StandbyUnusable(ServerState.NO_STANDBY)
            has_all = (
                not is_whole or replication_state.replayed_byte >= replication_state.received_byte
            )
            if has_all and replication_state.replayed_byte >= position.byte:
                break
            if time.monotonic() > ends_at:
                raise StandbyUnusable(ServerState.BEHIND)
            time.sleep(STANDBY_POLL_S)  # no statement waits for it before PostgreSQL 19
        self._check_timeline(driver, position.timeline)

    def _check_timeline(self, driver: PostgresConnection, timeline: int) -> None:
        """Check that the standby has the mark of the timeline, or of a later one.

        A connection that has shown the mark has it for good.
        """
        if driver.timeline >= timeline:
            return
        if read_identity(driver) != self._identity:
            raise StandbyUnusable(ServerState.OTHER_DATABASE)
        driver.timeline = read_mark(driver)
        if driver.timeline < timeline:
            raise StandbyUnusable(ServerState.BEHIND)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._lock:
            self.reads_under_way += 1
        is_served = False
        try:
            yield
            is_served = True
        finally:
            with self._lock:
                self.reads_under_way -= 1
                self._reads += is_served

    def _leave_out(self, state: ServerState | None) -> None:
        """Keeps other reads from it until it is looked at again, which is soon if it is lost.

        One that is behind is given the time until the next look: else it would be tried at once,
        and each read would wait for it.
        """
        if state is None:
            return
        self._state = state
        if state is not ServerState.BEHIND:
            self._watch.look_soon()

    # --- looks

    @property
    def server(self) -> StoreServer:
        """Return the standby as operators see it, with the reads since the last report."""
        return StoreServer(
            address=str(self.address),
            is_primary=False,
            state=self._state,
            bytes_behind=self._bytes_behind,
            reads=self._reads,
        )

    def _look(self, driver: PostgresConnection) -> None:
        replication_state = read_replication_state(driver)
        newest = self._newest()
        self._bytes_behind = max(0, newest.byte - replication_state.replayed_byte)
        self._state = self._state_of(driver, replication_state, newest)
        self._newest_before = newest
        self._cause = None
        self._connections.is_silent = False
        self._report()

    def _state_of(
        self, driver: PostgresConnection, replication_state: ReplicationState, newest: Position
    ) -> ServerState:
        if read_identity(driver) != self._identity:
            return ServerState.OTHER_DATABASE
        if not replication_state.is_standby:
            return ServerState.NO_STANDBY
        # one that is in use may be behind by what was written since it was last looked at
        is_in_use = self._state is ServerState.IN_USE
        wanted = self._newest_before if is_in_use and self._newest_before else newest
        if replication_state.replayed_byte < wanted.byte:
            return ServerState.BEHIND
        try:
            self._check_timeline(driver, wanted.timeline)
        except StandbyUnusable as passed:
            return passed.state or ServerState.BEHIND
        return ServerState.IN_USE

    def _failed(self, cause: BaseException, is_silent: bool) -> None:
        self._state = ServerState.LOST
        self._cause = cause
        self._bytes_behind = None
        self._connections.is_silent = is_silent
        self._report()

    def _report(self) -> None:
        if not self._is_open:
            return
        if self._state is not self._told_state:
            self._told_state = self._state
            self._log()
        with self._lock:
            server = self.server
            self._reads = 0
        self._tell(server)

    def _log(self) -> None:
        if self._state is ServerState.IN_USE:
            telemetry.logger().info("standby_in_use", standby=str(self.address))
            return
        cause = {"cause": told(self._cause)} if self._cause else {}
        telemetry.logger().warning(
            "standby_left_out",
            standby=str(self.address),
            state=self._state.value,
            bytes_behind=self._bytes_behind,
            **cause,
        )
