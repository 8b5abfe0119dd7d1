"""The documented way to run several servers: Patroni and etcd, as docs/operating.md has them."""

from pathlib import Path

import pytest

from tests.support import patronis
from tests.support.failing_over import calling, names_in, serving_on


@pytest.mark.slow
def test_patroni_replaces_a_leader_and_calls_go_on(tmp_path: Path) -> None:
    """Its server and its Patroni are killed: 20 s later writes go on, and all are there."""
    with patronis.cluster() as cluster:
        leader = cluster.leader
        leader.ask(f"CREATE DATABASE {patronis.DATABASE} ENCODING 'UTF8' TEMPLATE template0")
        with serving_on(tmp_path, cluster.every_host, *cluster.read_flags) as server:
            with calling(server) as callers:
                callers.wait_for_writes()
                leader.kill()
                callers.wait_for_refusals()
                callers.wait_for_reads()
                callers.wait_for_writes()
                leader.start()
                cluster.wait_for_a_pair()
                callers.wait_for_writes()
            new = cluster.leader
            assert new is cluster.other(leader)
            assert names_in(new.url) == sorted(callers.acknowledged)
