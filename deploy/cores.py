"""Which core each process of one machine keeps to.

A process of Python runs one thread at a time. If its threads are on several cores, the interpreter's lock wakes another
core, whose caches know nothing of the work, each time it is handed on: docs/PERFORMANCE.md has what that costs.
"""

import os


def core_of(place: int) -> int | None:
    """Return the core for the process in this place, 0, 1, ...: they take turns over the cores that we may use.

    None, any core, where there is only one, or the platform has no way to keep to one.
    """
    if not hasattr(os, "sched_getaffinity"):
        return None
    cores = sorted(os.sched_getaffinity(0))
    return cores[place % len(cores)] if len(cores) > 1 else None


def core_arguments(core: int | None) -> list[str]:
    """Return the arguments of deploy/parent.py that keep a command to a core."""
    return [] if core is None else ["--core", str(core)]
