from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backends.order.store import OrderStore
from backends.storage.csv.data_directory import DataDirectory
from backends.storage.csv.files import OS_FILES
from backends.storage.csv.log import Log
from backends.storage.csv.order_log import ORDER_LOG_NAME, CsvOrderLog
from backends.storage.engines import open_csv_log
from tests.backends.catalog.desk import Desk
from tests.backends.order.direct import DirectCluster
from tests.backends.storage.csv.log_files import CLUSTER, die, write_log


@pytest.fixture
def open_log(tmp_path):
    """Open a log with these rows in it; all are closed at the end."""
    logs: list[Log] = []

    def open_one(rows=(), **options):
        path = tmp_path / f"log-{len(logs)}.csv"
        if rows:
            write_log(path, list(rows))
        logs.append(Log.open(path, CLUSTER, damage="refuse", die=die, **options))
        return logs[-1]

    yield open_one
    for log in logs:
        log.close()


@pytest.fixture
def desk(tmp_path):
    """A new catalog with three stocks; no epoch has begun."""
    return Desk(tmp_path / "catalog")


OpenStore = Callable[..., OrderStore]


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[OpenStore]:
    """Open the order store of a replica in a directory of its own; all are closed at the end."""
    stores: list[OrderStore] = []

    def open_one(replica_id: int = 1) -> OrderStore:
        path = tmp_path / f"order-{replica_id}"
        directory = DataDirectory.open(path, "order", replica_id)
        store = OrderStore(CsvOrderLog(directory, open_csv_log(path / ORDER_LOG_NAME, OS_FILES)))
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
