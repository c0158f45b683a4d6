"""The whole system as real processes on free ports, with its data in one folder."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import httpx

from common.calls.failures import RpcFailure
from common.calls.network import Network
from common.process.tls import Tls
from protos import catalog_pb2, order_pb2
from tests.harness.ports import PortBlock
from tests.harness.process import ManagedProcess
from tests.harness.rest import Rest
from tests.harness.seeds import read_seed
from tests.harness.waiting import wait_until

T = TypeVar("T")

START_WITHIN_S = 30.0
HEALTH_TIMEOUT_S = 1.0
REPLICA_IDS = (1, 2, 3)


class Cluster:
    """Catalog, three order replicas, frontend and health loop: `catalog`, `order-1`.. `order-3`, `frontend`, `health`.

    Further frontends are `frontend-2` and so on. Use it as a context manager: at the end every process is gone.

    Attributes:
        data_dir: the folder of their data directories.
        initial: the quantity of each stock that the catalog was seeded with.
        interval_s: the interval of the health loop.
        rests: a client of each frontend by its name; `rest` is that of the first.
    """

    def __init__(
        self,
        folder: Path,
        seed: Path,
        *,
        interval_s: int = 2,
        environment: Mapping[str, str] | None = None,
        frontends: int = 1,
    ) -> None:
        self.data_dir = folder / "var"
        self.initial = read_seed(seed)
        self.interval_s = interval_s
        self._ports = PortBlock()
        catalog, *others = [f"127.0.0.1:{port}" for port in self._ports.ports]
        self.catalog_address = catalog
        self.replicas = dict(zip(REPLICA_IDS, others, strict=False))
        sites = {f"frontend-{n + 1}" if n else "frontend": others[len(self.replicas) + n] for n in range(frontends)}
        self.rests = {name: Rest(address) for name, address in sites.items()}
        self.rest = self.rests["frontend"]
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("BOURSE_")},
            "BOURSE_CATALOG": catalog,
            "BOURSE_REPLICAS": ",".join(f"{number}={address}" for number, address in self.replicas.items()),
            "BOURSE_DATA_DIR": str(self.data_dir),
            "DATABASE_URL": f"sqlite:///{self.data_dir}/frontend.sqlite3",
            "PYTHONUNBUFFERED": "1",
            **(environment or {}),
        }
        self.network = Network(Tls.from_environment(self.environment))
        arguments = {
            "catalog": ["-m", "backends.catalog", "--seed", str(seed)],
            **{f"order-{n}": ["-m", "backends.order", "--replica-id", str(n)] for n in self.replicas},
            **{name: ["-m", "deploy.frontend", address] for name, address in sites.items()},
            "health": ["manage.py", "replicas", "watch", "--interval", str(interval_s)],
        }
        folder.mkdir(parents=True, exist_ok=True)
        self.data_dir.mkdir(exist_ok=True)
        self.processes = {
            name: ManagedProcess(name, own, self.environment | self.own_environment(name), folder / f"{name}.log")
            for name, own in arguments.items()
        }

    def own_environment(self, _name: str) -> dict[str, str]:
        """Return the variables of one process alone. The addresses are known when this is called."""
        return {}

    def log_in(self, account: str, role: str) -> dict[str, str]:
        """Make a token, send it with every request of `rest` from now on, and return the header that holds it.

        With BOURSE_AUTH=on in `environment`, do so, after `manage("migrate")`, before the start: without a token it is
        never seen to be ready.
        """
        token = self.manage("tokens", "create", account, "--role", role).strip()
        self.rest.close()
        self.rest.headers = {"Authorization": f"Bearer {token}"}
        return self.rest.headers

    def manage(self, *arguments: str) -> str:
        """Run a command of manage.py and return what it wrote to stdout."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def __enter__(self) -> Self:
        try:
            for process in self.processes.values():
                process.start()
            self.wait_ready()
            # At the start a lower id may be elected before the highest is ready. Not in the middle of a test shall that
            # be put right.
            wait_until(lambda: self.leader() == max(self.replicas), START_WITHIN_S, "the highest id leads")
        except BaseException:
            self.close()
            print(self.outputs())
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kill what still runs and give the ports up."""
        for process in reversed(self.processes.values()):
            process.kill()
        for rest in self.rests.values():
            rest.close()
        self.network.close()
        self._ports.close()

    def kill(self, name: str) -> None:
        """SIGKILL a process."""
        self.processes[name].kill()

    def restart(self, name: str) -> None:
        """Start a process that has ended; does not wait until it is ready."""
        self.processes[name].start()

    def freeze(self, name: str) -> None:
        """SIGSTOP a process."""
        self.processes[name].freeze()

    def resume(self, name: str) -> None:
        """SIGCONT a process."""
        self.processes[name].resume()

    def stop_all(self) -> dict[str, int]:
        """SIGTERM every process that runs, frontend first, and return the exit codes by name."""
        return {name: process.terminate() for name, process in reversed(self.processes.items()) if process.is_running}

    def start_all(self) -> None:
        """Start every process that does not run, and wait until the system is ready."""
        self.start_ended()
        self.wait_ready()

    def start_ended(self) -> None:
        """Start every process that does not run; does not wait."""
        for process in self.processes.values():
            if not process.is_running:
                process.start()

    def wait_until(self, predicate: Callable[[], T], within_s: float, what: str) -> T:
        """Return what `predicate` returns as soon as that is true; see tests/harness/waiting.py."""
        return wait_until(predicate, within_s, what)

    def wait_ready(self, within_s: float = START_WITHIN_S) -> None:
        """Wait until a leader has every replica in sync and the frontend answers."""
        wait_until(self.all_in_sync, within_s, "a leader with all replicas in sync")
        wait_until(self.frontends_answer, within_s, "an answer of every frontend")

    def frontends_answer(self) -> bool:
        """Whether a stock can be looked up by REST, at each frontend."""
        try:
            name = next(iter(self.initial))
            return all(rest.get(f"/stocks/{name}").status_code == 200 for rest in self.rests.values())
        except httpx.TransportError:
            return False

    def health(self, replica_id: int) -> order_pb2.HealthCheckResponse | None:
        """Return a replica's answer to a health check, None if it gives none in a second."""
        try:
            answer: order_pb2.HealthCheckResponse = self.network.call(
                self.replicas[replica_id], order_pb2.HealthCheckRequest(), HEALTH_TIMEOUT_S
            )
        except RpcFailure:
            return None
        return answer

    def catalog_health(self) -> catalog_pb2.CatalogHealthResponse | None:
        """Return the catalog's answer to a health check, None if it gives none in a second."""
        try:
            answer: catalog_pb2.CatalogHealthResponse = self.network.call(
                self.catalog_address, catalog_pb2.CatalogHealthRequest(), HEALTH_TIMEOUT_S
            )
        except RpcFailure:
            return None
        return answer

    def leader(self) -> int | None:
        """Return the id of the replica that leads in the newest epoch, None if none says so."""
        answers = [answer for number in self.replicas if (answer := self.health(number)) is not None]
        leaders = [answer for answer in answers if answer.role == order_pb2.LEADER]
        return max(leaders, key=lambda answer: answer.epoch).replica_id if leaders else None

    def all_in_sync(self) -> bool:
        """Whether the leader has every other replica in sync."""
        leader = self.leader()
        answer = self.health(leader) if leader is not None else None
        if answer is None:
            return False
        states = [follower.state for follower in answer.followers]
        return len(states) == len(self.replicas) - 1 and all(state == order_pb2.IN_SYNC for state in states)

    def order_database(self, replica_id: int) -> Path:
        """Return the path of a replica's log."""
        return self.data_dir / f"order-{replica_id}" / "order_database.csv"

    @property
    def journal(self) -> Path:
        """The path of the catalog's journal."""
        return self.data_dir / "catalog" / "catalog_journal.csv"

    def outputs(self, last_lines: int = 40) -> str:
        """Return the last lines that each process wrote."""
        parts = []
        for name, process in self.processes.items():
            lines = process.output.splitlines()[-last_lines:]
            parts.append("\n".join([f"--- {name} ({'runs' if process.is_running else 'ended'})", *lines]))
        return "\n".join(parts)
