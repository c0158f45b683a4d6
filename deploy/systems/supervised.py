"""A system as its users start it: `make run`, under its supervisor."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.control import find_supervisor
from deploy.readiness import is_open
from deploy.systems.checkout import THIS, Checkout
from deploy.systems.process import Process
from deploy.systems.system import System
from deploy.systems.waiting import wait_until

# With a history of millions of orders in its files.
START_WITHIN_S = 120.0


class SupervisedSystem(System):
    """What `make run` starts and restarts: each process keeps to a core and shows its metrics.

    Attributes:
        address: host:port of the frontend.
        metrics: where each process but the frontend and the health loop shows its metrics, by its name.
        launcher: the process of `make run` itself; its output, `output` in the folder, is that of all.
    """

    def __init__(
        self,
        folder: Path,
        seed: Path | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        checkout: Checkout = THIS,
    ) -> None:
        """`seed` is a CSV file of stocks (name,price,quantity); None for the default ones."""
        super().__init__(folder, environment=environment, checkout=checkout)
        self.address = self.frontends["frontend"]
        after_frontend = self.ports.addresses.index(self.address) + 1
        metrics = self.ports.addresses[after_frontend:]
        self.metrics = dict(zip(["catalog", *(f"order-{number}" for number in self.replicas)], metrics, strict=False))
        self.environment |= {
            "BOURSE_HTTP": self.address,
            "BOURSE_METRICS_PORT": str(self.ports.ports[after_frontend]),
            **({"SEED": str(seed)} if seed is not None else {}),
            **(environment or {}),
        }
        command = [checkout.python, "-m", "deploy.run"]
        self.launcher = Process("make run", command, self.environment, folder / "output", folder=checkout.folder)

    def start(self) -> None:
        self.launcher.start()
        wait_until(self._is_open, START_WITHIN_S, "an order can be placed")

    def stop(self) -> None:
        """SIGTERM, as Ctrl-C would: all ends."""
        self.launcher.stop()

    def supervisor(self) -> Any:
        """Return the remote interface of its supervisor: deploy/supervision.py.

        Raises:
            NothingRuns: it does not run.
        """
        return find_supervisor(self.data_dir)[0]

    def pids(self) -> dict[str, int]:
        """Return the id of each process that runs, by the names that `make status` shows.

        Raises:
            NothingRuns: the supervisor does not run.
        """
        return {info["name"]: info["pid"] for info in find_supervisor(self.data_dir)[1] if info["pid"]}

    def _is_open(self) -> bool:
        self.launcher.check_runs()
        return is_open(self.address, "localhost")
