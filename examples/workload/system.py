"""A whole system for one run: on free ports, in a folder of its own, gone at the end."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

import httpx

ROOT = Path(__file__).resolve().parent.parent.parent
READY_WITHIN_S = 60.0
STOP_WITHIN_S = 30.0


class System:
    """What `make run` starts. Use it as a context manager: inside, orders can be placed at `url`."""

    def __init__(self, seed: Path | None = None, cache_size: int | None = None) -> None:
        """`seed` is a CSV file of stocks (name,price,quantity); None for the default ones."""
        self._folder = Path(tempfile.mkdtemp(prefix="bourse-workload-"))
        http, catalog, *orders = free_ports(5)
        self.url = f"http://127.0.0.1:{http}"
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("BOURSE_")} | {
            "PORT": str(http),
            "BOURSE_CATALOG": f"127.0.0.1:{catalog}",
            "BOURSE_REPLICAS": ",".join(f"{number}=127.0.0.1:{port}" for number, port in enumerate(orders, start=1)),
            "BOURSE_DATA_DIR": str(self._folder / "var"),
            "SEED": str(seed) if seed is not None else "",
        }
        if cache_size is not None:
            self._environment["BOURSE_CACHE_SIZE"] = str(cache_size)

    def __enter__(self) -> "System":
        self._output = (self._folder / "output").open("wb")
        self._run = subprocess.Popen(
            [sys.executable, "-m", "deploy.run"],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )
        try:
            self._wait_until_ready()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop everything and remove the folder."""
        self._run.terminate()
        self._run.wait(STOP_WITHIN_S)
        self._output.close()
        shutil.rmtree(self._folder)

    def leader(self) -> int:
        """Return the id of the replica that leads."""
        answer = httpx.get(f"{self.url}/replicas").raise_for_status()
        return int(answer.json()["data"]["leader"])

    def control(self, command: str, process: str) -> None:
        """Do what `make kill`, `make stop` or `make start` does with a process, like `order-3`."""
        subprocess.run(
            [sys.executable, "-m", "deploy.control", command, process],
            cwd=ROOT,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            check=True,
        )

    def _wait_until_ready(self) -> None:
        give_up = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < give_up:
            if self._run.poll() is not None:
                raise RuntimeError(f"the system did not start:\n{(self._folder / 'output').read_text()}")
            try:
                if httpx.get(f"{self.url}/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                pass  # not there yet
            time.sleep(0.1)
        raise RuntimeError(f"the system was not ready within {READY_WITHIN_S} s")


def free_ports(count: int) -> list[int]:
    """Return ports of loopback that nobody listens on now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
