"""The clients of a simulated cluster: traders, readers, and operators who set prices and move the leadership."""

from typing import TYPE_CHECKING, Any

from common.calls.failures import RpcFailure
from common.calls.reasons import Verdict
from common.calls.steps import Call, Pause, Steps
from protos import catalog_pb2, order_pb2
from tests.simulation.frontends import FrontendNode
from tests.simulation.nodes import CATALOG, FIRST_PRICE_CENTS, STOCKS
from tests.simulation.process import Process
from tests.simulation.questions import ListOrders, LookUpOrder, ReadStock
from tests.simulation.recorder import Times
from trading.operator.switchover import switch_over
from trading.reads.order_query import OrderFilters, OrderQuery

if TYPE_CHECKING:
    from tests.simulation.cluster import SimulatedCluster

# Longer than a frontend takes: what has no answer by then is lost.
PATIENCE_S = 10.0
HASTE_S = (0.3, 1.0, 2.0)
RETRY_PAUSE_S = 0.3
# A call without an answer may still arrive, late and then at a process that is frozen; after this time no more.
LOST_CALL_S = 10.0


class Client(Process):
    """Somebody who asks frontends, one question after the other, until the faults are over."""

    def __init__(self, cluster: "SimulatedCluster", name: str) -> None:
        super().__init__(cluster.world, cluster.network, f"{name}:1")
        self._cluster = cluster
        self._history = cluster.history
        self._random = cluster.world.random
        self._home = self._random.choice(cluster.frontends)
        self._strays = self._random.choice((0.0, 0.1, 1.0))  # how often it asks any frontend, not just its own
        self.come_alive()

    def run(self) -> Steps[None]:
        """Do what this client does."""
        raise NotImplementedError

    def _any_frontend(self) -> FrontendNode:
        return self._random.choice(self._cluster.frontends) if self._random.random() < self._strays else self._home

    def _ask(self, frontend: FrontendNode, question: Any, timeout_s: float = PATIENCE_S) -> Steps[Any]:
        """Ask a frontend, and have the answer, or the lack of one, recorded."""
        record, began = self._cluster.recorder.take_in, self.world.now
        if isinstance(question, catalog_pb2.NewOrder):
            self._cluster.recorder.take_in_order(frontend.name, began, question)
        try:
            answer = yield Call(frontend.address, question, timeout_s)
        except RpcFailure as failure:
            record(frontend.name, (began, self.world.now), question, failure)
            raise
        record(frontend.name, (began, self.world.now), question, answer)
        return answer


class Trader(Client):
    """Places orders; one without a definite answer is sent again with its key, perhaps while a frontend is still at it.

    Attributes:
        key: of the order under way, "" between two.
    """

    def __init__(self, cluster: "SimulatedCluster", name: str) -> None:
        super().__init__(cluster, name)
        self.key = ""
        self._most_pause_s = self._random.choice((0.05, 0.3, 1.0, 1.0))
        self._buys = self._random.choice((0.6, 0.75))  # part of the orders; the more, the more are refused

    def run(self) -> Steps[None]:
        """Place one order after the other."""
        random = self._random
        number = 0
        while not self._cluster.is_quiet:
            number += 1
            self.key = f"{self.name}.{number}"
            wanted = catalog_pb2.NewOrder(
                stock_name=STOCKS[random.random() < self._cluster.second_part],
                order_type=catalog_pb2.BUY if random.random() < self._buys else catalog_pb2.SELL,
                quantity=random.choice((1, 2, 7, 30)),
                idempotency_key=self.key,
            )
            yield from self._place(wanted)
            self.key = ""
            yield Pause(random.uniform(0.0, self._most_pause_s))

    def _place(self, wanted: catalog_pb2.NewOrder) -> Steps[None]:
        decided = len(self._history.rows)
        maybe_sent = self._random.random() < 0.2
        if maybe_sent:
            self.spawn(self._place_too(wanted, decided))
        while True:
            frontend = self._any_frontend()
            patience_s = PATIENCE_S if self._random.random() < 0.8 else self._random.choice(HASTE_S)
            try:
                placed: order_pb2.PlaceOrderResponse = yield from self._ask(frontend, wanted, patience_s)
            except RpcFailure as failure:
                # Not `failure.may_be_executed`: the frontend's rule is under test, here counts what it says.
                is_unknown = failure.was_sent and failure.reason.may_be_executed
                if not is_unknown and not maybe_sent and failure.was_answered:
                    self._history.abandon(wanted.idempotency_key)
                    return
                # An earlier request with this key may still be under way at a frozen frontend. A refusal ends it for
                # this client, although under a later leader that request may be tried anew.
                if failure.reason.verdict is Verdict.FINAL:
                    return
                maybe_sent = maybe_sent or is_unknown
                yield Pause(RETRY_PAUSE_S)
            else:
                self._cluster.acknowledge(placed.order, wanted, decided)
                break
        if self._random.random() < 0.5:
            yield from self._read_back(frontend, wanted.stock_name)

    def _place_too(self, wanted: catalog_pb2.NewOrder, decided: int) -> Steps[None]:
        """Send the same order by the side, as an impatient client does."""
        yield Pause(self._random.uniform(0.0, 0.3))
        try:
            placed: order_pb2.PlaceOrderResponse = yield from self._ask(self._any_frontend(), wanted)
        except RpcFailure as failure:
            self.world.note(f"{wanted.idempotency_key}, by the side: {failure.wire_reason}")
        else:
            self._cluster.acknowledge(placed.order, wanted, decided)

    def _read_back(self, frontend: FrontendNode, name: str) -> Steps[None]:
        """Read the stock where the order was answered: it must not be as before."""
        try:
            yield from self._ask(frontend, ReadStock(name, past_cache=False))
        except RpcFailure as failure:
            self.world.note(f"{name} is not read: {failure.wire_reason}")


class Reader(Client):
    """Reads stocks, orders and lists; the frontends and the history check the answers."""

    def run(self) -> Steps[None]:
        """Ask one question after the other."""
        random = self._random
        pauses_s = random.choice(((0.02, 0.2), (0.1, 0.5)))
        while not self._cluster.is_quiet:
            try:
                yield from random.choice((self._read_stock, self._look_up, self._list))()
            except RpcFailure:
                yield Pause(RETRY_PAUSE_S)
            yield Pause(random.choice(pauses_s))

    def _read_stock(self) -> Steps[None]:
        past_cache = self._random.random() < 0.5
        yield from self._ask(self._any_frontend(), ReadStock(self._random.choice(STOCKS), past_cache))

    def _look_up(self) -> Steps[None]:
        decided = len(self._history.rows)
        number = self._random.choice((decided, decided, decided + 1, self._random.randint(1, decided + 2)))
        yield from self._ask(self._any_frontend(), LookUpOrder(max(1, number)))

    def _list(self) -> Steps[None]:
        """Read a list page by page, each page perhaps at another frontend."""
        random = self._random
        keys = list(self._history.acked)[-8:]
        filters = random.choice(
            (
                OrderFilters(),
                OrderFilters(direction="asc"),
                OrderFilters(name=(random.choice(STOCKS),), direction=random.choice(("asc", "desc"))),
                OrderFilters(type="buy", after_number=len(self._history.rows) // 2),
                OrderFilters(client_order_id=random.choice(keys) if keys else "nobody"),
            )
        )
        query = OrderQuery(filters, None, random.choice((1, 3, 10)))
        pages: list[tuple[Times, order_pb2.ListOrdersResponse]] = []
        while len(pages) < 4:
            began = self.world.now
            page: order_pb2.ListOrdersResponse = yield from self._ask(self._any_frontend(), ListOrders(query))
            pages.append(((began, self.world.now), page))
            if not page.resume_number:
                break
            query = OrderQuery(filters, page.resume_number, query.limit)
        self._cluster.recorder.take_in_list(filters, pages)


class Ticker(Client):
    """Follows one stock through the cache of its frontend, as a page does that shows a price."""

    def run(self) -> Steps[None]:
        """Read the stock again and again."""
        name = self._random.choice(STOCKS)
        while not self._cluster.is_quiet:
            try:
                yield from self._ask(self._home, ReadStock(name, past_cache=False))
            except RpcFailure:
                yield Pause(RETRY_PAUSE_S)
            yield Pause(self._random.uniform(0.001, 0.01))


class PriceSetter(Client):
    """Sets prices, each time higher ones."""

    def run(self) -> Steps[None]:
        """Set one price after the other."""
        price_cents = FIRST_PRICE_CENTS
        while not self._cluster.is_quiet:
            price_cents += 1
            request = catalog_pb2.SetStockRequest(name=self._random.choice(STOCKS), price_cents=price_cents)
            try:
                yield Call(CATALOG, request, 2.0)
            except RpcFailure as failure:
                self.world.note(f"price {price_cents} is not set: {failure.wire_reason}")
                yield Pause(LOST_CALL_S)
            yield Pause(self._random.uniform(0.1, 2.0))


class Operator(Client):
    """Moves the leadership as planned, to a replica that is in sync."""

    def run(self) -> Steps[None]:
        """Ask for one switchover after the other."""
        random, config = self._random, self._cluster.config
        while not self._cluster.is_quiet:
            yield Pause(random.uniform(0.1, 1.5))
            to = random.choice((None, *config.replicas))
            try:
                done = yield from switch_over(config, to, hold_s=random.choice((0, 1, 5)))
            except RpcFailure as failure:
                self.world.note(f"no switchover to {to}: {failure.wire_reason}")
            else:
                self.world.fault("planned switchover", f"from {done.before.leader_id} to {done.after.leader_id}")
