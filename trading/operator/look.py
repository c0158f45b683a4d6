"""A look at all processes, for those who operate the system: who answers, how quickly, and who was last seen when."""

import dataclasses
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from common.calls.failures import RpcFailure
from common.calls.network import Network
from common.calls.steps import Call, Steps
from protos import order_pb2
from trading.process import OncePerProcess, network
from trading.replicas.manager import ReplicaManager, replica_manager
from trading.replicas.view import POLL_TIMEOUT_S, ClusterView


class ClusterLook:
    """Looks, and remembers when each replica last answered this process. Any number of threads may use it."""

    def __init__(
        self,
        manager: ReplicaManager,
        network: Network,
        monotonic: Callable[[], float] = time.monotonic,
        utc_now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._manager = manager
        self._network = network
        self._monotonic = monotonic
        self._utc_now = utc_now
        self._lock = threading.Lock()
        self._last_seen: dict[int, datetime] = {}  # guarded by _lock

    def look(self, *, measure: bool = False) -> ClusterView:
        """Poll the catalog and all replicas now; with `measure`, their round trips too. Takes half a second at most,
        or one second with `measure` when a replica dies meanwhile."""
        view = self._network.run(self._manager.poll())
        if measure:
            view = self._network.run(measure_round_trips(view, self._monotonic))
        now = self._utc_now()
        with self._lock:
            self._last_seen.update({report.replica_id: now for report in view.replicas if report.health})
            seen = dict(self._last_seen)
        reports = [dataclasses.replace(report, last_seen=seen.get(report.replica_id)) for report in view.replicas]
        return dataclasses.replace(view, replicas=tuple(reports))


def measure_round_trips(view: ClusterView, monotonic: Callable[[], float]) -> Steps[ClusterView]:
    """Return the view with the time of one more HealthCheck for each replica that answered, asked one by one."""
    reports = []
    for report in view.replicas:
        if report.health is not None:
            sent = monotonic()
            try:
                yield Call(report.address, order_pb2.HealthCheckRequest(), POLL_TIMEOUT_S)
            except RpcFailure as failure:
                report = dataclasses.replace(report, health=None, failure=failure)
            else:
                report = dataclasses.replace(report, rtt_s=monotonic() - sent)
        reports.append(report)
    return dataclasses.replace(view, replicas=tuple(reports))


cluster_look = OncePerProcess(lambda: ClusterLook(replica_manager(), network()))
