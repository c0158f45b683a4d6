"""Processes of a system that is measured: started, watched from /proc, and gone at the end."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from deploy.cores import core_arguments, core_of

ROOT = Path(__file__).resolve().parent.parent
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
POLL_S = 0.05
# Below the range from which Linux takes the ports of outgoing connections.
FIRST_PORT, LAST_PORT = 10_000, 19_990
# The place of the frontend among the processes of `make run`: what it is compared with keeps to the same core.
FRONTEND_PLACE = 4
FRONTEND_CORE = core_of(FRONTEND_PLACE)


class BenchmarkError(Exception):
    """What was to be measured did not start, or is not as it must be; the message says why."""


class Process:
    """A process that ends with this one. Start it in the main thread: the kernel ends it when its thread ends."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        output: Path,
        environment: Mapping[str, str] | None = None,
        user: str | None = None,
        core: int | None = None,
    ) -> None:
        """Start it. `user` is whom it runs as; None: as we do. It keeps to `core`; None: to none."""
        self.name = name
        self._output = output
        # No function of ours runs between fork and exec: gRPC's threads here would not outlive that.
        if user is None:
            ending = [sys.executable, "-S", "-E", str(ROOT / "deploy/parent.py"), str(os.getpid())]
            ending += core_arguments(core)
        else:
            ending = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--pdeathsig=INT"]
        with output.open("ab") as file:
            self._popen = subprocess.Popen(
                [*ending, *command],
                cwd=ROOT if user is None else output.parent,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._popen.pid

    def check_runs(self) -> None:
        """Raise unless it runs.

        Raises:
            BenchmarkError: it has ended; the message has what it wrote.
        """
        if self._popen.poll() is not None:
            raise BenchmarkError(f"{self.name} ended:\n{self._output.read_text(errors='replace')[-2000:]}")

    def stop(self, how: signal.Signals = signal.SIGTERM, within_s: float = 30.0) -> None:
        """Ask it to end, and wait; kill it if it does not."""
        if self._popen.poll() is None:
            self._popen.send_signal(how)
        try:
            self._popen.wait(within_s)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()


def wait_until(predicate: Callable[[], bool], within_s: float, what: str) -> None:
    """Wait until the predicate is true; it is asked every 50 ms.

    Raises:
        BenchmarkError: it is not within the time; says `what` was waited for.
    """
    deadline = time.monotonic() + within_s
    while not predicate():
        if time.monotonic() > deadline:
            raise BenchmarkError(f"not within {within_s:.0f} s: {what}")
        time.sleep(POLL_S)


def free_addresses(count: int) -> list[str]:
    """Return addresses of loopback with consecutive ports, that nobody listens on now.

    Raises:
        BenchmarkError: there are none.
    """
    for first in random.SystemRandom().sample(range(FIRST_PORT, LAST_PORT), LAST_PORT - FIRST_PORT):
        addresses = [f"127.0.0.1:{port}" for port in range(first, first + count)]
        if all(map(_is_free, addresses)):
            return addresses
    raise BenchmarkError(f"no {count} free ports from {FIRST_PORT} to {LAST_PORT}")


def _is_free(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with closing(socket.socket()) as probe:
        try:
            probe.bind((host, int(port)))
        except OSError:
            return False
    return True


def is_listening(address: str) -> bool:
    """Return whether a connection to host:port is taken."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


def cpu_seconds(pid: int) -> float:
    """Return the CPU time, user and system, of a process and all below it, those that ended included."""
    children = defaultdict(list)
    ticks = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (stat := _stat(int(entry))) is not None:
            children[int(stat[1])].append(int(entry))
            ticks[int(entry)] = sum(map(int, stat[11:15]))  # utime, stime, and those of children that were waited for
    total, below = 0, [pid]
    while below:
        one = below.pop()
        total += ticks.get(one, 0)
        below += children[one]
    return total / TICKS_A_SECOND


def _stat(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat from the state on, None if it is gone. See proc(5)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def memory_bytes(pid: int) -> int:
    """Return the memory that is this process's own: resident, and not that of a file."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["RssAnon"].split()[0]) * 1024
