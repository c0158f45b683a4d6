"""A cluster in one thread: real catalog and replicas, messages delivered by a call, faults at will."""

import shutil
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from backends.catalog.catalog import Catalog
from backends.order.catalog_link import CatalogLink
from backends.order.pending import Caller, Ticket
from backends.order.reads.reader import OrderReader
from backends.order.replica import Replica
from backends.order.store import OrderStore
from backends.serving.order_metrics import OrderMetrics
from backends.storage.csv.data_directory import DataDirectory
from backends.storage.csv.ledger import open_ledger
from backends.storage.csv.small_files import SmallFiles
from backends.storage.values import Stock
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.steps import Call, Effect, Pause, Steps, Together, run_steps
from protos import catalog_pb2, order_pb2

CATALOG = "catalog:1"
MOST_EFFECTS = 20_000  # of all procedures of one test: more, and one of them goes on for ever
MOST_TURNS = 200


class Clock:
    """A clock that goes on only when a procedure pauses, or a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def utc(self) -> datetime:
        return datetime.fromtimestamp(1_900_000_000 + self.now, UTC)


class DirectNetwork:
    """Performs procedures by calling the callee's handler at once.

    `before` and `after` are asked about every message: what they raise is what the caller gets, before the callee has
    seen the message, or after it has done all. `before_call` is shown each of several calls at once.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.handlers: dict[str, Callable[[Message], Message]] = {}
        self.before: Callable[[str, Message], None] = lambda address, request: None
        self.after: Callable[[str, Message], None] = lambda address, request: None
        self.before_call: Callable[[Call], None] = lambda call: None
        self.sent: list[tuple[str, Message]] = []
        self._effects = 0
        self.page_rows = 0  # most rows of a ListTrades answer; 0: as many as the catalog gives

    def run(self, steps: Steps[Any]) -> Any:
        return run_steps(steps, self._perform)

    def call(self, address: str, request: Message) -> Message:
        self.sent.append((address, request))
        self.before(address, request)
        if isinstance(request, catalog_pb2.ListTradesRequest) and self.page_rows:
            request.limit = self.page_rows
        if address not in self.handlers:
            raise unreachable(address)
        answer = self.handlers[address](request)
        self.after(address, request)
        return answer

    def _perform(self, effect: Effect) -> Any:
        self._effects += 1
        assert self._effects < MOST_EFFECTS, "a procedure goes on for ever"
        match effect:
            case Call():
                return self._call(effect)
            case Together():
                if effect.meanwhile is not None:
                    effect.meanwhile()
                return [self._outcome(call) for call in effect.calls]
            case Pause():
                self.clock.now += effect.seconds
        return None

    def _outcome(self, call: Call) -> Message | RpcFailure:
        self.before_call(call)
        try:
            return self._call(call)
        except RpcFailure as failure:
            return failure

    def _call(self, call: Call) -> Message:
        assert call.timeout_s > 0, call  # every call has a deadline
        return self.call(call.address, call.request)


def unreachable(address: str) -> RpcFailure:
    return RpcFailure(Reason.UNREACHABLE, f"{address} is down")


class DirectCluster:
    """One catalog and some replicas, each with its directory under `path`."""

    def __init__(self, path: Path, open_store: Callable[[int], OrderStore], min_in_sync: int = 1) -> None:
        self.path = path
        self.catalog_path = path / "catalog"
        self._runs = 0
        self.clock = Clock()
        self.network = DirectNetwork(self.clock)
        self._open_store = open_store
        self.min_in_sync = min_in_sync
        self.catalog: Catalog
        self.replicas: dict[int, Replica] = {}
        self.metrics: dict[int, OrderMetrics] = {}
        self.readers: dict[int, OrderReader] = {}
        self.start_catalog()
        for replica_id in (1, 2, 3):
            self.start_replica(replica_id)

    def start_catalog(self) -> None:
        self._runs += 1
        directory = DataDirectory.open(self.catalog_path, "catalog")
        self.ledger = open_ledger(
            directory,
            lambda: [Stock.new("AAPL", 22_750, 100), Stock.new("MSFT", 41_535, 100)],
            SmallFiles(directory.path),
            run_id=f"run-{self._runs}",
            new_cluster_id=lambda: f"cluster-{self._runs}",
        )
        self.catalog = Catalog(self.ledger, utc_now=self.clock.utc)
        self._catalog_directory = directory
        self.network.handlers[CATALOG] = self._handle_catalog

    def stop_catalog(self) -> None:
        """As SIGKILL does: no last checkpoint is written."""
        del self.network.handlers[CATALOG]
        self._catalog_directory.close()

    def roll_back_catalog(self, rows_left: int) -> None:
        """Let the stopped catalog lose the newest rows of its journal, as an old copy of its disk would."""
        journal = self.path / "catalog" / "catalog_journal.csv"
        lines = journal.read_bytes().splitlines(keepends=True)
        journal.write_bytes(b"".join(lines[: 1 + rows_left]))

    def replace_catalog(self) -> None:
        """Let the stopped catalog be replaced by a new one on another machine."""
        self.catalog_path = self.path / "elsewhere" / "catalog"

    def wipe_replica(self, replica_id: int) -> None:
        """Let a stopped replica lose its disk."""
        shutil.rmtree(self.path / f"order-{replica_id}")

    def catalog_health(self) -> catalog_pb2.CatalogHealthResponse:
        """What the catalog says of itself."""
        return self.catalog.health_check(catalog_pb2.CatalogHealthRequest())

    def patient(self, wait_s: float = 8.0) -> Caller:
        """A caller that stays."""
        return Caller(self.clock.now + wait_s, lambda: True)

    def close(self) -> None:
        """Close the catalog's directory; the stores are closed by whoever opened them."""
        if CATALOG in self.network.handlers:
            self.stop_catalog()

    def start_replica(self, replica_id: int) -> Replica:
        store, link = self._open_store(replica_id), CatalogLink(CATALOG, self.clock)
        self.readers[replica_id] = OrderReader(store, link, self.clock)
        self.metrics[replica_id] = OrderMetrics()
        replica = Replica(
            replica_id=replica_id,
            store=store,
            catalog=link,
            min_in_sync=self.min_in_sync,
            monotonic=self.clock,
            observer=self.metrics[replica_id],
        )
        self.replicas[replica_id] = replica
        self.network.handlers[self.address(replica_id)] = lambda request: self._handle(replica, request)
        return replica

    def stop_replica(self, replica_id: int) -> None:
        del self.network.handlers[self.address(replica_id)]
        self.replicas.pop(replica_id).store.close()

    @staticmethod
    def address(replica_id: int) -> str:
        return f"order-{replica_id}:1"

    def assign(
        self, leader_id: int, expected_epoch: int | None = None, hold_s: int = 0, silent: Collection[int] = ()
    ) -> order_pb2.AssignLeaderResponse:
        """Make a replica lead, as the manager would: expected is the catalog's newest epoch unless given."""
        if expected_epoch is None:
            expected_epoch = self.catalog_health().epoch
        peers = [order_pb2.Peer(replica_id=n, address=self.address(n), silent=n in silent) for n in (1, 2, 3)]
        answer = self.network.call(
            self.address(leader_id),
            order_pb2.AssignLeaderRequest(
                leader_id=leader_id, peers=peers, expected_epoch=expected_epoch, hold_s=hold_s
            ),
        )
        assert isinstance(answer, order_pb2.AssignLeaderResponse)
        return answer

    def submit(self, leader_id: int, *orders: catalog_pb2.NewOrder, wait_s: float = 8.0) -> list[Ticket]:
        """Give orders to a replica in its present epoch; they are answered by turns."""
        replica = self.replicas[leader_id]
        taken = replica.submit(replica.health().epoch, orders, self.patient(wait_s))
        assert all(isinstance(ticket, Ticket) for ticket in taken), taken
        return taken  # type: ignore[return-value]

    def turn(self, replica_id: int) -> None:
        """Let a replica take its turns until nothing waits."""
        for _ in range(MOST_TURNS):
            if not self.replicas[replica_id].has_work():
                return
            self.network.run(self.replicas[replica_id].turn())
        raise AssertionError(f"replica {replica_id} has work after {MOST_TURNS} turns")

    def place(self, leader_id: int, order: catalog_pb2.NewOrder) -> order_pb2.Order:
        """Place one order at the leader and return it; raises the failure it is answered with."""
        (ticket,) = self.submit(leader_id, order)
        self.turn(leader_id)
        return ticket.future.result(timeout=0)

    def resync(self, leader_id: int, replica_id: int) -> list[order_pb2.ResyncProgress]:
        """Catch a follower up; the leader takes its turns in the pauses."""
        events: list[order_pb2.ResyncProgress] = []
        steps = self.replicas[leader_id].resync(replica_id, events.append)

        def perform(effect: Effect) -> Any:
            if isinstance(effect, Pause):
                self.turn(leader_id)
            return self.network._perform(effect)

        run_steps(steps, perform)
        return events

    def logs(self) -> list[bytes]:
        """Return the bytes of the journal and of every running replica's log."""
        paths = [self.path / "catalog" / "catalog_journal.csv"]
        paths += [self.path / f"order-{n}" / "order_database.csv" for n in self.replicas]
        return [path.read_bytes() for path in paths]

    def _handle_catalog(self, request: Message) -> Message:
        match request:
            case catalog_pb2.LookupStockRequest():
                return self.catalog.lookup_stock(request)
            case catalog_pb2.UpdateStockRequest():
                return self.catalog.update_stock(request)
            case catalog_pb2.BeginEpochRequest():
                return self.catalog.begin_epoch(request)
            case catalog_pb2.ListTradesRequest():
                return self.catalog.list_trades(request)
            case catalog_pb2.LookupKeyRequest():
                return self.catalog.lookup_key(request)
            case catalog_pb2.CatalogHealthRequest():
                return self.catalog.health_check(request)
        raise AssertionError(f"the catalog is not asked for {type(request)}")

    def _handle(self, replica: Replica, request: Any) -> Message:
        if not isinstance(request, order_pb2.HealthCheckRequest):
            replica.refuse_if_not_meant(request.to)
        match request:
            case order_pb2.SyncOrderRequest():
                return replica.sync_order(request)
            case order_pb2.BulkUpsertRequest():
                return replica.bulk_upsert(request)
            case order_pb2.AssignLeaderRequest():
                return self.network.run(replica.assign_leader(request))
            case order_pb2.HealthCheckRequest():
                return replica.health()
        raise AssertionError(f"a replica is not asked for {type(request)}")


def buy(key: str, quantity: int = 1, name: str = "AAPL") -> catalog_pb2.NewOrder:
    return catalog_pb2.NewOrder(stock_name=name, order_type=catalog_pb2.BUY, quantity=quantity, idempotency_key=key)


def sell(key: str, quantity: int = 1, name: str = "AAPL") -> catalog_pb2.NewOrder:
    return catalog_pb2.NewOrder(stock_name=name, order_type=catalog_pb2.SELL, quantity=quantity, idempotency_key=key)


def follower_states(cluster: DirectCluster, leader_id: int = 3) -> dict[int, int]:
    return {one.replica_id: one.state for one in cluster.replicas[leader_id].health().followers}


def quantity(cluster: DirectCluster, name: str = "AAPL") -> int:
    return cluster.catalog.lookup_stock(catalog_pb2.LookupStockRequest(stock_name=name)).stock.quantity


def assert_identical(cluster: DirectCluster) -> None:
    first, *others = cluster.logs()
    assert all(other == first for other in others)
