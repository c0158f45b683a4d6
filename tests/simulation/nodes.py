"""The backends of a simulated cluster: the real classes, on a simulated disk, behind the simulated network."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from google.protobuf.message import Message

from backends.catalog.busy import BusyWatch
from backends.catalog.catalog import STALLED_S, Catalog
from backends.catalog.model import Stock
from backends.catalog.recovery import open_catalog
from backends.catalog.small_files import SmallFiles
from backends.data_directory import DataDirectory
from backends.failures import Exhausted
from backends.log import Log
from backends.order.answers import failure_result, result_of
from backends.order.catalog_link import CatalogLink
from backends.order.pending import Caller, Ticket
from backends.order.reading import OrderReader
from backends.order.replica import Replica
from backends.order.store import LOG_NAME, OrderStore
from common.failures import RpcFailure
from common.steps import Pause, Steps, Wait
from protos import catalog_pb2, order_pb2
from tests.simulation.disk import Disk
from tests.simulation.files import DiskFaults, SimulatedFiles
from tests.simulation.network import Network
from tests.simulation.process import Process, ProcessEnded, Request
from tests.simulation.world import World

CATALOG = "catalog:1"
ROOT = Path("/bourse")
STOCKS = ("AAPL", "MSFT")
FIRST_QUANTITY = 50
FIRST_PRICE_CENTS = 100
HEARTBEAT_S = 0.5
# So long before its deadline a caller is told that there is no answer yet, so that it hears it.
ANSWER_MARGIN_S = 0.05
# Who sends one of the first waits for the disk; who sends one of the second does not.
CATALOG_WRITES = (catalog_pb2.UpdateStockRequest, catalog_pb2.BeginEpochRequest, catalog_pb2.SetStockRequest)
REPLICA_READS = (order_pb2.HealthCheckRequest, order_pb2.LookUpOrderRequest, order_pb2.ListOrdersRequest)


class Died(ProcessEnded):
    """The process ended itself, without an answer."""


def die(message: str) -> NoReturn:
    """End the process: what stands for `exit_process`."""
    raise Died(message)


class Node(Process):
    """A process with a data directory on a disk of its own.

    Attributes:
        path: the data directory.
        log_path: of the journal or the order database.
        disk_faults: what is wrong with its disk.
    """

    def __init__(self, world: World, network: Network, address: str, disk: Disk, log_name: str) -> None:
        super().__init__(world, network, address)
        self.path = ROOT / self.name
        self.log_path = self.path / log_name
        self.disk_faults = DiskFaults()
        self._disk = disk
        self._stalled_since = 0.0

    def start(self) -> None:
        """Start the process, which may end by it. StartRefused: it says why it does not start."""
        self.come_alive()
        self.disk_faults.has_failed = False
        self._files = SimulatedFiles(self._disk, self.disk_faults, self.world.random, self._sync_was_slow)
        try:
            self.act(self._open)
        except BaseException:
            self.die()
            raise

    def die(self, *, silently: bool = False) -> None:
        super().die(silently=silently)
        self._files.end()
        if self.disk_faults.has_failed and self.world.random.random() < 0.5:
            self._disk.evict(self.path)

    @property
    def is_stalled(self) -> bool:
        """Whether a sync has been under way for so long that the process says so."""
        return self.world.now < self._stalled_until and self.world.now - self._stalled_since > STALLED_S

    def _open(self) -> None:
        raise NotImplementedError

    def _sync_was_slow(self, seconds: float) -> None:
        """A sync takes its time behind its effect, not before: a handler runs in one step here."""
        if self.world.now >= self._stalled_until:
            self._stalled_since = self.world.now
        self._stalled_until = max(self._stalled_until, self.world.now) + seconds

    def _answer(self, steps: Steps[Message], request: Request) -> None:
        """Run a procedure and send what it returns, or its failure."""

        def done(result: Any, failure: RpcFailure | None) -> None:
            self.respond(request, result if failure is None else failure)

        self.spawn(steps, done)


OnBatch = Callable[[catalog_pb2.UpdateStockRequest, catalog_pb2.UpdateStockResponse], None]


class CatalogNode(Node):
    """The catalog.

    Attributes:
        on_batch: told of each batch and its answer.
    """

    def __init__(self, world: World, network: Network, disk: Disk) -> None:
        super().__init__(world, network, CATALOG, disk, "catalog_journal.csv")
        self._runs = 0
        self.catalog: Catalog | None = None
        self.on_batch: OnBatch = lambda _batch, _answer: None

    def _open(self) -> None:
        self._runs += 1
        directory = DataDirectory.open(self.path, "catalog", files=self._files)
        clock = self.world.clock
        state = open_catalog(
            directory,
            lambda: [Stock.new(name, FIRST_PRICE_CENTS, FIRST_QUANTITY) for name in STOCKS],
            SmallFiles(self.path, self._files, die, BusyWatch(clock)),
            new_cluster_id=lambda: f"cluster-{self._runs}",
            monotonic=clock,
        )
        catalog = Catalog(state, run_id=f"run{self._runs}", utc_now=self._utc_now)
        self._checkpoint(catalog)
        self.catalog = catalog
        self._news = threading.Event()

    def die(self, *, silently: bool = False) -> None:
        super().die(silently=silently)
        self.catalog = None

    def stop(self) -> None:
        """End as by SIGTERM: with a last checkpoint."""

        def close() -> None:
            if self.catalog is not None:
                self.catalog.close()
            raise Died("stopped")

        self.later(0.0, close)

    def checkpoint(self) -> None:
        """Write a checkpoint while trading goes on."""
        if (catalog := self.catalog) is not None:
            self.later(0.0, lambda: self._checkpoint(catalog))

    def needs_disk(self, message: Message) -> bool:
        return isinstance(message, CATALOG_WRITES)

    def handle(self, request: Request) -> None:
        catalog = self.catalog
        assert catalog is not None
        message: Any = request.message
        try:
            match message:
                case catalog_pb2.UpdateStockRequest():
                    answer = catalog.update_stock(message)
                    self.on_batch(message, answer)
                    self.respond(request, answer)
                    self._news.set()
                case catalog_pb2.BeginEpochRequest():
                    self.respond(request, catalog.begin_epoch(message))
                case catalog_pb2.ListTradesRequest():
                    self.respond(request, catalog.list_trades(message))
                case catalog_pb2.CatalogHealthRequest():
                    self.respond(request, self._health(catalog))
                case catalog_pb2.LookupStockRequest():
                    self.respond(request, catalog.lookup_stock(message))
                case catalog_pb2.LookupKeyRequest():
                    self.respond(request, catalog.lookup_key(message))
                case catalog_pb2.ListStocksRequest():
                    self.respond(request, catalog.list_stocks(message))
                case catalog_pb2.SetStockRequest():
                    self.respond(request, catalog.set_stock(message))
                    self._news.set()
                case catalog_pb2.WatchStocksRequest():
                    self._answer(self._watch(catalog, message), request)
                case _:
                    raise AssertionError(f"the catalog is asked {message}")
        except RpcFailure as failure:
            self.respond(request, failure)

    def _health(self, catalog: Catalog) -> catalog_pb2.CatalogHealthResponse:
        health = catalog.health_check(catalog_pb2.CatalogHealthRequest())
        health.stalled = health.stalled or self.is_stalled
        return health

    def _watch(self, catalog: Catalog, message: catalog_pb2.WatchStocksRequest) -> Steps[Message]:
        """Answer when there is news, or the time is up: what the servicer does."""
        end = self.world.now + message.wait_ms / 1000
        while True:
            response = catalog.watch_stocks(message)
            if response.names or response.reset or self.world.now >= end:
                return response
            self._news.clear()
            yield Wait(self._news, end - self.world.now)

    @staticmethod
    def _checkpoint(catalog: Catalog) -> None:
        try:
            catalog.write_checkpoint()
        except Exhausted:
            return  # the journal holds everything

    def _utc_now(self) -> datetime:
        return datetime.fromtimestamp(1_900_000_000 + self.world.now, UTC)


class ReplicaNode(Node):
    """One order replica."""

    def __init__(self, world: World, network: Network, disk: Disk, replica_id: int, min_in_sync: int) -> None:
        super().__init__(world, network, f"order-{replica_id}:1", disk, LOG_NAME)
        self.replica_id = replica_id
        self._min_in_sync = min_in_sync
        self.replica: Replica | None = None

    def _open(self) -> None:
        directory = DataDirectory.open(self.path, "order", self.replica_id, self._files)
        work = threading.Event()
        link = CatalogLink(CATALOG, self.world.clock)
        self.store = OrderStore(directory, self._open_log, die)
        self.reader = OrderReader(self.store, link, self.world.clock)
        self.replica = Replica(
            replica_id=self.replica_id,
            store=self.store,
            catalog=link,
            min_in_sync=self._min_in_sync,
            monotonic=self.world.clock,
            on_work=work.set,
        )
        self.spawn(self._work(self.replica, work))

    def _open_log(self, cluster_id: str) -> Log:
        return Log.open(
            self.log_path,
            cluster_id,
            damage="keep_prefix",
            files=self._files,
            monotonic=self.world.clock,
            die=die,
        )

    def die(self, *, silently: bool = False) -> None:
        super().die(silently=silently)
        self.replica = None

    def _work(self, replica: Replica, work: threading.Event) -> Steps[None]:
        """What the worker thread does."""
        clock = self.world.clock
        next_heartbeat = clock()
        while True:
            if clock() < next_heartbeat:
                yield Wait(work, next_heartbeat - clock())
            work.clear()
            while replica.has_work() and clock() < next_heartbeat:
                yield from replica.turn()
                yield Pause(0.0)
            if clock() >= next_heartbeat:
                yield from replica.heartbeat()
                next_heartbeat = clock() + HEARTBEAT_S

    def needs_disk(self, message: Message) -> bool:
        return not isinstance(message, REPLICA_READS)

    def handle(self, request: Request) -> None:
        replica = self.replica
        assert replica is not None
        message: Any = request.message
        try:
            match message:
                case order_pb2.PlaceOrdersRequest():
                    self._place(replica, message, request)
                case order_pb2.SyncOrderRequest():
                    self.respond(request, order_pb2.SyncOrderResponse(equal_number=replica.sync_order(message)))
                case order_pb2.BulkUpsertRequest():
                    self.respond(request, order_pb2.BulkUpsertResponse(equal_number=replica.sync_order(message)))
                case order_pb2.HealthCheckRequest():
                    self.respond(request, self._health(replica))
                case order_pb2.AssignLeaderRequest():
                    self._answer(replica.assign_leader(message), request)
                case order_pb2.LookUpOrderRequest():
                    self._answer(self._look_up(message.transaction_number), request)
                case order_pb2.ListOrdersRequest():
                    self._answer(self.reader.list_orders(message), request)
                case order_pb2.ResyncRequest():
                    self._answer(self._resync(replica, message.replica_id), request)
                case _:
                    raise AssertionError(f"a replica is asked {message}")
        except RpcFailure as failure:
            self.respond(request, failure)

    def _health(self, replica: Replica) -> order_pb2.HealthCheckResponse:
        health = replica.health()
        health.stalled = health.stalled or self.is_stalled
        return health

    def _look_up(self, number: int) -> Steps[Message]:
        return order_pb2.LookUpOrderResponse(order=(yield from self.reader.look_up(number)))

    def _resync(self, replica: Replica, replica_id: int) -> Steps[Message]:
        last = order_pb2.ResyncProgress()
        yield from replica.resync(replica_id, last.CopyFrom)
        return last

    def _place(self, replica: Replica, message: order_pb2.PlaceOrdersRequest, request: Request) -> None:
        """Take the orders in and answer when all are answered, or at the caller's deadline: what the servicer does."""
        caller = Caller(self.world.now + request.timeout_s - ANSWER_MARGIN_S, lambda: request.is_active)
        orders = list(message.orders)
        taken = replica.submit(message.epoch, orders, caller)
        tickets = [one for one in taken if isinstance(one, Ticket)]
        is_told = False

        def tell() -> None:
            nonlocal is_told
            if is_told:
                return
            is_told = True
            results = [
                result_of(one, wanted, caller) if isinstance(one, Ticket) else failure_result(one)
                for one, wanted in zip(taken, orders, strict=True)
            ]
            self.respond(request, order_pb2.PlaceOrdersResponse(results=results))

        def tell_when_all_are_done(_future: object = None) -> None:
            if self.is_alive and all(one.future.done() for one in tickets):
                tell()

        for ticket in tickets:
            ticket.future.add_done_callback(tell_when_all_are_done)
        tell_when_all_are_done()
        self.later(max(0.0, caller.deadline - self.world.now), tell, needs_disk=False)
