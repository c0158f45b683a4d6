"""One real process of the system."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


class ManagedProcess:
    """A process that can be killed, frozen and started again. Its output is appended to one file.

    Start it in the main thread alone: the kernel ends it when the thread that started it ends.
    """

    def __init__(self, name: str, arguments: Sequence[str], environment: Mapping[str, str], output: Path) -> None:
        """`arguments` are those of this Python."""
        self.name = name
        self.arguments = list(arguments)
        self.output_path = output
        self.environment = dict(environment)  # of the next start
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._popen is not None, f"{self.name} was never started"
        return self._popen.pid

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
            self._popen = subprocess.Popen(
                [sys.executable, "-S", "-E", str(ROOT / "deploy/parent.py"), str(os.getpid())]
                + [sys.executable, *self.arguments],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

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
        assert self._popen is not None
        self._popen.terminate()
        return self._popen.wait(within_s)

    def wait(self, within_s: float) -> int:
        """Wait for its end and return its exit code.

        Raises:
            subprocess.TimeoutExpired: it has not ended in time.
        """
        assert self._popen is not None
        return self._popen.wait(within_s)

    def freeze(self) -> None:
        """SIGSTOP: it keeps its memory, files and connections, and does nothing."""
        self._signal_group(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._signal_group(signal.SIGCONT)

    def _signal_group(self, number: signal.Signals) -> None:
        if self._popen is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._popen.pid, number)
