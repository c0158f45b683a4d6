"""Replicas and a real catalog in one thread: the order path, promotion, catch-up, and what stops them."""

import pytest

from backends.failures import CatalogUnavailable, Fenced, Halted, NotFound, NotLeader
from backends.order import promotion
from backends.order.store import OrderStore
from backends.row import chain_seed
from common.failures import RpcFailure
from protos import catalog_pb2, order_pb2
from tests.backends.order.direct import CATALOG, DirectCluster, unreachable
from tests.backends.order.rows import make_rows

IN_SYNC, FAULTY = order_pb2.IN_SYNC, order_pb2.FAULTY


def buy(key: str, quantity: int = 1, name: str = "AAPL") -> order_pb2.NewOrder:
    return order_pb2.NewOrder(stock_name=name, order_type=catalog_pb2.BUY, quantity=quantity, idempotency_key=key)


def sell(key: str, quantity: int = 1, name: str = "AAPL") -> order_pb2.NewOrder:
    return order_pb2.NewOrder(stock_name=name, order_type=catalog_pb2.SELL, quantity=quantity, idempotency_key=key)


@pytest.fixture
def cluster(tmp_path, open_store):
    cluster = DirectCluster(tmp_path, open_store)
    yield cluster
    cluster.close()


@pytest.fixture
def led(cluster):
    """A cluster that replica 3 leads."""
    cluster.assign(3)
    return cluster


def follower_states(cluster, leader_id: int = 3) -> dict[int, int]:
    return {one.replica_id: one.state for one in cluster.replicas[leader_id].health().followers}


def quantity(cluster, name: str = "AAPL") -> int:
    return cluster.network.call(CATALOG, catalog_pb2.LookupStockRequest(name=name)).stock.quantity


def assert_identical(cluster) -> None:
    first, *others = cluster.logs()
    assert all(other == first for other in others)


# -- Trading -------------------------------------------------------------------------------------------------------


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
    assert bad.future.exception(0).reason == "INSUFFICIENT_STOCK"
    assert bad.future.exception(0).number("available") == 40
    assert unknown.future.exception(0).reason == "UNKNOWN_STOCK"
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


def test_deposed_leader_does_not_repeat_a_refusal_that_a_newer_epoch_made_untrue(led):
    with pytest.raises(RpcFailure, match="101 asked"):
        led.place(3, buy("k", 101))
    led.assign(2)  # nobody told replica 3
    led.place(2, sell("more", 1))
    assert led.place(2, buy("k", 101)).transaction_number == 2
    (ticket,) = led.submit(3, buy("k", 101))
    led.turn(3)
    assert ticket.future.exception(0).reason == "NOT_LEADER"


def test_another_epoch_than_its_own_is_not_led(led):
    with pytest.raises(NotLeader) as caught:
        led.replicas[3].submit(99, [buy("k")], led.patient())
    assert caught.value.metadata == {"leader_id": "3", "epoch": "1"}
    with pytest.raises(NotLeader):
        led.replicas[1].submit(1, [buy("k")], led.patient())


# -- Followers -----------------------------------------------------------------------------------------------------


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
    with pytest.raises(NotFound, match="replica 7 is no follower"):
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


# -- The catalog ---------------------------------------------------------------------------------------------------


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
    assert not ticket.was_sent
    led.start_catalog()
    assert led.place(3, buy("b")).transaction_number == 2


def test_catalog_that_stops_cleanly_costs_no_leadership(led):
    led.place(3, buy("a"))
    refused: list[int] = []

    def shut_down(address, request):
        if isinstance(request, catalog_pb2.UpdateStockRequest) and not refused:
            refused.append(1)
            raise RpcFailure("stopping", reason="SHUTTING_DOWN")
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


# -- Promotion -----------------------------------------------------------------------------------------------------


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
    assert sent.future.exception(0).reason == "STEPPED_DOWN"
    assert led.replicas[3].health().role == order_pb2.FOLLOWER
    assert led.replicas[3].health().leader_id == 2
    assert led.place(2, buy("a")).transaction_number == 1


def test_heartbeat_tells_a_deposed_leader(led):
    led.assign(2)
    (waiting,) = led.submit(3, buy("a"))
    led.network.run(led.replicas[3].heartbeat())
    assert isinstance(waiting.future.exception(0), NotLeader)
    assert led.replicas[3].health().role == order_pb2.FOLLOWER


def test_older_expected_epoch_is_fenced_and_changes_nothing(led):
    with pytest.raises(Fenced) as caught:
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
    assert caught.value.reason == "BACKFILLING"
    led.place(3, buy("meanwhile"))  # the present leader works on
    led.turn(1)
    assert led.replicas[1].store.last_number == 4
    led.assign(1)
    assert led.replicas[1].health().role == order_pb2.LEADER


def test_promotion_without_the_catalog_is_unavailable(cluster):
    cluster.stop_catalog()
    with pytest.raises(CatalogUnavailable):
        cluster.assign(3, expected_epoch=0)


# -- Lost history --------------------------------------------------------------------------------------------------


def test_catalog_that_lost_history_halts_everything(led):
    for n in range(3):
        led.place(3, buy(f"k{n}"))
    led.stop_catalog()
    led.roll_back_catalog(rows_left=1)
    led.start_catalog()
    led.network.run(led.replicas[1].heartbeat())
    assert "lost history" in led.replicas[1].health().halted
    (ticket,) = led.submit(3, buy("x"))
    led.turn(3)
    assert ticket.future.exception(0) is not None
    assert led.replicas[3].health().halted
    with pytest.raises(RpcFailure) as caught:
        led.assign(2)
    assert caught.value.reason == "HALTED"
    assert led.catalog_health().halted


def test_peer_that_is_longer_than_the_catalog_halts_a_promotion(led):
    for n in range(3):
        led.place(3, buy(f"k{n}"))
    led.stop_catalog()
    led.roll_back_catalog(rows_left=1)
    led.stop_replica(2)
    led.wipe_replica(2)
    led.start_catalog()
    led.start_replica(2)
    with pytest.raises(Halted):
        led.assign(2)
    assert led.catalog_health().halted


def test_follower_of_another_history_halts_everything_when_it_is_caught_up(led):
    led.stop_replica(1)
    for n in range(3):
        led.place(3, buy(f"k{n}"))
    led.wipe_replica(1)
    seed = chain_seed(led.catalog.cluster_id)
    led.start_replica(1).store.extend(led.catalog.cluster_id, 0, seed, make_rows(2, chain=seed))
    led.network.sent.clear()
    with pytest.raises(RpcFailure, match="another history"):
        led.resync(3, 1)
    assert "SyncOrderRequest" not in [type(request).__name__ for _, request in led.network.sent]
    assert led.catalog_health().halted
    assert led.replicas[3].health().halted


def test_new_replica_that_has_met_its_cluster_but_holds_nothing_proves_nothing(cluster, monkeypatch):
    """The heartbeat may read the position before the first log is open."""
    monkeypatch.setattr(OrderStore, "position", property(lambda store: (0, 0)))
    cluster.network.run(cluster.replicas[1].heartbeat())
    assert not cluster.replicas[1].health().halted
    assert not cluster.catalog_health().halted


def test_second_promotion_meanwhile_is_told_to_look_again(cluster):
    told: list[str] = []

    def assign_again(address, request):
        if isinstance(request, catalog_pb2.BeginEpochRequest) and not told:
            told.append("")
            with pytest.raises(RpcFailure) as caught:
                cluster.assign(3)
            told[0] = caught.value.reason

    cluster.network.before = assign_again
    assert cluster.assign(3).epoch == 1
    assert told == ["PROMOTING"]


def test_slow_answer_to_begin_epoch_does_not_end_a_promotion(cluster):
    lost: list[int] = []

    def lose_twice(address, request):
        if isinstance(request, catalog_pb2.BeginEpochRequest) and len(lost) < 2:
            lost.append(1)
            raise unreachable(address)

    cluster.network.after = lose_twice
    assert cluster.assign(3).epoch == 3
    assert cluster.place(3, buy("k")).transaction_number == 1


def test_new_catalog_of_another_cluster_is_noticed(led):
    led.place(3, buy("a"))
    led.stop_catalog()
    led.replace_catalog()
    led.start_catalog()
    led.network.run(led.replicas[2].heartbeat())
    assert "belongs to cluster" in led.replicas[2].health().halted
    with pytest.raises(Halted):
        led.network.run(led.readers[2].look_up(1))
    with pytest.raises(Halted):
        led.network.run(led.readers[2].list_orders(order_pb2.ListOrdersRequest(limit=1)))


# -- Reading -------------------------------------------------------------------------------------------------------


def test_any_replica_answers_a_number_that_it_lacks_through_the_catalog(led):
    led.stop_replica(1)
    order = led.place(3, buy("a"))
    led.start_replica(1)
    assert led.network.run(led.readers[1].look_up(1)) == order
    with pytest.raises(NotFound) as caught:
        led.network.run(led.readers[1].look_up(2))
    assert caught.value.number("last_number") == 1


def test_held_order_is_found_without_the_catalog_and_others_are_unknown(led):
    led.place(3, buy("a"))
    led.stop_catalog()
    assert led.network.run(led.readers[1].look_up(1)).idempotency_key == "a"
    with pytest.raises(CatalogUnavailable):
        led.network.run(led.readers[1].look_up(2))


def test_list_of_a_replica_that_lags_is_unavailable(led):
    led.stop_replica(1)
    led.place(3, buy("a"))
    led.start_replica(1)
    with pytest.raises(RpcFailure) as caught:
        led.network.run(led.readers[1].list_orders(order_pb2.ListOrdersRequest(limit=1)))
    assert caught.value.reason == "LAGGING"
    orders = led.network.run(led.readers[3].list_orders(order_pb2.ListOrdersRequest(limit=1))).orders
    assert [order.transaction_number for order in orders] == [1]
