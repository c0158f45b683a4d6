"""Without the catalog nothing trades and no stock is shown; orders that were made are still served."""

import time
from collections.abc import Callable

import httpx

from tests.harness.cluster import Cluster
from tests.harness.invariants import check_invariants

ANSWER_WITHIN_S = 2.0


def test_503_within_2_s_and_recovery(cluster: Cluster):
    """Each request fails fast and says that nothing was done; after the catalog's return all goes on by itself."""
    name = next(iter(cluster.initial))
    placed = cluster.rest.place(name, "buy", 1)
    assert placed.status_code == 201
    cluster.kill("catalog")
    cluster.wait_until(lambda: cluster.rest.get(f"/stocks/{name}").status_code == 503, 3, "no more cached stocks")

    for ask in (
        lambda: cluster.rest.get(f"/stocks/{name}"),
        lambda: cluster.rest.get("/stocks"),
        lambda: cluster.rest.get("/orders"),
        lambda: cluster.rest.get("/orders?client_order_id=while-down"),
        lambda: cluster.rest.get("/orders/2"),
        lambda: cluster.rest.place(name, "buy", 1, "while-down"),
    ):
        assert reason_within(ask) == "CATALOG_UNAVAILABLE"
    assert cluster.rest.get("/orders/1").json() == placed.json()

    cluster.restart("catalog")
    cluster.wait_until(
        lambda: cluster.rest.place(name, "buy", 1, "while-down").status_code == 201, 10, "an order after the return"
    )
    assert cluster.rest.get(f"/stocks/{name}").json()["data"]["quantity"] == 98
    assert check_invariants(cluster) == 2


def reason_within(ask: Callable[[], httpx.Response]) -> str:
    """Return the reason of a 503 that came within 2 s."""
    began = time.monotonic()
    response = ask()
    assert time.monotonic() - began <= ANSWER_WITHIN_S
    assert response.status_code == 503, response.text
    assert int(response.headers["Retry-After"]) >= 1
    reason: str = response.json()["error"]["reason"]
    return reason
