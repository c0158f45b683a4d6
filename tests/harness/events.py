"""A client of GET /events that can be cut off and come back, as a browser does."""

import http.client
import json
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from deploy.systems.waiting import wait_until

TIMEOUT_S = 30.0
PLACE_WITHIN_S = 5.0


@dataclass(frozen=True)
class ServerEvent:
    """One event as it arrived."""

    id: str
    type: str
    data: dict[str, Any]


class EventClient:
    """Reads a stream in a thread of its own. Use it as a context manager.

    Attributes:
        status: of the last answer; its `headers`, and the body that it had instead of a stream, belong to it.
        events: what has arrived, over all connections.
        last_event_id: where it goes on at the next connection; None: with what happens then.
        comments: how many comment lines have arrived.
        has_ended: whether the last stream is over, whoever ended it.
        may_read: while it is cleared, what arrives is left in the connection.
    """

    def __init__(self, address: str, query: str = "", last_event_id: str | None = None) -> None:
        self._address = address
        self._path = f"/events{query}"
        self.events: list[ServerEvent] = []
        self.last_event_id = last_event_id
        self.comments = 0
        self.has_ended = False
        self.may_read = threading.Event()
        self.may_read.set()

    def __enter__(self) -> "EventClient":
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut()

    def connect(self) -> None:
        """Open the stream, from where the last one was cut off. Waits for a place: that of a client that is gone is
        free a second later."""

        def is_open() -> bool:
            self.ask()
            if self.status != 200:
                self.cut()
            return self.status == 200

        wait_until(is_open, PLACE_WITHIN_S, "a place for a stream")

    def ask(self) -> None:
        """Ask for the stream once; it is answered when this returns."""
        self.has_ended = False
        connection = http.client.HTTPConnection(self._address, timeout=TIMEOUT_S)
        headers = {"Accept": "text/event-stream"}
        if self.last_event_id is not None:
            headers["Last-Event-ID"] = self.last_event_id
        connection.request("GET", self._path, headers=headers)
        self._connection, self._socket = connection, connection.sock
        answer = connection.getresponse()
        self.status, self.headers = answer.status, answer.headers
        self.refusal: dict[str, Any] = json.loads(answer.read()) if answer.status != 200 else {}
        self._thread = threading.Thread(target=self._read, args=(answer,), daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """Break the connection without a word."""
        self.may_read.set()
        with suppress(OSError):  # the server was faster
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(TIMEOUT_S)
        assert not self._thread.is_alive()
        self._connection.close()

    def seen(self, event_type: str) -> list[dict[str, Any]]:
        """Return the data of the events of one type so far."""
        return [event.data for event in list(self.events) if event.type == event_type]

    def numbers(self) -> list[int]:
        """Return the numbers of the orders so far."""
        return [data["number"] for data in self.seen("order")]

    def _read(self, answer: http.client.HTTPResponse) -> None:
        fields: dict[str, str] = {}
        with suppress(OSError, http.client.HTTPException, ValueError):  # cut off
            for line in iter(answer.readline, b""):
                self.may_read.wait()
                self._take(line.decode().rstrip("\n"), fields)
        self.has_ended = True

    def _take(self, line: str, fields: dict[str, str]) -> None:
        if line.startswith(":"):
            self.comments += 1
        elif line:
            name, _, value = line.partition(": ")
            fields[name] = value
        else:  # the end of an event; one that was cut off before it does not count
            self.last_event_id = fields.get("id", self.last_event_id)
            if "data" in fields:
                self.events.append(ServerEvent(fields["id"], fields["event"], json.loads(fields["data"])))
            fields.clear()
