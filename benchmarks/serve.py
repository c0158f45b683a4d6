"""`python -m benchmarks.serve MODULE HOST:PORT`: a peer's WSGI application, one process with many threads.

Under granian: of the servers for WSGI it takes the fewest of the processor's cycles a request.
"""

import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from deploy.parent import end_with_parent

THREAD_COUNT = 224


class Loader:
    """Loads a module's `application` in the worker process; a class, because a spawned worker gets it by pickle."""

    def __init__(self, module: str, parent: int) -> None:
        self._module = module
        self._parent = parent

    def __call__(self, _target: str) -> Callable[..., Any]:
        """Return the application, in a process that ends with its parent."""
        end_with_parent(self._parent)
        application: Callable[..., Any] = import_module(self._module).application
        return application


if __name__ == "__main__":
    host, _, port = sys.argv[2].rpartition(":")
    server = Granian(
        sys.argv[1],
        address=host,
        port=int(port),
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=THREAD_COUNT,
        websockets=False,
        log_level=LogLevels.error,
    )
    server.serve(target_loader=Loader(sys.argv[1], os.getpid()))
