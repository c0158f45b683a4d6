import io
import json
from datetime import UTC, datetime, timedelta

import pytest

from protos import order_pb2
from tests.trading.fake_cluster import CATALOG, CONFIG, FakeCluster
from trading.operator.look import ClusterLook
from trading.operator.printing import NO_LOOP, print_json, print_table
from trading.operator.status import status_data
from trading.replicas.manager import ReplicaManager

NOW = datetime(2031, 4, 9, 13, 5, 22, 104511, UTC)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def cluster():
    return FakeCluster.led_by(2, epoch=4, last_number=61)


@pytest.fixture
def manager(cluster):
    manager = ReplicaManager(CONFIG, cluster.network, cluster.clock)
    return ClusterLook(manager, cluster.network, cluster.clock, lambda: NOW)


def status(manager):
    return status_data(manager.look(measure=True), CONFIG)


def errors(manager):
    return [replica["error"] for replica in status(manager)["replicas"]]


def test_all_in_sync_is_ok_and_the_leader_comes_first(manager):
    data = status(manager)
    assert {key: data[key] for key in ("health", "min_in_sync", "leader", "epoch", "last_number")} == {
        "health": "ok",
        "min_in_sync": 1,
        "leader": 2,
        "epoch": 4,
        "last_number": 61,
    }
    assert [(one["id"], one["role"], one["state"]) for one in data["replicas"]] == [
        (2, "leader", "in-sync"),
        (3, "follower", "in-sync"),
        (1, "follower", "in-sync"),
    ]
    assert data["replicas"][0] == {
        "id": 2,
        "address": "order:2",
        "role": "leader",
        "state": "in-sync",
        "last_number": 61,
        "lag": 0,
        "rtt_ms": 0.0,
        "last_seen": "2031-04-09T13:05:22.104511Z",
        "error": None,
        "findings": [],
    }


def test_a_lagging_and_a_dead_follower_degrade(cluster, manager):
    cluster.replicas[2].followers[3] = order_pb2.CATCHING_UP
    cluster.replicas[3].last_number = 58
    cluster.kill(1)
    data = status(manager)
    assert data["health"] == "degraded"
    _, lagging, dead = data["replicas"]
    assert (lagging["state"], lagging["lag"], lagging["error"]) == ("catching-up", 3, None)
    assert (dead["state"], dead["lag"], dead["error"], dead["role"]) == ("faulty", None, "Connection refused", None)


@pytest.mark.parametrize("missing", ["leader", "catalog", "in sync"])
def test_what_cannot_trade_is_down(cluster, manager, missing):
    if missing == "leader":
        cluster.replicas[2].role = order_pb2.FOLLOWER
    elif missing == "catalog":
        cluster.network.dead.add(CATALOG)
    else:
        cluster.replicas[2].halted = "diverged"
    data = status(manager)
    assert data["health"] == "down"
    assert (data["catalog"]["error"] is not None) == (missing == "catalog")


def test_a_replica_that_nobody_catches_up_is_lagging_and_what_to_do_is_said(cluster, manager):
    cluster.replicas[2].followers[3] = order_pb2.FAULTY
    cluster.replicas[2].errors[3] = "UNAVAILABLE UNREACHABLE: order:3: ipv4:1.2.3.4:5: Connection refused"
    lagging = status(manager)["replicas"][1]
    assert (lagging["state"], lagging["error"]) == (
        "lagging",
        "left out by the leader (Connection refused); a health loop, if one runs, catches it up,"
        " or `replicas resync 3`",
    )
    cluster.replicas[1].watched = True
    assert "; the health loop's next round catches it up, or" in status(manager)["replicas"][1]["error"]
    for replica in cluster.replicas.values():
        replica.watched = False
    assert status(manager)["replicas"][1]["error"] == (
        "left out by the leader (Connection refused); no health loop catches it up: start one, or `replicas resync 3`"
    )


def test_no_health_loop_is_said_when_no_replica_that_answers_was_looked_at_by_one(cluster, manager):
    out = io.StringIO()
    cluster.replicas[1].watched = True
    cluster.replicas[2].watched = False
    assert status(manager)["health_loop"]
    cluster.kill(1)
    data = status(manager)
    assert not data["health_loop"]
    print_table(data, out, NOW)
    assert out.getvalue().splitlines()[1] == NO_LOOP


def test_that_nobody_can_say_whose_cluster_it_is_is_told_apart_from_another_one(cluster, manager):
    cluster.replicas[1].cluster_id = "c2"
    assert errors(manager) == [None, None, "belongs to another cluster: c2"]
    strange = ClusterLook(ReplicaManager(CONFIG, cluster.network, cluster.clock), cluster.network)
    cluster.network.dead.add(CATALOG)
    assert errors(strange) == [
        f"ours or not: the catalog is away, and replicas name several clusters, this one {one}"
        for one in ("c1", "c1", "c2")
    ]


def test_a_process_cut_off_from_the_catalog_says_that_the_leader_is_not(cluster, manager):
    cluster.network.dead.add(CATALOG)
    cluster.replicas[2].hears_catalog = True
    data = status(manager)
    assert data["health"] == "degraded"
    assert data["catalog"]["trades"]
    assert data["catalog"]["error"] == "this process does not reach it (Connection refused); the leader does"
    cluster.replicas[2].hears_catalog = False
    data = status(manager)
    assert (data["health"], data["catalog"]["trades"]) == ("down", False)
    assert data["catalog"]["error"] == "Connection refused"


def test_the_table_off_a_terminal_is_aligned_plain_text(cluster, manager):
    cluster.kill(1)
    cluster.replicas[2].followers[1] = order_pb2.FAULTY
    out = io.StringIO()
    print_table(status(manager), out, NOW + timedelta(seconds=1))
    assert out.getvalue().splitlines() == [
        "orders: DEGRADED   leader 2   epoch 4   last 61   in sync 2/3 (min 1)   2031-04-09 13:05:23Z",
        "ID  ADDRESS  ROLE      STATE    LAST  LAG    RTT  SEEN  ERROR",
        " 2  order:2  leader    in-sync    61    0  0.0ms   now",
        " 3  order:3  follower  in-sync    61    0  0.0ms   now",
        " 1  order:1  -         faulty      -    -      -     -  Connection refused",
    ]


def test_what_was_found_in_the_files_is_told_until_it_is_seen(cluster, manager):
    cluster.catalog.findings = ["catalog_epochs.csv was damaged: line 2"]
    cluster.replicas[1].findings = ["order_database.csv: row 8 was damaged"]
    data = status(manager)
    assert data["health"] == "ok"
    assert [one["findings"] for one in data["replicas"]] == [[], [], ["order_database.csv: row 8 was damaged"]]
    for out in (io.StringIO(), Terminal()):
        print_table(data, out, NOW)
        last = [line.rstrip() for line in out.getvalue().splitlines()]
        assert "catalog found: catalog_epochs.csv was damaged: line 2" in last
        assert "replica 1 found: order_database.csv: row 8 was damaged" in last
        assert "remove findings.txt" in " ".join(last[-2:])
    cluster.catalog.findings = cluster.replicas[1].findings = []
    out = io.StringIO()
    print_table(status(manager), out, NOW)
    assert "found" not in out.getvalue()


def test_the_table_on_a_terminal_holds_the_same(manager):
    out = Terminal()
    print_table(status(manager), out, NOW + timedelta(seconds=34))
    assert "in-sync" in out.getvalue()
    assert "34s" in out.getvalue()


def test_the_json_is_the_data_itself(manager):
    out = io.StringIO()
    data = status(manager)
    print_json(data, out)
    assert json.loads(out.getvalue()) == data
