"""An order replica of a simulated cluster: the real classes, driven as its server and its worker thread drive them."""

from typing import Any

from google.protobuf.message import Message

from backends.order.answers import failure_result, result_of
from backends.order.catalog_link import CatalogLink
from backends.order.leader import Leadership
from backends.order.pending import Caller, Ticket
from backends.order.reads.reader import OrderReader
from backends.order.replica import Replica
from backends.order.store import OrderStore
from backends.serving.order_metrics import OrderMetrics
from backends.storage.csv.data_directory import DataDirectory
from backends.storage.csv.log import Log
from backends.storage.csv.log_opening import Found
from backends.storage.csv.order_log import ORDER_LOG_NAME, CsvOrderLog
from common.calls.failures import RpcFailure
from common.calls.steps import Pause, Steps, Wait
from common.process.latch import Latch
from protos import order_pb2
from tests.simulation.disk import Disk
from tests.simulation.network import Network
from tests.simulation.nodes import CATALOG, Node, die
from tests.simulation.process import Request
from tests.simulation.world import World

HEARTBEAT_S = 0.5
# So long before its deadline a caller is told that there is no answer yet, so that it hears it.
ANSWER_MARGIN_S = 0.05
# Nobody looks at them here: one set does for all.
METRICS = OrderMetrics()
# Who sends one of these does not wait for the disk.
REPLICA_READS = (order_pb2.HealthCheckRequest, order_pb2.LookUpOrderRequest, order_pb2.ListOrdersRequest)


class ReplicaNode(Node):
    """One order replica.

    Attributes:
        is_damaged: a byte of its log was changed since it last checked all of them, at its start.
    """

    def __init__(self, world: World, network: Network, disk: Disk, replica_id: int, min_in_sync: int) -> None:
        super().__init__(world, network, f"order-{replica_id}:1", disk, ORDER_LOG_NAME)
        self.replica_id = replica_id
        self._min_in_sync = min_in_sync
        self.replica: Replica | None = None
        self.is_damaged = False

    def _open(self) -> None:
        directory = DataDirectory.open(self.path, "order", self.replica_id, self._files)
        self._has_work = Latch()
        link = CatalogLink(CATALOG, self.world.clock)
        self.store = OrderStore(CsvOrderLog(directory, self._open_log, die))
        self.reader = OrderReader(self.store, link, self.world.clock)
        self.replica = Replica(
            replica_id=self.replica_id,
            store=self.store,
            catalog=link,
            min_in_sync=self._min_in_sync,
            monotonic=self.world.clock,
            on_work=lambda: self._has_work.set(),
            observer=METRICS,
        )
        self.spawn(self._work(self.replica))

    def _open_log(self, cluster_id: str, found: Found) -> Log:
        return Log.open(
            self.log_path,
            cluster_id,
            damage="keep_prefix",
            files=self._files,
            monotonic=self.world.clock,
            die=die,
            found=found,
        )

    @property
    def leadership(self) -> Leadership | None:
        """Its leadership, None while it does not lead."""
        return self.replica.leadership if self.replica is not None else None

    def die(self, *, silently: bool = False) -> None:
        super().die(silently=silently)
        self.replica = None

    def _work(self, replica: Replica) -> Steps[None]:
        """What the worker thread does."""
        clock = self.world.clock
        next_heartbeat = clock()
        while True:
            if clock() < next_heartbeat:
                yield Wait(self._has_work, next_heartbeat - clock())
            self._has_work = Latch()
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
            if not isinstance(message, order_pb2.HealthCheckRequest):
                replica.refuse_if_not_meant(message.to)
            match message:
                case order_pb2.PlaceOrdersRequest():
                    self._place(replica, message, request)
                case order_pb2.SyncOrderRequest():
                    self.respond(request, replica.sync_order(message))
                case order_pb2.BulkUpsertRequest():
                    self.respond(request, replica.bulk_upsert(message))
                case order_pb2.HealthCheckRequest():
                    self.respond(request, self._health(replica))
                case order_pb2.AssignLeaderRequest():
                    self._answer(replica.assign_leader(message), request)
                case order_pb2.LookUpOrderRequest():
                    self._answer(self._look_up(message), request)
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

    def _look_up(self, message: order_pb2.LookUpOrderRequest) -> Steps[Message]:
        order = yield from self.reader.look_up(message.transaction_id)
        return order_pb2.LookUpOrderResponse(order=order, also=self.reader.held(message.also))

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
