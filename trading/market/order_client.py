"""Placing orders: the frontend's way to the leader."""

import time
from collections.abc import Callable

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.steps import Call, Guarded, Steps
from protos import catalog_pb2, order_pb2
from trading.market.gatherer import Answers, Gatherer, GathererCounts, IsWanted
from trading.market.placing import Attempt, Placing
from trading.process import OncePerProcess
from trading.replicas.election import LeaderAndEpoch
from trading.replicas.manager import SILENCE_S, ReplicaManager, replica_manager
from trading.replicas.search import is_alive

ORDER_BUDGET_S = 8.0


class OrderClient:
    """Procedures that threads and event loops may run; those that place orders at the same time share calls."""

    def __init__(self, manager: ReplicaManager, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._manager = manager
        self._monotonic = monotonic
        self._gatherer = Gatherer(self._send, monotonic)

    def place(
        self,
        order: catalog_pb2.NewOrder,
        *,
        budget_s: float = ORDER_BUDGET_S,
        is_wanted: IsWanted = lambda: True,
    ) -> Steps[order_pb2.PlaceOrderResponse]:
        """Place one order under its key, through failures of replicas, within `budget_s` (and half a second at most).

        Its fields are looked at by the leader alone, which answers one that is out of its bounds by itself. An order
        that is not wanted any more when it would be sent for the first time is dropped.

        Raises:
            RpcFailure: `may_be_executed` says what became of the order.
                No: OVERLOADED: so many wait that it could not be answered in its time; ABANDONED; UNKNOWN_STOCK,
                INSUFFICIENT_STOCK [available], STOCK_LIMIT, KEY_REUSED [transaction_number], INVALID_ARGUMENT,
                NO_LEADER, CATALOG, QUEUE_FULL, TOO_MANY_STREAMS, DISK_FULL, HALTED.
                Perhaps: OUTCOME_UNKNOWN; NOT_REPLICATED (decided, but too few replicas hold it so far).
        """
        waiting = self._gatherer.counts().waiting
        if self._gatherer.time_for(waiting) > budget_s:
            raise RpcFailure(Reason.OVERLOADED, f"{waiting} orders wait: one more would not be answered in its time")

        # Not a function of its own: what is said of its types would be looked up for each order.
        attempt: Attempt = lambda leadership, deadline: self._gatherer.place(  # noqa: E731
            leadership, order, deadline, lambda: placing.may_be_executed or is_wanted()
        )
        placing = Placing(self._find, attempt, self._monotonic, self._monotonic() + budget_s)
        return placing.steps()

    def counts(self) -> GathererCounts:
        """Return how many orders wait, and what was sent."""
        return self._gatherer.counts()

    def _find(self, failed: tuple[LeaderAndEpoch, RpcFailure] | None, deadline: float) -> Steps[LeaderAndEpoch]:
        return self._manager.replace(*failed, deadline) if failed else self._manager.leadership(deadline)

    def _send(self, leadership: LeaderAndEpoch, orders: list[catalog_pb2.NewOrder], timeout_s: float) -> Steps[Answers]:
        request = order_pb2.PlaceOrdersRequest(epoch=leadership.epoch, orders=orders, to=leadership.addressee)
        # A call for several requests is named after none of them. Each order says its own.
        named_after = orders[0].request_id if len(orders) == 1 else ""
        call = Call(leadership.address, request, timeout_s, named_after)
        response: order_pb2.PlaceOrdersResponse = yield Guarded(call, SILENCE_S, lambda: is_alive(leadership))
        self._manager.heard_from(leadership)
        return response.results


order_client = OncePerProcess(lambda: OrderClient(replica_manager()))
