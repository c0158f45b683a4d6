import io

import pytest

from protos import order_pb2
from tests.trading.fake_cluster import CATALOG, CONFIG, FakeCluster
from trading.operator.exits import EXIT_DOWN, EXIT_FAILED, EXIT_OK, EXIT_WORK_LEFT, UsageError
from trading.operator.resync_run import ResyncRun


@pytest.fixture
def cluster():
    return FakeCluster.with_one_behind()


def resync(cluster, *ids, all_of_them=False, dry_run=False):
    out, err = io.StringIO(), io.StringIO()
    code = ResyncRun(CONFIG, cluster.network, out, err, dry_run=dry_run).run(ids, all_of_them=all_of_them)
    return code, out.getvalue(), err.getvalue()


def test_without_names_those_out_of_sync_are_resynced(cluster):
    code, out, err = resync(cluster)
    assert code == EXIT_OK
    assert out.startswith("replica 1: in sync at 40; 20 copied; chain 00000007 equal to leader; ")
    assert err == "replica 1: 50% 10/20\nreplica 1: 100% 20/20\n"
    assert [request.replica_id for _, request in cluster.network.sent(order_pb2.ResyncRequest)] == [1]


def test_nothing_to_do_is_said(cluster):
    cluster.replicas[1].last_number = 40
    cluster.replicas[3].followers[1] = order_pb2.IN_SYNC
    assert resync(cluster) == (EXIT_OK, "all in sync at 40\n", "")
    code, out, _ = resync(cluster, 1)
    assert code == EXIT_OK
    assert out.startswith("replica 1: in sync at 40; 0 copied; ")


def test_all_means_every_follower(cluster):
    code, out, _ = resync(cluster, all_of_them=True)
    assert code == EXIT_OK
    assert [line.split(":")[0] for line in out.splitlines()] == ["replica 3", "replica 2", "replica 1"]


def test_a_replica_that_does_not_answer_is_work_left(cluster):
    cluster.kill(1)
    code, out, err = resync(cluster, 2, 1)
    assert code == EXIT_WORK_LEFT
    assert out.startswith("replica 2: in sync")
    assert "replica 1: Connection refused" in err


def test_a_chain_that_differs_is_a_failure(cluster):
    def diverge(_address, request):
        if isinstance(request, order_pb2.HealthCheckRequest) and cluster.replicas[1].last_number == 40:
            cluster.replicas[1].chain = 8

    cluster.network.before = diverge
    code, _, err = resync(cluster, 1)
    assert code == EXIT_FAILED
    assert "chain 00000008, the leader 00000007" in err


@pytest.mark.parametrize("answers_as", [0, 3])
def test_progress_of_the_leader_itself_counts(cluster, answers_as):
    cluster.replicas[3].answers_as = answers_as  # 0: of the version before
    assert resync(cluster, 1)[0] == EXIT_OK


def test_progress_of_another_replica_than_the_leader_is_a_failure(cluster):
    cluster.replicas[3].answers_as = 2
    code, out, err = resync(cluster, 1)
    assert (code, out) == (EXIT_FAILED, "")
    assert "order:3 is replica 2" in err


def test_no_leader_and_no_catalog_end_with_four(cluster):
    cluster.network.dead.add(CATALOG)
    assert resync(cluster, 1)[0] == EXIT_DOWN
    cluster.network.dead.clear()
    cluster.kill(3)
    code, out, err = resync(cluster, 1)
    assert (code, out, err) == (EXIT_DOWN, "", "no replica leads\n")


def test_an_unknown_id_is_a_usage_error(cluster):
    with pytest.raises(UsageError, match="replica 9"):
        resync(cluster, 1, 9)


def test_a_dry_run_says_what_would_be_copied_and_copies_nothing(cluster):
    code, out, err = resync(cluster, dry_run=True)
    size = sum(map(len, cluster.catalog.rows[20:40]))
    assert (code, out, err) == (EXIT_OK, f"plan: replica 1  from 3  orders 21..40 (20)  {size / 1000:.1f} KB\n", "")
    assert cluster.replicas[1].last_number == 20
    assert not cluster.network.sent(order_pb2.ResyncRequest)


def test_a_dry_run_of_one_that_lacks_nothing_says_so(cluster):
    assert resync(cluster, 2, dry_run=True)[1] == "plan: replica 2  from 3  nothing to copy, it ends at 40\n"


def test_the_size_of_many_orders_is_estimated_from_the_first(cluster):
    cluster.catalog.page_rows = 2
    code, out, _ = resync(cluster, 1, dry_run=True)
    assert code == EXIT_OK
    assert "orders 21..40 (20)  about 1." in out


def test_a_dry_run_finds_another_history(cluster):
    cluster.replicas[1].chain = 8
    code, out, err = resync(cluster, 1, dry_run=True)
    assert (code, out) == (EXIT_FAILED, "")
    assert "another history: at order 20 its chain is 00000008" in err
