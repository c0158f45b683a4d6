"""The production server with its edge, in a thread of the test's process, over what stands for the market there."""

import socket
import threading
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

from django.core.handlers.wsgi import WSGIHandler

from deploy import frontend
from deploy.connections import Waiting
from tests.harness.slow_client import LONG_S, Client
from trading.edge.application import Edge
from trading.edge.request import Bodies


class EdgeServer:
    """Serves while it is entered. What is late is so after the times given, in seconds."""

    def __init__(
        self, head_timeout_s: float = 30.0, body_timeout_s: float = 30.0, most_connections: int = 1000
    ) -> None:
        self.edge = Edge(WSGIHandler())
        self.edge._bodies._timeout_s = body_timeout_s
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.waiting = Waiting(head_timeout_s, most_connections)
        self._server = frontend.make_server(self.edge, self.waiting)
        self._thread = threading.Thread(target=self._server.run, args=([self._listener],), daemon=True)

    def __enter__(self) -> "EdgeServer":
        self._thread.start()
        wait_until(lambda: self._server.started)
        return self

    def __exit__(self, *_: object) -> None:
        # Its own edge is stopped, and nothing else of this process.
        with mock.patch.object(frontend, "stop_serving", self.edge.stop):
            self._server.should_exit = True
            self._thread.join(LONG_S)
        assert not self._thread.is_alive()
        self._listener.close()

    @property
    def bodies(self) -> Bodies:
        return self.edge._bodies

    def connect(self) -> "Client":
        return Client(self._listener.getsockname())

    def in_loop(self, call: Callable[[], object]) -> None:
        """Have this called in the server's loop."""
        assert self.edge._loop is not None
        self.edge._loop.call_soon_threadsafe(call)


def wait_until(condition: Any, within_s: float = LONG_S) -> None:
    """Return once this is true.

    Raises:
        AssertionError: it has not become so in time.
    """
    give_up = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < give_up
        threading.Event().wait(0.005)
