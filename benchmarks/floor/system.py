"""The floor as a system to measure: catalog, leader, two followers, frontend."""

import os
import sys
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.floor.messages import ROW
from benchmarks.processes import cpu_seconds, is_listening
from deploy.cores import core_of
from deploy.systems.ports import PortBlock
from deploy.systems.process import Process
from deploy.systems.waiting import wait_until

START_WITHIN_S = 30.0


class Floor:
    """Use it as a context manager: inside, orders can be placed."""

    name = "floor"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = PortBlock()
        self.address, *self._backends = self._ports.addresses[:5]
        self._processes: list[Process] = []
        self._acknowledged = 0

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True)
        catalog, leader, *followers = self._backends
        try:
            self._start("catalog", catalog)
            for number, follower in enumerate(followers, start=1):
                self._start("follower", follower, name=f"follower-{number}")
            self._start("leader", leader, catalog, *followers)
            serve = [sys.executable, "-m", "benchmarks.serve", "benchmarks.floor.site", self.address]
            self._add("frontend", serve, {**os.environ, "FLOOR_LEADER": leader})
            wait_until(self._is_ready, START_WITHIN_S, "the floor listens")
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _start(self, role: str, address: str, *peers: str, name: str | None = None) -> None:
        name = name or role
        path = str(self._folder / f"{name}.rows")
        self._add(name, [sys.executable, "-m", "benchmarks.floor.backend", role, address, path, *peers])

    def _add(self, name: str, command: list[str], environment: dict[str, str] | None = None) -> None:
        core = core_of(len(self._processes))  # as `make run` has it
        process = Process(name, command, environment or os.environ, self._folder / f"{name}.log", core=core)
        self._processes.append(process)
        process.start()

    def _is_ready(self) -> bool:
        for process in self._processes:
            process.check_runs()
        return all(map(is_listening, [self.address, *self._backends]))

    def _stop(self) -> None:
        for process in reversed(self._processes):
            process.stop()
        self._ports.close()

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU time of each process so far."""
        return {process.name: cpu_seconds(process.pid) for process in self._processes}

    def check_before(self) -> None:
        """Raise unless every process runs."""
        for process in self._processes:
            process.check_runs()

    def faults(self, acknowledged: Collection[bytes]) -> list[str]:
        """Return the files that hold another number of rows than were acknowledged since the start."""
        self._acknowledged += len(acknowledged)
        lengths = {path.name: path.stat().st_size for path in self._folder.glob("*.rows")}
        expected = self._acknowledged * len(ROW)
        wrong = {name: length for name, length in lengths.items() if length != expected}
        return [f"the floor's files should have {expected} bytes: {wrong}"] if wrong or len(lengths) != 4 else []
