"""Streams of events against real processes: cut off and back, too many, too slow, through a failover, to the end."""

import socket
import time
from collections.abc import Sequence
from functools import partial
from itertools import pairwise

from deploy.systems.waiting import wait_until
from tests.harness.cluster import Cluster
from tests.harness.events import EventClient
from tests.harness.invariants import check_invariants
from tests.harness.load import Load
from tests.harness.recorder import shown_order
from tests.harness.size import sized

STREAM_COUNT = 100  # more than threads would do
WITHIN_S = 5.0
# The ring of the newest events, what the cache and the connections hold; not an event for each that was not read.
MOST_GROWTH_BYTES = 64 << 20
ORDERS = 100


def test_client_that_is_cut_off_again_and_again_misses_nothing(shared_cluster: Cluster):
    """It comes back with the id of the last event it got: every order is seen, in order, none twice."""
    cuts = sized(quick=8, full=40)
    first = latest(shared_cluster) + 1
    with (
        EventClient(shared_cluster.rest.address, "?types=order") as client,
        Load.on(shared_cluster, traders=4, prefix="cut") as load,
    ):
        for _cut in range(cuts):
            wait_until(partial(more_than, client.events, len(client.events) + 10), WITHIN_S, "more events")
            client.cut()
            wait_until(partial(more_than, load.intents, len(load.intents) + 10), WITHIN_S, "orders while it is away")
            client.connect()
        load.stop()
        last = latest(shared_cluster)
        wait_until(lambda: client.numbers()[-1:] == [last], WITHIN_S, "the last order")
    assert not client.seen("reset")
    assert client.numbers() == list(range(first, last + 1))
    by_number = {intent.number: intent.order for intent in load.acknowledged}
    assert all(shown_order(data) == by_number[data["number"]] for data in client.seen("order"))


def test_trade_goes_on_with_many_streams_open(shared_cluster: Cluster):
    """100 orders are placed, and every stream shows all of them."""
    address = shared_cluster.rest.address
    clients = [EventClient(address, "?types=order") for _ in range(STREAM_COUNT)]
    try:
        for client in clients:
            client.connect()
        with Load.on(shared_cluster, traders=8, count=ORDERS, prefix="taken") as load:
            load.join(60)
        assert len(load.requests()) == len(load.acknowledged) == ORDERS
        print(f"{ORDERS} orders with {STREAM_COUNT} streams open: longest {load.longest_s():.2f} s")
        numbers = sorted(intent.number or 0 for intent in load.acknowledged)
        for client in clients:
            wait_until(partial(more_than, client.events, ORDERS), WITHIN_S, "all orders")
            assert client.numbers() == numbers
    finally:
        for client in clients:
            client.cut()


def test_place_of_a_client_that_is_gone_is_free_again(shared_cluster: Cluster):
    """Also of one that was gone before it was answered."""
    host, _, port = shared_cluster.rest.address.partition(":")
    for _connection in range(3 * STREAM_COUNT):
        with socket.create_connection((host, int(port))) as gone:
            gone.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    clients = [EventClient(shared_cluster.rest.address) for _ in range(STREAM_COUNT)]
    for client in clients:
        client.connect()
    for client in clients:
        client.cut()


def test_only_what_was_asked_for_and_a_reset_for_an_unknown_place(shared_cluster: Cluster):
    mine, other, *_ = shared_cluster.initial
    address = shared_cluster.rest.address
    with (
        EventClient(address, f"?name={mine}&types=order,stock") as named,
        EventClient(address, last_event_id="0123abcd-7") as unknown,
    ):
        placed = [shared_cluster.rest.place(name, "sell", 1).json()["data"] for name in (other, mine, other, mine)]
        wait_until(lambda: len(named.seen("order")) == 2 and named.seen("stock"), WITHIN_S, "both orders")
        assert named.seen("order") == [placed[1], placed[3]]
        wait_until(
            lambda: named.seen("stock")[-1]["quantity"] == shared_cluster.rest.quantity(mine), WITHIN_S, "the stock"
        )
        assert {data["name"] for data in named.seen("stock")} == {mine}
        wait_until(lambda: unknown.seen("order") == placed, WITHIN_S, "all orders")
        assert [event.type for event in unknown.events].count("reset") == 1
        assert [event.type for event in unknown.events[:2]] == ["reset", "place"]


def test_client_that_does_not_read_holds_up_nobody(shared_cluster: Cluster):
    """It costs the frontend no memory, and when it reads again it is told at most once that it missed something."""
    address, frontend = shared_cluster.rest.address, shared_cluster.processes["frontend"]
    orders = sized(300, 20_000)
    before = frontend.resident_bytes
    with EventClient(address) as slow, EventClient(address, "?types=order") as client:
        slow.may_read.clear()
        with Load.on(shared_cluster, traders=8, count=orders, prefix="idle") as load:
            load.join(sized(120, 600))
        wait_until(lambda: len(client.numbers()) == len(load.acknowledged), WITHIN_S, "all orders")
        grown = frontend.resident_bytes - before
        slow.may_read.set()
        last = latest(shared_cluster)
        wait_until(lambda: slow.numbers()[-1:] == [last], 4 * WITHIN_S, "the last order")
    numbers = slow.numbers()
    gaps = sum(following != number + 1 for number, following in pairwise(numbers))
    resets = len(slow.seen("reset"))
    print(f"{orders} orders: {len(numbers)} seen by the slow client, {resets} resets; {grown / 1e6:.0f} MB more")
    assert numbers == sorted(set(numbers))
    assert gaps <= resets <= 1
    assert grown < MOST_GROWTH_BYTES


def test_failover_is_told_and_a_stop_ends_the_stream(cluster: Cluster):
    leader = cluster.leader()
    catalog = cluster.catalog_health()
    assert catalog is not None
    with EventClient(cluster.rest.address, "?types=leader,replica") as client:
        name = next(iter(cluster.initial))
        cluster.kill(f"order-{leader}")
        wait_until(lambda: cluster.rest.place(name, "buy", 1, "failover").status_code == 201, 10, "an order")
        wait_until(lambda: any(data["leader"] for data in client.seen("leader")), WITHIN_S, "a new leader")
        new = client.seen("leader")[-1]
        assert new == {"leader": cluster.leader(), "epoch": catalog.epoch + 1, "reason": "failover"}
        assert {"id": leader, "state": "faulty", "lag": None, "role": None} in client.seen("replica")
        cluster.restart(f"order-{leader}")
        wait_until(
            lambda: [data["state"] for data in client.seen("replica") if data["id"] == leader][-1] == "in-sync",
            10,
            "the return of the replica",
        )
        began = time.monotonic()
        assert cluster.processes["frontend"].terminate() == 0
        assert time.monotonic() - began < 2
        wait_until(lambda: client.has_ended, 1, "the end of the stream")
    cluster.restart("frontend")
    cluster.wait_until(cluster.frontends_are_open, 20, "the frontend")
    client.connect()
    wait_until(lambda: client.seen("reset"), WITHIN_S, "a reset: the new process knows nothing of the old one's events")
    client.cut()
    check_invariants(cluster)


def more_than(those: Sequence[object], count: int) -> bool:
    """Whether there are more than so many."""
    return len(those) > count


def latest(cluster: Cluster) -> int:
    """Return the highest order number so far."""
    number: int = cluster.rest.get("/orders?limit=1").json()["page"]["latest"]
    return number
