"""Ending with the process that started us.

Also a program: `python deploy/parent.py PID [--core N] COMMAND ...` becomes COMMAND, which is killed when PID, its
parent, ends. So nothing outlives a supervisor or a test run that was killed without a chance to clean up. COMMAND finds
its own process id in OWN_PID, to hand on to what it starts in the same way. With --core it keeps to that core
(deploy/cores.py).
"""

import contextlib
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


def keep_to_core(core: int) -> None:
    """Run on this core alone, with all that is started from here. If it is taken away meanwhile, on any other."""
    try:
        os.sched_setaffinity(0, {core})
    except OSError as error:
        with contextlib.suppress(OSError):
            print(f"core {core} cannot be had, any other will do: {error.strerror}", file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    parent, *command = sys.argv[1:]
    end_with_parent(int(parent))
    os.environ["OWN_PID"] = str(os.getpid())
    if command[0] == "--core":
        keep_to_core(int(command[1]))
        command = command[2:]
    os.execvp(command[0], command)
