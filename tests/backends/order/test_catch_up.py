"""A follower is brought up to date while orders go on: what it is sent, what is reported, and what ends it."""

import pytest

from backends.order import catch_up, peer_link
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from protos import order_pb2
from tests.backends.order.direct import assert_identical, buy, follower_states, unreachable

IN_SYNC, CATCHING_UP, FAULTY = order_pb2.IN_SYNC, order_pb2.CATCHING_UP, order_pb2.FAULTY


@pytest.fixture
def behind(led, monkeypatch):
    """Replica 1 lacks orders 2 to 4 of 4; a page holds one, and the rest that may be left is none."""
    led.place(3, buy("k1"))
    led.stop_replica(1)
    for n in (2, 3, 4):
        led.place(3, buy(f"k{n}"))
    led.start_replica(1)
    monkeypatch.setattr(catch_up, "NEAR_ORDERS", 0)
    monkeypatch.setattr(peer_link, "PAGE_BYTES", 1)
    led.network.sent.clear()
    return led


def fails(cluster, match: str) -> RpcFailure:
    with pytest.raises(RpcFailure, match=match) as caught:
        cluster.resync(3, 1)
    return caught.value


def error_of(cluster) -> str:
    return cluster.replicas[3].health().followers[0].error


def test_every_page_is_reported_with_the_chain_that_it_reached(behind):
    store = behind.replicas[3].store
    woken: list[int] = []
    behind.replicas[3]._on_work = lambda: woken.append(1)
    began = behind.clock.now

    def progress(number: int, state) -> order_pb2.ResyncProgress:
        return order_pb2.ResyncProgress(
            from_number=1,
            done_number=number,
            target_number=4,
            state=state,
            chain=store.chain_at(number),
            replica_id=3,
        )

    expected = [progress(number, CATCHING_UP) for number in (2, 3, 4, 4)]
    assert behind.resync(3, 1) == [*expected, progress(4, IN_SYNC)]
    assert woken == [1]
    assert behind.clock.now - began == pytest.approx(0.02)  # no order came: it paused for its membership alone
    assert_identical(behind)


def test_orders_that_come_meanwhile_go_between_the_pages(behind):
    began = behind.clock.now
    held: list[int] = []

    def trade_once(_address, request):
        if isinstance(request, order_pb2.BulkUpsertRequest):
            behind.network.after = lambda address, request: None
            behind.place(3, buy("meanwhile"))

    def note_progress(_address, request):
        if isinstance(request, order_pb2.BulkUpsertRequest):
            held.append(behind.replicas[3].health().followers[0].last_number)

    behind.network.after, behind.network.before = trade_once, note_progress
    events = behind.resync(3, 1)
    assert held == [1, 2, 3, 4]
    assert [event.done_number for event in events] == [2, 3, 4, 5, 5, 5]
    assert [event.target_number for event in events] == [5] * 6
    assert behind.clock.now - began == pytest.approx(0.04)


def test_rest_that_is_small_is_sent_with_the_next_batch(behind, monkeypatch):
    monkeypatch.setattr(catch_up, "NEAR_ORDERS", 2)
    assert [event.done_number for event in behind.resync(3, 1)] == [2, 2, 4]


def test_follower_that_is_in_sync_is_only_looked_at(led):
    led.place(3, buy("a"))
    led.network.sent.clear()
    (event,) = led.resync(3, 1)
    assert (event.state, event.from_number, event.done_number) == (IN_SYNC, 1, 1)
    assert led.network.sent == []


def test_follower_that_holds_all_and_no_more_needs_no_word_of_the_catalog(behind):
    behind.resync(3, 1)
    behind.replicas[3].leadership.followers.mark_faulty(1, "why")
    behind.network.sent.clear()
    assert [event.state for event in behind.resync(3, 1)] == [CATCHING_UP, IN_SYNC]
    assert "CatalogHealthRequest" not in [type(request).__name__ for _, request in behind.network.sent]


def test_follower_that_is_unknown_is_refused(led):
    with pytest.raises(RpcFailure, match=r"UNKNOWN_REPLICA: replica 7 is no follower; followers: \[1, 2\]"):
        led.resync(3, 7)


def test_follower_that_has_just_returned_is_asked_again_for_a_moment(behind):
    behind.stop_replica(1)
    began = behind.clock.now
    failure = fails(behind, "replica 1: UNAVAILABLE UNREACHABLE: order-1:1 is down")
    assert failure.reason is Reason.FOLLOWER
    assert behind.clock.now - began == pytest.approx(1.2)
    assert follower_states(behind)[1] == FAULTY
    assert error_of(behind) == "UNAVAILABLE UNREACHABLE: order-1:1 is down"
    asked: list[int] = []

    def returns_at_the_third(address, request):
        if isinstance(request, order_pb2.HealthCheckRequest):
            asked.append(1)
            if len(asked) < 3:
                raise unreachable(address)

    behind.start_replica(1)
    behind.network.before = returns_at_the_third
    assert behind.resync(3, 1)[-1].state == IN_SYNC
    assert len(asked) == 3


def test_any_other_failure_is_not_asked_about_again(behind):
    behind.network.handlers[behind.address(1)] = behind.network.handlers[behind.address(2)]
    fails(behind, "FOLLOWER: replica 1: .*WRONG_REPLICA: order-1:1 is replica 2")
    assert len(behind.network.sent) == 1
    assert "order-1:1 is replica 2" in error_of(behind)


def test_follower_that_fails_when_it_is_taken_in_is_left_out(behind):
    def lose(address, request):
        if isinstance(request, order_pb2.SyncOrderRequest) and address == behind.address(1):
            raise unreachable(address)

    behind.network.before = lose
    assert fails(behind, "replica 1: UNAVAILABLE UNREACHABLE").reason is Reason.FOLLOWER
    assert follower_states(behind) == {1: FAULTY, 2: IN_SYNC}
    behind.network.before = lambda address, request: None
    assert behind.resync(3, 1)[-1].state == IN_SYNC


@pytest.mark.parametrize("moment", [order_pb2.BulkUpsertRequest, order_pb2.SyncOrderRequest])
def test_end_of_the_leadership_ends_the_catch_up(behind, moment):
    def stop(_address, request):
        if isinstance(request, moment):
            behind.replicas[3].stop()

    behind.network.after = stop
    fails(behind, "NOT_LEADER: the leadership of replica 3 in epoch 1 has ended")
    assert len([1 for _, request in behind.network.sent if isinstance(request, order_pb2.BulkUpsertRequest)]) <= 3


def test_second_catch_up_of_the_same_follower_waits_for_the_first(behind):
    second: list[list[order_pb2.ResyncProgress]] = []

    def ask_too(_address, request):
        if isinstance(request, order_pb2.BulkUpsertRequest) and not second:
            second.append([])
            steps = behind.replicas[3].resync(1, second[0].append)
            next(steps)  # it pauses
            steps.close()

    behind.network.before = ask_too
    assert behind.resync(3, 1)[-1].state == IN_SYNC
    assert [event.state for event in second[0]] == [CATCHING_UP]
