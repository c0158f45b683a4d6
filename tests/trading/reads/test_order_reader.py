import pytest

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from protos import order_pb2
from tests.trading.fake_cluster import CATALOG, CONFIG, FakeCluster
from trading.reads.order_reader import OrderReader
from trading.replicas.manager import ReplicaManager


@pytest.fixture
def cluster():
    return FakeCluster()


@pytest.fixture
def manager(cluster):
    return ReplicaManager(CONFIG, cluster.network, cluster.clock)


@pytest.fixture
def reader(cluster, manager):
    return OrderReader(CONFIG, manager, cluster.clock)


def test_any_replica_that_is_alive_serves_a_found_order_without_the_catalog(cluster, reader):
    for replica in cluster.replicas.values():
        replica.last_number = 5
    cluster.kill(2, 3)
    cluster.network.dead.add(CATALOG)
    assert cluster.network.run(reader.look_up(5)).transaction_number == 5


def test_reads_prefer_the_leader(cluster, reader, manager):
    cluster.replicas[1].lead(epoch=1)
    cluster.replicas[1].last_number = 1
    cluster.network.run(manager.leadership(cluster.clock.now + 8.0))
    cluster.network.run(reader.look_up(1))
    assert [address for address, _ in cluster.network.sent(order_pb2.LookUpOrderRequest)] == ["order:1"]


def test_a_frozen_replica_slows_one_read_and_not_the_next(cluster, reader):
    cluster.replicas[2].last_number = 5
    cluster.freeze(3)
    begun = cluster.clock.now
    cluster.network.run(reader.look_up(5))
    assert cluster.clock.now - begun == pytest.approx(0.7)
    cluster.network.run(reader.look_up(5))
    assert cluster.clock.now - begun == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("dead", "reason"),
    [([], Reason.UNKNOWN_ORDER), ([CATALOG], Reason.CATALOG), (list(CONFIG.replicas.values()), Reason.NO_LEADER)],
)
def test_a_read_that_nobody_can_answer_says_why_within_two_seconds(cluster, reader, dead, reason):
    cluster.network.dead = set(dead)
    begun = cluster.clock.now
    with pytest.raises(RpcFailure) as failure:
        cluster.network.run(reader.look_up(77))
    assert failure.value.reason == reason
    assert cluster.clock.now - begun <= 2.0


def make_anew(cluster, cluster_id):
    """All data directories are replaced; nobody leads."""
    cluster.catalog.cluster_id = cluster_id
    for replica in cluster.replicas.values():
        replica.cluster_id, replica.role, replica.last_number = cluster_id, order_pb2.FOLLOWER, 5


def test_a_cluster_that_was_made_anew_is_read_without_an_order_before(cluster, reader, manager):
    cluster.replicas[3].lead(epoch=1)
    cluster.network.run(manager.leadership(cluster.clock.now + 8.0))
    for cluster_id in ("c2", "c3"):
        make_anew(cluster, cluster_id)
        assert cluster.network.run(reader.look_up(5)).transaction_number == 5
        cluster.network.calls.clear()
        cluster.network.run(reader.look_up(5))
        assert len(cluster.network.calls) == 1  # nobody has to be asked again whose cluster it is


def test_replicas_of_another_cluster_than_the_catalog_s_are_not_read(cluster, reader, manager):
    cluster.replicas[3].lead(epoch=1)
    cluster.network.run(manager.leadership(cluster.clock.now + 8.0))
    make_anew(cluster, "c2")
    cluster.catalog.cluster_id = "c1"
    begun = cluster.clock.now
    with pytest.raises(RpcFailure) as failure:
        cluster.network.run(reader.look_up(5))
    assert failure.value.reason is Reason.NO_LEADER
    assert cluster.clock.now - begun <= 2.0


def test_a_list_comes_from_another_replica_when_the_leader_is_dead(cluster, reader):
    for one in CONFIG.replicas:
        page = order_pb2.ListOrdersResponse(last_number=one)
        cluster.network.handlers[CONFIG.replicas[one]] = lambda _request, page=page: page
    cluster.kill(3)
    assert cluster.network.run(reader.list_orders(order_pb2.ListOrdersRequest(limit=10))).last_number == 2
