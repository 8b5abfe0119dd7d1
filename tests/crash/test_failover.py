"""Servers of a database that die at random under load: nothing that was acknowledged is lost."""

import random
from pathlib import Path

import pytest

from tests.support import standbys
from tests.support.failing_over import Callers, calling, names_in, serving_on
from tests.support.running import poll
from tests.support.standbys import Family, Member
from tests.support.stores import scaled


class Pair:
    """A primary and the standby that its commits wait for, whichever is which."""

    def __init__(self, family: Family, callers: Callers) -> None:
        self.primary, self.standby = family.members
        self._callers = callers

    def kill_primary(self) -> None:
        """The standby takes over, and the old primary joins it from a new copy."""
        self.primary.kill()
        self._take_over()
        self._join()

    def kill_standby(self) -> None:
        """Writes wait for it; nothing is promoted."""
        self.standby.kill()
        self._callers.wait_for_reads()
        self.standby.start()

    def restart_primary(self) -> None:
        """It crashes and comes back as what it was."""
        self.primary.kill()
        self._callers.wait_for_refusals()
        self.primary.start()

    def freeze_primary(self) -> None:
        """It stops in mid-flight and is replaced; when it goes on, it is a second primary."""
        self.primary.freeze()
        self._callers.wait_for_refusals()
        old = self.primary
        self._take_over()
        old.thaw()
        self._unwritten(old)
        old.kill()
        self._join()

    def two_primaries(self) -> None:
        """The old primary comes back as one, and does not wait for a standby any more."""
        self.primary.kill()
        old = self.primary
        self._take_over()
        old.start()
        old.set("synchronous_standby_names", "")
        self._unwritten(old)
        old.kill()
        self._join()

    def _unwritten(self, old: Member) -> None:
        before = names_in(old.url)
        self._callers.wait_for_writes(20)
        assert names_in(old.url) == before
        assert old.ask("SELECT pg_is_in_recovery()") is False

    def _take_over(self) -> None:
        self.standby.promote()
        self.primary, self.standby = self.standby, self.primary
        self._callers.wait_for_writes()
        self._callers.wait_for_reads()

    def _join(self) -> None:
        self.standby.join(self.primary)
        self.primary.wait_for_standbys()


@pytest.mark.slow
def test_what_was_acknowledged_survives_the_loss_of_servers(tmp_path: Path) -> None:
    """Each write is there once, no read is older, no call hangs, and nothing is restarted."""
    chance = random.Random(4)
    with standbys.family(standbys=1) as family:
        primary, standby = family.members
        primary.wait_for_standbys()
        read = [part for one in family.members for part in ("--read-database", one.url)]
        with serving_on(tmp_path, family.every_host, *read) as server:
            with calling(server) as callers:
                pair = Pair(family, callers)
                events = [
                    pair.kill_primary,
                    pair.kill_standby,
                    pair.two_primaries,
                    pair.restart_primary,
                    pair.freeze_primary,
                ]
                for _ in range(scaled(1)):
                    for event in chance.sample(events, len(events)):
                        callers.wait_for_writes(chance.randrange(1, 20))
                        event()
                callers.wait_for_writes()
            assert names_in(pair.primary.url) == sorted(callers.acknowledged)
            assert callers.refused > 0
            poll(lambda: server.get("/health/ready").status == 200 or None, what="readiness")
    assert standby is not primary
