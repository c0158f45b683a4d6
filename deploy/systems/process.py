"""One process of a system that is killed, frozen, measured or started anew on purpose."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from deploy.cores import core_arguments
from deploy.settings import ROOT

TAIL = 2000


class ProcessEnded(AssertionError):
    """A process that should run has ended; the message has the last that it wrote."""


class Process:
    """A process that ends with this one, and can be started again. Its output is appended to one file.

    Start it in the main thread alone: the kernel ends it when the thread that started it ends.

    Attributes:
        command, environment: of the next start.
        output_path: the file of its output, over all its runs.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        output: Path,
        *,
        folder: Path = ROOT,
        user: str | None = None,
        core: int | None = None,
    ) -> None:
        """It runs in `folder`. `user` is whom it runs as, in the folder of its output then; None: as we do. It keeps to
        `core`; None: to none."""
        self.name = name
        self.command = list(command)
        self.environment = dict(environment)
        self.output_path = output
        self._folder = folder if user is None else output.parent
        self._user = user
        self._core = core
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id."""
        return self._started.pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._popen is not None and self._popen.poll() is None

    @property
    def resident_bytes(self) -> int:
        """How much memory it holds now, with the processes it started."""
        children = [path.read_text().split() for path in Path(f"/proc/{self.pid}/task").glob("*/children")]
        pids = [str(self.pid), *(pid for own in children for pid in own)]
        lines = [line for pid in pids for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))

    @property
    def output(self) -> str:
        """All that it has written, over all its runs."""
        return self.output_path.read_text(errors="replace") if self.output_path.exists() else ""

    def start(self) -> None:
        """Start it, as the leader of its own process group."""
        assert not self.is_running, f"{self.name} runs already"
        assert threading.current_thread() is threading.main_thread()
        with self.output_path.open("ab") as output:
            # No function of ours runs between fork and exec: gRPC's threads here would not outlive that.
            self._popen = subprocess.Popen(
                [*self._ending_with_us(), *self.command],
                cwd=self._folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Of its own for the signals, but in our session: Linux shares the processors out by sessions, so those
                # of a system that is compared with another must not each count as one.
                process_group=0,
            )

    def check_runs(self) -> None:
        """Raise unless it runs.

        Raises:
            ProcessEnded: it has ended.
        """
        if not self.is_running:
            raise ProcessEnded(f"{self.name} ended:\n{self.output[-TAIL:]}")

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone. What it started itself goes too."""
        self._signal_group(signal.SIGKILL)
        if self._popen is not None:
            self._popen.wait(10)

    def terminate(self, within_s: float = 15) -> int:
        """SIGTERM, and return its exit code.

        Raises:
            subprocess.TimeoutExpired: it has not ended in time.
        """
        self._started.terminate()
        return self._started.wait(within_s)

    def stop(self, how: signal.Signals = signal.SIGTERM, within_s: float = 30.0) -> None:
        """Ask it to end, if it runs, and wait; kill it if it does not end in time."""
        if not self.is_running:
            return
        self._started.send_signal(how)
        try:
            self._started.wait(within_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def wait(self, within_s: float) -> int:
        """Wait for its end and return its exit code.

        Raises:
            subprocess.TimeoutExpired: it has not ended in time.
        """
        return self._started.wait(within_s)

    def freeze(self) -> None:
        """SIGSTOP: it keeps its memory, files and connections, and does nothing."""
        self._signal_group(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._signal_group(signal.SIGCONT)

    @property
    def _started(self) -> "subprocess.Popen[bytes]":
        assert self._popen is not None, f"{self.name} was never started"
        return self._popen

    def _ending_with_us(self) -> list[str]:
        if self._user is not None:
            return ["setpriv", f"--reuid={self._user}", f"--regid={self._user}", "--clear-groups", "--pdeathsig=INT"]
        ending = [sys.executable, "-S", "-E", str(ROOT / "deploy/parent.py"), str(os.getpid())]
        return ending + core_arguments(self._core)

    def _signal_group(self, number: signal.Signals) -> None:
        if self._popen is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._popen.pid, number)
