"""The clients of a simulated cluster."""

from typing import TYPE_CHECKING

from common.failures import RpcFailure
from common.steps import Call, Pause, Steps
from protos import catalog_pb2, order_pb2
from tests.simulation.nodes import STOCKS
from tests.simulation.process import Process
from trading.clients.outcomes import FINAL_REASONS

if TYPE_CHECKING:
    from tests.simulation.cluster import SimulatedCluster


class Client(Process):
    """Places orders one after the other; an order without a definite answer is sent again with its key."""

    def __init__(self, cluster: "SimulatedCluster", name: str) -> None:
        super().__init__(cluster.world, cluster.network, f"{name}:1")
        self._cluster = cluster
        self.key = ""  # of the order under way
        self.come_alive()

    def trade(self) -> Steps[None]:
        random = self.world.random
        number = 0
        while not self._cluster.is_quiet:
            number += 1
            self.key = f"{self.address.removesuffix(':1')}.{number}"
            wanted = order_pb2.NewOrder(
                stock_name=random.choice(STOCKS),
                order_type=random.choice((catalog_pb2.BUY, catalog_pb2.SELL)),
                quantity=random.choice((1, 2, 30)),
                idempotency_key=self.key,
            )
            yield from self._place(wanted)
            self.key = ""
            yield Pause(random.uniform(0.0, 0.3))

    def _place(self, wanted: order_pb2.NewOrder) -> Steps[None]:
        history = self._cluster.history
        floor = max(history.acked.values(), default=0)
        maybe_sent = False
        while True:
            frontend = self.world.random.choice(self._cluster.frontends)
            try:
                placed: order_pb2.PlaceOrderResponse = yield Call(frontend.address, wanted, 10.0)
            except RpcFailure as failure:
                outcome = getattr(failure, "outcome", "unknown")
                if outcome == "not_executed" and not maybe_sent:
                    history.abandon(wanted.idempotency_key)
                    return
                # An earlier request with this key may still be under way at a frozen frontend. A refusal ends it for
                # this client, although under a later leader that request may be tried anew.
                if failure.reason in FINAL_REASONS:
                    return
                maybe_sent = maybe_sent or outcome != "not_executed"
                yield Pause(0.3)
            else:
                self._cluster.acknowledge(placed.order, wanted, floor)
                return
