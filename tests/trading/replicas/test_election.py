import pytest

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.steps import Call
from protos import order_pb2
from tests.trading.fake_cluster import CONFIG, FakeCluster
from tests.trading.fake_network import refusal
from trading.replicas.election import (
    ASSIGN_TIMEOUT_S,
    LEAST_TIME_S,
    LeaderAndEpoch,
    assign,
    candidates,
    elect,
    nobody_leads,
)
from trading.replicas.view import poll


@pytest.fixture
def cluster():
    return FakeCluster()


def view_of(cluster):
    return cluster.network.run(poll(CONFIG))


def test_the_chosen_one_is_told_who_is_silent(cluster):
    """It shall not wait for the leader whose silence it is elected for. One that is merely down answers at once."""
    cluster.freeze(3)
    cluster.kill(1)
    assert run_election(cluster).leader_id == 2
    ((_, request),) = cluster.network.sent(order_pb2.AssignLeaderRequest)
    assert {peer.replica_id: peer.silent for peer in request.peers} == {1: False, 2: False, 3: True}


def run_election(cluster, passed_over=(), seconds=8.0):
    steps = elect(
        CONFIG,
        view_of(cluster),
        passed_over,
        monotonic=cluster.clock,
        deadline=cluster.clock.now + seconds,
    )
    return cluster.network.run(steps)


@pytest.mark.parametrize(
    ("numbers", "passed_over", "expected"),
    [
        ({1: 0, 2: 0, 3: 0}, [], [3, 2, 1]),
        ({1: 1000, 2: 1000, 3: 0}, [], [3, 2, 1]),
        ({1: 1001, 2: 1001, 3: 0}, [], [2, 1, 3]),
        ({1: 5000, 2: 0, 3: 0}, [], [1, 3, 2]),
        ({1: 0, 2: 0, 3: 0}, [3], [2, 1, 3]),
        ({1: 0, 2: 0, 3: 5000}, [3], [3, 2, 1]),
    ],
)
def test_the_highest_id_near_the_longest_is_asked_first(cluster, numbers, passed_over, expected):
    for replica_id, number in numbers.items():
        cluster.replicas[replica_id].last_number = number
    assert [report.replica_id for report in candidates(view_of(cluster), passed_over)] == expected


def test_only_healthy_replicas_are_candidates(cluster):
    cluster.kill(3)
    cluster.replicas[2].stalled = True
    assert [report.replica_id for report in candidates(view_of(cluster))] == [1]
    cluster.replicas[1].halted = "diverged"
    assert candidates(view_of(cluster)) == []


def test_a_dead_replica_that_was_longest_does_not_count(cluster):
    cluster.replicas[1].last_number = 5000
    cluster.kill(1)
    assert [report.replica_id for report in candidates(view_of(cluster))] == [3, 2]


def test_a_replica_of_another_cluster_is_no_candidate(cluster):
    cluster.replicas[3].cluster_id = "c2"
    cluster.replicas[2].cluster_id = ""
    assert [report.replica_id for report in candidates(view_of(cluster))] == [2, 1]


def test_the_chosen_one_leads_and_the_others_are_told_the_new_epoch(cluster):
    cluster.catalog.epoch = 4
    assert run_election(cluster) == LeaderAndEpoch(3, "order:3", 5, "c1")
    assert [(one.leader_id, one.epoch) for one in cluster.replicas.values()] == [(3, 5)] * 3


def test_the_expected_epoch_is_the_highest_seen_anywhere(cluster):
    cluster.catalog.epoch = 4
    cluster.replicas[1].epoch = 6
    with pytest.raises(Exception, match="FENCED"):  # the catalog's 4 is not 6: it decides what that proves
        run_election(cluster)
    _, request = cluster.network.sent(order_pb2.AssignLeaderRequest)[0]
    assert request.expected_epoch == 6
    assert [peer.replica_id for peer in request.peers] == [1, 2, 3]


@pytest.mark.parametrize("reason", [Reason.BACKFILLING, Reason.CATALOG, Reason.NO_ANSWER, Reason.DAMAGED])
def test_a_candidate_that_cannot_lead_is_followed_by_the_next(cluster, reason):
    cluster.replicas[3].assign_refusal = refusal(reason)
    assert run_election(cluster).leader_id == 2


def test_a_halted_candidate_ends_the_election(cluster):
    cluster.replicas[3].assign_refusal = refusal(Reason.HALTED)
    with pytest.raises(RpcFailure, match=r"HALTED: .*replica 3"):
        run_election(cluster)
    assert cluster.assigned() == [3]


def test_the_failure_says_why_nobody_leads(cluster):
    cluster.kill(1, 2, 3)
    with pytest.raises(RpcFailure, match=r"NO_LEADER: .*replica 2: Connection refused"):
        run_election(cluster)
    cluster.network.dead.clear()
    cluster.replicas[1].halted = cluster.replicas[2].halted = cluster.replicas[3].halted = "diverged"
    with pytest.raises(RpcFailure, match=r"HALTED: no replica may lead: .*replica 2: halted: diverged"):
        run_election(cluster)


def test_candidates_that_all_miss_the_catalog_mean_it_is_unavailable(cluster):
    for replica in cluster.replicas.values():
        replica.assign_refusal = refusal(Reason.CATALOG)
    with pytest.raises(RpcFailure, match="CATALOG"):
        run_election(cluster)


def test_no_election_goes_on_beyond_the_deadline(cluster):
    def freeze_the_chosen(address, request):
        if isinstance(request, order_pb2.AssignLeaderRequest):
            cluster.network.frozen.add(address)

    cluster.network.before = freeze_the_chosen
    begun = cluster.clock.now
    with pytest.raises(RpcFailure, match=r"NO_LEADER: the time was up before a leader was elected$"):
        run_election(cluster, seconds=4.0)
    assert cluster.clock.now - begun <= 4.0


def test_epoch_of_a_replica_of_another_cluster_counts_for_nothing(cluster):
    """Shown to our catalog, it would prove that the catalog lost history, and halt it."""
    cluster.replicas[1].cluster_id = "elsewhere"
    cluster.replicas[1].epoch = 99
    assert view_of(cluster).newest_epoch == 0
    assert run_election(cluster).leader_id == 3
    assert view_of(cluster).leader.replica_id == 3


def test_requests_say_whom_they_are_for_who_leads_and_for_how_long(cluster):
    cluster.catalog.epoch = 4
    view = view_of(cluster)
    cluster.network.run(assign(CONFIG, view, view.find(2), 3.0, hold_s=60))
    peers = [order_pb2.Peer(replica_id=n, address=f"order:{n}") for n in (1, 2, 3)]

    def request(to: int, epoch: int, hold_s: int = 0) -> order_pb2.AssignLeaderRequest:
        return order_pb2.AssignLeaderRequest(
            leader_id=2,
            expected_epoch=epoch,
            peers=peers,
            hold_s=hold_s,
            to=order_pb2.Addressee(replica_id=to, cluster_id="c1"),
        )

    assert cluster.network.sent(order_pb2.AssignLeaderRequest) == [
        ("order:2", request(2, 4, hold_s=60)),
        ("order:3", request(3, 5)),
        ("order:1", request(1, 5)),
    ]


def test_answer_of_another_replica_makes_nobody_leader(cluster):
    view = view_of(cluster)
    cluster.network.handlers["order:3"] = lambda _request: order_pb2.AssignLeaderResponse(epoch=1, replica_id=1)
    with pytest.raises(RpcFailure, match="order:3 is replica 1") as caught:
        cluster.network.run(assign(CONFIG, view, view.find(3), 3.0))
    assert caught.value.reason is Reason.WRONG_REPLICA


def test_candidate_is_asked_for_as_long_as_a_promotion_may_take_and_no_longer_than_is_left(cluster):
    view = view_of(cluster)
    for seconds, timeout_s in ((8.0, ASSIGN_TIMEOUT_S), (1.0, 1.0), (LEAST_TIME_S, LEAST_TIME_S)):
        call = next(elect(CONFIG, view, (), monotonic=lambda: 0.0, deadline=seconds))
        assert isinstance(call, Call)
        assert call.timeout_s == pytest.approx(timeout_s)


@pytest.mark.parametrize(
    ("refusals", "told"),
    [
        ({1: Reason.CATALOG, 2: Reason.CATALOG}, "UNAVAILABLE CATALOG: no replica reaches the catalog"),
        (
            {1: Reason.CATALOG, 2: Reason.BACKFILLING},
            "UNAVAILABLE NO_LEADER: no replica could be made leader: replica 1: why; replica 2: why",
        ),
        (
            {},
            "UNAVAILABLE NO_LEADER: no replica is healthy: replica 3: Connection refused;"
            " replica 2: Connection refused; replica 1: Connection refused",
        ),
    ],
)
def test_why_nobody_leads_is_told_of_each(cluster, refusals, told):
    cluster.kill(1, 2, 3)
    view = view_of(cluster)
    failure = nobody_leads(view, [(view.find(n), RpcFailure(reason, "why")) for n, reason in refusals.items()])
    assert str(failure) == told
