"""A page of a list costs the same at the newest order and deep in a long history, whatever the filter."""

import statistics
import time
from pathlib import Path

import pytest

from tests.harness.cluster import Cluster
from tests.harness.preload import preload
from tests.harness.seeds import write_seed
from tests.harness.size import FULL, sized
from trading.api.order_query import order_cursor
from trading.reads.order_query import OrderFilters

ORDERS = sized(quick=30_000, full=1_000_000)
LIMIT = 50
# Of the unfiltered list, with 1,000,000 orders.
DEEP_PAGE = 10_000
ROUNDS = sized(quick=5, full=40)
COST_RATIO_LIMIT = 1.5
STOCK = "C05.T"
# Only the quick run's bound: any search through the rows would be far above it.
KEY_LIMIT_S = 0.25


@pytest.fixture
def cluster(tmp_path: Path):
    write_seed(tmp_path / "seed.csv")
    with Cluster(tmp_path, tmp_path / "seed.csv", interval_s=10) as running:
        assert running.rest.place("A00.T", "buy", 1, "preloaded-1").status_code == 201
        running.stop_all()
        preload(running, ORDERS)
        running.start_all()
        yield running


def test_pages_and_look_ups_at_flat_cost(cluster: Cluster):
    """Page 1 against page 10,000 for each filter and direction; a key that is new, old, or not known."""
    first = cluster.rest.get("/orders?direction=asc&limit=1").json()["data"][0]
    middle = cluster.rest.get(f"/orders/{ORDERS // 2}").json()["data"]["created_at"]
    for direction in ("desc", "asc"):
        for what, filters in {
            "unfiltered": OrderFilters(direction=direction),
            "name": OrderFilters(direction=direction, name=(STOCK,)),
            "type": OrderFilters(direction=direction, type="buy"),
            "after": OrderFilters(direction=direction, after=first["created_at"]),
            "until": OrderFilters(direction=direction, until="9999-12-31T00:00:00.000000Z"),
            "after_number": OrderFilters(direction=direction, after_number=1),
        }.items():
            check_pages(cluster, f"{what}, {direction}", filters)
    # A bound in the middle is found by bisection: nothing before it is looked at.
    seconds, order = timed(cluster, f"/orders?direction=asc&limit=1&after={middle}")
    print(f"first order after the middle: {seconds * 1e3:.1f} ms")
    assert order["number"] == ORDERS // 2 + 1
    check_keys(cluster)


def check_pages(cluster: Cluster, what: str, filters: OrderFilters) -> None:
    """Compare the median times of the first page and of page 10,000; by turns, so that noise hits both alike."""
    deep = ORDERS - LIMIT * (DEEP_PAGE if FULL else ORDERS // LIMIT // 2)
    is_descending = filters.direction == "desc"
    if not is_descending:
        deep = ORDERS - deep
    start = order_cursor(filters, ORDERS + 1 if is_descending else 1)
    times: tuple[list[float], list[float]] = ([], [])
    for _round in range(ROUNDS):
        for own, cursor in zip(times, (start, order_cursor(filters, deep)), strict=True):
            seconds, order = timed(cluster, f"/orders?limit={LIMIT}&cursor={cursor}")
            assert order["number"] < deep if is_descending and own is times[1] else order["number"] > 1
            own.append(seconds)
    one, two = map(statistics.median, times)
    print(f"{what}: page 1 {one * 1e3:.1f} ms, page {DEEP_PAGE:,} {two * 1e3:.1f} ms, ratio {two / one:.2f}")
    assert not FULL or two / one <= COST_RATIO_LIMIT


def check_keys(cluster: Cluster) -> None:
    """Look up keys by turns: the newest, one in the middle, the first, and one that nobody used."""
    keys = {f"preloaded-{number}": number for number in (ORDERS, ORDERS // 2, 1)} | {"never-used": None}
    times: dict[str, list[float]] = {key: [] for key in keys}
    for _round in range(ROUNDS):
        for key, number in keys.items():
            began = time.perf_counter()
            answer = cluster.rest.get(f"/orders?client_order_id={key}").json()
            times[key].append(time.perf_counter() - began)
            assert [order["number"] for order in answer["data"]] == ([] if number is None else [number])
            assert not answer["page"]["has_more"]
    for key, own in times.items():
        print(f"client_order_id={key}: {statistics.median(own) * 1e3:.1f} ms")
        assert statistics.median(own) < KEY_LIMIT_S


def timed(cluster: Cluster, path: str) -> tuple[float, dict[str, int]]:
    """Return the seconds that a list took, and its first order."""
    began = time.perf_counter()
    response = cluster.rest.get(path)
    seconds = time.perf_counter() - began
    assert response.status_code == 200, response.text
    return seconds, response.json()["data"][0]
