"""A system whose processes are ours one by one: each can be killed, frozen, and started with other variables."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from deploy.readiness import is_open
from deploy.supervision import commands
from deploy.systems.process import Process
from deploy.systems.system import System
from deploy.systems.waiting import wait_until

T = TypeVar("T")

START_WITHIN_S = 30.0


class DirectSystem(System):
    """Processes `catalog`, `order-1`.. `order-3`, `frontend` (further ones `frontend-2` and so on), and `health`.

    Attributes:
        seed: the file of the stocks that its catalog begins with.
        interval_s: the interval of the health loop.
        processes: each by its name; its output is `<name>.log` in the folder.
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
        super().__init__(folder, frontends=frontends, environment={"PYTHONUNBUFFERED": "1", **(environment or {})})
        self.seed = seed
        self.interval_s = interval_s
        # Here already: commands may be run before the start.
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        own = commands(self.replicas, self.frontends, seed, interval_s)
        self.processes = {name: self.new_process(name, command) for name, command in own.items()}

    def new_process(self, name: str, command: list[str]) -> Process:
        """Return a process of the system that was not started yet."""
        return Process(name, command, self.environment | self.own_environment(name), self.folder / f"{name}.log")

    def own_environment(self, _name: str) -> dict[str, str]:
        """Return the variables of one process alone. The addresses are known when this is called."""
        return {}

    def start(self) -> None:
        """Start every process; the system trades, and the highest id leads."""
        try:
            self.start_all()
            # Should a lower id lead all the same, that shall not be put right in the middle of a test.
            wait_until(lambda: self.leader() == max(self.replicas), START_WITHIN_S, "the highest id leads")
        except BaseException as error:
            error.add_note(self.outputs())
            raise

    def stop(self) -> None:
        """SIGKILL what still runs."""
        for process in reversed(self.processes.values()):
            process.kill()

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
        """Start every process that does not run, and wait until the system is ready.

        The health loop is started when every backend answers: a lower id that it elected meanwhile would lead until the
        highest has proved itself, for some of its intervals.
        """
        ended = [process for process in self.processes.values() if not process.is_running]
        for process in ended:
            if process.name != "health":
                process.start()
        wait_until(self.backends_answer, START_WITHIN_S, "an answer of every backend")
        for process in ended:
            if process.name == "health":
                process.start()
        self.wait_ready()

    def backends_answer(self) -> bool:
        """Whether the catalog and every replica answer a health check."""
        return self.catalog_health() is not None and all(self.health(number) for number in self.replicas)

    def wait_until(self, predicate: Callable[[], T], within_s: float, what: str) -> T:
        """Return what `predicate` returns as soon as that is true; see deploy/systems/waiting.py."""
        return wait_until(predicate, within_s, what)

    def wait_ready(self, within_s: float = START_WITHIN_S) -> None:
        """Wait until a leader has every replica in sync and each frontend is open."""
        wait_until(self.all_in_sync, within_s, "a leader with all replicas in sync")
        wait_until(self.frontends_are_open, within_s, "every frontend is open")

    def frontends_are_open(self) -> bool:
        """Whether each frontend says that orders could be placed."""
        return all(is_open(address, "localhost") for address in self.frontends.values())

    def outputs(self, last_lines: int = 40) -> str:
        """Return the last lines that each process wrote."""
        parts = []
        for name, process in self.processes.items():
            lines = process.output.splitlines()[-last_lines:]
            parts.append("\n".join([f"--- {name} ({'runs' if process.is_running else 'ended'})", *lines]))
        return "\n".join(parts)
