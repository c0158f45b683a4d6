"""A load client that costs little: one thread, kept connections, answers barely parsed.

Every connection has one request under way and sends the next when the answer is there (a closed loop), as that many
clients would. An answer with a status that the caller does not expect is an error, and so is a broken connection.
"""

import resource
import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

RECEIVE_BYTES = 65_536
SILENCE_S = 15.0
NO_ANSWER = 0
_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = b"content-length:"

MakeRequest = Callable[[], bytes]


class LoadError(Exception):
    """The server cannot be reached, is silent for SILENCE_S, or answers what this client cannot read."""


class Load(Protocol):
    """What a run of a load client saw, of this one or of another. Times in seconds."""

    @property
    def seconds(self) -> float:
        """How long it took."""

    @property
    def errors(self) -> Mapping[int, int]:
        """Answers that were not expected, by status; NO_ANSWER: the connection broke."""

    @property
    def client_cpu_s(self) -> float:
        """CPU time that the client took."""

    @property
    def rate(self) -> float:
        """Expected answers a second."""

    def percentile(self, part: float) -> float:
        """Return the latency below which this part (0 to 1) of the expected answers lies."""


@dataclass
class LoadResult:
    """What a run of the client saw. Times in seconds; `latencies` ascending, of expected answers only.

    Attributes:
        errors: by status; NO_ANSWER: the connection broke.
        kept: the bodies of the answers with the status that was to be kept, in the order in which they came.
        client_cpu_s: CPU time that this client took, making the requests included.
    """

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    errors: Counter[int] = field(default_factory=Counter)
    kept: list[bytes] = field(default_factory=list)
    client_cpu_s: float = 0.0

    @property
    def rate(self) -> float:
        """Expected answers a second."""
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    def percentile(self, part: float) -> float:
        """Return the latency below which this part (0 to 1) of the expected answers lies; 0.0 without any."""
        return self.latencies[min(int(part * len(self.latencies)), len(self.latencies) - 1)] if self.latencies else 0.0


class Connection:
    """One connection that is kept, with one request under way at most."""

    def __init__(self, address: tuple[str, int]) -> None:
        try:
            self.socket = socket.create_connection(address, timeout=SILENCE_S)
        except OSError as error:
            raise LoadError(f"{address[0]}:{address[1]}: {error}") from error
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.sent_at = 0.0

    def send(self, request: bytes) -> None:
        """Send a request, now."""
        self.sent_at = time.perf_counter()
        try:
            self.socket.sendall(request)
        except OSError:
            return  # it is readable now, and the broken connection is counted there

    def receive(self) -> tuple[int, bytes] | None:
        """Read what is there; status and body if the answer is whole, NO_ANSWER if the connection broke, else None."""
        try:
            data = self.socket.recv(RECEIVE_BYTES)
        except OSError:
            return NO_ANSWER, b""
        if not data:
            return NO_ANSWER, b""
        received = self.received + data if self.received else data
        end = received.find(_END_OF_HEAD)
        if end >= 0:
            body_at = end + len(_END_OF_HEAD)
            length = body_at + _body_length(received[:end])
            if len(received) >= length:
                self.received = received[length:]
                return int(received[9:12]), received[body_at:length]
        self.received = received
        return None


def _body_length(head: bytes) -> int:
    head = head.lower()
    at = head.find(_LENGTH)
    if at < 0:
        raise LoadError(f"an answer without a length: {head[:200]!r}")
    return int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0])


class _Run:
    def __init__(self, address: str, make_request: MakeRequest, expected: Container[int], keep: int | None) -> None:
        host, _, port = address.rpartition(":")
        self.address = (host, int(port))
        self.make_request = make_request
        self.expected = expected
        self.keep = keep
        self.result = LoadResult()
        self.selector = selectors.DefaultSelector()

    def open(self) -> None:
        """Open a connection and send its first request."""
        connection = Connection(self.address)
        self.selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.send(self.make_request())

    def go_on_until(self, end: float) -> None:
        """Take answers in and send requests until `end`, then wait for the last answers."""
        while self.selector.get_map():
            ready = self.selector.select(SILENCE_S)
            if not ready:
                raise LoadError(f"{self.address[0]}:{self.address[1]}: no answer within {SILENCE_S:.0f} s")
            more = time.perf_counter() < end
            for key, _ in ready:
                self.take(key.data, more=more)

    def take(self, connection: Connection, *, more: bool) -> None:
        """Take in what one connection has received, and send its next request if there shall be `more`."""
        answer = connection.receive()
        if answer is None:
            return
        status, body = answer
        if status in self.expected:
            self.result.latencies.append(time.perf_counter() - connection.sent_at)
            if status == self.keep:
                self.result.kept.append(body)
        else:
            self.result.errors[status] += 1
        if more and status != NO_ANSWER:
            connection.send(self.make_request())
            return
        self.close(connection)
        if more:
            self.open()

    def close(self, connection: Connection) -> None:
        self.selector.unregister(connection.socket)
        connection.socket.close()

    def close_all(self) -> None:
        for key in list(self.selector.get_map().values()):
            self.close(key.data)
        self.selector.close()


def run_load(
    address: str,
    make_request: MakeRequest,
    *,
    clients: int,
    seconds: float,
    expected: Container[int] = (200,),
    keep: int | None = None,
) -> LoadResult:
    """Keep `clients` requests under way to host:port for `seconds`, then wait for the last answers.

    `make_request` is called for each request; bodies of answers with the status `keep` are kept.

    Raises:
        LoadError: the server is not there or silent, speaks what this client does not understand (chunked bodies), or
            gave not one answer that was expected.
    """
    run = _Run(address, make_request, expected, keep)
    cpu_before = own_cpu_s()
    begin = time.perf_counter()
    try:
        for _ in range(clients):
            run.open()
        run.go_on_until(begin + seconds)
    finally:
        run.close_all()
    result = run.result
    result.seconds = time.perf_counter() - begin
    result.client_cpu_s = own_cpu_s() - cpu_before
    result.latencies.sort()
    if not result.latencies:
        raise LoadError(f"{address}: not one answer was as expected; by status: {dict(result.errors)}")
    return result


def latency_note(loads: Sequence[Load]) -> str:
    """Return the median and the 99th percentile in words, each that of the round in which it was worst."""
    p50, p99 = (max(load.percentile(part) for load in loads) * 1e3 for part in (0.5, 0.99))
    return f"p50 {p50:.2f} ms, p99 {p99:.1f} ms (worst round)"


def own_cpu_s() -> float:
    """Return the CPU time of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def get_request(path: str, host: str, token: str | None = None) -> bytes:
    """Return the bytes of a GET."""
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\n{_bearer(token)}\r\n".encode()


def post_request(path: str, host: str, body: bytes, key: str, token: str | None = None) -> bytes:
    """Return the bytes of a POST of JSON under an idempotency key."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\nContent-Type: application/json\r\n"
        f"Idempotency-Key: {key}\r\nContent-Length: {len(body)}\r\n{_bearer(token)}\r\n"
    ).encode() + body


def _bearer(token: str | None) -> str:
    return "" if token is None else f"Authorization: Bearer {token}\r\n"
