"""Reading orders: any replica may answer, and they are tried one after the other."""

import time
from collections.abc import Callable
from typing import Any

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.steps import Call, Pause, Steps
from common.process.config import ClusterConfig
from protos import order_pb2
from trading.process import OncePerProcess, cluster_config
from trading.reads.look_ups import LookUps
from trading.replicas.manager import ReplicaManager, replica_manager
from trading.replicas.view import short_text

# Whatever happens, a reader has its answer or an error within about this time plus one call's time-out.
BUDGET_S = 1.5
LOOK_UP_TIMEOUT_S = 0.7
LIST_TIMEOUT_S = 2.0
# A look-up that shares a call waits so long for it, then asks for itself.
SHARED_S = 0.25
PAUSE_S = 0.1
# A replica that did not answer in time is asked last for this long, so that a frozen one does not slow every read.
AVOID_S = 5.0


class OrderReader:
    """Reads from the leader where it is known, from the others otherwise. Any number of threads may use it."""

    def __init__(
        self, config: ClusterConfig, manager: ReplicaManager, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._config = config
        self._manager = manager
        self._monotonic = monotonic
        self._cluster_id = ""  # ours, by the last poll; "": the replicas have refused nothing for being of another one
        self._look_ups = LookUps(self._ask_for, SHARED_S)
        self._avoid: dict[int, float] = {}  # replica id -> until when; each entry is replaced as a whole

    def look_up(self, number: int) -> Steps[order_pb2.Order]:
        """Return the order with this transaction number; any replica alive is enough, the catalog is not needed.

        Raises:
            RpcFailure: UNKNOWN_ORDER: not given yet; CATALOG: no replica that answers holds it, and the
                catalog cannot be asked; HALTED; NO_LEADER: no replica answers.
        """
        return self._look_ups.look_up(number)

    def _ask_for(self, number: int, also: list[int]) -> Steps[order_pb2.LookUpOrderResponse]:
        return self._ask(order_pb2.LookUpOrderRequest(transaction_id=number, also=also), LOOK_UP_TIMEOUT_S)

    def list_orders(self, request: order_pb2.ListOrdersRequest) -> Steps[order_pb2.ListOrdersResponse]:
        """Return one page; it shows every order that was acknowledged before this call.

        Raises:
            RpcFailure: INVALID_ARGUMENT, CATALOG, HALTED, NO_LEADER.
        """
        return self._ask(request, LIST_TIMEOUT_S)

    def _ask(self, request: Any, timeout_s: float) -> Steps[Any]:
        """Return the response of the first replica that gives one; each is waited for `timeout_s` at most.

        Raises:
            RpcFailure: UNKNOWN_ORDER, INVALID_ARGUMENT; CATALOG: the replicas that answer would have to ask the
                catalog; HALTED; NO_LEADER: no replica answers.
        """
        deadline = self._monotonic() + BUDGET_S
        known = self._manager.known
        while True:
            request.to.cluster_id = self._cluster_id or (known.cluster_id if known else "")
            failures: list[RpcFailure] = []
            for replica_id in self._in_order(known.leader_id if known else None):
                request.to.replica_id = replica_id
                try:
                    response = yield Call(self._config.replicas[replica_id], request, timeout_s)
                except RpcFailure as failure:
                    if failure.reason.is_lasting:  # asking another replica would not change it
                        raise
                    failures.append(failure)
                    if failure.reason is Reason.NO_ANSWER:
                        self._avoid[replica_id] = self._monotonic() + AVOID_S
                else:
                    self._avoid.pop(replica_id, None)
                    return response
                if self._monotonic() >= deadline:
                    break
            if self._monotonic() + PAUSE_S >= deadline:
                raise _nobody_answers(failures)
            if any(one.reason is Reason.WRONG_CLUSTER for one in failures):
                yield from self._learn_cluster()
            yield Pause(PAUSE_S)

    def _learn_cluster(self) -> Steps[None]:
        """Learn whose replicas are meant: the cluster of the known leadership may have been made anew."""
        self._cluster_id = (yield from self._manager.poll()).cluster_id

    def _in_order(self, leader_id: int | None) -> list[int]:
        now = self._monotonic()

        def rank(replica_id: int) -> tuple[bool, bool, int]:
            return self._avoid.get(replica_id, now) > now, replica_id != leader_id, -replica_id

        return sorted(self._config.replicas, key=rank)


def _nobody_answers(failures: list[RpcFailure]) -> RpcFailure:
    for failure in failures:
        if failure.reason is Reason.CATALOG:
            return RpcFailure(Reason.CATALOG, failure.message)
    for failure in failures:
        if failure.reason is Reason.HALTED:
            return RpcFailure(Reason.HALTED, failure.message)
    return RpcFailure(Reason.NO_LEADER, f"no order replica answers: {short_text(failures[-1])}")


order_reader = OncePerProcess(lambda: OrderReader(cluster_config(), replica_manager()))
