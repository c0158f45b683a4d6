"""Who leads, and how a leadership ends: once, whoever sees that it is over, and whatever its turn is doing."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from backends.order.leader import Leader
from backends.order.pending import Ticket
from backends.order.standing import Snapshot, Standing
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from protos import catalog_pb2, order_pb2
from tests.backends.order.direct import DirectCluster, buy


class FakeLeadership:
    """Notes by whom it was followed."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.successors: list[Leader] = []
        self.whys: list[str] = []

    def close(self, successor: Leader, why: str) -> None:
        self.successors.append(successor)
        self.whys.append(why)


@pytest.fixture
def standing() -> Standing:
    return Standing(3, 0, lambda: 0.0)


def lead(standing: Standing, epoch: int) -> FakeLeadership:
    standing.lead(leadership := FakeLeadership(epoch), 0)  # type: ignore[arg-type]
    return leadership


def follow(cluster: DirectCluster, replica_id: int, leader_id: int, epoch: int) -> None:
    request = order_pb2.AssignLeaderRequest(leader_id=leader_id, expected_epoch=epoch)
    cluster.network.call(cluster.address(replica_id), request)


def test_leadership_that_many_threads_end_is_closed_once(standing):
    enders = 8
    for epoch in range(1, 50):
        leadership = lead(standing, epoch)
        at_once = threading.Barrier(enders)

        def end(number: int, leadership=leadership, epoch=epoch, at_once=at_once) -> None:
            at_once.wait(5)
            if number % 2:
                standing.see(Leader(1, epoch + 1))
            else:
                standing.end(leadership, Leader(0, epoch), "why")

        with ThreadPoolExecutor(enders) as threads:
            list(threads.map(end, range(enders)))
        assert len(leadership.successors) == 1
        assert standing.leadership is None
        assert standing.snapshot().leader == Leader(1, epoch + 1)


def test_end_of_a_past_leadership_leaves_the_present_one_alone(standing):
    past = lead(standing, 1)
    standing.step_down(1, "a newer epoch has begun")
    assert past.whys == ["a newer epoch has begun"]
    present = lead(standing, 2)
    standing.end(past, Leader(1, 9), "late")
    assert (len(past.successors), present.successors) == (1, [])
    assert standing.leading(2) is present


def test_epoch_never_falls(standing):
    standing.see(Leader(2, 7))
    standing.see(Leader(1, 6))
    assert standing.snapshot().leader == Leader(2, 7)
    for older in (
        lambda: lead(standing, 6),
        lambda: standing.refuse_older(6),
        lambda: standing.begin_promotion(6, set()),
    ):
        with pytest.raises(RpcFailure) as caught:
            older()
        assert str(caught.value) == "ABORTED FENCED: epoch 6 is older than epoch 7 of leader 2"
        assert caught.value.metadata == {"epoch": "7", "leader_id": "2"}
    standing.refuse_older(7)
    leadership = lead(standing, 8)
    leadership.epoch = 9  # begun by itself, after the catalog's restart
    standing.end(leadership, Leader(0, 8), "why")
    assert standing.snapshot().leader == Leader(0, 9)


def test_first_reason_to_halt_stays_and_ends_the_leadership(standing):
    leadership = lead(standing, 1)
    standing.halt("first")
    standing.halt("second")
    assert (standing.snapshot().halted, leadership.successors) == ("first", [Leader(0, 1)])
    assert leadership.whys == ["halted: first"]
    with pytest.raises(RpcFailure, match="DATA_LOSS HALTED: replica 3 has halted: first"):
        standing.leading()


def test_one_that_does_not_lead_names_who_does(standing):
    standing.see(Leader(2, 7))
    with pytest.raises(RpcFailure) as caught:
        standing.leading()
    assert str(caught.value) == "FAILED_PRECONDITION NOT_LEADER: replica 3 does not lead; leader 2, epoch 7"
    assert caught.value.metadata == {"leader_id": "2", "epoch": "7"}
    standing.note_addresses({2: "order-2:1"})
    with pytest.raises(RpcFailure, match="replica 3 does not lead in epoch 4; leader 2, epoch 7") as caught:
        standing.leading(4)
    assert caught.value.metadata == {"leader_id": "2", "epoch": "7", "leader_address": "order-2:1"}


def test_one_that_starts_follows_nobody_in_the_last_epoch_that_it_saw():
    assert Standing(3, 5, lambda: 0.0).snapshot() == Snapshot(Leader(0, 5), None, order_pb2.FOLLOWER, 0.0, "")


def test_leader_knows_itself_also_in_an_epoch_that_it_began_by_itself(standing):
    leadership = lead(standing, 5)
    assert standing.snapshot().leader == Leader(3, 5)
    leadership.epoch = 6
    assert standing.snapshot().leader == Leader(3, 6)
    standing.see(Leader(3, 6))
    standing.see(Leader(2, 6))  # of the same epoch, which is ours
    assert (standing.leading(6), leadership.successors) == (leadership, [])


def test_leader_of_an_epoch_is_learnt_after_the_epoch(standing):
    standing.see(Leader(0, 7))
    standing.see(Leader(2, 7))
    assert standing.snapshot().leader == Leader(2, 7)


def test_promotion_is_claimed_by_one_and_seen(standing):
    assert standing.begin_promotion(0, set())
    assert standing.snapshot().role == order_pb2.PROMOTING
    with pytest.raises(RpcFailure, match="PROMOTING: replica 3 is being promoted already"):
        standing.begin_promotion(0, set())
    standing.end_promotion()
    assert standing.snapshot().role == order_pb2.FOLLOWER
    assert standing.begin_promotion(0, set())


def test_end_of_a_leadership_tells_those_who_wait_who_leads_now(led):
    leadership = led.replicas[3].leadership
    waiting: list[Ticket] = []

    def depose(_address, request):
        if isinstance(request, catalog_pb2.UpdateStockRequest):
            led.network.after = lambda address, request: None
            waiting.extend(led.submit(3, buy("waits")))
            follow(led, 3, 2, 9)

    led.network.after = depose
    (sent,) = led.submit(3, buy("sent"))
    led.turn(3)
    told = [ticket.future.exception(0) for ticket in (*waiting, sent)]
    assert [str(failure) for failure in told] == [
        "FAILED_PRECONDITION NOT_LEADER: replica 3 leads no longer: a newer epoch has begun",
        "UNAVAILABLE STEPPED_DOWN: the leadership ended meanwhile: a newer epoch has begun",
    ]
    assert [failure.metadata for failure in told] == [{"leader_id": "2", "epoch": "9"}] * 2
    assert not leadership.has_work()
    with pytest.raises(RpcFailure, match="NOT_LEADER: the leadership of replica 3 in epoch 1 has ended"):
        leadership.check_active()


@pytest.mark.parametrize("moment", [catalog_pb2.UpdateStockRequest, order_pb2.SyncOrderRequest])
def test_turn_of_a_leader_that_is_deposed_meanwhile_acknowledges_nothing(led, moment):
    def depose(address, request):
        if isinstance(request, moment):
            led.network.after = lambda address, request: None
            follow(led, 3, 2, 9)

    led.network.after = depose
    (ticket,) = led.submit(3, buy("k"))
    told: list[object] = []
    ticket.future.add_done_callback(told.append)
    led.turn(3)
    assert ticket.future.exception(0).reason is Reason.STEPPED_DOWN
    assert len(told) == 1
    health = led.replicas[3].health()
    assert (health.role, health.leader_id, health.epoch) == (order_pb2.FOLLOWER, 2, 9)


def test_batch_of_a_leader_that_is_deposed_meanwhile_is_not_replicated(led):
    led.network.after = lambda address, request: (
        follow(led, 3, 2, 9) if isinstance(request, catalog_pb2.UpdateStockRequest) else None
    )
    led.submit(3, buy("k"))
    led.network.sent.clear()
    led.turn(3)
    assert "SyncOrderRequest" not in [type(request).__name__ for _, request in led.network.sent]


def test_epoch_that_a_leader_begins_in_its_turn_is_known_before_the_turn_ends(led):
    """Whoever assigns another leader in the epoch before it comes too late."""
    led.place(3, buy("a"))
    led.stop_catalog()
    led.start_catalog()
    refused: list[Reason] = []

    def assign_in_the_old_epoch(address, request):
        if isinstance(request, catalog_pb2.UpdateStockRequest) and request.epoch == 2:
            for leader_id in (2, 3):
                with pytest.raises(RpcFailure) as caught:
                    follow(led, 3, leader_id, 1)
                refused.append(caught.value.reason)

    led.network.before = assign_in_the_old_epoch
    assert led.place(3, buy("b")).epoch == 2
    assert refused == [Reason.FENCED, Reason.FENCED]
    assert led.replicas[3].health().role == order_pb2.LEADER


def test_replica_that_halts_while_it_is_promoted_does_not_lead(cluster):
    def halt(address, request):
        if isinstance(request, catalog_pb2.BeginEpochRequest):
            cluster.replicas[3]._standing.halt("the catalog has halted")

    cluster.network.after = halt
    with pytest.raises(RpcFailure, match="HALTED"):
        cluster.assign(3)
    assert cluster.replicas[3].health().role == order_pb2.FOLLOWER
