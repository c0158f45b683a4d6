"""The frontend processes, with the real clients, stock cache and replica manager, and the health loop."""

from functools import partial
from math import inf
from typing import Any

from common.calls.failures import RpcFailure
from common.calls.network import Network as RealNetwork
from common.calls.reasons import Reason
from common.calls.steps import Call, Pause, Steps
from common.process.config import ClusterConfig
from protos import catalog_pb2, order_pb2
from tests.simulation.history import History
from tests.simulation.network import Network
from tests.simulation.nodes import STOCKS
from tests.simulation.process import Process, Request
from tests.simulation.questions import ListOrders, LookUpOrder, ReadStock
from tests.simulation.world import World
from trading.market.order_client import OrderClient
from trading.reads.catalog_client import CatalogClient
from trading.reads.order_query import OrderQuery
from trading.reads.order_reader import OrderReader
from trading.reads.stock_cache import StockCache
from trading.reads.stock_reader import StockReader
from trading.reads.stock_watch import StockWatch
from trading.replicas.election import LeaderAndEpoch
from trading.replicas.health import HealthLoop
from trading.replicas.manager import ReplicaManager

# Within these times a frontend that is not frozen has answered, whatever else happens (docs/PROTOCOL.md, I9).
PLACE_MARGIN_S = 1.0  # beyond the order's budget
READ_BOUND_S = 2.2  # its own question to the catalog, behind one that it had joined
LOOK_UP_BOUND_S = 2.5
LIST_BOUND_S = 4.0
# Of so many orders the client does not wait for the answer.
HANGING_UP = 0.1


class FrontendNode(Process):
    """One frontend process. A request is a NewOrder or one of the questions above; each answer is checked here too."""

    def __init__(
        self, world: World, network: Network, name: str, config: ClusterConfig, history: History, order_budget_s: float
    ) -> None:
        super().__init__(world, network, f"{name}:1")
        self._config = config
        self._order_budget_s = order_budget_s
        self._history = history
        self.start()

    def start(self) -> None:
        """Begin anew: nothing is remembered."""
        self.come_alive()
        clock = self.world.clock
        # Its calls are made here, by the steps: the real network stays unused.
        manager = ReplicaManager(self._config, RealNetwork(), clock)
        self._orders = OrderClient(manager, clock)
        self._order_reader = OrderReader(self._config, manager, clock)
        catalog = CatalogClient(self._config, clock)
        cache = StockCache(self.world.random.choice((1, 10)), clock)
        self._stocks = StockReader(catalog.look_up, cache, clock)
        # By when, as this process knows, a stock has changed: it answered an order of it, or the catalog told of it.
        self._changed: dict[str, float] = {}
        self.spawn(self._follow(StockWatch(partial(self._watch, catalog), cache, clock)))

    def handle(self, request: Request) -> None:
        message: Any = request.message
        match message:
            case catalog_pb2.NewOrder():
                self._answer(self._place(message), request, self._order_budget_s + PLACE_MARGIN_S)
            case ReadStock():
                self._answer(self._read(message), request, READ_BOUND_S)
            case LookUpOrder():
                self._answer(self._look_up(message.number), request, LOOK_UP_BOUND_S)
            case ListOrders():
                self._answer(self._list(message.query), request, LIST_BOUND_S)
            case _:
                raise AssertionError(f"a frontend is asked {message}")

    @staticmethod
    def _follow(watch: StockWatch) -> Steps[None]:
        yield from watch.begin()
        yield from watch.follow()

    def _watch(self, catalog: CatalogClient, cursor: str, wait_ms: int) -> Steps[catalog_pb2.WatchStocksResponse]:
        response = yield from catalog.watch(cursor, wait_ms)
        for name in STOCKS if response.reset else response.names:
            told = self._history.cursor_times[response.cursor]
            self._changed[name] = max(told, self._changed.get(name, told))
        return response

    def _place(self, order: catalog_pb2.NewOrder) -> Steps[order_pb2.PlaceOrderResponse]:
        """Do what services.place_order does, some of it for clients that soon hang up."""
        random, now = self.world.random, self.world.clock
        gone_at = now() + (random.uniform(0.0, 1.0) if random.random() < HANGING_UP else inf)
        try:
            placed = yield from self._orders.place(
                order, budget_s=self._order_budget_s, is_wanted=lambda: now() < gone_at
            )
        except RpcFailure:
            self._forget(order.stock_name)
            raise
        self._forget(order.stock_name)
        return placed

    def _forget(self, name: str) -> None:
        self._stocks.forget(name)
        self._changed[name] = self.world.now

    def _read(self, question: ReadStock) -> Steps[Any]:
        began, changed = self.world.now, self._changed.get(question.name, 0.0)
        read = yield from self._stocks.read(question.name, past_cache=question.past_cache)
        self._history.check_stock(read, began, changed)
        return read

    def _look_up(self, number: int) -> Steps[order_pb2.Order]:
        decided = len(self._history.rows)
        try:
            order = yield from self._order_reader.look_up(number)
        except RpcFailure as failure:
            if failure.reason is Reason.UNKNOWN_ORDER:
                self._history.check_no_order(number, decided)
            raise
        self._history.check_order(number, order)
        return order

    def _list(self, query: OrderQuery) -> Steps[order_pb2.ListOrdersResponse]:
        decided = len(self._history.rows)
        page = yield from self._order_reader.list_orders(query.request(None))
        self._history.check_page(query, page, decided)
        return page

    def _answer(self, steps: Steps[Any], request: Request, bound_s: float) -> None:
        """Run a procedure and send what it returns, or its failure; I9: within `bound_s`, unless it is frozen."""
        life, began, is_answered = self.life, self.world.now, False

        def done(result: Any, failure: RpcFailure | None) -> None:
            nonlocal is_answered
            is_answered = True
            request.respond(result if failure is None else failure)

        def time_is_up() -> None:
            if not is_answered and self.life == life and self._frozen_until <= began:
                raise self._history.violated(f"I9: {self.name} has not answered in {bound_s} s: {request.message}")

        self.spawn(steps, done)
        self.world.at(bound_s, time_is_up)


class HealthNode(Process):
    """The health loop."""

    def __init__(self, world: World, network: Network, config: ClusterConfig, interval_s: float) -> None:
        super().__init__(world, network, "health:1")
        self._config = config
        self._interval_s = interval_s
        self.start()

    def start(self) -> None:
        """Begin anew: nothing is remembered."""
        self.come_alive()
        loop = HealthLoop(self._config, self.world.clock, self._interval_s)
        self.spawn(self._loop(loop))

    def _loop(self, loop: HealthLoop) -> Steps[None]:
        while True:
            report = yield from loop.tick()
            if report.leadership is not None:
                for replica_id in report.resync:
                    self.spawn(self._resync(report.leadership, replica_id))
            yield Pause(self._interval_s)

    def _resync(self, leader: LeaderAndEpoch, replica_id: int) -> Steps[None]:
        yield Call(leader.address, order_pb2.ResyncRequest(replica_id=replica_id, to=leader.addressee), 30.0)
