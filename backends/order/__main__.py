"""`python -m backends.order`: one order replica. Configuration -> store -> replica -> server -> signals."""

if __name__ == "__main__":
    from common.process.start import start_clean

    start_clean()

import argparse
import os
import queue
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeAlias

import grpc
import structlog

from backends.order.catalog_link import HEALTH_TIMEOUT_S, CatalogLink
from backends.order.reads.reader import OrderReader
from backends.order.replica import Replica
from backends.order.servicer import OrderServicer, ReplicationServicer
from backends.order.store import OrderStore
from backends.serving.order_metrics import OrderMetrics
from backends.serving.server import STOP_GRACE_S, BackendServer, run_process, start_again
from backends.storage.engines import open_order_log
from backends.storage.ports import OrderLog, StartRefused
from common.bounds import MAX_REPLICA_ID
from common.calls.failures import RpcFailure
from common.calls.network import Network
from common.process.config import ClusterConfig, ConfigError, parse_address
from common.process.exit_now import exit_process
from common.process.findings import FINDINGS_NAME, NO_LONGER_GOOD
from common.process.finish import run_program
from common.process.logs import add_facts, configure_logs
from common.process.metrics import METRICS_HELP, show_metrics
from common.process.private import keep_private
from common.process.stop_signals import call_at_stop
from common.process.tls import Tls
from protos import catalog_pb2, order_pb2, order_pb2_grpc

log = structlog.get_logger()

HEARTBEAT_S = 0.5
# So long a replica whose file is damaged says so in its health. Then it starts again, which mends it.
DAMAGE_TOLD_S = 3.0


@dataclass(frozen=True)
class Damaged:
    """The replica's log is damaged, in words; and whether that was found before and nobody has looked at it since."""

    why: str
    is_again: bool


# Why the process ends: a signal's name, or damage.
End: TypeAlias = str | Damaged


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m backends.order", description="One order replica of Bourse.")
    parser.add_argument("--replica-id", type=int, required=True, metavar="N", help=f"1 to {MAX_REPLICA_ID}")
    parser.add_argument("--address", metavar="H:P", help="listen here (default: its entry in BOURSE_REPLICAS)")
    parser.add_argument("--data-dir", type=Path, metavar="D", help="default: BOURSE_DATA_DIR/order-N")
    parser.add_argument("--catalog", metavar="H:P", help="the catalog (default: BOURSE_CATALOG)")
    parser.add_argument("--metrics", metavar="H:P", help=METRICS_HELP)
    return parser.parse_args()


def main() -> None:
    """Run the replica that the command line names; what it says for the operator is said by its name, `order-3`."""
    arguments = parse_arguments()
    run_process(f"order-{arguments.replica_id}", lambda: serve(arguments))


def serve(arguments: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT. Raises StartRefused and ConfigError with a line for the operator."""
    config = ClusterConfig.from_environment(os.environ)
    replica_id = arguments.replica_id
    if not 1 <= replica_id <= MAX_REPLICA_ID:
        raise ConfigError(f"--replica-id {replica_id} is not within 1 to {MAX_REPLICA_ID}")
    configure_logs(f"order-{replica_id}", replica=replica_id)
    if replica_id not in config.replicas:
        log.warning("not in BOURSE_REPLICAS: nobody will ask this replica", replica_id=replica_id)
    address = parse_address(arguments.address or config.replica_address(replica_id), name="--address")
    catalog = parse_address(arguments.catalog or config.catalog, name="--catalog")
    config.check_privacy(address, name="--address")
    config.check_privacy(catalog, name="--catalog")
    network = Network(config.tls)
    data_dir = arguments.data_dir or config.data_dir / f"order-{replica_id}"
    keep_private(data_dir)
    metrics = OrderMetrics()
    rows = open_order_log(data_dir, replica_id)
    rows.on_sync = metrics.note_sync
    store = open_store(rows, catalog, network)
    work, stopping = threading.Event(), threading.Event()
    ends: queue.SimpleQueue[End] = queue.SimpleQueue()
    link = CatalogLink(catalog, time.monotonic)
    replica = Replica(
        replica_id=replica_id,
        store=store,
        catalog=link,
        min_in_sync=config.min_in_sync,
        monotonic=time.monotonic,
        on_work=work.set,
        on_damage=lambda why: ends.put(Damaged(why, was_damaged_before(store))),
        observer=metrics,
    )
    metrics.sample(replica.health)
    shown = show_metrics(arguments.metrics, metrics.registry)
    add_facts(lambda: {"epoch": replica.epoch, "last_number": store.last_number})
    server = make_server(address, replica, OrderReader(store, link, time.monotonic), network, config.tls)
    worker = threading.Thread(target=work_until_stopped, args=(replica, network, work, stopping), name="work")
    worker.start()
    server.start()
    log.info("serving", address=server.address, last_number=store.last_number, metrics=shown)
    call_at_stop(lambda signal: ends.put(signal.name))
    end = wait_for_end(ends)
    log.info("stopping", why=end)
    server.stop()
    replica.stop()
    stopping.set()
    work.set()
    worker.join(STOP_GRACE_S)  # a call under way ends by its deadline; the process ends in any case
    if isinstance(end, Damaged):
        leave_damaged(end)
    store.close()


def was_damaged_before(store: OrderStore) -> bool:
    """Return whether an earlier run found its log damaged and nobody has seen it; ask before this one notes it."""
    return any(NO_LONGER_GOOD in finding for finding in store.findings)


def wait_for_end(ends: "queue.SimpleQueue[End]") -> End:
    """Return why to stop: what comes first; of damage once it has been told for DAMAGE_TOLD_S, if no signal came."""
    end = ends.get()
    told_until = time.monotonic() + DAMAGE_TOLD_S
    while isinstance(end, Damaged):
        try:
            later = ends.get(timeout=max(0.0, told_until - time.monotonic()))
        except queue.Empty:
            break
        if not isinstance(later, Damaged):
            return later
    return end


def leave_damaged(damaged: Damaged) -> NoReturn:
    """Start again, which mends the log; the second time the disk is bad: end, and leave it to an operator."""
    if damaged.is_again:
        exit_process(f"{damaged.why}; as before ({FINDINGS_NAME}): this process does not start again by itself")
    start_again(damaged.why)


def open_store(rows: OrderLog, catalog: str, network: Network) -> OrderStore:
    """Open a replica's rows, and see that they belong to the catalog's cluster, if that answers.

    Raises:
        StartRefused: they belong to another one, or cannot be opened.
    """
    cluster_id = ask_cluster_id(catalog, network)
    if cluster_id and rows.cluster_id not in ("", cluster_id):
        raise StartRefused(
            f"{rows.place} belongs to cluster {rows.cluster_id},"
            f" but the catalog at {catalog} is of cluster {cluster_id}"
        )
    store = OrderStore(rows)
    if cluster_id:
        try:
            store.adopt(cluster_id)
        except RpcFailure as failure:
            raise StartRefused(failure.message) from failure
    return store


def ask_cluster_id(catalog: str, network: Network) -> str:
    """Return the catalog's cluster id, "" if it does not answer now; it is compared again when it does."""
    try:
        health: catalog_pb2.CatalogHealthResponse = network.call(
            catalog, catalog_pb2.CatalogHealthRequest(), HEALTH_TIMEOUT_S
        )
    except RpcFailure as failure:
        log.info("the catalog does not answer yet", catalog=catalog, reason=failure.wire_reason)
        return ""
    return health.cluster_id


def make_server(
    address: str, replica: Replica, reader: OrderReader, network: Network, tls: Tls | None = None
) -> BackendServer:
    """Return the server of a replica, listening but not serving yet."""

    orders = OrderServicer(replica, reader, network, time.monotonic)
    replication = ReplicationServicer(replica, network)

    def register(server: grpc.Server) -> None:
        order_pb2_grpc.add_OrderServiceServicer_to_server(orders, server)
        order_pb2_grpc.add_ReplicationServiceServicer_to_server(replication, server)

    def is_ready(service: str) -> bool:
        # A follower is ready as well: it reads. What its manager calls is of use even while it is halted.
        health = replica.health()
        return service != order_pb2.DESCRIPTOR.services_by_name["OrderService"].full_name or not (
            health.halted or health.stalled
        )

    services = order_pb2.DESCRIPTOR.services_by_name.values()
    return BackendServer(
        address,
        register,
        [service.full_name for service in services],
        tls,
        carried={
            order_pb2.PlaceOrdersRequest: orders.PlaceOrders,
            order_pb2.SyncOrderRequest: replication.SyncOrder,
        },
        is_ready=is_ready,
    )


def work_until_stopped(replica: Replica, network: Network, work: threading.Event, stopping: threading.Event) -> None:
    """Take the replica's turns and heartbeats until `stopping` is set. A bug here ends the process."""
    next_heartbeat = time.monotonic()
    try:
        while not stopping.is_set():
            # What came while a heartbeat was due is still waiting, and nobody says so again.
            if not replica.has_work():
                work.wait(max(0.0, next_heartbeat - time.monotonic()))
            work.clear()
            while replica.has_work() and time.monotonic() < next_heartbeat:
                network.run(replica.turn())
            if time.monotonic() >= next_heartbeat and not stopping.is_set():
                network.run(replica.heartbeat())
                next_heartbeat = time.monotonic() + HEARTBEAT_S
    except BaseException:
        # A replica whose order path has died must not go on looking healthy.
        log.exception("the order path failed; this process ends")
        os._exit(1)


if __name__ == "__main__":
    run_program("order", main)
