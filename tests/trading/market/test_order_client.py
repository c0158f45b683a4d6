from typing import Any

import pytest

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from protos import catalog_pb2, order_pb2
from tests.trading.fake_cluster import CATALOG, CONFIG, FakeCluster
from tests.trading.fake_network import refusal
from trading.market.order_client import OrderClient
from trading.replicas.election import LeaderAndEpoch
from trading.replicas.manager import ReplicaManager


@pytest.fixture
def cluster():
    return FakeCluster()


@pytest.fixture
def client(cluster):
    return OrderClient(ReplicaManager(CONFIG, cluster.network, cluster.clock), cluster.clock)


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


def test_an_order_is_sent_to_the_leader_by_name_and_its_answer_is_word_of_it(cluster, client, monkeypatch):
    heard: list[LeaderAndEpoch] = []
    monkeypatch.setattr(client._manager, "heard_from", heard.append)
    cluster.network.run(client.place(order()))
    assert cluster.network.sent(order_pb2.PlaceOrdersRequest) == [
        (
            "order:3",
            order_pb2.PlaceOrdersRequest(
                epoch=1, orders=[order()], to=order_pb2.Addressee(replica_id=3, cluster_id="c1")
            ),
        )
    ]
    assert heard == [LeaderAndEpoch(3, "order:3", 1, "c1")]


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


def test_a_leader_frozen_in_the_middle_is_replaced_within_1_1_s(cluster, client):
    cluster.network.run(client.place(order()))
    cluster.clock.now += 3.0

    def freeze_the_leader(address, request):
        if isinstance(request, order_pb2.PlaceOrdersRequest) and address == "order:3":
            cluster.freeze(3)

    cluster.network.before = freeze_the_leader
    begun = cluster.clock.now
    assert cluster.network.run(client.place(order())).order.epoch == 2
    assert cluster.clock.now - begun == pytest.approx(1.0)  # and 0.1 s of its successor's


def test_a_leader_that_does_not_answer_an_order_and_does_answer_its_health_check_is_merely_slow(cluster, client):
    """As one whose disk hangs: it is waited for, and is not replaced."""
    first = cluster.network.run(client.place(order()))
    alive, slow = cluster.replicas[3].handle, [2]

    def be_slow(request):
        if isinstance(request, order_pb2.PlaceOrdersRequest) and slow[0]:
            slow[0] -= 1
            raise refusal(Reason.NO_ANSWER)
        return alive(request)

    cluster.network.handlers["order:3"] = be_slow
    assert cluster.network.run(client.place(order())).order.epoch == first.order.epoch
    assert len(cluster.assigned()) == 1


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


def test_a_call_for_one_request_is_named_after_it_and_one_for_several_after_none(client):
    """Threads share calls: the one that sends must not sign for the others."""
    leadership = LeaderAndEpoch(3, "order:3", 1)
    alone = next(client._send(leadership, [order(request_id="req-1")], 1.0))
    several = next(client._send(leadership, [order(request_id=name) for name in ("req-2", "req-3")], 1.0))
    assert (alone.call.request_id, several.call.request_id) == ("req-1", "")
    assert [one.request_id for one in several.call.request.orders] == ["req-2", "req-3"]
