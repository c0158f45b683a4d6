"""The backends of a simulated cluster: the real classes, on a simulated disk, behind the simulated network."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from google.protobuf.message import Message

from backends.catalog.catalog import STALLED_S, Catalog
from backends.storage.csv.busy import BusyWatch
from backends.storage.csv.data_directory import DataDirectory
from backends.storage.csv.ledger import CsvLedger, open_ledger
from backends.storage.csv.small_files import SmallFiles
from backends.storage.ports import StoreFull
from backends.storage.values import Stock
from common.calls.failures import RpcFailure
from common.calls.steps import Steps, Wait
from common.process.latch import Latch
from protos import catalog_pb2
from tests.simulation.disk import Disk
from tests.simulation.files import DiskFaults, SimulatedFiles
from tests.simulation.network import Network
from tests.simulation.process import Process, ProcessEnded, Request
from tests.simulation.world import World

CATALOG = "catalog:1"
ROOT = Path("/bourse")
STOCKS = ("AAPL", "MSFT")
FIRST_QUANTITY = 30
FIRST_PRICE_CENTS = 100
# Who sends one of these waits for the disk.
CATALOG_WRITES = (catalog_pb2.UpdateStockRequest, catalog_pb2.BeginEpochRequest, catalog_pb2.SetStockRequest)


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
        on_watch: told of each cursor that is given to those who follow the changes.
        write_count: how many messages it was given that may change something.
    """

    def __init__(self, world: World, network: Network, disk: Disk) -> None:
        super().__init__(world, network, CATALOG, disk, "catalog_journal.csv")
        self._runs = 0
        self.catalog: Catalog | None = None
        self.on_batch: OnBatch = lambda _batch, _answer: None
        self.on_watch: Callable[[str], None] = lambda _cursor: None
        self.write_count = 0

    def _open(self) -> None:
        self._runs += 1
        directory = DataDirectory.open(self.path, "catalog", files=self._files)
        clock = self.world.clock
        ledger = open_ledger(
            directory,
            lambda: [Stock.new(name, FIRST_PRICE_CENTS, FIRST_QUANTITY) for name in STOCKS],
            SmallFiles(self.path, self._files, die, BusyWatch(clock)),
            run_id=f"run{self._runs}",
            new_cluster_id=lambda: f"cluster-{self._runs}",
            monotonic=clock,
        )
        self.catalog = Catalog(ledger, utc_now=self._utc_now)
        self._ledger: CsvLedger = ledger
        self._checkpoint(ledger)
        self._news = Latch()

    def die(self, *, silently: bool = False) -> None:
        super().die(silently=silently)
        self.catalog = None

    def stop(self) -> None:
        """End as by SIGTERM: with a last checkpoint."""

        def close() -> None:
            if self.catalog is not None:
                self._ledger.close()
            raise Died("stopped")

        self.later(0.0, close)

    def checkpoint(self) -> None:
        """Write a checkpoint while trading goes on."""
        if self.catalog is not None:
            ledger = self._ledger
            self.later(0.0, lambda: self._checkpoint(ledger))

    def needs_disk(self, message: Message) -> bool:
        return isinstance(message, CATALOG_WRITES)

    def handle(self, request: Request) -> None:
        catalog = self.catalog
        assert catalog is not None
        message: Any = request.message
        self.write_count += isinstance(message, CATALOG_WRITES)
        try:
            match message:
                case catalog_pb2.UpdateStockRequest():
                    answer = catalog.update_stock(message)
                    self.on_batch(message, answer)
                    self.respond(request, answer)
                    self._tell_news()
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
                    self._tell_news()
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

    def _tell_news(self) -> None:
        news, self._news = self._news, Latch()
        news.set()

    def _watch(self, catalog: Catalog, message: catalog_pb2.WatchStocksRequest) -> Steps[Message]:
        """Answer when there is news, or the time is up: what the servicer does."""
        end = self.world.now + message.wait_ms / 1000
        while True:
            response = catalog.watch_stocks(message)
            if response.names or response.reset or self.world.now >= end:
                self.on_watch(response.cursor)
                return response
            yield Wait(self._news, end - self.world.now)

    @staticmethod
    def _checkpoint(ledger: CsvLedger) -> None:
        try:
            ledger.checkpoint.write()
        except StoreFull:
            return  # the journal holds everything

    def _utc_now(self) -> datetime:
        return datetime.fromtimestamp(1_900_000_000 + self.world.now, UTC)
