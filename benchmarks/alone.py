"""One backend by itself on a log of its own: how long it takes to start, and how much memory it has then."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import BenchmarkError, cpu_seconds, memory_bytes
from common.calls.failures import RpcFailure
from common.calls.network import Network
from deploy.systems.ports import PortBlock
from deploy.systems.process import Process
from deploy.systems.system import clean_environment
from protos import catalog_pb2, order_pb2

START_WITHIN_S = 600.0
POLL_S = 0.01
CALL_TIMEOUT_S = 1.0


@dataclass(frozen=True)
class Start:
    """One start: seconds and CPU seconds until the first answer to a health check; bytes of memory of its own then."""

    seconds: float
    cpu_s: float
    memory: int


def start_catalog(folder: Path) -> Start:
    """Start a catalog on folder/var/catalog, and stop it again."""
    return _start(folder, "catalog", ["-m", "backends.catalog"], catalog_pb2.CatalogHealthRequest())


def start_replica(folder: Path) -> Start:
    """Start a replica on folder/var/order-1, without a catalog, and stop it again."""
    return _start(folder, "order-1", ["-m", "backends.order", "--replica-id", "1"], order_pb2.HealthCheckRequest())


def _start(
    folder: Path,
    name: str,
    arguments: list[str],
    health: catalog_pb2.CatalogHealthRequest | order_pb2.HealthCheckRequest,
) -> Start:
    ports = PortBlock()
    catalog, order, *_ = ports.addresses
    environment = clean_environment() | {
        "BOURSE_CATALOG": catalog,
        "BOURSE_REPLICAS": f"1={order}",
        "BOURSE_DATA_DIR": str(folder / "var"),
    }
    network = Network()
    process = Process(name, [sys.executable, *arguments], environment, folder / f"{name}.log")
    began = time.perf_counter()
    process.start()
    try:
        while not _answers(network, catalog if name == "catalog" else order, health):
            process.check_runs()
            if time.perf_counter() > began + START_WITHIN_S:
                raise BenchmarkError(f"{name} does not answer {START_WITHIN_S:.0f} s after its start")
            time.sleep(POLL_S)
        return Start(time.perf_counter() - began, cpu_seconds(process.pid), memory_bytes(process.pid))
    finally:
        process.stop()
        network.close()
        ports.close()


def _answers(
    network: Network, address: str, health: catalog_pb2.CatalogHealthRequest | order_pb2.HealthCheckRequest
) -> bool:
    try:
        network.call(address, health, CALL_TIMEOUT_S)
    except RpcFailure:
        return False
    return True
