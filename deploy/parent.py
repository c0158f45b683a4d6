"""Ending with the process that started us.

Also a program: `python deploy/parent.py PID COMMAND ...` becomes COMMAND, which is killed when PID, its parent, ends.
So nothing outlives a supervisor or a test run that was killed without a chance to clean up. COMMAND finds its own
process id in OWN_PID, to hand on to what it starts in the same way.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int) -> None:
    """Have the kernel kill this process when the thread that started it ends. Does nothing off Linux.

    Raises:
        SystemExit: `parent` is not our parent any more: it ended before this call.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(f"process {parent} ended before {os.getpid()} was ready")


if __name__ == "__main__":
    end_with_parent(int(sys.argv[1]))
    os.environ["OWN_PID"] = str(os.getpid())
    os.execvp(sys.argv[2], sys.argv[2:])
