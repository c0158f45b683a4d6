"""What halts a replica, and that it shows nothing wrong."""

import pytest

from backends.failures import Diverged
from backends.order import promotion
from backends.order.store import OrderStore
from backends.storage.ports import StartRefused
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.rows import chain_seed
from protos import catalog_pb2, order_pb2
from tests.backends.order.direct import (
    buy,
    unreachable,
)
from tests.backends.order.rows import make_rows


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
    assert led.replicas[3].health().halted.startswith("DATA_LOSS HALTED: this catalog was rolled back: replica 1 holds")
    with pytest.raises(RpcFailure) as caught:
        led.assign(2)
    assert caught.value.reason is Reason.HALTED
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
    with pytest.raises(RpcFailure, match="HALTED"):
        led.assign(2)
    assert led.catalog_health().halted


def test_follower_that_is_longer_than_the_catalog_halts_everything_when_it_is_caught_up(led):
    """The catalog and the leader were restored from an old copy, and have traded since; the follower had been away."""
    for n in range(3):
        led.place(3, buy(f"k{n}"))
    for replica_id in (1, 2, 3):
        led.stop_replica(replica_id)
    led.stop_catalog()
    led.roll_back_catalog(rows_left=0)
    led.wipe_replica(3)
    led.start_catalog()
    led.start_replica(3)
    led.assign(3)
    led.place(3, buy("again"))
    led.start_replica(1)
    with pytest.raises(RpcFailure, match="replica 1 holds 3 orders of another history"):
        led.resync(3, 1)
    assert "holds order 3, but the last trade here is 1" in led.catalog_health().halted
    assert led.replicas[3].health().halted


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
    assert "replica 1 holds another history up to order 2" in led.catalog_health().halted
    assert led.replicas[3].health().halted


def test_promotion_names_whose_log_differs(led):
    led.stop_replica(1)
    for n in range(3):
        led.place(3, buy(f"k{n}"))
    led.wipe_replica(1)
    seed = chain_seed(led.catalog.cluster_id)
    led.start_replica(1).store.extend(led.catalog.cluster_id, 0, seed, make_rows(2, chain=seed))
    with pytest.raises(RpcFailure, match="HALTED"):
        led.assign(2)
    assert "replica 1 holds another history up to order 2" in led.catalog_health().halted


def test_a_log_is_shown_with_its_cluster(led):
    """The catalog's address may lead to another cluster's by then: that one lost nothing, and must not halt."""
    led.stop_replica(1)
    for n in range(3):
        led.place(3, buy(f"k{n}"))
    led.wipe_replica(1)
    cluster_id = led.catalog.cluster_id
    led.start_replica(1).store.extend(cluster_id, 0, chain_seed(cluster_id), make_rows(2, chain=chain_seed(cluster_id)))
    led.network.sent.clear()
    with pytest.raises(RpcFailure, match="another history"):
        led.resync(3, 1)
    (shown,) = [request for _, request in led.network.sent if isinstance(request, catalog_pb2.BeginEpochRequest)]
    assert (shown.holder_id, shown.leader_id, shown.expected_epoch, shown.number) == (1, 3, 1, 2)
    assert shown.cluster_id == cluster_id
    assert (
        led.replicas[3]
        .health()
        .halted.startswith(
            "DATA_LOSS DIVERGED: replica 1 holds 2 orders of another history than our 3; DATA_LOSS HALTED: "
        )
    )


def test_follower_of_another_history_is_found_while_nobody_trades(led):
    led.place(3, buy("a"))
    led.stop_replica(1)
    led.wipe_replica(1)
    cluster_id = led.catalog.cluster_id
    seed = chain_seed(cluster_id)
    led.start_replica(1).store.extend(cluster_id, 0, seed, make_rows(1, chain=seed))
    led.clock.now += 3
    led.network.run(led.replicas[3].heartbeat())
    assert "replica 1 holds another history up to order 1" in led.catalog_health().halted
    assert led.replicas[3].health().halted
    assert led.replicas[3].leadership is None


def test_replica_that_starts_has_nothing_to_do(cluster):
    assert not cluster.replicas[1].has_work()
    cluster.assign(3)
    assert not any(replica.has_work() for replica in cluster.replicas.values())


def test_leader_whose_batch_does_not_continue_the_journal_shows_its_own_log(led):
    led.place(3, buy("a"))
    held = led.replicas[3].store.position

    def differs(_address, request):
        if isinstance(request, catalog_pb2.UpdateStockRequest):
            raise Diverged("the batch begins elsewhere", metadata={"last_number": 1})

    led.network.before = differs
    led.submit(3, buy("b"))
    led.network.sent.clear()
    led.turn(3)
    (shown,) = [request for _, request in led.network.sent if isinstance(request, catalog_pb2.BeginEpochRequest)]
    assert (shown.holder_id, shown.expected_epoch, shown.number, shown.chain) == (3, 1, held.number, held.chain)
    assert led.replicas[3].leadership is None


def test_rows_are_answered_for_by_name_and_their_place_is_within_bounds(led):
    led.place(3, buy("a"))
    store = led.replicas[1].store
    fields = {"cluster_id": led.catalog.cluster_id, "prev_number": 1, "prev_chain": store.chain_at(1)}
    replica = led.replicas[1]
    assert replica.sync_order(order_pb2.SyncOrderRequest(**fields)) == order_pb2.SyncOrderResponse(
        equal_number=1, replica_id=1
    )
    assert replica.bulk_upsert(order_pb2.BulkUpsertRequest(**fields)) == order_pb2.BulkUpsertResponse(
        equal_number=1, replica_id=1
    )
    with pytest.raises(RpcFailure, match="INVALID_ARGUMENT: prev_number -1 "):
        replica.sync_order(order_pb2.SyncOrderRequest(**fields | {"prev_number": -1}))


def test_message_is_for_whom_it_names_and_for_anybody_if_it_names_nobody(led):
    own = led.catalog.cluster_id
    for to in ({}, {"replica_id": 1}, {"cluster_id": own}, {"replica_id": 1, "cluster_id": own}):
        led.replicas[1].refuse_if_not_meant(order_pb2.Addressee(**to))
    for to, told, metadata in (
        ({"replica_id": 2}, "WRONG_REPLICA: replica 2 is meant, but this is replica 1", {"replica_id": "1"}),
        (
            {"cluster_id": "c2"},
            f"WRONG_CLUSTER: cluster c2 is meant, but this is a replica of cluster {own}",
            {"cluster_id": own},
        ),
    ):
        with pytest.raises(RpcFailure, match=told) as caught:
            led.replicas[1].refuse_if_not_meant(order_pb2.Addressee(**to))
        assert caught.value.metadata == metadata


def test_new_replica_is_meant_by_any_cluster(cluster):
    assert cluster.replicas[1].store.cluster_id == ""
    cluster.replicas[1].refuse_if_not_meant(order_pb2.Addressee(replica_id=1, cluster_id="any"))


def test_replica_of_another_cluster_proves_nothing_to_a_catalog(led):
    """The address of its catalog came to lead to ours, and its log is longer: that is no loss of ours."""
    led.place(3, buy("k"))
    with pytest.raises(RpcFailure, match="not of this catalog's cluster"):
        led.catalog.begin_epoch(
            catalog_pb2.BeginEpochRequest(leader_id=1, expected_epoch=1, number=9, chain=7, cluster_id="another")
        )
    assert not led.catalog_health().halted


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
            told[0] = caught.value.wire_reason

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


def test_health_says_all_of_a_leader_and_of_a_follower(led):
    led.place(3, buy("a"))
    led.clock.now += 0.5
    store = led.replicas[3].store
    common = {
        "leader_id": 3,
        "epoch": 1,
        "last_number": 1,
        "last_chain": store.chain_at(1),
        "cluster_id": led.catalog.cluster_id,
        "catalog_reachable": True,
        "min_in_sync": 1,
    }
    in_sync = [
        order_pb2.FollowerStatus(replica_id=n, address=led.address(n), state=order_pb2.IN_SYNC, last_number=1)
        for n in (1, 2)
    ]
    assert led.replicas[3].health() == order_pb2.HealthCheckResponse(
        replica_id=3, role=order_pb2.LEADER, catalog_heard_ms=500, followers=in_sync, **common
    )
    led.network.run(led.replicas[1].heartbeat())
    assert led.replicas[1].health() == order_pb2.HealthCheckResponse(
        replica_id=1, role=order_pb2.FOLLOWER, catalog_heard_ms=0, **common
    )


@pytest.mark.parametrize(("seconds", "stalled"), [(2.0, False), (2.1, True)])
def test_replica_is_stalled_when_a_sync_takes_more_than_two_seconds(cluster, monkeypatch, seconds, stalled):
    monkeypatch.setattr(OrderStore, "stalled_s", lambda _store: seconds)
    assert cluster.replicas[1].health().stalled == stalled


def test_assignment_is_answered_with_who_leads_and_how_far_it_is(led):
    led.place(3, buy("a"))
    assert led.assign(2) == order_pb2.AssignLeaderResponse(epoch=2, leader_id=2, last_number=1, replica_id=2)
    peers = [order_pb2.Peer(replica_id=2, address="order-2:1")]
    follow = order_pb2.AssignLeaderRequest(leader_id=2, expected_epoch=2, peers=peers)
    answer = led.network.call(led.address(1), follow)
    assert answer == order_pb2.AssignLeaderResponse(epoch=2, leader_id=2, last_number=1, replica_id=1)
    with pytest.raises(RpcFailure) as caught:
        led.replicas[1].submit(None, [buy("k")], led.patient())
    assert caught.value.metadata == {"leader_id": "2", "epoch": "2", "leader_address": "order-2:1"}
    with pytest.raises(RpcFailure, match="FENCED: epoch 1 is older than epoch 2 of leader 2"):
        led.network.call(led.address(1), order_pb2.AssignLeaderRequest(leader_id=3, expected_epoch=1, peers=peers))


def test_orders_that_are_taken_wake_the_thread_of_turns_once(led):
    woken: list[int] = []
    led.replicas[3]._on_work = lambda: woken.append(1)
    good, bad = led.replicas[3].submit(1, [buy("a"), buy("b", 0)], led.patient())
    assert isinstance(bad, RpcFailure)
    assert bad.reason is Reason.INVALID_ARGUMENT
    assert woken == [1]
    led.turn(3)
    assert good.future.result(0).transaction_number == 1
    for orders in ([], [buy("c")] * 1001):
        with pytest.raises(RpcFailure, match="INVALID_ARGUMENT: number of orders"):
            led.replicas[3].submit(1, orders, led.patient())


def test_leader_that_stops_answers_those_that_wait(led):
    (ticket,) = led.submit(3, buy("a"))
    led.replicas[3].stop()
    assert str(ticket.future.exception(0)) == (
        "FAILED_PRECONDITION NOT_LEADER: replica 3 leads no longer: the process stops"
    )
    assert ticket.future.exception(0).metadata == {"leader_id": "0", "epoch": "1"}
    health = led.replicas[3].health()
    assert (health.role, health.leader_id, health.epoch) == (order_pb2.FOLLOWER, 0, 1)


def test_leader_that_cannot_append_steps_down_and_the_next_one_has_the_order(led, monkeypatch):
    def full(*_rows):
        raise RpcFailure(Reason.DISK_FULL, "the disk is full")

    monkeypatch.setattr(led.replicas[3].store, "extend", full)
    (ticket,) = led.submit(3, buy("a"))
    led.turn(3)
    assert ticket.future.exception(0).reason is Reason.STEPPED_DOWN
    health = led.replicas[3].health()
    assert (health.role, health.leader_id, health.epoch, health.halted) == (order_pb2.FOLLOWER, 0, 1, "")
    led.assign(2)
    assert led.place(2, buy("a")).transaction_number == 1


def test_halt_of_the_catalog_is_learnt_by_the_heartbeat(led):
    with pytest.raises(RpcFailure, match="HALTED"):
        led.catalog.begin_epoch(catalog_pb2.BeginEpochRequest(leader_id=1, expected_epoch=1, number=9, chain=7))
    led.network.run(led.replicas[2].heartbeat())
    assert led.replicas[2].health().halted.startswith("the catalog has halted: this catalog was rolled back: replica 1")


def test_heartbeat_tells_who_leads_and_that_a_prefix_of_the_journal_is_nothing_wrong(led):
    led.stop_replica(1)
    led.place(3, buy("a"))
    led.start_replica(1)
    led.network.run(led.replicas[1].heartbeat())
    health = led.replicas[1].health()
    assert (health.leader_id, health.epoch, health.last_number, health.halted) == (3, 1, 0, "")


@pytest.mark.parametrize("rows_left", [2, 1])
def test_log_that_the_catalog_has_no_more_is_shown_by_the_heartbeat(led, rows_left):
    """It is longer than the journal, or as long and of another history."""
    for n in range(2):
        led.place(3, buy(f"k{n}"))
    held = led.replicas[1].store.position
    led.stop_catalog()
    led.roll_back_catalog(rows_left=1)
    led.start_catalog()
    if rows_left == 2:
        led.stop_replica(3)
        led.wipe_replica(3)
        led.start_replica(3)
        led.stop_replica(1)
        led.stop_replica(2)
        led.assign(3)
        led.place(3, buy("another"))
        led.start_replica(1)
    led.network.sent.clear()
    led.network.run(led.replicas[1].heartbeat())
    (shown,) = [request for _, request in led.network.sent if isinstance(request, catalog_pb2.BeginEpochRequest)]
    assert (shown.holder_id, shown.number, shown.chain) == (1, held.number, held.chain)
    assert shown.expected_epoch == led.catalog_health().epoch
    halted = led.replicas[1].health().halted
    assert halted.startswith(
        f"our log holds 2 orders (chain {held.chain:08x}), the catalog {rows_left}: it lost history; DATA_LOSS HALTED: "
    )


def test_backfill_that_finds_another_history_halts_and_one_that_finds_no_catalog_does_not(led, monkeypatch):
    led.stop_replica(1)
    for n in range(3):
        led.place(3, buy(f"k{n}"))
    led.start_replica(1)
    monkeypatch.setattr(promotion, "BACKFILL_LIMIT_S", 0.0)
    led.network.page_rows = 1
    woken: list[int] = []
    led.replicas[1]._on_work = lambda: woken.append(1)
    with pytest.raises(RpcFailure, match="BACKFILLING"):
        led.assign(1)
    assert woken == [1]
    assert led.replicas[1].has_work()
    led.stop_catalog()
    led.turn(1)
    assert not led.replicas[1].has_work()
    assert (led.replicas[1].health().halted, led.replicas[1].store.last_number) == ("", 1)
    led.start_catalog()
    with pytest.raises(RpcFailure, match="BACKFILLING"):
        led.assign(1)
    led.stop_catalog()
    led.roll_back_catalog(rows_left=0)
    led.start_catalog()
    led.turn(1)
    assert led.replicas[1].health().halted == "the log holds 2 orders, the catalog only 0"


def test_health_tells_how_long_ago_the_catalog_answered(cluster):
    replica = cluster.replicas[1]
    assert not replica.health().HasField("catalog_heard_ms")
    cluster.network.run(replica.heartbeat())
    cluster.clock.now += 0.3
    assert replica.health().catalog_heard_ms in (300, 301)
    cluster.stop_catalog()
    cluster.network.run(replica.heartbeat())
    cluster.clock.now += 0.3
    assert not replica.health().catalog_reachable
    assert replica.health().catalog_heard_ms in (600, 601)


def test_new_catalog_of_another_cluster_is_noticed(led):
    led.place(3, buy("a"))
    led.stop_catalog()
    led.replace_catalog()
    led.start_catalog()
    led.network.run(led.replicas[2].heartbeat())
    halted = led.replicas[2].health().halted
    assert "belongs to cluster cluster-1, not to cluster-2" in halted
    with pytest.raises(RpcFailure, match="HALTED") as caught:
        led.network.run(led.readers[2].look_up(1))
    assert caught.value.message == halted
    with pytest.raises(RpcFailure, match="HALTED"):
        led.network.run(led.readers[2].list_orders(order_pb2.ListOrdersRequest(limit=1)))


def test_leader_says_how_long_it_is_held(led):
    led.assign(1, hold_s=60)
    assert led.replicas[1].health().held_s == 60
    led.clock.now += 59.5
    assert led.replicas[1].health().held_s == 1
    led.clock.now += 1
    assert led.replicas[1].health().held_s == 0


def test_leader_that_stepped_down_is_not_held(led):
    led.assign(1, hold_s=60)
    led.assign(2)
    led.network.run(led.replicas[1].heartbeat())
    assert led.replicas[1].health().held_s == 0


def test_leader_that_is_given_other_peers_leads_anew_with_them(led):
    """The same ones again change nothing; a replica that was added is one to be caught up."""
    epoch = led.replicas[3].health().epoch
    led.place(3, buy("a"))
    led.assign(3)
    assert led.replicas[3].health().epoch == epoch
    (waiting,) = led.submit(3, buy("waits"))
    peers = [order_pb2.Peer(replica_id=n, address=led.address(n)) for n in (1, 2, 3)]
    peers.append(order_pb2.Peer(replica_id=4, address="order-4:1"))
    request = order_pb2.AssignLeaderRequest(leader_id=3, peers=peers, expected_epoch=epoch)
    led.network.call(led.address(3), request)
    told = waiting.future.exception(0)
    assert told.message == "replica 3 leads no longer: a newer epoch has begun"
    health = led.replicas[3].health()
    assert health.epoch == epoch + 1
    assert {one.replica_id: one.address for one in health.followers} == {
        1: led.address(1),
        2: led.address(2),
        4: "order-4:1",
    }
    assert [one.state == order_pb2.IN_SYNC for one in health.followers] == [True, True, False]
    assert led.place(3, buy("b")).transaction_number == 2


def flip_in_row(path, number):
    """Change one byte in the middle of a row, under the process that has the file open."""
    lines = path.read_bytes().splitlines(keepends=True)
    place = sum(map(len, lines[:number])) + len(lines[number]) // 2
    with path.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)
        file.seek(place)
        file.write(bytes([byte[0] ^ 1]))


@pytest.mark.parametrize("replica_id", [1, 3])
def test_replica_whose_bytes_changed_trades_no_more_says_so_and_is_mended_by_a_start(led, replica_id):
    for n in range(3):
        led.place(3, buy(f"k{n}"))
    log = led.path / f"order-{replica_id}" / "order_database.csv"
    flip_in_row(log, 2)
    replica = led.replicas[replica_id]
    assert replica.store.order(1).transaction_number == 1
    assert (replica.health().halted, list(replica.health().findings)) == ("", [])
    for read in (
        lambda: replica.store.order(2),
        lambda: replica.store.order(1),
        lambda: replica.store.read_after(0, 9),
    ):
        with pytest.raises(RpcFailure, match=r"DAMAGED.*order_database.csv: bytes that were good are no longer: row 2"):
            read()
    assert "row 2" in replica.health().halted
    assert len(replica.health().findings) == 1
    assert replica.leadership is None
    with pytest.raises(RpcFailure, match="DAMAGED"):
        led.assign(replica_id)

    led.stop_replica(replica_id)
    mended = led.start_replica(replica_id)
    assert (mended.health().halted, mended.store.last_number) == ("", 1)
    first, second = mended.health().findings
    assert "bytes that were good are no longer: row 2" in first
    assert "order_database.csv: row 2 was damaged" in second
    assert log.with_name("order_database.csv.damaged-1").exists()


def test_leader_whose_bytes_changed_takes_no_order_more_and_answers_those_that_wait(led):
    """At once, whichever thread found it: its own may be busy with a turn or a heartbeat."""
    for n in range(3):
        led.place(3, buy(f"k{n}"))
    told: list[str] = []
    led.replicas[3]._on_damage = told.append
    (waiting,) = led.submit(3, buy("x"))
    flip_in_row(led.path / "order-3" / "order_database.csv", 2)
    with pytest.raises(RpcFailure, match="DAMAGED"):
        led.replicas[3].store.order(2)
    assert waiting.future.exception(0).reason is Reason.NOT_LEADER
    assert told == [led.replicas[3].health().halted]
    with pytest.raises(RpcFailure, match="DAMAGED"):
        led.submit(3, buy("y"))
    led.assign(2)
    assert led.place(2, buy("y")).transaction_number == 4


def test_catalog_whose_bytes_changed_trades_no_more_and_names_the_repair(led):
    for n in range(3):
        led.place(3, buy(f"k{n}"))
    flip_in_row(led.path / "catalog" / "catalog_journal.csv", 2)
    assert led.catalog_health().halted == ""
    for _ in range(2):
        with pytest.raises(RpcFailure, match=r"HALTED.*row 2"):
            led.catalog.list_trades(catalog_pb2.ListTradesRequest(after=0, limit=3))
    health = led.catalog_health()
    assert "row 2" in health.halted
    assert health.halted.endswith("stop all processes and run: python -m backends.catalog.rebuild")
    assert "row 2" in health.findings[0]
    (ticket,) = led.submit(3, buy("x"))
    led.turn(3)
    assert ticket.future.exception(0) is not None
    assert led.replicas[3].health().halted
    led.stop_catalog()
    with pytest.raises(StartRefused, match=r"row 2 is damaged: (has|is) .*backends.catalog.rebuild"):
        led.start_catalog()
