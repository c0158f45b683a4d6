"""The frontend under its production ASGI server: `python -m deploy.frontend [HOST:PORT]`.

Why uvicorn, and one event loop in one process: docs/decisions/asgi_server.md. One process means one stock cache, and
one place where waiting orders gather into a batch.
"""

if __name__ == "__main__":
    from common.process.start import start_clean

    start_clean()

import argparse
import asyncio
import gc
import os
import resource
import socket
from types import FrameType
from typing import Any

import structlog
import uvicorn

from common.process import failpoints
from common.process.config import ConfigError
from common.process.finish import run_program
from common.process.logs import configure_logs, stdlib_config
from deploy.connections import HEAD_TIMEOUT_S, MOST_CONNECTIONS, Waiting, protocol_class
from deploy.settings import http_address, http_variable, listen, parse_fixed_address
from frontend_site.environment import FrontendConfig

log = structlog.get_logger()

BACKLOG = 1_024
# libuv takes one connection a pass of the loop from each socket that it listens on: of a thousand that come at once,
# the last would wait for a thousand passes, each with other work in it.
ACCEPTS_A_PASS = 16
# Beside the connections: of Python, of gRPC's channels, of the database.
OTHER_FILES = 500
# An order that waits is answered within 8 s; a stop does not cut it off.
STOP_TIMEOUT_S = 9


class Server(uvicorn.Server):
    """uvicorn's server, which ends by a signal as by its own will, once what is under way is answered."""

    def __init__(self, config: uvicorn.Config, waiting: Waiting) -> None:
        super().__init__(config)
        self._waiting = waiting

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop. A second signal changes nothing."""
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the port, and close from now on what has waited too long."""
        await super().startup(sockets)
        self._sweeping = asyncio.create_task(self._waiting.sweep())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Refuse what has not begun, end what has no end of its own, and wait for the rest."""
        await asyncio.to_thread(stop_serving)
        self._waiting.stop()
        await super().shutdown(sockets)
        self._sweeping.cancel()


def stop_serving() -> None:
    """Refuse what has not begun, and end what has no end of its own."""
    from frontend_site.asgi import application
    from trading.events.hub import event_hub
    from trading.operator.loop_notice import loop_notice
    from trading.services import begin_shutdown

    begin_shutdown()
    application.stop()
    loop_notice().stop()
    event_hub().stop()


def serve(address: str, variable: str) -> None:
    """Serve until SIGTERM or SIGINT. `variable` is what says the address.

    Raises:
        ConfigError: the address cannot be had.
    """
    raise_file_limit()
    with listen(address, "frontend", variable=variable, backlog=BACKLOG) as listener:
        from frontend_site.asgi import application
        from trading.operator.loop_notice import loop_notice

        loop_notice().start()
        # What is loaded by now stays: the collector need not go over it again and again.
        gc.freeze()
        log.info("serving", address=address)
        make_server(application).run([listener, *(listener.dup() for _ in range(ACCEPTS_A_PASS - 1))])


def make_server(application: Any, waiting: Waiting | None = None) -> Server:
    """Return the server with its settings; it runs on sockets that listen already."""
    waiting = waiting or Waiting()
    config = uvicorn.Config(
        application,
        http=protocol_class(waiting),
        loop="uvloop",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=stdlib_config({"uvicorn": "CRITICAL"}),
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=int(HEAD_TIMEOUT_S),
        timeout_graceful_shutdown=STOP_TIMEOUT_S,
    )
    return Server(config, waiting)


def raise_file_limit() -> None:
    """Have this process open as many files as its connections need, as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + OTHER_FILES
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most < wanted:
        log.warning("fewer files may be open than connections are taken", files=most, connections=MOST_CONNECTIONS)


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
    FrontendConfig.from_environment(os.environ)
    failpoints.arm(os.environ)
    if given is not None:
        serve(parse_fixed_address(given, name="HOST:PORT"), "HOST:PORT")
    else:
        serve(http_address(os.environ), http_variable(os.environ))


if __name__ == "__main__":
    run_program("frontend", main, ConfigError)
