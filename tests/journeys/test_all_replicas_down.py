"""Without any order replica nothing trades, everything else answers, and all recovers by itself."""

from tests.harness.cluster import Cluster
from tests.harness.invariants import check_invariants


def test_orders_are_503_until_one_returns(cluster: Cluster):
    """503 NO_LEADER with Retry-After and nothing executed; one replica is enough to trade again."""
    name = next(iter(cluster.initial))
    assert cluster.rest.place(name, "buy", 1).status_code == 201
    # The leader first: an order that is sent before its end is noticed may have been executed for all that is known.
    for number in sorted(cluster.replicas, reverse=True):
        cluster.kill(f"order-{number}")

    refused = cluster.rest.place(name, "buy", 1, "while-down")
    assert refused.status_code == 503
    error = refused.json()["error"]
    assert (error["reason"], error["outcome"]) == ("NO_LEADER", "not_executed")
    assert int(refused.headers["Retry-After"]) >= 1
    assert cluster.rest.get("/orders/1").status_code == 503
    assert cluster.rest.quantity(name) == 99

    cluster.restart("order-1")
    cluster.wait_until(
        lambda: cluster.rest.place(name, "buy", 1, "while-down").status_code == 201, 10, "an order with one replica"
    )
    cluster.restart("order-2")
    cluster.restart("order-3")
    cluster.wait_until(cluster.all_in_sync, cluster.interval_s + 8, "all replicas in sync")
    assert check_invariants(cluster) == 2
