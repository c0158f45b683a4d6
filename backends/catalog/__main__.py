"""`python -m backends.catalog`: the catalog. Configuration -> ledger -> catalog -> server -> signals."""

if __name__ == "__main__":
    from common.process.start import start_clean

    start_clean()

import argparse
import os
from datetime import UTC, datetime
from pathlib import Path

import grpc
import structlog

from backends.catalog.catalog import Catalog
from backends.catalog.servicer import CatalogServicer
from backends.serving.catalog_metrics import CatalogMetrics
from backends.serving.server import BackendServer, run_process
from backends.storage.engines import open_ledger
from common.process.config import ClusterConfig, parse_address
from common.process.logs import add_facts
from common.process.metrics import METRICS_HELP, show_metrics
from common.process.private import keep_private
from common.process.stop_signals import wait_for_stop
from common.process.tls import Tls
from protos import catalog_pb2, catalog_pb2_grpc

log = structlog.get_logger()


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m backends.catalog", description="The catalog of Bourse.")
    parser.add_argument("--address", metavar="H:P", help="listen here (default: BOURSE_CATALOG)")
    parser.add_argument("--data-dir", type=Path, metavar="D", help="default: BOURSE_DATA_DIR/catalog")
    parser.add_argument(
        "--seed",
        type=Path,
        metavar="FILE.csv",
        help="stocks of a new directory: columns name,price,quantity (default: 32 well-known ones, 100 shares each)",
    )
    parser.add_argument("--metrics", metavar="H:P", help=METRICS_HELP)
    return parser.parse_args()


def main() -> None:
    """Serve until SIGTERM or SIGINT. Raises StartRefused and ConfigError with a line for the operator."""
    arguments = parse_arguments()
    config = ClusterConfig.from_environment(os.environ)
    address = parse_address(arguments.address or config.catalog, name="--address")
    config.check_privacy(address, name="--address")
    data_dir = arguments.data_dir or config.data_dir / "catalog"
    keep_private(data_dir)
    ledger = open_ledger(data_dir, arguments.seed)
    metrics = CatalogMetrics()
    ledger.on_sync = metrics.note_sync
    catalog = Catalog(ledger, utc_now=lambda: datetime.now(UTC), on_batch=metrics.note_batch)
    metrics.sample(lambda: catalog.health_check(catalog_pb2.CatalogHealthRequest()))
    add_facts(lambda: describe(catalog))
    shown = show_metrics(arguments.metrics, metrics.registry)
    server = make_server(address, catalog, config.tls)
    ledger.start()
    server.start()
    log.info("serving", address=server.address, data_dir=ledger.place, cluster_id=catalog.cluster_id, metrics=shown)
    log.info("stopping", signal=wait_for_stop())
    server.stop()
    ledger.close()


def describe(catalog: Catalog) -> dict[str, object]:
    """Return what each log line says of the catalog."""
    health = catalog.health_check(catalog_pb2.CatalogHealthRequest())
    return {"epoch": health.epoch, "last_number": health.last_number}


def is_ready(catalog: Catalog) -> bool:
    """Return whether it is of use: not halted, and its disk does not hang."""
    health = catalog.health_check(catalog_pb2.CatalogHealthRequest())
    return not (health.halted or health.stalled)


def make_server(address: str, catalog: Catalog, tls: Tls | None = None) -> BackendServer:
    """Return the server of a catalog, listening but not serving yet."""

    servicer = CatalogServicer(catalog)

    def register(server: grpc.Server) -> None:
        catalog_pb2_grpc.add_CatalogServiceServicer_to_server(servicer, server)

    services = catalog_pb2.DESCRIPTOR.services_by_name.values()
    return BackendServer(
        address,
        register,
        [service.full_name for service in services],
        tls,
        carried={catalog_pb2.UpdateStockRequest: servicer.UpdateStock},
        is_ready=lambda _service: is_ready(catalog),
    )


if __name__ == "__main__":
    run_process("catalog", main)
