"""Bourse itself, as `make run` starts it, on free ports and with its data in a folder of its own."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Collection, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.processes import ROOT, BenchmarkError, Process, cpu_seconds, free_addresses, wait_until
from benchmarks.syncs import count_syncs, missing_syncs
from benchmarks.traffic import write_seed
from common.calls.failures import RpcFailure
from common.calls.network import Network
from common.rows import HEADER, Row, parse_row
from deploy.control import find_supervisor
from deploy.readiness import is_open
from protos import order_pb2

START_WITHIN_S = 120.0
REPLICA_IDS = (1, 2, 3)
HEALTH_TIMEOUT_S = 1.0
IN_SYNC_WITHIN_S = 60.0
CATCH_UP_TIMEOUT_S = 300.0


class Bourse:
    """The six processes. Use it as a context manager: inside, orders can be placed and all replicas are in sync.

    Attributes:
        data_dir: its data, `var` in its folder; what is there already is opened.
        ready_s: how long after the start orders could be placed.
    """

    name = "Bourse"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address, self.catalog, *others = free_addresses(3 + 2 * len(REPLICA_IDS) + 1)
        self.replicas = dict(zip(REPLICA_IDS, others, strict=False))
        first_metrics, *_ = metrics = others[len(REPLICA_IDS) :]
        self._metrics = dict(zip(["catalog", *(f"order-{number}" for number in REPLICA_IDS)], metrics, strict=False))
        self._syncs: dict[str, int] = {}  # at the last `check_before`
        self.data_dir = folder / "var"
        self.network = Network()
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("BOURSE_")} | {
            "BOURSE_HTTP": self.address,
            "BOURSE_CATALOG": self.catalog,
            "BOURSE_REPLICAS": ",".join(f"{number}={address}" for number, address in self.replicas.items()),
            "BOURSE_DATA_DIR": str(self.data_dir),
            "BOURSE_METRICS_PORT": first_metrics.rpartition(":")[2],
            "DATABASE_URL": "",
            "SEED": str(folder / "stocks.csv"),
        }

    def __enter__(self) -> Self:
        began = time.monotonic()
        self.folder.mkdir(parents=True, exist_ok=True)
        write_seed(self.folder / "stocks.csv")
        self._run = Process("Bourse", [sys.executable, "-m", "deploy.run"], self.folder / "output", self.environment)
        try:
            wait_until(self._is_ready, START_WITHIN_S, "an order can be placed")
            self.ready_s = time.monotonic() - began
            self.wait_in_sync()
        except BaseException:
            self._run.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run.stop()
        self.network.close()

    def _is_ready(self) -> bool:
        self._run.check_runs()
        return is_open(self.address, "localhost")

    def pids(self) -> dict[str, int]:
        """Return the id of each process that runs, by the names that `make status` shows."""
        _supervisor, infos = find_supervisor(self.data_dir)
        return {info["name"]: info["pid"] for info in infos if info["pid"]}

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU time of each process so far, the leader's name and a follower's marked as such."""
        leader = self.leader_id()
        return {_role(name, leader): cpu_seconds(pid) for name, pid in sorted(self.pids().items())}

    def health(self, replica_id: int) -> order_pb2.HealthCheckResponse | None:
        """Return a replica's answer to a health check, None if it gives none in time."""
        try:
            answer: order_pb2.HealthCheckResponse = self.network.call(
                self.replicas[replica_id], order_pb2.HealthCheckRequest(), HEALTH_TIMEOUT_S
            )
        except RpcFailure:
            return None
        return answer

    def leader(self) -> order_pb2.HealthCheckResponse | None:
        """Return the health of the replica that leads in the newest epoch, None if none says so."""
        answers = [answer for number in self.replicas if (answer := self.health(number)) is not None]
        return max((one for one in answers if one.role == order_pb2.LEADER), key=lambda one: one.epoch, default=None)

    def leader_id(self) -> int:
        """Return the id of the replica that leads, 0 if none does."""
        leader = self.leader()
        return leader.replica_id if leader is not None else 0

    def all_in_sync(self) -> bool:
        """Whether the leader has both followers in sync: each order then waits for their syncs."""
        leader = self.leader()
        if leader is None:
            return False
        states = [follower.state for follower in leader.followers]
        return states == [order_pb2.IN_SYNC] * (len(REPLICA_IDS) - 1)

    def wait_in_sync(self) -> None:
        """Wait until all replicas are in sync; the leader is asked to see to it at once.

        Raises:
            BenchmarkError: they are not within a minute.
        """

        def are_in_sync() -> bool:
            self._catch_up_all()
            return self.all_in_sync()

        wait_until(are_in_sync, IN_SYNC_WITHIN_S, "all replicas are in sync")

    def _catch_up_all(self) -> None:
        leader = self.leader()
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
        supervisor, _infos = find_supervisor(self.data_dir)
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
        self._syncs = count_syncs(self._metrics)

    def faults(self, acknowledged: Collection[bytes]) -> list[str]:
        """Return what is wrong after a run, nothing if all is well: a replica that dropped out, logs that differ,
        stocks that do not add up, an acknowledged order that is not in the log as it was acknowledged, and,
        since `check_before`, too few syncs at a backend.

        Args:
            acknowledged: the bodies of the answers 201.
        """
        found = [] if self.all_in_sync() else ["a replica fell out of sync"]
        if self._syncs:
            found += missing_syncs(self._syncs, count_syncs(self._metrics), len(acknowledged))
            self._syncs = {}
        verified = subprocess.run(
            [sys.executable, "manage.py", "replicas", "verify"],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if verified.returncode:
            found.append(f"`manage.py replicas verify`: {verified.stdout}{verified.stderr}")
        log = (self.data_dir / "order-1" / "order_database.csv").read_bytes()
        return found + missing_orders(log, acknowledged)


def _role(name: str, leader_id: int) -> str:
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
