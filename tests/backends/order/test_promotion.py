"""How a replica becomes leader, and who is deposed."""

import pytest

from backends.failures import CatalogUnavailable
from backends.order import promotion
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.rows import chain_seed
from protos import catalog_pb2, order_pb2
from tests.backends.order.direct import (
    CATALOG,
    assert_identical,
    buy,
    follower_states,
    quantity,
    unreachable,
)
from tests.backends.order.rows import make_rows

IN_SYNC, FAULTY = order_pb2.IN_SYNC, order_pb2.FAULTY


def test_stale_replica_reads_what_it_lacks_before_it_leads(led):
    led.stop_replica(1)
    for n in range(5):
        led.place(3, buy(f"k{n}"))
    led.stop_replica(3)
    led.start_replica(1)
    led.assign(1)
    assert led.replicas[1].store.last_number == 5
    assert led.place(1, buy("k3")).transaction_number == 4  # replayed
    assert led.place(1, buy("new")).transaction_number == 6
    led.start_replica(3)
    led.resync(1, 3)
    assert_identical(led)


def test_order_decided_but_held_by_no_replica_is_found_by_the_next_leader(led):
    """The leader dies between the decision and its own append."""

    def die(address, request):
        if isinstance(request, catalog_pb2.UpdateStockRequest):
            raise ZeroDivisionError  # stands for SIGKILL: the procedure ends here

    led.network.after = die
    led.submit(3, buy("k", 7))
    with pytest.raises(ZeroDivisionError):
        led.turn(3)
    led.network.after = lambda address, request: None
    led.stop_replica(3)
    assert quantity(led) == 93
    led.assign(2)
    assert led.place(2, buy("k", 7)).transaction_number == 1
    assert quantity(led) == 93


def test_deposed_leader_is_fenced_and_what_it_sent_is_unknown(led):
    led.assign(2)  # nobody told replica 3
    (sent,) = led.submit(3, buy("a"))
    led.turn(3)
    assert sent.future.exception(0).reason is Reason.STEPPED_DOWN
    assert sent.future.exception(0).metadata == {"leader_id": "2", "epoch": "2"}
    assert "meanwhile: ABORTED FENCED: epoch 1 is not the newest" in sent.future.exception(0).message
    assert led.replicas[3].health().role == order_pb2.FOLLOWER
    assert led.replicas[3].health().leader_id == 2
    begun = [request for _, request in led.network.sent if isinstance(request, catalog_pb2.BeginEpochRequest)]
    assert [request.leader_id for request in begun] == [3, 2]
    assert led.place(2, buy("a")).transaction_number == 1


def test_heartbeat_tells_a_deposed_leader(led):
    led.assign(2)
    (waiting,) = led.submit(3, buy("a"))
    led.network.run(led.replicas[3].heartbeat())
    assert waiting.future.exception(0).reason is Reason.NOT_LEADER
    assert led.replicas[3].health().role == order_pb2.FOLLOWER


def test_older_expected_epoch_is_fenced_and_changes_nothing(led):
    with pytest.raises(RpcFailure, match="FENCED") as caught:
        led.assign(3, expected_epoch=0)
    assert caught.value.metadata == {"epoch": "1", "leader_id": "3"}
    assert led.place(3, buy("k")).transaction_number == 1


def test_assigning_the_present_leader_again_changes_nothing(led):
    assert led.assign(3, expected_epoch=1).epoch == 1
    assert led.place(3, buy("k")).epoch == 1


def test_near_peers_are_in_sync_when_the_leader_serves(led):
    led.stop_replica(1)
    led.place(3, buy("a"))
    led.start_replica(1)
    led.assign(3, expected_epoch=1)  # no new leadership: replica 1 stays out
    assert follower_states(led)[1] == FAULTY
    led.assign(2)
    assert follower_states(led, 2) == {1: IN_SYNC, 3: IN_SYNC}
    assert_identical(led)


def test_peer_that_is_down_is_left_out_and_keeps_no_other_from_joining(cluster):
    cluster.stop_replica(1)
    cluster.assign(3)
    followers = {one.replica_id: (one.state, one.error) for one in cluster.replicas[3].health().followers}
    assert followers == {1: (FAULTY, "UNAVAILABLE UNREACHABLE: order-1:1 is down"), 2: (IN_SYNC, "")}


@pytest.mark.parametrize(("near", "state"), [(2, IN_SYNC), (1, FAULTY)])
def test_peer_that_lacks_more_than_a_little_is_left_to_be_caught_up(led, monkeypatch, near, state):
    monkeypatch.setattr(promotion, "NEAR_ORDERS", near)
    led.place(3, buy("a"))
    led.stop_replica(1)
    led.place(3, buy("b"))
    led.place(3, buy("c"))
    led.start_replica(1)
    led.assign(2)
    assert follower_states(led, 2) == {1: state, 3: IN_SYNC}


def test_peer_that_was_silent_before_is_asked_too_and_not_waited_for_as_long(led):
    """Who asks for the promotion may alone be cut off from it."""
    asked: dict[str, float] = {}

    def note(call):
        if isinstance(call.request, order_pb2.HealthCheckRequest):
            asked[call.address] = call.timeout_s

    led.network.before_call = note
    led.assign(2, silent=[3])
    assert asked == {led.address(1): 0.4, led.address(3): 0.1}
    assert follower_states(led, 2) == {1: IN_SYNC, 3: IN_SYNC}


def test_histories_that_differ_end_a_promotion_even_if_the_catalog_finds_nothing_wrong(led):
    led.place(3, buy("k"))
    cluster_id, handle = led.catalog.cluster_id, led.network.handlers[CATALOG]
    led.stop_replica(1)
    led.wipe_replica(1)
    seed = chain_seed(cluster_id)
    led.start_replica(1).store.extend(cluster_id, 0, seed, make_rows(1, chain=seed))

    shown = []

    def answer(request):
        if isinstance(request, catalog_pb2.BeginEpochRequest) and request.holder_id:
            shown.append((request.holder_id, request.leader_id, request.expected_epoch, request.cluster_id))
            return catalog_pb2.BeginEpochResponse(epoch=9)
        return handle(request)

    led.network.handlers[CATALOG] = answer
    with pytest.raises(RpcFailure, match=r"HALTED: .*replica 1 holds 1 orders of another history than our 1"):
        led.assign(2)
    assert shown == [(1, 2, 2, cluster_id)]
    assert led.replicas[2].health().role == order_pb2.FOLLOWER
    assert led.replicas[2].health().halted == (
        "DATA_LOSS DIVERGED: replica 1 holds 1 orders of another history than our 1"
    )


def test_long_backfill_is_answered_and_goes_on(led, monkeypatch):
    led.stop_replica(1)
    for n in range(3):
        led.place(3, buy(f"k{n}"))
    led.wipe_replica(1)
    led.start_replica(1)
    monkeypatch.setattr(promotion, "BACKFILL_LIMIT_S", 0.0)
    led.network.page_rows = 1
    with pytest.raises(RpcFailure) as caught:
        led.assign(1)
    assert (caught.value.reason, caught.value.metadata) == (Reason.BACKFILLING, {"last_number": "1"})
    assert caught.value.message == "replica 1 is still reading orders from the catalog, 1 so far"
    led.place(3, buy("meanwhile"))  # the present leader works on
    led.turn(1)
    assert led.replicas[1].store.last_number == 4
    led.assign(1)
    assert led.replicas[1].health().role == order_pb2.LEADER


def test_backfill_of_many_pages_that_takes_no_time_is_read_to_its_end_at_once(led):
    led.stop_replica(1)
    for n in range(3):
        led.place(3, buy(f"k{n}"))
    led.start_replica(1)
    led.network.page_rows = 1
    assert led.assign(1).last_number == 3


def test_longer_log_than_the_journal_is_shown_in_the_epoch_that_was_expected(led):
    for n in range(3):
        led.place(3, buy(f"k{n}"))
    chain = led.replicas[2].store.chain_at(3)
    led.stop_catalog()
    led.roll_back_catalog(rows_left=1)
    led.start_catalog()
    led.network.sent.clear()
    with pytest.raises(RpcFailure, match=r"HALTED: .*replica 2 holds order 3, but the last trade here is 1"):
        led.assign(2)
    (shown,) = [request for _, request in led.network.sent if isinstance(request, catalog_pb2.BeginEpochRequest)]
    assert (shown.leader_id, shown.expected_epoch, shown.number, shown.chain) == (2, 1, 3, chain)


def test_catalog_that_does_not_answer_an_epoch_is_asked_again_for_as_long_as_the_manager_waits(cluster):
    def silent(address, request):
        if isinstance(request, catalog_pb2.BeginEpochRequest):
            raise unreachable(address)

    cluster.network.before = silent
    began = cluster.clock.now
    with pytest.raises(CatalogUnavailable):
        cluster.assign(3)
    assert cluster.clock.now - began == pytest.approx(1.5)


def test_promotion_without_the_catalog_is_unavailable(cluster):
    cluster.stop_catalog()
    with pytest.raises(CatalogUnavailable):
        cluster.assign(3, expected_epoch=0)
