"""The frontend under its production WSGI server: `python -m deploy.frontend [HOST:PORT]`.

Why granian with one worker and many threads: docs/decisions/wsgi_server.md. One process means one stock cache, and one
place where waiting orders gather into a batch.
"""

if __name__ == "__main__":
    from common.process.start import start_clean

    start_clean()

import argparse
import os
import signal
from collections.abc import Callable
from typing import Any

import structlog
from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from common.process import failpoints
from common.process.config import ConfigError
from common.process.finish import run_program
from common.process.logs import configure_logs, stdlib_config
from common.process.stop_signals import STOP_SIGNALS, hear_stop
from deploy.parent import end_with_parent
from deploy.settings import check_address_is_free, http_address, http_variable, parse_fixed_address
from frontend_site.environment import FrontendConfig

log = structlog.get_logger()

# A POST /orders holds its thread while it waits, 8 s at most; ORDERS_AT_ONCE of trading.services may. A stream
# of events while it is open. The others are for look-ups. A thread is started when there is work for it.
THREAD_COUNT = 224
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
        # A forked worker has its parent's handlers until the server sets its own: a stop would only be noted while the
        # application is loaded. Nothing is under way yet, so it may end the process.
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        from frontend_site.wsgi import application
        from trading.operator.loop_notice import loop_notice

        hear_stop(lambda _signal: stop_serving())
        loop_notice().start()
        wsgi: Callable[..., Any] = application
        return wsgi


def stop_serving() -> None:
    """Refuse what has not begun, and end what has no end of its own, in the worker process."""
    from trading.events.hub import event_hub
    from trading.operator.loop_notice import loop_notice
    from trading.services import begin_shutdown

    begin_shutdown()
    loop_notice().stop()
    # Streams of events have no end of their own; the server waits for every answer that is under way.
    event_hub().stop()


def serve(address: str, variable: str) -> None:
    """Serve until SIGTERM or SIGINT. `variable` is what says the address.

    Raises:
        ConfigError: the port is in use. The server itself would share it in silence.
    """
    check_address_is_free(address, "frontend", variable=variable)
    log.info("serving", address=address)
    make_server(address).serve(target_loader=ApplicationLoader(os.getpid()))


def make_server(address: str) -> Any:
    """Return the server with its settings, for the application that `serve` is given a loader of."""
    host, _, port = address.rpartition(":")
    return Granian(
        "frontend_site.wsgi:application",
        address=host.strip("[]"),
        port=int(port),
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=THREAD_COUNT,
        websockets=False,
        workers_kill_timeout=STOP_TIMEOUT_S,
        log_level=LogLevels.error,
        log_dictconfig=stdlib_config({"_granian": "ERROR", "granian.access": "CRITICAL"}),
    )


def main() -> None:
    """Run the command line.

    Raises:
        ConfigError: a setting or the address cannot be used.
    """
    parser = argparse.ArgumentParser(prog="python -m deploy.frontend", description="The REST frontend of Bourse.")
    parser.add_argument(
        "address", nargs="?", metavar="HOST:PORT", help="listen here (default: BOURSE_HTTP, or PORT on 127.0.0.1)"
    )
    given = parser.parse_args().address
    configure_logs("frontend")
    # Said once here, not by each worker that is tried.
    FrontendConfig.from_environment(os.environ)
    failpoints.arm(os.environ)
    if given is not None:
        serve(parse_fixed_address(given, name="HOST:PORT"), "HOST:PORT")
    else:
        serve(http_address(os.environ), http_variable(os.environ))


if __name__ == "__main__":
    run_program("frontend", main, ConfigError)
