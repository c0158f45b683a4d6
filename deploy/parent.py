"""Ending with the process that started us.

Also a program: `python deploy/parent.py KILL|TERM PID COMMAND ...` becomes COMMAND, which gets the signal when PID, its
parent, ends. So nothing outlives a launcher or a test run that was killed without a chance to clean up.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int, with_signal: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel send this process the signal when the thread that started it ends. Does nothing off Linux.

    Raises:
        SystemExit: `parent` is not our parent any more: it ended before this call.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(with_signal), 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(f"process {parent} ended before {os.getpid()} was ready")


if __name__ == "__main__":
    end_with_parent(int(sys.argv[2]), signal.Signals[f"SIG{sys.argv[1]}"])
    os.execvp(sys.argv[3], sys.argv[3:])
