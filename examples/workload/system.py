"""A system for one run: started, asked and disturbed from outside, by commands and REST."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class System:
    """One that trades: where its REST interface is, and its data."""

    url: str
    data_dir: Path

    def leader(self) -> int:
        """Return the id of the replica that leads."""
        answer = httpx.get(f"{self.url}/replicas").raise_for_status()
        return int(answer.json()["data"]["leader"])

    def control(self, command: str, process: str) -> None:
        """Do what `make kill`, `make stop` or `make start` does with a process, like `order-3`."""
        subprocess.run(
            [sys.executable, "-m", "deploy.control", command, process],
            cwd=ROOT,
            env={**os.environ, "BOURSE_DATA_DIR": str(self.data_dir)},
            stdout=subprocess.DEVNULL,
            check=True,
        )


@contextmanager
def own_system(seed: Path | None = None, cache_size: int | None = None) -> Iterator[System]:
    """Run a system on free ports, in a folder that is removed at the end.

    `seed` is a CSV file of stocks (name,price,quantity); None for the default ones.
    """
    options = [] if seed is None else ["--seed", str(seed.absolute())]
    options += [] if cache_size is None else ["--set", f"BOURSE_CACHE_SIZE={cache_size}"]
    with tempfile.TemporaryDirectory(prefix="bourse-workload-") as folder:
        command = [sys.executable, "-m", "deploy.systems", folder, *options]
        # At the end its standard input is closed: then it stops, and is waited for.
        with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as starter:
            assert starter.stdout is not None
            url = starter.stdout.readline().strip()
            if not url:
                raise RuntimeError("the system did not start; why stands above")
            yield System(url, Path(folder) / "var")
