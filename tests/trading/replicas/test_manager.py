import threading

import pytest

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from protos import catalog_pb2, order_pb2
from tests.trading.fake_cluster import CATALOG, CONFIG, FakeCluster
from tests.trading.fake_network import refusal
from trading.replicas.election import LeaderAndEpoch
from trading.replicas.manager import ReplicaManager


@pytest.fixture
def cluster():
    return FakeCluster()


@pytest.fixture
def manager(cluster):
    return ReplicaManager(CONFIG, cluster.network, cluster.clock)


def deadline(cluster, seconds=8.0):
    return cluster.clock.now + seconds


def test_the_leader_is_found_once_and_remembered_while_it_answers(cluster, manager):
    found = cluster.network.run(manager.leadership(deadline(cluster)))
    asked = len(cluster.network.calls)
    for _ in range(5):
        cluster.clock.now += 0.25
        manager.heard_from(found)
        assert cluster.network.run(manager.leadership(deadline(cluster))) == found
    assert len(cluster.network.calls) == asked


def test_a_silent_leader_is_asked_for_its_health_first_and_the_others_are_not(cluster, manager):
    found = cluster.network.run(manager.leadership(deadline(cluster)))
    cluster.clock.now += 1.1
    cluster.network.calls.clear()
    cluster.freeze(1)
    assert cluster.network.run(manager.leadership(deadline(cluster))) == found
    assert sorted(address for address, _ in cluster.network.calls) == [CATALOG, "order:3"]


def test_a_silent_leader_that_died_is_replaced_before_it_gets_an_order(cluster, manager):
    cluster.network.run(manager.leadership(deadline(cluster)))
    cluster.clock.now += 5.0
    cluster.kill(3)
    assert cluster.network.run(manager.leadership(deadline(cluster))).leader_id == 2


def test_a_frozen_leader_is_replaced_soon(cluster, manager):
    found = cluster.network.run(manager.leadership(deadline(cluster)))
    cluster.clock.now += 5.0
    cluster.freeze(3)
    begun = cluster.clock.now
    assert cluster.network.run(manager.replace(found, refusal(Reason.NO_ANSWER), deadline(cluster))).leader_id == 2
    assert cluster.clock.now - begun == pytest.approx(0.3)


def test_a_leader_that_was_replaced_meanwhile_costs_no_call(cluster, manager):
    first = cluster.network.run(manager.leadership(deadline(cluster)))
    cluster.clock.now += 3.0
    cluster.kill(3)
    second = cluster.network.run(manager.replace(first, refusal(Reason.UNREACHABLE), deadline(cluster)))
    asked = len(cluster.network.calls)
    assert cluster.network.run(manager.replace(first, refusal(Reason.NO_ANSWER), deadline(cluster))) == second
    assert len(cluster.network.calls) == asked


def test_a_leader_named_by_not_leader_is_adopted(cluster, manager):
    first = cluster.network.run(manager.leadership(deadline(cluster)))
    cluster.replicas[1].lead(epoch=first.epoch + 1)
    named = refusal(Reason.NOT_LEADER, leader_id=1, epoch=first.epoch + 1)
    assert cluster.network.run(manager.replace(first, named, deadline(cluster))) == LeaderAndEpoch(
        1, "order:1", first.epoch + 1, "c1"
    )


def test_all_replicas_down_is_no_leader_also_for_the_first_order(cluster, manager):
    cluster.kill(1, 2, 3)
    with pytest.raises(RpcFailure) as failure:
        cluster.network.run(manager.leadership(deadline(cluster)))
    assert failure.value.reason is Reason.NO_LEADER


def test_the_catalogs_death_is_known_before_an_order_is_sent(cluster, manager):
    cluster.network.run(manager.leadership(deadline(cluster)))
    cluster.network.dead.add(CATALOG)
    cluster.clock.now += 2.0
    with pytest.raises(RpcFailure) as failure:
        cluster.network.run(manager.leadership(deadline(cluster)))
    assert failure.value.reason is Reason.CATALOG
    cluster.network.dead.clear()
    assert cluster.network.run(manager.leadership(deadline(cluster))).leader_id == 3


def test_cut_off_from_the_catalog_the_leader_that_others_elect_is_found(cluster, manager):
    first = cluster.network.run(manager.leadership(deadline(cluster)))
    for replica in cluster.replicas.values():
        replica.hears_catalog = True
    cluster.network.dead.add(CATALOG)
    cluster.clock.now += 2.0
    assert cluster.network.run(manager.leadership(deadline(cluster))) == first
    cluster.kill(3)
    cluster.clock.now += 2.0
    with pytest.raises(RpcFailure, match="CATALOG"):
        cluster.network.run(manager.leadership(deadline(cluster)))
    cluster.replicas[2].lead(epoch=2)
    assert cluster.network.run(manager.leadership(deadline(cluster))) == LeaderAndEpoch(2, "order:2", 2, "c1")


def test_threads_share_one_search_and_its_outcome(cluster, manager):
    """Eight threads lose the leader at once; one of them elects, all go on with the new one."""
    first = cluster.network.run(manager.leadership(deadline(cluster)))
    cluster.kill(3)
    cluster.clock.now += 100
    cluster.network.calls.clear()
    polling, going_on = threading.Event(), threading.Event()

    def hold_the_first_poll(_address, request):
        if isinstance(request, catalog_pb2.CatalogHealthRequest) and not polling.is_set():
            polling.set()
            assert going_on.wait(10)

    cluster.network.before = hold_the_first_poll
    found = []

    def lose_the_leader():
        found.append(
            cluster.network.run(manager.replace(first, refusal(Reason.UNREACHABLE), deadline(cluster))).leader_id
        )

    threads = [threading.Thread(target=lose_the_leader) for _ in range(8)]
    threads[0].start()
    assert polling.wait(10)
    for thread in threads[1:]:
        thread.start()
    going_on.set()
    for thread in threads:
        thread.join(10)
    assert found == [2] * 8
    assert cluster.assigned() == [2]


def test_a_thread_does_not_wait_for_anothers_search_beyond_its_deadline(cluster):
    manager = ReplicaManager(CONFIG, cluster.network, monotonic=lambda: 0.0)
    polling, going_on = threading.Event(), threading.Event()

    def hold(_address, _request):
        polling.set()
        assert going_on.wait(10)

    cluster.network.before = hold
    searching = threading.Thread(target=cluster.network.run, args=(manager.leadership(8.0),))
    searching.start()
    assert polling.wait(10)
    with pytest.raises(RpcFailure, match="another request") as failure:
        cluster.network.run(manager.leadership(0.01))
    assert failure.value.reason is Reason.NO_LEADER
    going_on.set()
    searching.join(10)


def test_an_unforeseen_error_in_a_search_leaves_no_thread_waiting(cluster, manager):
    def fail(_address, _request):
        raise ZeroDivisionError

    cluster.network.before = fail
    with pytest.raises(ZeroDivisionError):
        cluster.network.run(manager.leadership(deadline(cluster)))
    cluster.network.before = lambda *_: None
    assert cluster.network.run(manager.leadership(deadline(cluster))).leader_id == 3


def test_a_replica_at_anothers_address_is_not_taken_for_it(cluster, manager):
    cluster.network.handlers["order:3"] = cluster.replicas[1].handle
    assert cluster.network.run(manager.poll()).find(3).trouble == "replica 1 answers at the address of 3"
    assert cluster.network.run(manager.leadership(deadline(cluster))).leader_id == 2
    assert not [one for one in cluster.network.sent(order_pb2.AssignLeaderRequest) if one[0] == "order:3"]
