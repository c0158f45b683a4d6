from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from protos import order_pb2
from tests.trading.fake_cluster import CATALOG, CONFIG, FakeCluster
from trading.operator.change_log import SUMMARY_S, ChangeLog
from trading.operator.event_file import ClusterEvent
from trading.replicas.health import HealthLoop

NOW = datetime(2031, 4, 9, 13, 5, 22, 104511, UTC)


class Watched:
    """A cluster, and what its health loop logs and keeps."""

    def __init__(self):
        self.cluster = FakeCluster()
        self.events: list[ClusterEvent] = []
        self.loop = HealthLoop(CONFIG, self.cluster.clock, 10.0)
        self.changes = ChangeLog(CONFIG, monotonic=self.cluster.clock, utc_now=lambda: NOW, keep=self.events.append)

    def tick(self):
        """Return what is logged and the kinds and texts of what is kept."""
        self.events.clear()
        with capture_logs() as logs:
            self.changes.note(self.cluster.network.run(self.loop.tick()))
        self.cluster.clock.now += 10.0
        return [log["event"] for log in logs], [(event.kind, event.text) for event in self.events]


@pytest.fixture
def watched():
    watched = Watched()
    watched.tick()
    return watched


def test_at_the_start_the_leader_is_an_event_and_health_is_not():
    logs, events = Watched().tick()
    assert logs == ["leader changed", "replica 3 changed", "replica 2 changed", "replica 1 changed", "orders"]
    assert events == [("election", "replica 3 leads epoch 1")]


def test_a_quiet_minute_is_one_line(watched):
    lines = [line for _ in range(int(SUMMARY_S / 10.0)) for line in watched.tick()[0]]
    assert lines == ["orders"]


def test_a_failure_and_a_return_are_events(watched):
    watched.cluster.kill(1)
    assert watched.tick()[1] == [("failure", "replica 1: faulty: Connection refused")]
    watched.cluster.restart(1)
    watched.cluster.replicas[3].followers[1] = order_pb2.CATCHING_UP
    assert watched.tick()[1] == [("catching-up", "replica 1: catching-up")]
    watched.cluster.replicas[3].followers[1] = order_pb2.IN_SYNC
    assert watched.tick()[1] == [("return", "replica 1: in-sync")]
    assert watched.tick() == ([], [])


def test_an_election_names_replica_and_epoch(watched):
    watched.cluster.kill(3)
    watched.tick()
    election = next(event for event in watched.events if event.kind == "election")
    assert (election.replica_id, election.epoch, election.time) == (2, 2, "2031-04-09T13:05:22.104511Z")


def test_without_a_catalog_nobody_leads_and_both_are_said(watched):
    watched.cluster.network.dead.add(CATALOG)
    watched.cluster.kill(3)
    kinds = [kind for kind, _ in watched.tick()[1]]
    assert kinds[:2] == ["no-leader", "catalog-failure"]
    watched.cluster.network.dead.discard(CATALOG)
    assert ("catalog-return", "the catalog trades again") in watched.tick()[1]
