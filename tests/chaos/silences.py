"""`python -m tests.chaos.silences`: how long an order takes whose leader has just fallen silent, again and again.

A leader that is killed is known at once: its connections are reset. One that says nothing more, as it is frozen or as
its host is gone, is only known by waiting. `make bench` measures the former two with nothing between the processes;
here each connection goes through the proxy of tests/chaos/proxy.py, and a host that is gone is one whose links are all
silent.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from common.calls.failures import RpcFailure
from protos import order_pb2
from tests.chaos.system import System
from tests.harness.seeds import write_seed

# The health loop would elect too, now sooner and now later than the order does: it looks too seldom for that.
INTERVAL_S = 3600
# A process elects once in 2 s at most: failures that come faster would measure that.
BETWEEN_S = 2.5
IN_SYNC_WITHIN_S = 30.0
RESYNC_TIMEOUT_S = 10.0
# For how long before its leader falls silent the frontend had nothing to do with it.
IDLE_S = {"just after an order": 0.0, "idle": 1.0}


class Silences:
    """A system whose leader falls silent in one of two ways."""

    def __init__(self, system: System, stock: str) -> None:
        self._system = system
        self._stock = stock
        self.kinds: dict[str, tuple[Callable[[str], None], Callable[[str], None]]] = {
            "frozen": (system.freeze, system.resume),
            "blackholed": (system.blackhole, lambda _leader: system.links.heal()),
        }

    def measure(self, kind: str, idle_s: float) -> float:
        """Let the leader fall silent once, return the seconds of the next order, and bring all into sync again."""
        begin, end = self.kinds[kind]
        self._wait_in_sync()
        leader = self._system.leader_name()
        self.place()
        time.sleep(idle_s)
        begin(leader)
        began = time.perf_counter()
        self.place()
        seconds = time.perf_counter() - began
        end(leader)
        time.sleep(max(0.0, began + BETWEEN_S - time.perf_counter()))
        return seconds

    def place(self) -> None:
        """Place one order.

        Raises:
            AssertionError: it was not answered with an order.
        """
        response = self._system.rest.place(self._stock, "sell", 1)
        assert response.status_code == 201, response.text

    def _wait_in_sync(self) -> None:
        def are_in_sync() -> bool:
            leader = self._system.leader_health()
            for follower in leader.followers if leader else ():
                if leader is not None and follower.state != order_pb2.IN_SYNC:
                    self._catch_up(leader.replica_id, follower.replica_id)
            return self._system.all_in_sync()

        self._system.wait_until(are_in_sync, IN_SYNC_WITHIN_S, "all replicas in sync")

    def _catch_up(self, leader_id: int, replica_id: int) -> None:
        request = order_pb2.ResyncRequest(replica_id=replica_id)
        try:
            list(self._system.network.stream(self._system.replicas[leader_id], request, RESYNC_TIMEOUT_S))
        except RpcFailure as failure:
            print(f"replica {replica_id}: {failure}", file=sys.stderr)  # it is asked again


def main() -> None:
    """Print the median and the longest of each kind."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.silences", description=__doc__)
    parser.add_argument("--count", type=int, default=20, metavar="N", help="failures of each kind")
    count = parser.parse_args().count
    with tempfile.TemporaryDirectory(prefix="bourse-silences-") as name:
        folder = Path(name)
        write_seed(folder / "seed.csv", quantity=1000, count=1)
        with System(folder, folder / "seed.csv", {}, interval_s=INTERVAL_S) as system:
            silences = Silences(system, next(iter(system.initial)))
            for kind in silences.kinds:
                for when, idle_s in IDLE_S.items():
                    times = [silences.measure(kind, idle_s) for _ in range(count)]
                    median, longest = statistics.median(times), max(times)
                    print(f"leader {kind}, {when}: p50 {median:.2f} s, max {longest:.2f} s of {count}", flush=True)


if __name__ == "__main__":
    main()
