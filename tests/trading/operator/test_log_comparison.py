import pytest

from common.calls.failures import RpcFailure
from protos import order_pb2
from tests.trading.fake_cluster import CATALOG, CONFIG, FakeCluster, make_rows
from trading.operator.log_comparison import Difference, Journal, ReplicaLog, compare_logs, first_difference


@pytest.fixture
def cluster():
    cluster = FakeCluster()
    for replica in cluster.replicas.values():
        replica.last_number = 60
    return cluster


def compare(cluster, up_to=60):
    """Return the rows that were taken, and each replica's source."""
    taken = []
    others = [ReplicaLog(address, order_pb2.Addressee(replica_id=one)) for one, address in CONFIG.replicas.items()]
    reference = Journal(CATALOG)
    cluster.network.run(compare_logs(reference, others, up_to, lambda rows, after: taken.append((rows, after))))
    return taken, others


@pytest.mark.parametrize("page_rows", [1, 7, 60, 1000])
def test_equal_logs_are_read_in_pages_to_the_end(cluster, page_rows):
    cluster.catalog.page_rows = page_rows
    taken, others = compare(cluster)
    assert b"".join(rows for rows, _ in taken) == b"".join(make_rows(60))
    assert [after for _, after in taken] == list(range(0, 60, page_rows))
    assert [(one.compared, one.difference, one.failure) for one in others] == [(60, None, None)] * 3


@pytest.mark.parametrize("number", [1, 7, 8, 59, 60])
def test_the_first_order_that_differs_is_named_with_both_rows(cluster, number):
    cluster.catalog.page_rows = 7
    good = cluster.replicas[2].rows[number - 1]
    for place in (number - 1, 59):
        cluster.replicas[2].rows[place] = cluster.replicas[2].rows[place].replace(b"ACME", b"ACMX")
    _, (first, second, third) = compare(cluster)
    assert second.difference == Difference(
        number, good.decode().rstrip(), good.decode().rstrip().replace("ACME", "ACMX")
    )
    assert second.compared == number - 1
    assert (first.compared, third.compared) == (60, 60)


def test_a_row_of_another_length_is_a_difference_too():
    rows = make_rows(3)
    other = [rows[0], rows[1].replace(b",1,", b",100,", 1), rows[2]]
    assert first_difference(b"".join(rows), b"".join(other), after=10).number == 12


def test_a_log_that_ends_sooner_is_equal_up_to_there(cluster):
    cluster.catalog.page_rows = 7
    cluster.replicas[1].last_number = 30
    _, (behind, _, _) = compare(cluster)
    assert (behind.compared, behind.difference, behind.failure) == (30, None, None)


def test_orders_above_the_common_number_are_not_looked_at(cluster):
    cluster.replicas[1].rows[40] = b"41,another history\n"
    taken, (first, _, _) = compare(cluster, up_to=40)
    assert sum(rows.count(b"\n") for rows, _ in taken) == 40
    assert (first.compared, first.difference) == (40, None)


def test_a_replica_that_dies_on_the_way_is_read_no_further(cluster):
    cluster.catalog.page_rows = 7

    def kill(_address, request):
        if isinstance(request, order_pb2.ListRowsRequest) and request.after == 14:
            cluster.kill(3)

    cluster.network.before = kill
    _, (first, _, third) = compare(cluster)
    assert third.failure == "Connection refused, after order 14"
    assert (first.compared, third.compared) == (60, 14)


def test_rows_of_another_replica_than_the_one_asked_are_not_compared(cluster):
    cluster.replicas[1].answers_as = 0  # of the version before
    cluster.replicas[3].answers_as = 2
    _, (first, second, third) = compare(cluster)
    assert (third.failure, third.compared) == ("order:3 is replica 2, after order 0", 0)
    assert (first.compared, second.compared) == (60, 60)


def test_a_reference_is_no_other_replica_either(cluster):
    cluster.replicas[3].answers_as = 2
    log = ReplicaLog("order:3", order_pb2.Addressee(replica_id=3))
    with pytest.raises(RpcFailure, match="order:3 is replica 2"):
        cluster.network.run(compare_logs(log, [], 60, lambda _rows, _after: None))


def test_a_reference_that_dies_or_ends_too_soon_is_a_failure(cluster):
    with pytest.raises(RpcFailure, match="catalog ends at order 60, before 61"):
        compare(cluster, up_to=61)
    cluster.network.dead.add(CATALOG)
    with pytest.raises(RpcFailure, match="Connection refused"):
        compare(cluster)
