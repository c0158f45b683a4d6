"""Bourse itself, as `make run` starts it, on free ports and with its data in a folder of its own."""

import json
import shutil
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks.processes import BenchmarkError, cpu_seconds, tree_memory_bytes
from benchmarks.syncs import count_syncs, missing_syncs
from benchmarks.traffic import STOCKS, write_seed
from common.calls.failures import RpcFailure
from common.rows import HEADER, Row, parse_row
from deploy.systems.checkout import THIS, Checkout
from deploy.systems.supervised import SupervisedSystem
from deploy.systems.waiting import wait_until
from protos import order_pb2

IN_SYNC_WITHIN_S = 60.0
CATCH_UP_TIMEOUT_S = 300.0


class Bourse(SupervisedSystem):
    """The six processes. Use it as a context manager: inside, orders can be placed and all replicas are in sync.

    Attributes:
        name: "Bourse", or of another checkout the name of its folder.
        ready_s: how long after the start orders could be placed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        checkout: Checkout = THIS,
        stocks: Sequence[str] = STOCKS,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(folder, folder / "stocks.csv", environment=environment, checkout=checkout)
        self.name = "Bourse" if checkout == THIS else checkout.folder.name
        self._stocks = stocks
        self._syncs: dict[str, int] = {}  # at the last `check_before`

    def start(self) -> None:
        write_seed(self.folder / "stocks.csv", self._stocks)
        began = time.monotonic()
        super().start()
        self.ready_s = time.monotonic() - began
        self.wait_in_sync()

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU time of each process so far, the leader's name and a follower's marked as such."""
        leader = self.leader()
        return {_role(name, leader): cpu_seconds(pid) for name, pid in sorted(self.pids().items())}

    def frontend_memory(self) -> int:
        """Return the bytes of memory that are the frontend's own, its worker's included."""
        return tree_memory_bytes(self.pids()["frontend"])

    def make_token(self) -> str:
        """Make a trader's token, as an operator does.

        Raises:
            BenchmarkError: it was refused.
        """
        made = self.run("manage.py", "tokens", "create", "bench", "--role", "trader")
        if made.returncode:
            raise BenchmarkError(f"`manage.py tokens create`: {made.stderr}")
        return made.stdout.strip()

    def wait_in_sync(self) -> None:
        """Wait until all replicas are in sync; the leader is asked to see to it at once.

        Raises:
            NotInTime: they are not within a minute.
        """

        def are_in_sync() -> bool:
            self._catch_up_all()
            return self.all_in_sync()

        wait_until(are_in_sync, IN_SYNC_WITHIN_S, "all replicas are in sync")

    def _catch_up_all(self) -> None:
        leader = self.leader_health()
        if leader is None:
            return
        for follower in leader.followers:
            if follower.state != order_pb2.IN_SYNC:
                self.catch_up(leader.replica_id, follower.replica_id)

    def catch_up(self, leader_id: int, replica_id: int) -> list[order_pb2.ResyncProgress]:
        """Ask the leader to bring one follower into sync; return its progress, empty if that failed."""
        request = order_pb2.ResyncRequest(replica_id=replica_id)
        try:
            return list(self.network.stream(self.replicas[leader_id], request, CATCH_UP_TIMEOUT_S))
        except RpcFailure:
            return []

    def restart_empty(self, replica_id: int, within_s: float) -> None:
        """Stop a replica, delete all that it has, start it, and wait until it answers; it is not caught up yet.

        An idle leader notices within some seconds that the replica is gone; before that it would call it in sync.
        """
        supervisor = self.supervisor()
        supervisor.stopProcess(f"order-{replica_id}")
        wait_until(lambda: not self.all_in_sync(), within_s, f"the leader has left replica {replica_id} out")
        shutil.rmtree(self.data_dir / f"order-{replica_id}")
        supervisor.startProcess(f"order-{replica_id}", False)
        wait_until(lambda: self.health(replica_id) is not None, within_s, f"replica {replica_id} answers")

    def check_before(self) -> None:
        """Raise unless every order waits for the catalog, the leader and both followers.

        Raises:
            BenchmarkError: a replica is not in sync, or does not run.
        """
        if not self.all_in_sync():
            raise BenchmarkError("not all replicas are in sync: the figures would be of fewer syncs")
        self._syncs = count_syncs(self.metrics)

    def faults(self, acknowledged: Collection[bytes]) -> list[str]:
        """Return what is wrong after a run, nothing if all is well: a replica that dropped out, logs that differ,
        stocks that do not add up, an acknowledged order that is not in the log as it was acknowledged, and,
        since `check_before`, too few syncs at a backend.

        Args:
            acknowledged: the bodies of the answers 201.
        """
        found = [] if self.all_in_sync() else ["a replica fell out of sync"]
        if self._syncs:
            found += missing_syncs(self._syncs, count_syncs(self.metrics), len(acknowledged))
            self._syncs = {}
        verified = self.run("manage.py", "replicas", "verify")
        if verified.returncode:
            found.append(f"`manage.py replicas verify`: {verified.stdout}{verified.stderr}")
        log = (self.data_dir / "order-1" / "order_database.csv").read_bytes()
        return found + missing_orders(log, acknowledged)


def _role(name: str, leader_id: int | None) -> str:
    if not name.startswith("order-"):
        return name
    return f"{name} (leader)" if name == f"order-{leader_id}" else f"{name} (follower)"


def missing_orders(log: bytes, acknowledged: Iterable[bytes]) -> list[str]:
    """Return in words which acknowledged orders do not stand in the log (its whole file) under their number."""
    rows = log[len(HEADER) :].splitlines()
    wrong = []
    for body in acknowledged:
        order = json.loads(body)["data"]
        number = order["transaction_number"]
        row = parse_row(rows[number - 1]) if number <= len(rows) else None
        expected = (number, order["name"], order["type"], order["quantity"], order["client_order_id"])
        if row is None or _told(row) != expected:
            wrong.append(f"acknowledged, but not in the log: {body[:300]!r}")
    return wrong[:3] + ([f"and {len(wrong) - 3} more"] if len(wrong) > 3 else [])


def _told(row: Row) -> tuple[int, str, str, int, str]:
    """Return what a client was told of an order."""
    return row.transaction_number, row.stock_name, row.order_type, row.quantity, row.idempotency_key
