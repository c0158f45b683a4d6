"""Processes of a system that is measured, watched from /proc."""

import os
import socket
from collections import defaultdict
from pathlib import Path

from deploy.cores import core_of

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
# The place of the frontend among the processes of `make run`: what it is compared with keeps to the same core.
FRONTEND_PLACE = 4
FRONTEND_CORE = core_of(FRONTEND_PLACE)


class BenchmarkError(Exception):
    """What was to be measured did not start, or is not as it must be; the message says why."""


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
    # utime, stime, and those of children that were waited for
    return sum(sum(map(int, stat[11:15])) for stat in _tree(pid).values()) / TICKS_A_SECOND


def _tree(pid: int) -> dict[int, list[str]]:
    """Return the stat fields of a process and of all below it, by their ids; what is gone is left out."""
    stats = {int(entry): _stat(int(entry)) for entry in os.listdir("/proc") if entry.isdigit()}
    children = defaultdict(list)
    for one, stat in stats.items():
        if stat is not None:
            children[int(stat[1])].append(one)
    tree, below = {}, [pid]
    while below:
        one = below.pop()
        if (stat := stats.get(one)) is not None:
            tree[one] = stat
        below += children[one]
    return tree


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


def tree_memory_bytes(pid: int) -> int:
    """Return the memory that is a process's own, with that of all below it."""
    return sum(map(memory_bytes, _tree(pid)))
