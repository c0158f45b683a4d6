"""One leadership with a real catalog and followers in one thread: decide, replicate, answer."""

import pytest

from backends.failures import CatalogUnavailable
from backends.order.pending import Ticket
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from protos import catalog_pb2, order_pb2
from tests.backends.order.direct import (
    CATALOG,
    DirectCluster,
    assert_identical,
    buy,
    follower_states,
    quantity,
    sell,
    unreachable,
)

IN_SYNC, FAULTY = order_pb2.IN_SYNC, order_pb2.FAULTY


def test_orders_are_numbered_and_held_by_all(led):
    assert [led.place(3, buy(f"k{n}", 2)).transaction_number for n in (1, 2, 3)] == [1, 2, 3]
    assert quantity(led) == 100 - 6
    assert_identical(led)
    assert led.replicas[1].store.order(2).idempotency_key == "k2"


def test_orders_that_wait_are_one_batch_at_the_catalog_and_at_each_follower(led):
    tickets = led.submit(3, *(buy(f"k{n}") for n in range(20)))
    led.network.sent.clear()
    led.turn(3)
    assert [ticket.future.result(0).transaction_number for ticket in tickets] == list(range(1, 21))
    sent = [type(request).__name__ for _, request in led.network.sent]
    assert sent.count("UpdateStockRequest") == 1
    assert sent.count("SyncOrderRequest") == 2


def test_a_refused_order_does_not_touch_its_neighbours(led):
    good, bad, unknown, other = led.submit(3, buy("a", 60), buy("b", 60), buy("c", 1, "NOPE"), buy("d", 40))
    led.turn(3)
    assert good.future.result(0).transaction_number == 1
    assert other.future.result(0).transaction_number == 2
    assert bad.future.exception(0).reason is Reason.INSUFFICIENT_STOCK
    assert bad.future.exception(0).number("available") == 40
    assert unknown.future.exception(0).reason is Reason.UNKNOWN_STOCK
    assert quantity(led) == 0


def test_known_key_gets_its_order_again_and_changes_nothing(led):
    first = led.place(3, buy("k", 5))
    assert led.place(3, buy("k", 5)) == first
    assert quantity(led) == 95


def test_refused_key_is_refused_again_although_there_is_stock_now(led):
    with pytest.raises(RpcFailure, match="100 left, 101 asked"):
        led.place(3, buy("k", 101))
    led.place(3, sell("more", 50))
    with pytest.raises(RpcFailure, match=r"refused before \(INSUFFICIENT_STOCK, 100 left"):
        led.place(3, buy("k", 101))


def test_order_that_nobody_waits_for_any_more_is_not_sent_and_costs_the_others_nothing(led):
    led.submit(3, buy("late"), wait_s=1)
    led.clock.now += 2
    led.network.sent.clear()
    led.turn(3)
    assert not [request for _, request in led.network.sent if isinstance(request, catalog_pb2.UpdateStockRequest)]
    assert led.place(3, buy("next")).transaction_number == 1
    assert quantity(led) == 99
    assert_identical(led)


def test_what_a_turn_did_is_counted_and_timed(led):
    def slow_catalog(address, request):
        led.clock.now += 0.25 * isinstance(request, catalog_pb2.UpdateStockRequest)
        led.clock.now += 0.5 * isinstance(request, order_pb2.SyncOrderRequest)

    led.network.after = slow_catalog
    led.submit(3, buy("a"), buy("b"), buy("c", 1, "NOPE"))
    sample = led.metrics[3].registry.get_sample_value
    assert sample("bourse_replica_pending_orders") == 3
    led.clock.now += 1
    led.turn(3)
    assert sample("bourse_replica_pending_orders") == 0
    assert sample("bourse_replica_refusals_total", {"reason": "UNKNOWN_STOCK"}) == 1
    assert sample("bourse_replica_orders_total") == 2
    assert sample("bourse_replica_batch_orders_sum") == 3
    seconds = {
        stage: sample("bourse_replica_stage_seconds_sum", {"stage": stage})
        for stage in ("decide", "replicate", "whole")
    }
    assert seconds == {"decide": 0.25, "replicate": 1.0, "whole": 2.25}
    led.place(3, buy("d"))
    assert sample("bourse_replica_orders_total") == 3
    assert sample("bourse_replica_stage_seconds_count", {"stage": "whole"}) == 2


def test_two_orders_of_one_key_in_one_batch_are_one_order(led, monkeypatch):
    """Whoever comes with a key in flight joins it; should that fail, the catalog makes one order of both."""
    monkeypatch.setattr(Ticket, "key", property(lambda self: str(id(self)).encode()))
    tickets = led.submit(3, buy("k", 2), buy("other"), buy("k", 2))
    led.network.sent.clear()
    led.turn(3)
    (batch,) = [request for _, request in led.network.sent if isinstance(request, catalog_pb2.UpdateStockRequest)]
    assert [trade.idempotency_key for trade in batch.trades] == ["k", "other", "k"]
    assert [ticket.future.result(0).transaction_number for ticket in tickets] == [1, 2, 1]
    assert quantity(led) == 100 - 2 - 1
    assert_identical(led)


def test_deposed_leader_does_not_repeat_a_refusal_that_a_newer_epoch_made_untrue(led):
    with pytest.raises(RpcFailure, match="101 asked"):
        led.place(3, buy("k", 101))
    led.assign(2)  # nobody told replica 3
    led.place(2, sell("more", 1))
    assert led.place(2, buy("k", 101)).transaction_number == 2
    (ticket,) = led.submit(3, buy("k", 101))
    led.turn(3)
    assert ticket.future.exception(0).reason is Reason.NOT_LEADER
    assert ticket.future.exception(0).metadata == {"leader_id": "2", "epoch": "2"}
    assert "a newer epoch has begun" in ticket.future.exception(0).message
    health = led.replicas[3].health()
    assert (health.role, health.leader_id, health.epoch) == (order_pb2.FOLLOWER, 2, 2)


def test_another_epoch_than_its_own_is_not_led(led):
    with pytest.raises(RpcFailure, match="NOT_LEADER") as caught:
        led.replicas[3].submit(99, [buy("k")], led.patient())
    assert caught.value.metadata == {"leader_id": "3", "epoch": "1", "leader_address": "order-3:1"}
    with pytest.raises(RpcFailure, match="NOT_LEADER"):
        led.replicas[1].submit(1, [buy("k")], led.patient())


def test_follower_that_does_not_answer_is_left_out_and_caught_up(led):
    led.place(3, buy("a"))
    led.stop_replica(1)
    led.place(3, buy("b"))
    assert follower_states(led) == {1: FAULTY, 2: IN_SYNC}
    led.place(3, buy("c"))
    led.start_replica(1)
    events = led.resync(3, 1)
    assert events[-1].state == IN_SYNC
    assert events[-1].done_number == 3
    assert follower_states(led) == {1: IN_SYNC, 2: IN_SYNC}
    led.place(3, buy("d"))
    assert_identical(led)


def test_follower_whose_answer_was_lost_comes_back_without_harm(led):
    def lose(address, request):
        if address == led.address(2) and isinstance(request, order_pb2.SyncOrderRequest):
            raise unreachable(address)

    led.network.after = lose
    led.place(3, buy("a"))
    assert follower_states(led) == {1: IN_SYNC, 2: FAULTY}
    led.network.after = lambda address, request: None
    led.resync(3, 2)
    assert follower_states(led) == {1: IN_SYNC, 2: IN_SYNC}
    assert_identical(led)


def test_follower_emptied_while_nobody_trades_is_noticed_and_filled(led):
    led.place(3, buy("a"))
    led.stop_replica(1)
    led.wipe_replica(1)
    led.start_replica(1)
    assert follower_states(led)[1] == IN_SYNC  # nobody has asked it since
    led.clock.now += 3
    led.network.run(led.replicas[3].heartbeat())
    assert follower_states(led)[1] == FAULTY
    led.resync(3, 1)
    assert_identical(led)


def test_follower_that_dies_while_nobody_trades_is_noticed(led):
    led.stop_replica(2)
    led.clock.now += 3
    led.network.run(led.replicas[3].heartbeat())
    assert follower_states(led) == {1: IN_SYNC, 2: FAULTY}


def test_followers_are_asked_when_they_were_sent_nothing_for_two_seconds_and_not_before(led):
    led.place(3, buy("a"))
    for pause_s, asked in ((1.5, 0), (0.5, 2), (1.5, 0), (0.5, 2)):
        led.network.sent.clear()
        led.clock.now += pause_s
        led.network.run(led.replicas[3].heartbeat())
        assert (
            len([request for _, request in led.network.sent if isinstance(request, order_pb2.SyncOrderRequest)])
            == asked
        )


def test_empty_replica_far_behind_is_filled_in_bulk(led, monkeypatch):
    led.stop_replica(1)
    for batch in range(3):
        led.submit(3, *(sell(f"k{batch}-{n}") for n in range(900)))
        led.turn(3)
    led.wipe_replica(1)
    led.start_replica(1)
    led.network.sent.clear()
    events = led.resync(3, 1)
    assert "BulkUpsertRequest" in [type(request).__name__ for _, request in led.network.sent]
    assert (events[0].from_number, events[-1].done_number) == (0, 2700)
    assert_identical(led)


def test_resync_of_somebody_unknown_names_the_followers(led):
    with pytest.raises(RpcFailure, match=r"UNKNOWN_REPLICA: .*replica 7 is no follower"):
        led.resync(3, 7)


def test_with_too_few_in_sync_the_answer_is_held_back_until_one_returns(tmp_path, open_store):
    cluster = DirectCluster(tmp_path, open_store, min_in_sync=2)
    cluster.assign(3)
    cluster.stop_replica(1)
    cluster.stop_replica(2)
    (ticket,) = cluster.submit(3, buy("k"))
    cluster.turn(3)
    assert not ticket.future.done()
    assert ticket.number == 1  # decided, not committed
    (retry,) = cluster.submit(3, buy("k"))
    assert retry is ticket
    cluster.start_replica(2)
    cluster.resync(3, 2)
    assert ticket.future.result(0).transaction_number == 1
    cluster.close()


def test_orders_of_a_batch_that_too_few_hold_are_all_held_back_each_under_its_number(tmp_path, open_store):
    cluster = DirectCluster(tmp_path, open_store, min_in_sync=2)
    cluster.assign(3)
    cluster.place(3, buy("first"))
    cluster.stop_replica(1)
    cluster.stop_replica(2)
    tickets = cluster.submit(3, *(buy(f"k{n}") for n in range(3)))
    cluster.turn(3)
    assert [ticket.number for ticket in tickets] == [2, 3, 4]
    assert not any(ticket.future.done() for ticket in tickets)
    cluster.start_replica(2)
    cluster.resync(3, 2)
    assert [ticket.future.result(0).transaction_number for ticket in tickets] == [2, 3, 4]
    cluster.close()


def test_answer_of_the_catalog_with_too_few_results_acknowledges_nothing(led):
    handle = led.network.handlers[CATALOG]

    def answer(request):
        response = handle(request)
        if isinstance(response, catalog_pb2.UpdateStockResponse):
            del response.results[-1]
        return response

    led.network.handlers[CATALOG] = answer
    tickets = led.submit(3, buy("a"), buy("b"))
    with pytest.raises(ValueError, match="shorter"):
        led.turn(3)
    assert not any(ticket.future.done() for ticket in tickets)


def test_retry_after_the_first_caller_gave_up_waits_for_min_in_sync_too(tmp_path, open_store):
    cluster = DirectCluster(tmp_path, open_store, min_in_sync=2)
    cluster.assign(3)
    cluster.stop_replica(1)
    cluster.stop_replica(2)
    cluster.submit(3, buy("k"), wait_s=1)
    cluster.turn(3)
    cluster.clock.now += 2
    cluster.submit(3, buy("other"))
    cluster.turn(3)
    (retry,) = cluster.submit(3, buy("k"))
    cluster.turn(3)
    assert retry.number == 1
    assert not retry.future.done()
    cluster.start_replica(1)
    cluster.resync(3, 1)
    assert retry.future.result(0).transaction_number == 1
    cluster.close()


def test_lost_answer_of_the_catalog_is_asked_for_again_and_decides_once(led):
    lost: list[object] = []

    def lose_first(address, request):
        if isinstance(request, catalog_pb2.UpdateStockRequest) and not lost:
            lost.append(request)
            raise unreachable(address)

    led.network.after = lose_first
    assert led.place(3, buy("k", 3)).transaction_number == 1
    assert lost
    assert quantity(led) == 97


def test_catalog_that_is_down_refuses_what_was_never_sent(led):
    led.place(3, buy("a"))
    led.stop_catalog()
    led.clock.now += 5
    (ticket,) = led.submit(3, buy("b"))
    led.turn(3)
    assert isinstance(ticket.future.exception(0), CatalogUnavailable)
    assert str(ticket.future.exception(0)) == "UNAVAILABLE CATALOG: the catalog does not answer"
    assert not ticket.was_sent
    led.start_catalog()
    assert led.place(3, buy("b")).transaction_number == 2


@pytest.mark.parametrize("unanswered", [catalog_pb2.UpdateStockRequest, catalog_pb2.BeginEpochRequest])
def test_orders_behind_one_that_the_catalog_does_not_answer_are_not_executed(led, unanswered):
    """Of the batch that was sent nobody knows; it is sent again until it is answered."""
    led.place(3, buy("a"))
    led.stop_catalog()
    led.start_catalog()  # the next batch finds its epoch of before the start, and begins one
    waiting: list[Ticket] = []

    def lose_once(address, request):
        if isinstance(request, unanswered) and not waiting:
            waiting.extend(led.submit(3, buy("waits")))
            raise unreachable(address)

    led.network.before = lose_once
    assert led.place(3, buy("sent")).transaction_number == 2
    (ticket,) = waiting
    assert isinstance(ticket.future.exception(0), CatalogUnavailable)
    assert not ticket.was_sent
    assert led.place(3, buy("waits")).transaction_number == 3


def test_catalog_that_stops_cleanly_costs_no_leadership(led):
    led.place(3, buy("a"))
    refused: list[int] = []

    def shut_down(address, request):
        if isinstance(request, catalog_pb2.UpdateStockRequest) and not refused:
            refused.append(1)
            raise RpcFailure(Reason.SHUTTING_DOWN, "stopping")
        if refused == [1]:
            refused.append(2)
            led.stop_catalog()
            led.start_catalog()

    led.network.before = shut_down
    assert led.place(3, buy("b")).epoch == 2
    assert led.replicas[3].health().role == order_pb2.LEADER


def test_catalog_restarted_between_decision_and_answer_decides_once(led):
    """The batch was decided, the answer lost, the catalog restarted: a new epoch, and the same order."""
    led.place(3, buy("a"))
    restarts: list[int] = []

    def restart(address, request):
        if isinstance(request, catalog_pb2.UpdateStockRequest) and not restarts:
            restarts.append(1)
            led.stop_catalog()
            led.start_catalog()
            raise unreachable(address)

    led.network.after = restart
    order = led.place(3, buy("b", 4))
    assert (order.transaction_number, order.epoch) == (2, 1)
    assert led.replicas[3].health().epoch == 2
    assert quantity(led) == 95
    assert led.place(3, buy("c")).epoch == 2
    assert_identical(led)


def test_own_lost_answer_to_begin_epoch_is_found_again(led):
    led.stop_catalog()
    led.start_catalog()
    lost: list[object] = []

    def lose_first(address, request):
        if isinstance(request, catalog_pb2.BeginEpochRequest) and not lost:
            lost.append(request)
            raise unreachable(address)

    led.network.after = lose_first
    assert led.place(3, buy("a")).epoch == 3
    assert lost
