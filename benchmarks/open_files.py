"""Room for thousands of connections in the load client."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.processes import BenchmarkError

# What the process has open besides: logs, pipes, gRPC's own.
OTHERS = 200


@contextmanager
def room_for(connections: int) -> Iterator[None]:
    """Raise the soft limit of open files for so many connections, inside the block alone.

    A process that is started inside inherits it: no system that is measured should be.

    Raises:
        BenchmarkError: the hard limit is lower.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + OTHERS
    if hard != resource.RLIM_INFINITY and needed > hard:
        raise BenchmarkError(f"{connections} connections need {needed} open files, and the hard limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
