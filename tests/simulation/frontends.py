"""The processes that place orders and look after the replicas: frontends and the health loop."""

from typing import Any

from common.config import ClusterConfig
from common.failures import RpcFailure
from common.steps import Call, Pause, Steps
from protos import order_pb2
from tests.simulation.network import Network
from tests.simulation.process import Process, Request
from tests.simulation.world import World
from trading.clients.gatherer import CALL_TIMEOUT_S
from trading.clients.outcomes import AttemptFailed
from trading.clients.placing import Placing
from trading.replicas.election import Leadership
from trading.replicas.health import HealthLoop
from trading.replicas.leadership import ElectionMemory, LeaderSearch, confirm

SILENCE_S = 0.3
ORDER_BUDGET_S = 8.0


class FrontendNode(Process):
    """One frontend process: the order path and the leader search; a request is a NewOrder."""

    def __init__(self, world: World, network: Network, name: str, config: ClusterConfig) -> None:
        super().__init__(world, network, f"{name}:1")
        self._config = config
        self.start()

    def start(self) -> None:
        """Begin anew: nothing is remembered."""
        self._memory = ElectionMemory()
        self._known: Leadership | None = None
        self._heard_at = float("-inf")
        self.come_alive()

    def handle(self, request: Request) -> None:
        order = request.message
        assert isinstance(order, order_pb2.NewOrder)

        def attempt(leadership: Leadership, until: float) -> Steps[order_pb2.PlaceOrderResponse]:
            call = order_pb2.PlaceOrdersRequest(epoch=leadership.epoch, orders=[order])
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

        placing = Placing(self._find, attempt, self.world.clock, self.world.now + ORDER_BUDGET_S)

        def done(result: Any, failure: RpcFailure | None) -> None:
            request.respond(result if failure is None else failure)

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
                    self.spawn(self._resync(report.leadership.address, replica_id))
            yield Pause(self._interval_s)

    def _resync(self, leader_address: str, replica_id: int) -> Steps[None]:
        yield Call(leader_address, order_pb2.ResyncRequest(replica_id=replica_id), 30.0)
