"""The frontend's edge with real backends: clients that hang up, a stop with all under way, and its loop under load."""

import json
import sys
import time
from contextlib import ExitStack

import pytest

from tests.harness.cluster import Cluster
from tests.harness.load import Load
from tests.harness.seeds import write_seed
from tests.harness.slow_client import Client
from tests.harness.watched_frontend import MARK

JSON = "Content-Type: application/json"


def connect(cluster: Cluster) -> Client:
    host, port = cluster.rest.address.split(":")
    return Client((host, int(port)))


def post(cluster: Cluster, key: str) -> Client:
    body = json.dumps({"name": next(iter(cluster.initial)), "type": "buy", "quantity": 1, "client_order_id": key})
    return connect(cluster).ask("POST /orders", JSON, f"Content-Length: {len(body)}", body=body)


def metric(cluster: Cluster, sample: str) -> float:
    lines = cluster.rest.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(sample))


def numbers(cluster: Cluster, key: str) -> list[int]:
    found = cluster.rest.get(f"/orders?client_order_id={key}").json()["data"]
    return [order["number"] for order in found]


def wait_until_sent(cluster: Cluster, more_than: float) -> float:
    """Return how many orders were sent to leaders, once that is more than it was."""

    def sent() -> float:
        found = metric(cluster, "bourse_frontend_called_orders_total")
        return found if found > more_than else 0.0

    return cluster.wait_until(sent, 5, "an order that is sent")


def test_of_orders_whose_clients_hang_up_the_sent_ones_are_made_and_the_others_dropped(cluster: Cluster):
    with post(cluster, "before") as before:
        assert before.answer().status == 201
    sent = metric(cluster, "bourse_frontend_called_orders_total")
    cluster.freeze(f"order-{cluster.leader()}")
    first = post(cluster, "sent-1")  # in a call of its own
    sent = wait_until_sent(cluster, sent)
    second = post(cluster, "sent-2")  # in a second one behind it, soon; there is no third
    wait_until_sent(cluster, sent)
    with post(cluster, "waits") as waits:
        for client in (post(cluster, "gone"), first, second):
            client.close()
        assert waits.answer().status == 201
    cluster.wait_until(lambda: metric(cluster, 'bourse_frontend_orders_total{outcome="dropped"') == 1, 5, "the drop")
    cluster.wait_until(lambda: len(numbers(cluster, "sent-1") + numbers(cluster, "sent-2")) == 2, 5, "those sent")
    assert (len(numbers(cluster, "waits")), numbers(cluster, "gone")) == (1, [])


def test_a_stop_answers_the_orders_that_wait_and_waits_for_nobody_who_sends_no_more(cluster: Cluster):
    frontend = cluster.processes["frontend"]
    with ExitStack() as stack:
        bodies = [
            stack.enter_context(connect(cluster).ask("POST /orders", JSON, "Content-Length: 100", body='{"name"'))
            for _ in range(20)
        ]
        heads = [stack.enter_context(connect(cluster).send("GET /stocks HTTP/1.1\r\nHo")) for _ in range(20)]
        idle = [stack.enter_context(connect(cluster)) for _ in range(20)]
        sent = metric(cluster, "bourse_frontend_called_orders_total")
        cluster.freeze(f"order-{cluster.leader()}")
        orders = [stack.enter_context(post(cluster, f"k{number}")) for number in range(30)]
        wait_until_sent(cluster, sent)
        began = time.monotonic()
        frontend._started.terminate()
        answers = [one.answer() for one in bodies]
        assert {(one.status, json.loads(one.body)["error"]["reason"]) for one in answers} == {(503, "SHUTTING_DOWN")}
        assert time.monotonic() - began < 1.0
        assert all(one.is_closed_within(1.0) for one in (*heads, *idle))
        assert {one.answer().status for one in orders} == {201}
        assert frontend.wait(10) == 0
        assert time.monotonic() - began < 4.0
    frontend.start()
    cluster.wait_until(cluster.frontends_are_open, 20, "the frontend")
    assert [len(numbers(cluster, f"k{number}")) for number in range(30)] == [1] * 30


def test_a_stop_with_nothing_but_unfinished_requests_is_quick(shared_cluster: Cluster):
    frontend = shared_cluster.processes["frontend"]
    with ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(connect(shared_cluster).ask("POST /orders", JSON, "Content-Length: 100", body="{"))
            stack.enter_context(connect(shared_cluster).send("GET /stocks HTTP/1.1\r\nHo"))
        began = time.monotonic()
        assert frontend.terminate() == 0
        assert time.monotonic() - began < 3.0
    frontend.start()
    shared_cluster.wait_until(shared_cluster.frontends_are_open, 20, "the frontend")


def test_nothing_waits_in_the_loop(tmp_path):
    """Orders, look-ups that miss, orders by number, tokens that nobody knows, a leader that stands still, a stop."""
    write_seed(tmp_path / "seed.csv")
    cluster = Cluster(tmp_path, tmp_path / "seed.csv", environment={"BOURSE_AUTH": "on"})
    frontend = cluster.processes["frontend"]
    frontend.command = [sys.executable, "-m", "tests.harness.watched_frontend", cluster.frontends["frontend"]]
    cluster.manage("migrate", "--verbosity", "0")
    cluster.log_in("ann", "trader")
    with cluster:
        for number in range(20):
            assert cluster.rest.get("/stocks", headers={"Authorization": f"Bearer made-up-{number}"}).status_code == 401
            assert cluster.rest.get("/orders/1", headers={"Authorization": f"Bearer other-{number}"}).status_code == 401
        with Load.on(cluster, traders=8) as load:
            cluster.wait_until(lambda: len(load.acknowledged) >= 200, 20, "orders")
            for name in list(cluster.initial)[:30]:
                assert cluster.rest.get(f"/stocks/{name}").status_code == 200
            for number in range(1, 30):
                assert cluster.rest.get(f"/orders/{number}").status_code in (200, 404)
            frozen, moment = f"order-{cluster.leader()}", time.monotonic()
            cluster.freeze(frozen)
            cluster.wait_until(lambda: load.acknowledged_since(moment) >= 20, 8, "orders without it")
            cluster.resume(frozen)
        assert frontend.terminate() == 0
        blocked = [line for line in frontend.output.splitlines() if line.startswith(MARK)]
        assert blocked == []


@pytest.mark.processes
def test_the_watch_sees_what_waits(tmp_path):
    """Else the test above would show nothing."""
    write_seed(tmp_path / "seed.csv")
    with Cluster(tmp_path, tmp_path / "seed.csv") as cluster:
        program = (
            "import asyncio, threading, time, sqlite3\n"
            "from tests.harness import watched_frontend as watched\n"
            "[watched.watch(*one) for one in watched.WAITING]\n"
            "watched.LOOP['thread'] = threading.get_ident()\n"
            "time.sleep(0)\n"
            "threading.Event().wait(0.001)\n"
            "sqlite3.connect(':memory:', factory=watched.Connection).execute('select 1')\n"
            "sqlite3.connect(':memory:', factory=watched.Connection).cursor()\n"
        )
        told = cluster.run("-c", program).stdout
    assert told.count(MARK) == 3
