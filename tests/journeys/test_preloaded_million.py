"""A system with a long history starts soon, and an order costs what it cost when the history was short."""

import statistics
import time
from pathlib import Path

import pytest

from tests.harness.cluster import Cluster
from tests.harness.invariants import wait_for_equal_logs
from tests.harness.preload import preload
from tests.harness.seeds import write_seed
from tests.harness.size import FULL, sized

FEW = 1_000
MANY = sized(quick=20_000, full=1_000_000)
START_LIMIT_S = 10.0
CATALOG_START_LIMIT_S = 30.0
MEASURED_ORDERS = sized(quick=50, full=1_000)
COST_RATIO_LIMIT = 1.2
REPLICA_BYTES_LIMIT = 32
CATALOG_BYTES_LIMIT = 300


@pytest.fixture
def clusters(tmp_path: Path):
    """Two running systems: one began with few orders in its files, the other with many."""
    write_seed(tmp_path / "seed.csv")
    with (
        Cluster(tmp_path / "few", tmp_path / "seed.csv", interval_s=10) as few,
        Cluster(tmp_path / "many", tmp_path / "seed.csv", interval_s=10) as many,
    ):
        for cluster, count in ((few, FEW), (many, MANY)):
            assert cluster.rest.place("A00.T", "buy", 1).status_code == 201
            cluster.stop_all()
            preload(cluster, count)
        yield few, many


def test_long_history(clusters: tuple[Cluster, Cluster]):
    """Start within 10 s, flat cost of an order, few bytes of memory an order."""
    few, many = clusters
    memory = {}
    for cluster, count in ((few, FEW), (many, MANY)):
        for name in cluster.processes:
            if name == "catalog" or name.startswith("order"):
                seconds, memory[cluster, name] = start(cluster, name, count)
                print(f"{name} with {count} orders: ready in {seconds:.1f} s, {memory[cluster, name] / 2**20:.0f} MiB")
                assert seconds <= (CATALOG_START_LIMIT_S if name == "catalog" else START_LIMIT_S)
        cluster.start_all()
    for name, limit in (("order-1", REPLICA_BYTES_LIMIT), ("catalog", CATALOG_BYTES_LIMIT)):
        each = (memory[many, name] - memory[few, name]) / (MANY - FEW)
        print(f"{name}: {each:.0f} bytes of memory an order")
        assert not FULL or each <= limit

    medians = median_order_seconds(few, many)
    ratio = medians[1] / medians[0]
    print(f"an order: {medians[0] * 1e3:.2f} ms with {FEW}, {medians[1] * 1e3:.2f} ms with {MANY}, ratio {ratio:.2f}")
    assert not FULL or ratio <= COST_RATIO_LIMIT
    assert wait_for_equal_logs(many, many.interval_s + 5).count(b"\n") - 1 == MANY + MEASURED_ORDERS
    assert "initial + sells - buys = quantity for each" in many.manage("replicas", "verify")


def start(cluster: Cluster, name: str, count: int) -> tuple[float, int]:
    """Start a backend and return the seconds until it answers with its whole history, and its memory in bytes."""
    began = time.monotonic()
    cluster.restart(name)

    def is_ready() -> bool:
        answer = cluster.catalog_health() if name == "catalog" else cluster.health(int(name[-1]))
        return answer is not None and answer.last_number >= count

    cluster.wait_until(is_ready, 60, f"{name} with {count} orders")
    return time.monotonic() - began, cluster.processes[name].resident_bytes


def median_order_seconds(*clusters: Cluster) -> list[float]:
    """Return the median time of one order at each system; they take turns, so that noise hits all alike."""
    times: list[list[float]] = [[] for _ in clusters]
    for number in range(MEASURED_ORDERS):
        for cluster, own in zip(clusters, times, strict=True):
            began = time.perf_counter()
            response = cluster.rest.place("A00.T", "sell" if number % 2 else "buy", 1, f"measured-{number}")
            own.append(time.perf_counter() - began)
            assert response.status_code == 201, response.text
    return [statistics.median(own) for own in times]
