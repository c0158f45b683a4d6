"""The processes of a simulated cluster: the real classes, on real files, behind the simulated network."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from google.protobuf.message import Message

from backends.catalog.catalog import Catalog
from backends.catalog.model import Stock
from backends.catalog.recovery import open_catalog
from backends.catalog.small_files import SmallFiles
from backends.data_directory import DataDirectory
from backends.log import Log
from backends.order.answers import failure_result, result_of
from backends.order.catalog_link import CatalogLink
from backends.order.pending import Caller, Ticket
from backends.order.reading import OrderReader
from backends.order.replica import Replica
from backends.order.store import LOG_NAME, OrderStore
from common.config import ClusterConfig
from common.failures import RpcFailure
from common.steps import Call, Pause, Steps
from protos import catalog_pb2, order_pb2
from tests.backends.log_files import QuickFiles
from tests.simulation.world import Process, Respond, World
from trading.clients.gatherer import CALL_TIMEOUT_S
from trading.clients.outcomes import AttemptFailed
from trading.clients.placing import Placing
from trading.replicas.election import Leadership
from trading.replicas.health import HealthLoop
from trading.replicas.leadership import ElectionMemory, LeaderSearch, confirm

CATALOG = "catalog:1"
STOCKS = ("AAPL", "MSFT")
START_S = 0.3
HEARTBEAT_S = 0.5
HEALTH_INTERVAL_S = 5.0
SILENCE_S = 0.3


class Died(BaseException):
    """A process that ended itself. The scheduler's other processes go on."""


def die(message: str) -> NoReturn:
    raise Died(message)


class CatalogNode(Process):
    """The catalog."""

    def __init__(self, world: World, path: Path) -> None:
        super().__init__(world, CATALOG)
        self._path = path
        self._runs = 0
        self.catalog: Catalog | None = None

    def start(self) -> None:
        self._runs += 1
        self._directory = DataDirectory.open(self._path, "catalog", files=QuickFiles())
        state = open_catalog(
            self._directory,
            lambda: [Stock.new(name, 100, 50) for name in STOCKS],
            SmallFiles(self._path, QuickFiles(), die),
            new_cluster_id=lambda: "cluster",
            monotonic=self.world.clock,
        )
        self._journal = state.journal
        self.catalog = Catalog(state, run_id=f"run{self._runs}", utc_now=self._utc_now)
        self.come_alive()

    def _utc_now(self) -> datetime:
        return datetime.fromtimestamp(1_900_000_000 + self.world.now, UTC)

    def die(self) -> None:
        super().die()
        self.catalog = None
        self._journal.close()
        self._directory.close()

    def receive(self, request: Message, deadline: float, respond: Respond) -> None:
        catalog = self.catalog
        assert catalog is not None
        handlers: dict[type, Callable[[Any], Message]] = {
            catalog_pb2.UpdateStockRequest: catalog.update_stock,
            catalog_pb2.BeginEpochRequest: catalog.begin_epoch,
            catalog_pb2.ListTradesRequest: catalog.list_trades,
            catalog_pb2.CatalogHealthRequest: catalog.health_check,
        }
        try:
            respond(handlers[type(request)](request))
        except RpcFailure as failure:
            respond(failure)


class ReplicaNode(Process):
    """One order replica."""

    def __init__(self, world: World, replica_id: int, path: Path, min_in_sync: int) -> None:
        super().__init__(world, f"order-{replica_id}:1")
        self.replica_id = replica_id
        self.path = path
        self._min_in_sync = min_in_sync
        self.replica: Replica | None = None

    def start(self) -> None:
        directory = DataDirectory.open(self.path, "order", self.replica_id, files=QuickFiles())
        self.store = OrderStore(directory, self._open_log)
        link = CatalogLink(CATALOG, self.world.clock)
        self.reader = OrderReader(self.store, link, self.world.clock)
        self.replica = Replica(
            replica_id=self.replica_id,
            store=self.store,
            catalog=link,
            min_in_sync=self._min_in_sync,
            monotonic=self.world.clock,
        )
        self.come_alive()
        self.spawn(self._work(self.replica))

    def _open_log(self, cluster_id: str) -> Log:
        return Log.open(
            self.path / LOG_NAME,
            cluster_id,
            damage="keep_prefix",
            files=QuickFiles(),
            monotonic=self.world.clock,
            die=die,
        )

    def die(self) -> None:
        super().die()
        self.replica = None
        self.store.close()

    def _work(self, replica: Replica) -> Steps[None]:
        """What the worker thread does."""
        next_heartbeat = self.world.now
        while True:
            if replica.has_work() and self.world.now < next_heartbeat:
                yield from replica.turn()
            elif self.world.now >= next_heartbeat:
                yield from replica.heartbeat()
                next_heartbeat = self.world.now + HEARTBEAT_S
            else:
                yield Pause(0.005)

    def receive(self, request: Message, deadline: float, respond: Respond) -> None:
        replica = self.replica
        assert replica is not None
        try:
            match request:
                case order_pb2.PlaceOrdersRequest():
                    self._place(replica, request, deadline, respond)
                case order_pb2.SyncOrderRequest():
                    respond(order_pb2.SyncOrderResponse(equal_number=replica.sync_order(request)))
                case order_pb2.BulkUpsertRequest():
                    respond(order_pb2.BulkUpsertResponse(equal_number=replica.sync_order(request)))
                case order_pb2.HealthCheckRequest():
                    respond(replica.health())
                case order_pb2.AssignLeaderRequest():
                    self._answer(replica.assign_leader(request), respond)
                case order_pb2.LookUpOrderRequest():
                    self._answer(self._look_up(request.transaction_number), respond)
                case order_pb2.ResyncRequest():
                    self._answer(self._resync(replica, request.replica_id), respond)
        except RpcFailure as failure:
            respond(failure)

    def _answer(self, steps: Steps[Message], respond: Respond) -> None:
        def done(result: Any, failure: Exception | None) -> None:
            assert failure is None or isinstance(failure, RpcFailure)
            respond(result if failure is None else failure)

        self.spawn(steps, done)

    def _look_up(self, number: int) -> Steps[Message]:
        return order_pb2.LookUpOrderResponse(order=(yield from self.reader.look_up(number)))

    def _resync(self, replica: Replica, replica_id: int) -> Steps[Message]:
        last = order_pb2.ResyncProgress()
        yield from replica.resync(replica_id, last.CopyFrom)
        return last

    def _place(
        self, replica: Replica, request: order_pb2.PlaceOrdersRequest, deadline: float, respond: Respond
    ) -> None:
        caller = Caller(deadline - 0.05, lambda: self.world.now < deadline)
        (wanted,) = request.orders
        (taken,) = replica.submit(request.epoch, [wanted], caller)
        if isinstance(taken, RpcFailure):
            respond(order_pb2.PlaceOrdersResponse(results=[failure_result(taken)]))
            return
        ticket: Ticket = taken
        is_told = False

        def tell(_future: object = None) -> None:
            nonlocal is_told
            if not is_told and self.is_alive:
                is_told = True
                respond(order_pb2.PlaceOrdersResponse(results=[result_of(ticket, wanted, caller)]))

        ticket.future.add_done_callback(tell)
        self.later(max(0.0, caller.deadline - self.world.now), tell)


class FrontendNode(Process):
    """One frontend process: the order path and the leader search; a request is a NewOrder."""

    def __init__(self, world: World, name: str, config: ClusterConfig) -> None:
        super().__init__(world, f"{name}:1")
        self._config = config
        self.start()

    def start(self) -> None:
        self._memory = ElectionMemory()
        self._known: Leadership | None = None
        self._heard_at = float("-inf")
        self.come_alive()

    def receive(self, request: Message, deadline: float, respond: Respond) -> None:
        assert isinstance(request, order_pb2.NewOrder)

        def attempt(leadership: Leadership, until: float) -> Steps[order_pb2.PlaceOrderResponse]:
            call = order_pb2.PlaceOrdersRequest(epoch=leadership.epoch, orders=[request])
            timeout_s = min(CALL_TIMEOUT_S, until - self.world.now)
            try:
                response: order_pb2.PlaceOrdersResponse = yield Call(leadership.address, call, timeout_s)
            except RpcFailure as failure:
                raise AttemptFailed.from_call(failure) from failure
            self._heard_at = self.world.now
            (result,) = response.results
            if result.WhichOneof("result") == "placed":
                return result.placed
            raise AttemptFailed.from_result(result.failure)

        placing = Placing(self._find, attempt, self.world.clock, self.world.now + 8.0)

        def done(result: Any, failure: Exception | None) -> None:
            assert failure is None or isinstance(failure, RpcFailure)
            respond(result if failure is None else failure)

        self.spawn(placing.steps(), done)

    def _find(self, failed: tuple[Leadership, RpcFailure] | None, deadline: float) -> Steps[Leadership]:
        known = self._known
        if failed is None and known is not None:
            if self.world.now - self._heard_at <= SILENCE_S:
                return known
            confirmed = yield from confirm(self._config, known)
            if confirmed is not None:
                self._known, self._heard_at = confirmed, self.world.now
                return confirmed
        search = LeaderSearch(
            self._config,
            self._memory,
            monotonic=self.world.clock,
            deadline=deadline,
            failed=failed[0] if failed else known,
            failure=failed[1] if failed else None,
        )
        self._known = yield from search.steps()
        self._heard_at = self.world.now
        return self._known


class HealthNode(Process):
    """The health loop."""

    def __init__(self, world: World, config: ClusterConfig) -> None:
        super().__init__(world, "health:1")
        self._config = config
        self.start()

    def start(self) -> None:
        self.come_alive()
        loop = HealthLoop(self._config, self.world.clock, HEALTH_INTERVAL_S)
        self.spawn(self._loop(loop))

    def _loop(self, loop: HealthLoop) -> Steps[None]:
        while True:
            report = yield from loop.tick()
            if report.leadership is not None:
                for replica_id in report.resync:
                    self.spawn(self._resync(report.leadership.address, replica_id))
            yield Pause(HEALTH_INTERVAL_S)

    def _resync(self, leader_address: str, replica_id: int) -> Steps[None]:
        yield Call(leader_address, order_pb2.ResyncRequest(replica_id=replica_id), 30.0)
