"""The frontend under its production WSGI server: `python -m deploy.frontend [HOST:PORT]`.

Why granian with one worker and 64 threads: docs/decisions/wsgi_server.md. One process means one stock cache, and one
place where waiting orders gather into a batch.
"""

import os
import sys
from collections.abc import Callable
from typing import Any

from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from common.config import ConfigError
from deploy.parent import end_with_parent
from deploy.settings import check_address_is_free, http_address

# A POST /orders holds its thread while it waits, 8 s at most: this many can wait before a look-up has to.
THREAD_COUNT = 64
# An order that waits is answered within 8 s; a stop does not cut it off.
STOP_TIMEOUT_S = 9


class ApplicationLoader:
    """Loads the WSGI application in the worker process; a class, because a spawned worker gets it by pickle."""

    def __init__(self, parent: int) -> None:
        self._parent = parent

    def __call__(self, _target: str) -> Callable[..., Any]:
        """Return the application, in a process that ends with its parent.

        The worker listens on a shared port (SO_REUSEPORT): if it outlived its parent, requests would be spread over it
        and its successor, and there would be two caches.
        """
        end_with_parent(self._parent)
        from frontend_site.wsgi import application

        wsgi: Callable[..., Any] = application
        return wsgi


def serve(address: str) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        ConfigError: the port is in use. The server itself would share it in silence.
    """
    check_address_is_free(address, "frontend")
    host, _, port = address.rpartition(":")
    server = Granian(
        "frontend_site.wsgi:application",
        address=host.strip("[]"),
        port=int(port),
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=THREAD_COUNT,
        websockets=False,
        workers_kill_timeout=STOP_TIMEOUT_S,
        log_level=LogLevels.error,
    )
    server.serve(target_loader=ApplicationLoader(os.getpid()))


def main() -> None:
    """Run the command line; leave with exit code 1 and one line if the address cannot be used."""
    try:
        serve(http_address({"BOURSE_HTTP": sys.argv[1]} if sys.argv[1:] else os.environ))
    except ConfigError as refusal:
        sys.exit(f"frontend: {refusal}")


if __name__ == "__main__":
    main()
