from typing import Any

import pytest

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from protos import catalog_pb2, order_pb2
from tests.trading.fake_cluster import CATALOG, CONFIG, FakeCluster
from trading.market.order_client import OrderClient
from trading.replicas.election import LeaderAndEpoch
from trading.replicas.manager import ReplicaManager


@pytest.fixture
def cluster():
    return FakeCluster()


@pytest.fixture
def client(cluster):
    manager = ReplicaManager(CONFIG, cluster.network, cluster.clock)
    return OrderClient(CONFIG, manager, cluster.clock)


def order(**changes):
    fields: dict[str, Any] = {
        "stock_name": "ACME",
        "order_type": catalog_pb2.BUY,
        "quantity": 3,
        "idempotency_key": "k-1",
    }
    return catalog_pb2.NewOrder(**(fields | changes))


def test_the_first_order_elects_a_leader_and_is_placed(cluster, client):
    assert cluster.network.run(client.place(order())).order.transaction_number == 1
    assert cluster.assigned() == [3]


def test_a_leader_killed_in_the_middle_is_replaced_and_the_order_placed(cluster, client):
    cluster.network.run(client.place(order()))
    cluster.clock.now += 3.0

    def kill_the_leader(address, request):
        if isinstance(request, order_pb2.PlaceOrdersRequest) and address == "order:3":
            cluster.kill(3)

    cluster.network.before = kill_the_leader
    begun = cluster.clock.now
    assert cluster.network.run(client.place(order(idempotency_key="k-2"))).order.epoch == 2
    assert cluster.clock.now - begun < 0.5
    keys = [one.orders[0].idempotency_key for _, one in cluster.network.sent(order_pb2.PlaceOrdersRequest)]
    assert keys == ["k-1", "k-2", "k-2"]


def test_a_leader_frozen_in_the_middle_is_replaced_within_four_seconds(cluster, client):
    cluster.network.run(client.place(order()))
    cluster.clock.now += 3.0

    def freeze_the_leader(address, request):
        if isinstance(request, order_pb2.PlaceOrdersRequest) and address == "order:3":
            cluster.freeze(3)

    cluster.network.before = freeze_the_leader
    begun = cluster.clock.now
    assert cluster.network.run(client.place(order())).order.epoch == 2
    assert cluster.clock.now - begun < 4.0


def test_all_replicas_down_is_no_leader_and_nothing_was_executed(cluster, client):
    cluster.kill(1, 2, 3)
    begun = cluster.clock.now
    with pytest.raises(RpcFailure) as failure:
        cluster.network.run(client.place(order()))
    assert (failure.value.may_be_executed, failure.value.reason) == (False, Reason.NO_LEADER)
    assert cluster.clock.now - begun <= 2.5
    assert cluster.network.sent(order_pb2.PlaceOrdersRequest) == []


def test_the_catalog_down_is_told_soon_and_nothing_was_executed(cluster, client):
    cluster.network.run(client.place(order()))
    cluster.network.dead.add(CATALOG)
    begun = cluster.clock.now = cluster.clock.now + 3.0
    with pytest.raises(RpcFailure) as failure:
        cluster.network.run(client.place(order()))
    assert (failure.value.may_be_executed, failure.value.reason) == (False, Reason.CATALOG)
    assert cluster.clock.now - begun <= 2.0
    cluster.network.dead.clear()
    assert cluster.network.run(client.place(order())).order.transaction_number == 2


def test_any_replica_that_is_alive_serves_a_found_order_without_the_catalog(cluster, client):
    for replica in cluster.replicas.values():
        replica.last_number = 5
    cluster.kill(2, 3)
    cluster.network.dead.add(CATALOG)
    assert cluster.network.run(client.look_up(5)).transaction_number == 5


def test_reads_prefer_the_leader(cluster, client):
    cluster.replicas[1].lead(epoch=1)
    cluster.network.run(client.place(order()))
    cluster.network.run(client.look_up(1))
    assert [address for address, _ in cluster.network.sent(order_pb2.LookUpOrderRequest)] == ["order:1"]


def test_a_frozen_replica_slows_one_read_and_not_the_next(cluster, client):
    cluster.replicas[2].last_number = 5
    cluster.freeze(3)
    begun = cluster.clock.now
    cluster.network.run(client.look_up(5))
    assert cluster.clock.now - begun == pytest.approx(0.7)
    cluster.network.run(client.look_up(5))
    assert cluster.clock.now - begun == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("dead", "reason"),
    [([], Reason.UNKNOWN_ORDER), ([CATALOG], Reason.CATALOG), (list(CONFIG.replicas.values()), Reason.NO_LEADER)],
)
def test_a_read_that_nobody_can_answer_says_why_within_two_seconds(cluster, client, dead, reason):
    cluster.network.dead = set(dead)
    begun = cluster.clock.now
    with pytest.raises(RpcFailure) as failure:
        cluster.network.run(client.look_up(77))
    assert failure.value.reason == reason
    assert cluster.clock.now - begun <= 2.0


def test_a_list_comes_from_another_replica_when_the_leader_is_dead(cluster, client):
    for one in CONFIG.replicas:
        page = order_pb2.ListOrdersResponse(last_number=one)
        cluster.network.handlers[CONFIG.replicas[one]] = lambda _request, page=page: page
    cluster.kill(3)
    assert cluster.network.run(client.list_orders(order_pb2.ListOrdersRequest(limit=10))).last_number == 2


def test_a_call_for_one_request_is_named_after_it_and_one_for_several_after_none(client):
    """Threads share calls: the one that sends must not sign for the others."""
    leadership = LeaderAndEpoch(3, "order:3", 1)
    alone = next(client._send(leadership, [order(request_id="req-1")], 1.0))
    several = next(client._send(leadership, [order(request_id=name) for name in ("req-2", "req-3")], 1.0))
    assert (alone.request_id, several.request_id) == ("req-1", "")
    assert [one.request_id for one in several.request.orders] == ["req-2", "req-3"]
