"""What one client may hold of a server: a connection while a request comes and is answered, and little beside that.

uvicorn bounds neither the time that a head takes, nor its length, nor how many connections there are.
"""

import asyncio
import time
from typing import Any

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from trading.edge.request import IS_GONE

# A connection on which no whole head has come for so long, be it a first or a next one, is closed.
HEAD_TIMEOUT_S = 30.0
# Of a request's line and headers together.
MOST_HEAD_BYTES = 64 * 1024
# Connections at once. Above that, the one that has waited longest for a head makes room.
MOST_CONNECTIONS = 8_000
SWEEP_S = 1.0
# That connections are at their limit is logged once in so long.
LOGGED_EVERY_S = 60.0

log = structlog.get_logger()


class Waiting:
    """The connections that wait for a head, since when, the longest in front. For the loop's thread alone."""

    def __init__(self, head_timeout_s: float = HEAD_TIMEOUT_S, most_connections: int = MOST_CONNECTIONS) -> None:
        self._head_timeout_s = head_timeout_s
        self._most = most_connections
        self._since: dict[BoundedProtocol, float] = {}
        self._logged_at = -LOGGED_EVERY_S
        self._is_stopping = False

    def begin(self, connection: "BoundedProtocol") -> None:
        """Note that a connection waits for a head from now on; during a stop it is closed instead."""
        self._since.pop(connection, None)
        if self._is_stopping:
            connection.transport.close()
        else:
            self._since[connection] = time.monotonic()

    def stop(self) -> None:
        """Close those that wait, and from now on each one once it does: uvicorn asks only those that it knows by then,
        not one that the kernel has given it, and whose beginning still stands in the loop's queue."""
        self._is_stopping = True
        for connection in list(self._since):
            self.begin(connection)

    def end(self, connection: "BoundedProtocol") -> None:
        """Note that it does not any more."""
        self._since.pop(connection, None)

    def make_room(self, count: int) -> bool:
        """Of `count` connections, one of them new, close one if they are too many; whether the new one may stay."""
        if count <= self._most:
            return True
        if time.monotonic() - self._logged_at >= LOGGED_EVERY_S:
            self._logged_at = time.monotonic()
            log.warning("connections are at their limit", most=self._most, waiting_for_a_head=len(self._since))
        if not self._since:
            return False
        next(iter(self._since)).hang_up()
        return True

    async def sweep(self) -> None:
        """Close those that have waited too long, over and over, until this is cancelled."""
        while True:
            await asyncio.sleep(min(SWEEP_S, self._head_timeout_s / 4))
            too_late = time.monotonic() - self._head_timeout_s
            while self._since and next(iter(self._since.values())) <= too_late:
                next(iter(self._since)).hang_up()


class WholeWrites:
    """A transport that writes once what is written to it in one turn of the loop.

    uvicorn writes an answer's head and its body one after the other: two packets, and a client that wakes up twice.
    """

    __slots__ = ("_loop", "_pieces", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Write it behind what was written before, at the end of this turn."""
        if not self._pieces:
            self._loop.call_soon(self._flush)
        self._pieces.append(data)

    def close(self) -> None:
        """Write all, and close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._pieces:
            data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
            self._pieces.clear()
            if not self._transport.is_closing():  # else its client has gone since
                self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class BoundedProtocol(HttpToolsProtocol):
    """One connection. A subclass says which `waiting` its connections share."""

    waiting: Waiting

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take it in, if there is room."""
        super().connection_made(WholeWrites(transport))  # type: ignore[arg-type]
        self._head_bytes = 0
        if self.waiting.make_room(len(self.connections)):
            self.waiting.begin(self)
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self.waiting.end(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what has come, unless it is a head without an end."""
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response(f"The request's head has more than {MOST_HEAD_BYTES} bytes.")

    def on_headers_complete(self) -> None:
        """Begin the request."""
        self.waiting.end(self)
        super().on_headers_complete()
        # Not by the cycle, which has this scope: each request would be garbage that only the collector finds.
        self.scope[IS_GONE] = self.transport.is_closing  # type: ignore[literal-required]

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body: no part of a head."""
        self._head_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request's coming."""
        self._head_bytes = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next head, unless it is here."""
        super().on_response_complete()
        if not self.pipeline:
            self.waiting.begin(self)

    def hang_up(self) -> None:
        """Close it at once, with whatever its client has not read."""
        self.waiting.end(self)
        self.transport.abort()


def protocol_class(waiting: Waiting) -> type[Any]:
    """Return the protocol of connections that share `waiting`."""
    return type("Connection", (BoundedProtocol,), {"waiting": waiting})
