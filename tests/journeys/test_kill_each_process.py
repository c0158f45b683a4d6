"""Every order replica and the catalog are killed and restarted under load, and nobody notices but by waiting."""

import time

import pytest

from tests.harness.cluster import Cluster
from tests.harness.invariants import check_invariants, wait_for_equal_logs
from tests.harness.load import Load
from tests.harness.size import sized

CLIENT_COUNT = 8
# Without any one process orders go on: without a replica after an election, with the catalog when it is back.
RECOVERY_S = 6.0
AWAY_ORDERS = 20


def test_killed_processes_return_identical(cluster: Cluster):
    """Refusals, 503 and 504 are the only errors; afterwards all invariants hold."""
    with Load.on(cluster, traders=CLIENT_COUNT, pause_s=0.02) as load:
        for _ in range(sized(quick=1, full=3)):
            for name in ("order-1", "order-2", "order-3", "catalog"):
                kill_and_restart(cluster, load, name)
    print(f"{len(load.acknowledged)} orders, the longest took {load.longest_s():.2f} s")
    assert load.unanswered() == []
    assert [intent for intent in load.intents if not intent.is_settled] == []
    check_invariants(cluster, load.recorder)


def kill_and_restart(cluster: Cluster, load: Load, name: str) -> None:
    """Kill one process; let trade go on without it if it is a replica; restart it and wait until it is back."""
    cluster.kill(name)
    if name != "catalog":
        wait_for_orders(cluster, load, RECOVERY_S, f"orders without {name}")
    cluster.restart(name)
    cluster.wait_until(cluster.all_in_sync, cluster.interval_s + 5, f"{name} in sync again")
    wait_for_orders(cluster, load, RECOVERY_S, f"orders after the return of {name}")


def wait_for_orders(cluster: Cluster, load: Load, within_s: float, what: str) -> None:
    """Wait until a number of orders were begun and acknowledged from now on."""
    moment = time.monotonic()
    cluster.wait_until(lambda: load.acknowledged_since(moment) >= AWAY_ORDERS, within_s, what)


@pytest.mark.parametrize("name", ["order-1", "order-2", "order-3"])
def test_replica_that_was_away_is_identical_again(shared_cluster: Cluster, name: str):
    """A replica misses orders; within the health interval and 5 s after its start its file is the others'."""
    shared_cluster.wait_ready()
    shared_cluster.kill(name)
    with Load.on(shared_cluster, traders=4, count=100, prefix=f"{name}-away") as load:
        load.join(60)
    assert len(load.acknowledged) > AWAY_ORDERS
    shared_cluster.restart(name)
    wait_for_equal_logs(shared_cluster, shared_cluster.interval_s + 5)


def test_leader_killed_under_load_costs_no_error(cluster: Cluster):
    """Orders that were under way are answered after a short wait, all with their result."""
    with Load.on(cluster, traders=CLIENT_COUNT, pause_s=0.02) as load:
        wait_for_orders(cluster, load, 10, "orders")
        moment = time.monotonic()
        cluster.kill(f"order-{cluster.leader()}")
        cluster.wait_until(lambda: load.acknowledged_since(moment) >= AWAY_ORDERS, RECOVERY_S, "orders after the kill")
    print(f"the longest order took {load.longest_s():.2f} s")
    assert load.errors() == []
    assert load.longest_s() <= 2.5
