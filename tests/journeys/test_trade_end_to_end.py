"""16 clients trade on 486 stocks, and everything adds up."""

import time

from tests.harness.cluster import Cluster
from tests.harness.invariants import check_invariants
from tests.harness.load import Load
from tests.harness.size import sized

CLIENT_COUNT = 16


def test_a_first_visit(cluster: Cluster):
    """Look up, buy, look up again, find the order, sell, list: what the README shows."""
    name = next(iter(cluster.initial))
    assert cluster.rest.get(f"/stocks/{name}").json()["data"]["quantity"] == 100

    bought = cluster.rest.place(name, "buy", 3)
    assert bought.status_code == 201
    assert bought.json()["data"]["transaction_number"] == 1
    assert bought.headers["Location"] == "/orders/1"
    assert cluster.rest.get(f"/stocks/{name}").json()["data"]["quantity"] == 97
    assert cluster.rest.get("/orders/1").json() == bought.json()

    assert cluster.rest.place(name, "sell", 1).json()["data"]["number"] == 2
    listed = cluster.rest.get("/orders").json()
    assert [order["number"] for order in listed["data"]] == [2, 1]
    assert listed["page"]["latest"] == 2

    refused = cluster.rest.place(name, "buy", 99)
    assert (refused.status_code, refused.json()["error"]["reason"]) == (409, "INSUFFICIENT_STOCK")
    right = f"{name},{cluster.rest.get(f'/stocks/{name}').json()['data']['price_decimal']},100,98,2"
    cluster.wait_until(lambda: right in stocks_file(cluster), 2, "the last trade in catalog_database.csv")
    assert check_invariants(cluster) == 2


def stocks_file(cluster: Cluster) -> list[str]:
    """Return the lines of the file that shows the stocks to whoever opens it while the system runs."""
    return (cluster.data_dir / "catalog" / "catalog_database.csv").read_text().splitlines()


def test_many_clients(cluster: Cluster):
    """Numbers 1..N, quantities, three identical databases, every acknowledged order readable."""
    count = sized(quick=1_000, full=5_000)
    began = time.monotonic()
    with Load.on(cluster, traders=CLIENT_COUNT, count=count) as load:
        load.join(300)
    seconds = time.monotonic() - began
    print(f"{count} orders by {CLIENT_COUNT} clients: {count / seconds:.0f}/s, longest {load.longest_s():.2f} s")

    assert load.errors() == [], "an order was not settled at once"
    assert check_invariants(cluster, load.recorder) == len(load.acknowledged)
