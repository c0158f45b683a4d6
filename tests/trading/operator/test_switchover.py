import pytest

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from protos import order_pb2
from tests.trading.fake_cluster import CATALOG, CONFIG, FakeCluster
from tests.trading.fake_network import refusal
from trading.operator.switchover import HOLD_S, Switchover, switch_over
from trading.replicas.election import LeaderAndEpoch

THREE_LEADS = LeaderAndEpoch(3, "order:3", 1, "c1")


@pytest.fixture
def cluster():
    return FakeCluster.led_by(3, last_number=40)


def switch(cluster, *arguments):
    return cluster.network.run(switch_over(CONFIG, *arguments))


def test_the_named_replica_leads_and_all_are_told(cluster):
    assert switch(cluster, 1) == Switchover(THREE_LEADS, LeaderAndEpoch(1, "order:1", 2, "c1"))
    assert [one.leader_id for one in cluster.replicas.values()] == [1, 1, 1]
    holds = [request.hold_s for _, request in cluster.network.sent(order_pb2.AssignLeaderRequest)]
    assert holds == [HOLD_S, 0, 0]


def test_without_a_name_the_highest_other_id_in_sync_leads(cluster):
    assert switch(cluster).after.leader_id == 2
    cluster.replicas[2].followers[3] = order_pb2.CATCHING_UP
    assert switch(cluster).after.leader_id == 1


def test_the_present_leader_is_left_alone(cluster):
    assert switch(cluster, 3) == Switchover(THREE_LEADS, THREE_LEADS)
    assert cluster.assigned() == []


@pytest.mark.parametrize(
    ("state", "why"),
    [(order_pb2.CATCHING_UP, "catching up, at order 20 of 40"), (order_pb2.FAULTY, "left out by the leader")],
)
def test_a_target_that_lags_is_refused_and_the_leader_goes_on(cluster, state, why):
    cluster.replicas[3].followers[2] = state
    cluster.replicas[2].last_number = 20
    with pytest.raises(RpcFailure, match=f"TARGET_NOT_IN_SYNC: .*{why}"):
        switch(cluster, 2)
    assert cluster.assigned() == []


def test_a_dead_target_is_refused_with_its_trouble(cluster):
    cluster.kill(2)
    with pytest.raises(RpcFailure, match=r"TARGET_NOT_IN_SYNC: .*replica 2 cannot lead: Connection refused"):
        switch(cluster, 2)


def test_nobody_in_sync_is_said(cluster):
    cluster.replicas[3].followers = {1: order_pb2.FAULTY, 2: order_pb2.FAULTY}
    with pytest.raises(RpcFailure, match=r"TARGET_NOT_IN_SYNC: .*no replica besides the leader"):
        switch(cluster)


def test_without_a_leader_or_a_catalog_nothing_is_switched(cluster):
    cluster.kill(3)
    with pytest.raises(RpcFailure, match="NO_LEADER"):
        switch(cluster)
    cluster.network.dead.add(CATALOG)
    with pytest.raises(RpcFailure, match="CATALOG"):
        switch(cluster, 1)
    assert cluster.assigned() == []


def test_an_unknown_replica_is_named(cluster):
    with pytest.raises(
        RpcFailure, match=r"REPLICA_NOT_FOUND: .*replica 9 is not in BOURSE_REPLICAS; there are \[1, 2, 3\]"
    ):
        switch(cluster, 9)
    assert cluster.network.calls == []


def test_what_the_target_refuses_with_is_raised(cluster):
    cluster.replicas[1].assign_refusal = refusal(Reason.PROMOTING)
    with pytest.raises(RpcFailure) as caught:
        switch(cluster, 1)
    assert caught.value.reason is Reason.PROMOTING
