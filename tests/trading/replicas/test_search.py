import pytest

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from protos import order_pb2
from tests.trading.fake_cluster import CATALOG, CONFIG, FakeCluster
from tests.trading.fake_network import refusal
from trading.replicas.election import LeaderAndEpoch
from trading.replicas.search import ElectionMemory, LeaderSearch, confirm

NO_ANSWER_FAILURE = refusal(Reason.NO_ANSWER)


@pytest.fixture
def cluster():
    return FakeCluster()


@pytest.fixture
def memory():
    return ElectionMemory()


def search(cluster, memory, seconds=8.0, failed=None, failure=None):
    steps = LeaderSearch(
        CONFIG,
        memory,
        monotonic=cluster.clock,
        deadline=cluster.clock.now + seconds,
        failed=failed,
        failure=failure,
    ).steps()
    return cluster.network.run(steps)


def test_a_leader_of_the_newest_epoch_is_adopted(cluster, memory):
    cluster.replicas[1].lead(epoch=7)
    assert search(cluster, memory) == LeaderAndEpoch(1, "order:1", 7, "c1")
    assert cluster.assigned() == []


def test_a_leader_that_was_merely_slow_is_found_again(cluster, memory):
    cluster.replicas[1].lead(epoch=7)
    slow = LeaderAndEpoch(1, "order:1", 7, "c1")
    assert search(cluster, memory, failed=slow, failure=NO_ANSWER_FAILURE) == slow


def test_a_leader_of_an_older_epoch_is_not_adopted(cluster, memory):
    cluster.replicas[1].lead(epoch=7)
    cluster.catalog.epoch, cluster.catalog.leader_id = 8, 2  # 2 began an epoch and died before it served
    assert search(cluster, memory) == LeaderAndEpoch(3, "order:3", 9, "c1")


@pytest.mark.parametrize("trouble", ["stalled", "halted"])
def test_an_unhealthy_leader_is_replaced(cluster, memory, trouble):
    cluster.replicas[3].lead(epoch=7)
    setattr(cluster.replicas[3], trouble, "yes" if trouble == "halted" else True)
    assert search(cluster, memory).leader_id == 2


def test_the_replica_whose_failure_caused_an_election_is_passed_over_for_a_while(cluster, memory):
    cluster.replicas[3].epoch = 7
    cluster.catalog.epoch = 7
    failed = LeaderAndEpoch(3, "order:3", 7, "c1")
    assert search(cluster, memory, failed=failed, failure=refusal(Reason.NOT_LEADER)).leader_id == 2
    assert memory.passed_over(cluster.clock.now) == {3}
    assert memory.passed_over(cluster.clock.now + 10.0) == set()


def test_a_passed_over_replica_leads_when_it_is_the_only_one(cluster, memory):
    cluster.kill(1, 2)
    failed = LeaderAndEpoch(3, "order:3", 0, "c1")
    assert search(cluster, memory, failed=failed, failure=refusal(Reason.NOT_LEADER)).leader_id == 3


def test_a_leader_without_the_catalog_is_replaced_while_we_reach_it(cluster, memory):
    cluster.replicas[3].lead(epoch=7)
    failed = LeaderAndEpoch(3, "order:3", 7, "c1")
    assert search(cluster, memory, failed=failed, failure=refusal(Reason.CATALOG)) == LeaderAndEpoch(
        2, "order:2", 8, "c1"
    )
    assert cluster.replicas[3].role == order_pb2.FOLLOWER


def test_without_the_catalog_nobody_is_elected_or_adopted(cluster, memory):
    cluster.replicas[3].lead(epoch=7)
    cluster.network.dead.add(CATALOG)
    with pytest.raises(RpcFailure, match=r"CATALOG: .*Connection refused"):
        search(cluster, memory)
    cluster.network.dead.clear()
    cluster.catalog.stalled = True
    with pytest.raises(RpcFailure, match=r"CATALOG: .*stalled"):
        search(cluster, memory)
    cluster.catalog.halted = "rolled back"
    with pytest.raises(RpcFailure, match=r"HALTED: .*rolled back"):
        search(cluster, memory)
    assert cluster.assigned() == []


def test_fenced_by_another_process_its_leader_is_adopted(cluster, memory):
    def elect_meanwhile(_address, request):
        if isinstance(request, order_pb2.AssignLeaderRequest) and request.leader_id == 3:
            cluster.replicas[2].lead(epoch=1)

    cluster.network.before = elect_meanwhile
    assert search(cluster, memory) == LeaderAndEpoch(2, "order:2", 1, "c1")
    assert cluster.assigned() == [3]


def test_fenced_by_a_leader_that_died_the_election_is_tried_once_more(cluster, memory):
    def begin_and_die(_address, request):
        if isinstance(request, order_pb2.AssignLeaderRequest) and cluster.catalog.epoch == 0:
            cluster.catalog.epoch, cluster.catalog.leader_id = 1, 2
            cluster.kill(2)

    cluster.network.before = begin_and_die
    assert search(cluster, memory) == LeaderAndEpoch(3, "order:3", 2, "c1")
    assert cluster.assigned() == [3, 3]


def test_fenced_twice_the_search_ends(cluster, memory):
    def always_first(_address, request):
        if isinstance(request, order_pb2.AssignLeaderRequest):
            cluster.catalog.epoch += 1

    cluster.network.before = always_first
    with pytest.raises(RpcFailure, match=r"NO_LEADER: .*another election"):
        search(cluster, memory)


def test_a_replica_that_is_about_to_serve_is_waited_for(cluster, memory):
    cluster.replicas[2].lead(epoch=1)
    cluster.replicas[2].role = order_pb2.PROMOTING
    begun = cluster.clock.now

    def serve(_address, _request):
        if cluster.clock.now - begun > 0.5:
            cluster.replicas[2].role = order_pb2.LEADER

    cluster.network.before = serve
    assert search(cluster, memory) == LeaderAndEpoch(2, "order:2", 1, "c1")
    assert cluster.assigned() == []


def test_a_replica_that_is_about_to_serve_is_not_waited_for_for_ever(cluster, memory):
    cluster.replicas[2].lead(epoch=1)
    cluster.replicas[2].role = order_pb2.PROMOTING
    begun = cluster.clock.now
    assert search(cluster, memory) == LeaderAndEpoch(3, "order:3", 2, "c1")
    assert 1.4 < cluster.clock.now - begun < 2.0


def test_elections_of_one_process_are_two_seconds_apart(cluster, memory):
    first = search(cluster, memory)
    begun = cluster.clock.now
    cluster.kill(first.leader_id)
    assert search(cluster, memory, failed=first, failure=NO_ANSWER_FAILURE).leader_id == 2
    assert cluster.clock.now - begun == pytest.approx(2.0, abs=0.05)


def test_a_leader_elected_elsewhere_is_adopted_during_that_wait(cluster, memory):
    first = search(cluster, memory)
    begun = cluster.clock.now
    cluster.kill(first.leader_id)

    def elect_elsewhere(_address, _request):
        if cluster.clock.now - begun > 0.5:
            cluster.replicas[1].lead(epoch=2)

    cluster.network.before = elect_elsewhere
    assert search(cluster, memory, failed=first, failure=NO_ANSWER_FAILURE) == LeaderAndEpoch(1, "order:1", 2, "c1")
    assert cluster.clock.now - begun < 1.0


def test_all_replicas_down_is_known_at_once(cluster, memory):
    cluster.kill(1, 2, 3)
    begun = cluster.clock.now
    with pytest.raises(RpcFailure, match="NO_LEADER"):
        search(cluster, memory)
    assert cluster.clock.now == begun


def cut_off(cluster, memory, leader_id=3, epoch=7):
    """A leader that hears the catalog, and this process that does not any more."""
    cluster.replicas[leader_id].lead(epoch)
    search(cluster, memory)
    cluster.network.dead.add(CATALOG)
    for replica in cluster.replicas.values():
        replica.hears_catalog = True


def test_a_process_cut_off_from_the_catalog_adopts_a_leader_that_is_not(cluster, memory):
    cut_off(cluster, memory)
    assert search(cluster, memory) == LeaderAndEpoch(3, "order:3", 7, "c1")
    assert cluster.assigned() == []


@pytest.mark.parametrize("trouble", ["stalled", "halted", "hears_catalog"])
def test_cut_off_no_leader_is_adopted_that_could_not_trade(cluster, memory, trouble):
    cut_off(cluster, memory)
    setattr(cluster.replicas[3], trouble, {"stalled": True, "halted": "yes", "hears_catalog": False}[trouble])
    with pytest.raises(RpcFailure, match=r"CATALOG: .*Connection refused"):
        search(cluster, memory)
    assert cluster.assigned() == []


def test_cut_off_a_leader_of_an_older_epoch_is_not_adopted(cluster, memory):
    cut_off(cluster, memory)
    cluster.replicas[1].epoch = 8
    with pytest.raises(RpcFailure, match="CATALOG"):
        search(cluster, memory)


def test_cut_off_nobody_is_elected_though_the_leader_died(cluster, memory):
    cut_off(cluster, memory)
    cluster.kill(3)
    with pytest.raises(RpcFailure, match="CATALOG"):
        search(cluster, memory)
    assert cluster.assigned() == []


def test_cut_off_a_leader_that_said_it_does_not_reach_the_catalog_is_not_adopted(cluster, memory):
    cut_off(cluster, memory)
    failed = LeaderAndEpoch(3, "order:3", 7, "c1")
    with pytest.raises(RpcFailure, match="CATALOG"):
        search(cluster, memory, failed=failed, failure=refusal(Reason.CATALOG))


def test_cut_off_the_catalog_must_have_answered_the_leader_since_it_did_not_answer_us(cluster, memory):
    """What it heard before says nothing: the catalog may have died since, and the leader not have noticed yet."""
    cut_off(cluster, memory)
    heard_at = cluster.clock.now - 0.4

    def grow_old(_address, _request):
        cluster.replicas[3].catalog_heard_ms = round(1000 * (cluster.clock.now - heard_at))

    cluster.network.before = grow_old
    begun = cluster.clock.now
    with pytest.raises(RpcFailure, match="CATALOG"):
        search(cluster, memory)
    assert 1.0 < cluster.clock.now - begun < 1.5

    def hear_again(_address, _request):
        cluster.replicas[3].catalog_heard_ms = 0 if cluster.clock.now - begun > 0.25 else 5000

    begun, cluster.network.before = cluster.clock.now, hear_again
    assert search(cluster, memory) == LeaderAndEpoch(3, "order:3", 7, "c1")
    assert cluster.clock.now - begun == pytest.approx(0.3)


def test_cut_off_a_leader_of_another_cluster_than_before_is_not_adopted(cluster, memory):
    cut_off(cluster, memory)
    for replica in cluster.replicas.values():
        replica.cluster_id = "c2"
    with pytest.raises(RpcFailure, match="CATALOG"):
        search(cluster, memory)


def test_cut_off_from_the_start_a_leader_is_adopted_only_if_all_that_answer_name_one_cluster(cluster):
    cut_off(cluster, ElectionMemory())
    cluster.replicas[1].cluster_id = ""  # new: of no cluster yet
    assert search(cluster, ElectionMemory()) == LeaderAndEpoch(3, "order:3", 7, "c1")
    cluster.replicas[1].cluster_id = "c2"
    with pytest.raises(RpcFailure, match="CATALOG"):
        search(cluster, ElectionMemory())


def test_cut_off_a_leader_of_another_version_is_not_adopted(cluster, memory):
    """It does not tell when the catalog answered it."""
    cut_off(cluster, memory)
    cluster.replicas[3].catalog_heard_ms = None
    with pytest.raises(RpcFailure, match="CATALOG"):
        search(cluster, memory)


def run_confirm(cluster, known, memory=None):
    return cluster.network.run(
        confirm(CONFIG, memory or ElectionMemory(), known, cluster.clock, cluster.clock.now + 8.0)
    )


def test_a_known_leader_is_confirmed_by_what_it_heard_of_the_catalog(cluster, memory):
    cut_off(cluster, memory, epoch=1)
    known = LeaderAndEpoch(3, "order:3", 1, "c1")
    assert run_confirm(cluster, known) == known
    cluster.network.dead.clear()
    cluster.network.frozen.add(CATALOG)
    begun = cluster.clock.now
    assert run_confirm(cluster, known) == known
    assert cluster.clock.now - begun == pytest.approx(0.4)
    cluster.replicas[3].hears_catalog = False
    with pytest.raises(RpcFailure, match="CATALOG"):
        run_confirm(cluster, known)


def test_confirm_sees_a_renewed_epoch_and_a_lost_leadership(cluster):
    known = LeaderAndEpoch(3, "order:3", 1, "c1")
    cluster.replicas[3].lead(epoch=1)
    assert run_confirm(cluster, known) == known
    cluster.replicas[3].lead(epoch=2)
    assert run_confirm(cluster, known) == LeaderAndEpoch(3, "order:3", 2, "c1")
    cluster.catalog.epoch = 3
    assert run_confirm(cluster, known) is None
    cluster.catalog.epoch = 2
    cluster.freeze(3)
    assert run_confirm(cluster, known) is None
    cluster.network.frozen.clear()
    cluster.network.dead.add(CATALOG)
    with pytest.raises(RpcFailure, match="CATALOG"):
        run_confirm(cluster, known)
