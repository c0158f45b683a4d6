"""Without a health loop the frontends alone choose who leads: nobody puts a wrong choice right afterwards."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.harness.cluster import Cluster
from tests.harness.seeds import write_seed


class WithoutHealthLoop(Cluster):
    """A cluster whose operator forgot the health loop. Nobody leads before the first order."""

    def start(self) -> None:
        del self.processes["health"]
        for process in self.processes.values():
            process.start()
        self.wait_until(self.backends_answer, 30, "an answer of every backend")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    write_seed(tmp_path / "seed.csv")
    with WithoutHealthLoop(tmp_path, tmp_path / "seed.csv") as running:
        yield running


def place(cluster: Cluster, key: str) -> None:
    """Place an order, with its key again until a frontend serves and it is settled."""
    name = next(iter(cluster.initial))

    def is_placed() -> bool:
        try:
            return cluster.rest.place(name, "buy", 1, key).status_code == 201
        except httpx.TransportError:
            return False

    cluster.wait_until(is_placed, 30, f"order {key}")


def test_highest_healthy_id_leads_from_the_first_order_on(cluster: Cluster):
    assert cluster.leader() is None
    place(cluster, "first")
    assert cluster.leader() == 3
    cluster.kill("order-3")
    place(cluster, "second")
    assert cluster.leader() == 2
    cluster.restart("order-3")
    cluster.wait_until(cluster.backends_answer, 30, "an answer of every backend")
    place(cluster, "third")
    assert cluster.leader() == 2
    assert leaders(cluster) == [3, 2]


def leaders(cluster: Cluster) -> list[int]:
    """Return who led in each epoch."""
    lines = (cluster.data_dir / "catalog" / "catalog_epochs.csv").read_text().splitlines()[1:]
    return [int(line.split(",")[1]) for line in lines]
