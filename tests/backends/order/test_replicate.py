"""Who is counted as holding a batch: whoever shows that it holds all of it, and nobody else."""

import pytest

from common.calls.failures import RpcFailure
from protos import order_pb2
from tests.backends.order.direct import DirectCluster, buy, follower_states

IN_SYNC, FAULTY = order_pb2.IN_SYNC, order_pb2.FAULTY


@pytest.fixture
def two_must_hold(tmp_path, open_store):
    """A cluster that replica 3 leads with replica 2; an order is acknowledged when both hold it."""
    cluster = DirectCluster(tmp_path, open_store, min_in_sync=2)
    cluster.stop_replica(1)
    cluster.assign(3)
    yield cluster
    cluster.close()


def answer_with(cluster: DirectCluster, replica_id: int, difference: int) -> None:
    """Let a replica answer for so many rows more than it was shown, fewer if negative."""
    handle = cluster.network.handlers[cluster.address(replica_id)]

    def answer(request):
        response = handle(request)
        if isinstance(response, order_pb2.SyncOrderResponse | order_pb2.BulkUpsertResponse):
            response.equal_number += difference
        return response

    cluster.network.handlers[cluster.address(replica_id)] = answer


@pytest.mark.parametrize("difference", [-1, 1])
def test_follower_that_answers_for_another_number_does_not_hold_the_batch(two_must_hold, difference):
    cluster = two_must_hold
    cluster.place(3, buy("a"))
    answer_with(cluster, 2, difference)
    (ticket,) = cluster.submit(3, buy("b"))
    cluster.turn(3)
    assert not ticket.future.done()
    assert follower_states(cluster) == {1: FAULTY, 2: FAULTY}


@pytest.mark.parametrize("difference", [-1, 1])
def test_follower_that_answers_for_another_number_does_not_join_a_new_leader(two_must_hold, difference):
    cluster = two_must_hold
    cluster.place(3, buy("a"))
    answer_with(cluster, 3, difference)
    cluster.assign(2)
    assert follower_states(cluster, 2) == {1: FAULTY, 3: FAULTY}
    (ticket,) = cluster.submit(2, buy("b"))
    cluster.turn(2)
    assert not ticket.future.done()


def test_follower_that_answers_for_another_number_is_not_caught_up(two_must_hold):
    cluster = two_must_hold
    cluster.place(3, buy("a"))
    cluster.start_replica(1)
    answer_with(cluster, 1, -1)
    with pytest.raises(RpcFailure, match="answered for 0, not for 1"):
        cluster.resync(3, 1)
    assert follower_states(cluster) == {1: FAULTY, 2: IN_SYNC}


def test_leader_that_is_alone_from_its_beginning_acknowledges_nothing(two_must_hold):
    cluster = two_must_hold
    cluster.stop_replica(2)
    cluster.stop_replica(3)
    cluster.start_replica(3)
    assert cluster.assign(3).epoch == 2
    (ticket,) = cluster.submit(3, buy("a"))
    cluster.turn(3)
    assert ticket.number == 1
    assert not ticket.future.done()


def test_follower_that_joins_is_sent_what_it_lacks_and_the_others_nothing(two_must_hold):
    cluster = two_must_hold
    cluster.place(3, buy("a"))
    cluster.start_replica(1)
    cluster.network.sent.clear()
    cluster.resync(3, 1)
    sent = [address for address, request in cluster.network.sent if isinstance(request, order_pb2.SyncOrderRequest)]
    assert sent == [cluster.address(1)]
    assert follower_states(cluster) == {1: IN_SYNC, 2: IN_SYNC}
