"""The peer as a system to measure: PostgreSQL and the site under the frontend's server and settings."""

import json
import os
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.postgres_peer.cluster import PostgresCluster
from benchmarks.processes import FRONTEND_CORE, BenchmarkError, cpu_seconds, is_listening
from benchmarks.traffic import INITIAL_QUANTITY
from deploy.settings import ROOT
from deploy.systems.ports import PortBlock
from deploy.systems.process import Process
from deploy.systems.waiting import wait_until

START_WITHIN_S = 30.0


class PostgresPeer:
    """Use it as a context manager: inside, orders can be placed."""

    name = "PostgreSQL"

    def __init__(self, folder: Path, programs: Path) -> None:
        self._ports = PortBlock()
        self.address = self._ports.addresses[0]
        self._folder = folder
        self._cluster = PostgresCluster(folder / "postgres", programs)

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True)
        self._cluster.__enter__()
        try:
            self._start_site()
        except BaseException:
            self._cluster.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._site.stop()
        self._ports.close()
        self._cluster.__exit__(kind, error, trace)

    def _start_site(self) -> None:
        environment = {
            **os.environ,
            "PEER_SOCKET_DIR": str(self._cluster.socket_dir),
            "PEER_PORT": self._cluster.port,
        }
        prepare = [sys.executable, "-m", "benchmarks.postgres_peer.prepare"]
        subprocess.run(prepare, cwd=ROOT, env=environment, check=True)
        serve = [sys.executable, "-m", "benchmarks.serve", "benchmarks.postgres_peer.site", self.address]
        self._site = Process("site", serve, environment, self._folder / "site.log", core=FRONTEND_CORE)
        self._site.start()
        wait_until(lambda: is_listening(self.address), START_WITHIN_S, "the peer's site listens")

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU time of each part so far."""
        return {"site": cpu_seconds(self._site.pid), **self._cluster.cpu_s()}

    def check_before(self) -> None:
        """Raise unless each commit waits for both standbys.

        Raises:
            BenchmarkError: it does not.
        """
        if not self._cluster.are_synchronous():
            raise BenchmarkError("the standbys of the PostgreSQL peer are not synchronous")

    def faults(self, acknowledged: Collection[bytes]) -> list[str]:
        """Return what is wrong after a run: as for Bourse."""
        found = [] if self._cluster.are_synchronous() else ["a standby is not synchronous"]
        sums = "sum(case when order_type = 'sell' then o.quantity else -o.quantity end)"
        balances = self._cluster.query(
            f"select s.quantity - {INITIAL_QUANTITY} - coalesce({sums}, 0) from postgres_peer_stock s"
            " left join postgres_peer_order o on o.stock_id = s.id group by s.id"
        )
        if set(balances) != {"0"}:
            found.append(f"stocks of the peer do not add up: {balances}")
        numbers = set(self._cluster.query("select id || '|' || key from postgres_peer_order"))
        orders = [json.loads(body)["data"] for body in acknowledged]
        lost = [one for one in orders if f"{one['transaction_number']}|{one['client_order_id']}" not in numbers]
        return found + [f"acknowledged by the peer, but not there: {one}" for one in lost[:3]]
