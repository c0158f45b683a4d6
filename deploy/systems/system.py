"""One system of its own: where its processes listen and keep their data, and what its backends say of themselves."""

import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from common.calls.failures import RpcFailure
from common.calls.network import Network
from common.process.tls import Tls
from deploy.systems.checkout import THIS, Checkout
from deploy.systems.ports import PortBlock
from protos import catalog_pb2, order_pb2

REPLICA_IDS = (1, 2, 3)
HEALTH_TIMEOUT_S = 1.0
COMMAND_WITHIN_S = 60.0
# Of the caller's own system: none of it holds for this one.
OTHERS_VARIABLES = ("DATABASE_URL", "PORT", "SEED")


class System(ABC):
    """A catalog, three replicas and a frontend or more, on ports of their own. Use it as a context manager: inside it
    trades, afterwards every process is gone. Its data and its output stay.

    How they are started is each subclass's own: `start` and `stop`.

    Attributes:
        checkout: whose programs run.
        folder: of all that it writes; `data_dir`, `var` in it, are its data: what is there already is opened.
        catalog, replicas, frontends: host:port of the catalog, of each replica by its id, of each frontend by its name:
            `frontend`, `frontend-2` and so on.
        environment: the variables of every process, and of commands beside them.
        network: for calls to its backends.
    """

    def __init__(
        self,
        folder: Path,
        *,
        frontends: int = 1,
        environment: Mapping[str, str] | None = None,
        checkout: Checkout = THIS,
    ) -> None:
        """`environment` is what is set besides the addresses and the data directory."""
        self.checkout = checkout
        self.folder = folder
        self.data_dir = folder / "var"
        self.ports = PortBlock()
        self.catalog, *others = self.ports.addresses
        self.replicas = dict(zip(REPLICA_IDS, others, strict=False))
        sites = others[len(self.replicas) :][:frontends]
        self.frontends = {f"frontend-{n}" if n > 1 else "frontend": site for n, site in enumerate(sites, start=1)}
        self.environment = {
            **clean_environment(),
            "BOURSE_CATALOG": self.catalog,
            "BOURSE_REPLICAS": replica_list(self.replicas),
            "BOURSE_DATA_DIR": str(self.data_dir),
            **(environment or {}),
        }
        self.network = Network(Tls.from_environment(self.environment))

    @abstractmethod
    def start(self) -> None:
        """Start its processes and wait until it trades.

        Raises:
            NotInTime: it does not trade yet.
            ProcessEnded: a process has ended instead.
        """

    @abstractmethod
    def stop(self) -> None:
        """End its processes, whatever state they are in."""

    def __enter__(self) -> Self:
        try:
            self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End its processes and give its ports up."""
        self.stop()
        self.network.close()
        self.ports.close()

    def run(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run a command of its checkout beside it, like `manage.py replicas status`, to its end.

        Raises:
            subprocess.TimeoutExpired: it has not ended within a minute.
        """
        return subprocess.run(
            [self.checkout.python, *arguments],
            cwd=self.checkout.folder,
            env={**self.environment, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_WITHIN_S,
            check=False,
        )

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
                self.catalog, catalog_pb2.CatalogHealthRequest(), HEALTH_TIMEOUT_S
            )
        except RpcFailure:
            return None
        return answer

    def leader_health(self) -> order_pb2.HealthCheckResponse | None:
        """Return the answer of the replica that leads in the newest epoch, None if none says so."""
        answers = [answer for number in self.replicas if (answer := self.health(number)) is not None]
        return max((one for one in answers if one.role == order_pb2.LEADER), key=lambda one: one.epoch, default=None)

    def leader(self) -> int | None:
        """Return the id of the replica that leads in the newest epoch, None if none says so."""
        leader = self.leader_health()
        return leader.replica_id if leader is not None else None

    def all_in_sync(self) -> bool:
        """Whether the leader has every other replica in sync: each order then waits for their syncs."""
        leader = self.leader_health()
        if leader is None:
            return False
        return [one.state for one in leader.followers] == [order_pb2.IN_SYNC] * (len(self.replicas) - 1)


def clean_environment() -> dict[str, str]:
    """Return our own variables without those that speak of another system."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("BOURSE_") and name not in OTHERS_VARIABLES
    }


def replica_list(replicas: Mapping[int, str]) -> str:
    """Return the value of BOURSE_REPLICAS for the address of each id."""
    return ",".join(f"{number}={address}" for number, address in replicas.items())
