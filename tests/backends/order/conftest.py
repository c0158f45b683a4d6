from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backends.data_directory import DataDirectory
from backends.log import Log
from backends.order.store import LOG_NAME, OrderStore
from tests.backends.order.direct import DirectCluster

OpenStore = Callable[..., OrderStore]


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[OpenStore]:
    """Open the order store of a replica in a directory of its own; all are closed at the end."""
    stores: list[OrderStore] = []

    def open_one(replica_id: int = 1) -> OrderStore:
        path = tmp_path / f"order-{replica_id}"
        directory = DataDirectory.open(path, "order", replica_id)
        store = OrderStore(directory, lambda cluster: Log.open(path / LOG_NAME, cluster, damage="keep_prefix"))
        stores.append(store)
        return store

    yield open_one
    for store in stores:
        store.close()


@pytest.fixture
def cluster(tmp_path, open_store):
    cluster = DirectCluster(tmp_path, open_store)
    yield cluster
    cluster.close()


@pytest.fixture
def led(cluster):
    """A cluster that replica 3 leads."""
    cluster.assign(3)
    return cluster
