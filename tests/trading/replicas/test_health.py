import pytest

from common.calls.reasons import Reason
from protos import order_pb2
from tests.trading.fake_cluster import CATALOG, CONFIG, FakeCluster
from tests.trading.fake_network import refusal
from trading.replicas.election import LeaderAndEpoch
from trading.replicas.health import HealthLoop

PERIOD_S = 10.0


@pytest.fixture
def cluster():
    return FakeCluster()


@pytest.fixture
def tick(cluster):
    loop = HealthLoop(CONFIG, cluster.clock, PERIOD_S)

    def tick():
        report = cluster.network.run(loop.tick())
        cluster.clock.now += PERIOD_S
        return report

    return tick


def test_the_first_tick_makes_the_highest_id_leader(cluster, tick):
    report = tick()
    assert report.leadership == LeaderAndEpoch(3, "order:3", 1, "c1")
    assert report.view.leader.replica_id == 3
    assert report.resync == ()


def test_a_quiet_cluster_is_only_polled(cluster, tick):
    tick()
    cluster.network.calls.clear()
    tick()
    assert len(cluster.network.calls) == 4


def test_each_look_promises_the_next_one_so_that_others_can_miss_the_loop(cluster, tick):
    tick()
    promised = {request.watch_s for _, request in cluster.network.sent(order_pb2.HealthCheckRequest)}
    assert promised == {0, 28}  # 0: of its search for a leader


def test_a_replica_that_returns_is_told_its_leader_caught_up_and_leads_after_a_whole_period(cluster, tick):
    tick()
    cluster.kill(3)
    assert tick().leadership.leader_id == 2
    cluster.restart(3)
    report = tick()
    assert report.resync == (3,)
    assert cluster.replicas[3].leader_id == 2
    cluster.replicas[2].followers[3] = order_pb2.IN_SYNC
    assert tick().leadership.leader_id == 2  # seen in sync for the first time
    report = tick()
    assert report.leadership == LeaderAndEpoch(3, "order:3", 3, "c1")
    assert [one.leader_id for one in cluster.replicas.values()] == [3, 3, 3]
    assert tick().view.leader.replica_id == 3


def test_a_replica_that_falls_out_of_sync_begins_its_period_anew(cluster, tick):
    cluster.replicas[2].lead(epoch=1)
    cluster.replicas[2].followers = {1: order_pb2.IN_SYNC, 3: order_pb2.IN_SYNC}
    tick()
    cluster.replicas[2].followers[3] = order_pb2.FAULTY
    tick()
    cluster.replicas[2].followers[3] = order_pb2.IN_SYNC
    assert tick().leadership.leader_id == 2
    assert tick().leadership.leader_id == 3


def test_a_leader_that_somebody_cannot_reach_is_given_back_the_lead_ever_later(cluster, tick):
    """Each time it leads, a frontend that cannot reach it elects another one."""
    tick()
    led = []
    for _ in range(24):
        if cluster.replicas[3].role == order_pb2.LEADER:
            cluster.replicas[3].role = order_pb2.FOLLOWER
            cluster.replicas[2].lead(epoch=max(one.epoch for one in cluster.replicas.values()) + 1)
            cluster.replicas[2].followers = {1: order_pb2.IN_SYNC, 3: order_pb2.IN_SYNC}
            cluster.catalog.epoch, cluster.catalog.leader_id = cluster.replicas[2].epoch, 2
        led.append(tick().leadership.leader_id)
    assert [place for place, leader_id in enumerate(led) if leader_id == 3] == [1, 6, 23]


def test_a_leader_that_an_operator_chose_is_left_alone_while_it_is_held(cluster, tick):
    cluster.replicas[1].lead(epoch=1)
    cluster.replicas[1].followers = {2: order_pb2.IN_SYNC, 3: order_pb2.IN_SYNC}
    cluster.replicas[1].held_s = 25
    for _ in range(3):
        assert tick().leadership.leader_id == 1
    cluster.replicas[1].held_s = 0
    assert tick().leadership.leader_id == 3


def test_a_held_leader_that_fails_is_replaced_as_ever(cluster, tick):
    cluster.replicas[1].lead(epoch=1)
    cluster.replicas[1].held_s = 600
    tick()
    cluster.kill(1)
    assert tick().leadership.leader_id == 3


@pytest.mark.parametrize(
    "members",
    [{2: "order:2", 3: "order:3"}, {**CONFIG.replicas, 4: "order:4"}, {**CONFIG.replicas, 1: "order:9"}],
    ids=["one was added", "one was removed", "one has moved"],
)
def test_a_leader_with_other_followers_than_the_configuration_leads_anew(cluster, tick, members):
    cluster.replicas[3].lead(epoch=1)
    cluster.replicas[3].members = members
    cluster.replicas[3].followers = {1: order_pb2.FAULTY, 2: order_pb2.IN_SYNC}
    cluster.replicas[3].held_s = 50
    report = tick()
    assert (report.leadership, report.resync, report.trouble) == (LeaderAndEpoch(3, "order:3", 2, "c1"), (1,), None)
    assert cluster.replicas[3].members == CONFIG.replicas
    assert cluster.replicas[3].held_s == 50
    assert tick().leadership.epoch == 2


def test_cut_off_from_the_catalog_it_gives_the_lead_to_nobody(cluster, tick):
    cluster.replicas[2].lead(epoch=1)
    cluster.replicas[2].followers = {1: order_pb2.IN_SYNC, 3: order_pb2.IN_SYNC}
    tick()
    cluster.network.dead.add(CATALOG)
    for replica in cluster.replicas.values():
        replica.hears_catalog = True
    cluster.network.calls.clear()
    assert [tick().leadership.leader_id for _ in range(3)] == [2, 2, 2]
    cluster.replicas[2].members = {1: "order:1"}
    assert (tick().leadership.epoch, cluster.network.sent(order_pb2.AssignLeaderRequest)) == (1, [])
    cluster.network.dead.clear()
    assert tick().leadership.epoch == 2  # with the followers of the configuration
    assert [tick().leadership.leader_id for _ in range(2)] == [2, 3]


def test_a_leader_that_cannot_lead_anew_goes_on(cluster, tick):
    cluster.replicas[3].lead(epoch=1)
    cluster.replicas[3].members = {2: "order:2"}
    cluster.replicas[3].assign_refusal = refusal(Reason.CATALOG)
    report = tick()
    assert (report.leadership.epoch, report.trouble.reason) == (1, Reason.CATALOG)


def test_a_switchover_that_fails_leaves_the_leader_and_is_tried_again(cluster, tick):
    cluster.replicas[2].lead(epoch=1)
    cluster.replicas[2].followers = {1: order_pb2.IN_SYNC, 3: order_pb2.IN_SYNC}
    cluster.replicas[3].assign_refusal = refusal(Reason.BACKFILLING)
    tick()
    report = tick()
    assert (report.leadership.leader_id, report.trouble.reason) == (2, Reason.BACKFILLING)
    cluster.replicas[3].assign_refusal = None
    assert tick().leadership.leader_id == 3


def test_a_follower_that_answers_nobody_is_not_resynced(cluster, tick):
    tick()
    cluster.replicas[3].followers = {1: order_pb2.FAULTY, 2: order_pb2.CATCHING_UP}
    cluster.kill(1)
    assert tick().resync == (2,)


def test_an_old_leader_that_wakes_up_is_told_to_follow(cluster, tick):
    tick()
    cluster.freeze(3)
    assert tick().leadership.leader_id == 2
    cluster.network.frozen.clear()
    assert cluster.replicas[3].role == order_pb2.LEADER
    tick()
    assert (cluster.replicas[3].role, cluster.replicas[3].leader_id) == (order_pb2.FOLLOWER, 2)


def test_without_replicas_or_catalog_the_tick_says_why_nobody_leads(cluster, tick):
    cluster.kill(1, 2, 3)
    assert tick().trouble.reason is Reason.NO_LEADER
    cluster.network.dead = {CATALOG}
    report = tick()
    assert (report.leadership, report.trouble.reason) == (None, Reason.CATALOG)


def test_a_leader_without_the_catalog_stays(cluster, tick):
    tick()
    cluster.network.dead.add(CATALOG)
    report = tick()
    assert (report.leadership.leader_id, report.trouble) == (3, None)
