"""What a peer's answer means: equal, of another history, or faulty."""

import pytest

from backends.failures import Diverged
from backends.order import peer_link
from backends.order.peer_link import Peer, PeerLink
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.rows import chain_seed, end_chain
from protos import order_pb2
from tests.backends.order.direct import DirectCluster, assert_identical, buy, follower_states
from tests.backends.order.rows import CLUSTER, make_rows

IN_SYNC, FAULTY = order_pb2.IN_SYNC, order_pb2.FAULTY
PEER = Peer(2, "order-2:1")
ROWS = make_rows(5)


@pytest.fixture
def link(open_store) -> PeerLink:
    store = open_store()
    store.extend(CLUSTER, 0, chain_seed(CLUSTER), ROWS)
    return PeerLink(store)


def health(number: int, chain: int = 0, *, replica_id: int = 2, cluster_id: str = CLUSTER):
    return order_pb2.HealthCheckResponse(
        replica_id=replica_id, cluster_id=cluster_id, last_number=number, last_chain=chain
    )


def refusal_of(link: PeerLink, outcome, number: int = 5) -> RpcFailure:
    with pytest.raises(RpcFailure) as caught:
        link.check_equal(PEER, outcome, number)
    return caught.value


def test_rows_are_sent_behind_what_they_continue(link):
    call = link.sync_call(PEER, 3, 5, b"new\n")
    assert (call.address, call.request.prev_number) == (PEER.address, 3)
    assert call.request.prev_chain == end_chain(make_rows(3))
    assert call.request.rows == ROWS[len(make_rows(3)) :] + b"new\n"
    assert link.sync_call(PEER, 5, 5).request.rows == b""


def test_peer_is_equal_up_to_what_it_answered_for(link):
    link.check_equal(PEER, order_pb2.SyncOrderResponse(equal_number=5), 5)
    refusal = refusal_of(link, order_pb2.SyncOrderResponse(equal_number=4))
    assert "answered for 4, not for 5" in refusal.message


def test_silent_peer_and_one_with_a_gap_are_faulty(link):
    for reason in (Reason.NO_ANSWER, Reason.GAP):
        refusal = refusal_of(link, RpcFailure(reason, "why"))
        assert (refusal.reason, isinstance(refusal, Diverged)) == (reason, False)


def test_peer_of_another_history_hands_over_its_proof(link):
    answered = RpcFailure(Reason.DIVERGED, "another history", metadata={"number": 4, "chain": 77})
    refusal = refusal_of(link, answered)
    assert isinstance(refusal, Diverged)
    assert refusal.metadata == {"number": "4", "chain": "77", "replica_id": "2"}


def test_position_is_compared_where_both_hold_a_row(link):
    assert link.common_number(PEER, health(0), 5) == 0
    assert link.common_number(PEER, health(3, end_chain(make_rows(3))), 5) == 3
    with pytest.raises(Diverged) as caught:
        link.common_number(PEER, health(3, 77), 5)
    assert (caught.value.number("number"), caught.value.number("chain")) == (3, 77)


@pytest.mark.parametrize("number", [1, 4, 5])
def test_another_chain_at_any_number_that_both_hold_is_another_history(link, number):
    assert link.common_number(PEER, health(number, end_chain(make_rows(number))), 5) == number
    why = f"replica 2 holds {number} orders of another history than our 5"
    with pytest.raises(Diverged, match=why) as caught:
        link.common_number(PEER, health(number, 77), 5)
    assert caught.value.metadata == {"number": str(number), "chain": "77", "replica_id": "2"}


def test_page_is_sent_behind_what_it_continues_and_counts_once_it_is_answered_for(link, monkeypatch):
    monkeypatch.setattr(peer_link, "PAGE_BYTES", len(ROWS) - len(make_rows(2)) - 1)

    def page(outcome):
        steps = link.send_page(PEER, 2)
        call = next(steps)
        with pytest.raises(StopIteration) as ended:
            steps.throw(outcome) if isinstance(outcome, RpcFailure) else steps.send(outcome)
        return call, ended.value.value

    call, number = page(order_pb2.BulkUpsertResponse(equal_number=4, replica_id=2))
    assert (call.address, call.timeout_s, number) == ("order-2:1", 10.0, 4)
    assert call.request == order_pb2.BulkUpsertRequest(
        to=order_pb2.Addressee(replica_id=2),
        cluster_id=CLUSTER,
        prev_number=2,
        prev_chain=end_chain(make_rows(2)),
        rows=make_rows(4)[len(make_rows(2)) :],
    )
    with pytest.raises(RpcFailure, match="it answered for 5, not for 4"):
        page(order_pb2.BulkUpsertResponse(equal_number=5, replica_id=2))
    with pytest.raises(Diverged, match="replica 2: another history"):
        page(RpcFailure(Reason.DIVERGED, "another history"))


def test_longer_log_is_another_history_only_if_it_is_longer_than_the_catalogs(link):
    assert link.common_number(PEER, health(7, 77), 7) == 5
    with pytest.raises(Diverged):
        link.common_number(PEER, health(7, 77), 6)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (health(0, replica_id=1), "WRONG_REPLICA: order-2:1 is replica 1"),
        (health(0, cluster_id="another"), "WRONG_CLUSTER: it belongs to cluster another"),
    ],
)
def test_somebody_else_at_its_address_counts_nowhere(link, answer, told):
    with pytest.raises(RpcFailure, match=told):
        link.health(PEER, answer)


@pytest.mark.parametrize("response", [order_pb2.SyncOrderResponse, order_pb2.BulkUpsertResponse])
def test_answer_of_somebody_else_shows_nothing(link, response):
    refusal = refusal_of(link, response(equal_number=5, replica_id=3))
    assert (refusal.reason, refusal.message) == (Reason.WRONG_REPLICA, "order-2:1 is replica 3")
    link.check_equal(PEER, response(equal_number=5, replica_id=2), 5)
    link.check_equal(PEER, response(equal_number=5), 5)  # of the version before, which does not say who it is


def test_rows_name_whom_they_are_for(link):
    assert link.sync_call(PEER, 3, 5).request.to == order_pb2.Addressee(replica_id=2)
    assert next(link.send_page(PEER, 3)).request.to == order_pb2.Addressee(replica_id=2)


def test_new_peer_has_met_no_cluster_yet(link):
    assert link.health(PEER, health(0, cluster_id="")).last_number == 0


def test_promotion_does_not_count_one_replica_for_two(tmp_path, open_store):
    """At the address of replica 1 answers replica 2: three in sync are asked for, and two hold the order."""
    cluster = DirectCluster(tmp_path, open_store, min_in_sync=3)
    own = cluster.network.handlers[cluster.address(1)]
    cluster.network.handlers[cluster.address(1)] = cluster.network.handlers[cluster.address(2)]
    cluster.assign(3)
    assert follower_states(cluster) == {1: FAULTY, 2: IN_SYNC}
    (ticket,) = cluster.submit(3, buy("k"))
    cluster.turn(3)
    assert not ticket.future.done()
    with pytest.raises(RpcFailure, match="order-1:1 is replica 2"):
        cluster.resync(3, 1)
    cluster.network.handlers[cluster.address(1)] = own
    cluster.resync(3, 1)
    assert ticket.future.result(0).transaction_number == 1
    assert_identical(cluster)
    cluster.close()


def test_leader_does_not_count_itself_at_the_address_of_a_follower(tmp_path, open_store):
    """Replica 1 is down, and the address of replica 2 begins to lead to the leader: it alone holds what comes then."""
    cluster = DirectCluster(tmp_path, open_store, min_in_sync=2)
    cluster.assign(3)
    cluster.stop_replica(1)
    own = cluster.network.handlers[cluster.address(2)]
    cluster.network.handlers[cluster.address(2)] = cluster.network.handlers[cluster.address(3)]
    (ticket,) = cluster.submit(3, buy("k"))
    cluster.turn(3)
    assert not ticket.future.done()
    (status,) = [one for one in cluster.replicas[3].health().followers if one.replica_id == 2]
    assert (status.state, "replica 2 is meant, but this is replica 3" in status.error) == (FAULTY, True)
    cluster.network.handlers[cluster.address(2)] = own
    cluster.resync(3, 2)
    assert ticket.future.result(0).transaction_number == 1
    cluster.close()
