"""`python -m benchmarks.serve MODULE HOST:PORT`: another WSGI application under the frontend's server and settings."""

import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from deploy.frontend import make_server
from deploy.parent import end_with_parent


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
    make_server(sys.argv[2]).serve(target_loader=Loader(sys.argv[1], os.getpid()))
