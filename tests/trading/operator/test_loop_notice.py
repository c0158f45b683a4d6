import pytest
from structlog.testing import capture_logs

from deploy.systems.waiting import wait_until
from tests.trading.fake_cluster import CONFIG, FakeCluster
from trading.operator.look import ClusterLook
from trading.operator.loop_notice import LOOK_S, LoopNotice
from trading.operator.printing import NO_LOOP
from trading.replicas.manager import ReplicaManager


@pytest.fixture
def cluster():
    return FakeCluster.led_by(3)


@pytest.fixture
def manager(cluster):
    return ClusterLook(ReplicaManager(CONFIG, cluster.network, cluster.clock), cluster.network)


def set_watched(cluster, is_watched):
    for replica in cluster.replicas.values():
        replica.watched = is_watched


def test_that_no_health_loop_runs_is_logged_once_until_one_does(cluster, manager):
    notice = LoopNotice(manager.look)
    with capture_logs() as logs:
        for is_watched in (None, False, False, True, True, False):
            set_watched(cluster, is_watched)
            notice.tick()
    assert [line["event"] for line in logs] == [NO_LOOP, "a health loop runs again", NO_LOOP]


def test_that_one_runs_again_is_said_only_when_a_replica_says_so(cluster, manager):
    """Replicas that have just started say nothing of it."""
    notice = LoopNotice(manager.look)
    with capture_logs() as logs:
        for is_watched in (False, None, None, False, None, True):
            set_watched(cluster, is_watched)
            notice.tick()
    assert [line["event"] for line in logs] == [NO_LOOP, "a health loop runs again"]


def test_it_is_told_soon_after_the_replicas_say_it():
    assert LOOK_S <= 10


def test_it_looks_by_itself_and_an_error_does_not_end_it(cluster, manager):
    looks: list[None] = []

    def look():
        looks.append(None)
        if len(looks) == 1:
            raise ZeroDivisionError
        return manager.look()

    set_watched(cluster, is_watched=False)
    notice = LoopNotice(look, interval_s=0.01)
    with capture_logs() as logs:
        notice.start()
        wait_until(lambda: len(looks) > 2, 5, "three looks")
        notice.stop()
    assert [line["event"] for line in logs] == ["the look for a health loop failed", NO_LOOP]
