"""A client that speaks HTTP as slowly as it likes, byte by byte."""

import socket
import time
from types import TracebackType
from typing import NamedTuple

LONG_S = 10.0


class Answer(NamedTuple):
    """What came back: status, headers by name in lower case, body, and after how many seconds of waiting."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float


class Client:
    """One connection."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.create_connection(address, timeout=LONG_S)
        self._came = b""  # and was not looked at

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._socket.close()

    def send(self, text: str | bytes) -> "Client":
        self._socket.sendall(text if isinstance(text, bytes) else text.encode())
        return self

    def ask(self, head: str, *headers: str, body: str | bytes = "") -> "Client":
        """Send a request's line, its headers beside Host, and what follows them."""
        lines = "".join(f"{line}\r\n" for line in (f"{head} HTTP/1.1", "Host: localhost", *headers))
        return self.send(f"{lines}\r\n".encode() + (body if isinstance(body, bytes) else body.encode()))

    def answer(self, within_s: float = LONG_S) -> Answer:
        """Return the next answer.

        Raises:
            TimeoutError.
            ConnectionError: there is none.
        """
        self._socket.settimeout(within_s)
        began = time.monotonic()
        while b"\r\n\r\n" not in self._came:
            self._receive()
        head, _, self._came = self._came.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        length = int(headers["content-length"])
        while len(self._came) < length:
            self._receive()
        body, self._came = self._came[:length], self._came[length:]
        return Answer(int(first.split()[1]), headers, body, time.monotonic() - began)

    def is_closed_within(self, seconds: float) -> bool:
        """Whether the server closes the connection in this time, without another word."""
        self._socket.settimeout(seconds)
        try:
            return (self._came or self._socket.recv(1)) == b""
        except TimeoutError:
            return False
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self._socket.close()

    def _receive(self) -> None:
        piece = self._socket.recv(1 << 16)
        if not piece:
            raise ConnectionResetError("the server has hung up")
        self._came += piece
