"""A client of thousands of event streams, for a process of its own: `read_streams`."""

import random
import re
import selectors
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing.connection import Connection as Pipe

from benchmarks.load_client import RECEIVE_BYTES, Connection, LoadError, own_cpu_s
from benchmarks.open_files import room_for
from benchmarks.processes import BenchmarkError
from benchmarks.traffic import HOST

# To read every event of every stream would cost more than what is measured: these are read, the others only emptied.
OBSERVED = 100
# After the last order, until its event must have come.
LAST_WITHIN_S = 10.0
POLL_S = 0.05
_END_OF_HEAD = b"\r\n\r\n"
# An order's event is one line. What begins and ends a chunk of HTTP stands between lines.
_ORDER = re.compile(rb'^data: \{.*?"transaction_number": ?(\d+).*?"created_at": ?"([^"]+)"', re.MULTILINE)
_RESET = re.compile(rb"^event: reset", re.MULTILINE)


@dataclass
class Seen:
    """What the streams brought. Times in seconds.

    Attributes:
        latencies: from the `created_at` of an order to its event, of all observed streams, ascending.
        missing: how many events did not come to the observed streams, of all that had to.
        resets: how many of those came to them.
        ended: how many streams ended by themselves.
        cpu_s: CPU time of this process, from the opening until it was told that no more orders come.
    """

    latencies: list[float] = field(default_factory=list)
    missing: int = 0
    resets: int = 0
    ended: int = 0
    cpu_s: float = 0.0

    def percentile(self, part: float) -> float:
        """Return the latency below which this part (0 to 1) of the events lies; 0.0 without any."""
        return self.latencies[min(int(part * len(self.latencies)), len(self.latencies) - 1)] if self.latencies else 0.0


class OrderEvents:
    """The events of orders in the bytes of one stream.

    Attributes:
        numbers: of the orders so far.
    """

    def __init__(self) -> None:
        self.numbers: set[int] = set()
        self._rest = b""

    def read(self, data: bytes, seen: Seen, now: float) -> None:
        """Add to `seen` what more of the stream says, at this time; the beginning of a line waits for its end."""
        lines, _, self._rest = (self._rest + data).rpartition(b"\n")
        for number, created_at in _ORDER.findall(lines):
            self.numbers.add(int(number))
            seen.latencies.append(now - datetime.fromisoformat(created_at.decode()).timestamp())
        seen.resets += len(_RESET.findall(lines))


class Stream:
    """One stream of the events of one stock."""

    def __init__(self, address: tuple[str, int], name: str, *, observed: bool) -> None:
        self.name = name
        self._events = OrderEvents() if observed else None
        connection = Connection(address)
        self.socket = connection.socket
        connection.send(
            f"GET /events?name={name} HTTP/1.1\r\nHost: {HOST}\r\nAccept: text/event-stream\r\n\r\n".encode()
        )

    def read_head(self) -> int:
        """Wait for the head of the answer, and return its status.

        Raises:
            LoadError: there is none, or none in time.
        """
        head = b""
        while _END_OF_HEAD not in head:
            try:
                data = self.socket.recv(RECEIVE_BYTES)
            except OSError as error:
                raise LoadError(f"a stream of events is not answered: {error}") from error
            if not data:
                raise LoadError(f"a stream of events was closed before it was answered: {head!r}")
            head += data
        return int(head.split(maxsplit=2)[1])

    def take(self, seen: Seen) -> bool:
        """Take in what has come; False if the stream has ended."""
        try:
            data = self.socket.recv(RECEIVE_BYTES)
        except OSError:
            return False
        if self._events is not None:
            self._events.read(data, seen, time.time())
        return bool(data)

    def missing(self, numbers: Mapping[str, set[int]]) -> int:
        """Return how many of the orders, given by their stock, have not come, though they should have."""
        return 0 if self._events is None else len(numbers.get(self.name, set()) - self._events.numbers)


def read_streams(pipe: Pipe, address: str, names: Sequence[str], count: int) -> None:
    """Open `count` streams, each of one of these stocks, and tell through the pipe how many got each status.

    Then read them, until the numbers of all orders come through the pipe, by stock; and until their events have come.
    Tell `Seen`, and end with the pipe. A LoadError or BenchmarkError is told instead.
    """
    try:
        with room_for(count):
            streams = _open(address, names, count)
            pipe.send(Counter(stream.read_head() for stream in streams))
            pipe.send(_read_until_told(pipe, streams))
        pipe.poll(None)
    except (LoadError, BenchmarkError) as error:
        pipe.send(error)
    except (EOFError, BrokenPipeError):
        return


def _open(address: str, names: Sequence[str], count: int) -> list[Stream]:
    host, _, port = address.rpartition(":")
    # At random, so that they are neither the first nor the last ones that a server writes to.
    observed = set(random.Random(1).sample(range(count), min(OBSERVED, count)))
    where = host, int(port)
    return [Stream(where, names[number % len(names)], observed=number in observed) for number in range(count)]


def _read_until_told(pipe: Pipe, streams: Sequence[Stream]) -> Seen:
    seen, cpu_before = Seen(), own_cpu_s()
    with selectors.DefaultSelector() as selector:
        for stream in streams:
            selector.register(stream.socket, selectors.EVENT_READ, stream)
        selector.register(pipe, selectors.EVENT_READ, None)
        while not pipe.poll():
            _take_all(selector, seen)
        numbers: Mapping[str, set[int]] = pipe.recv()
        selector.unregister(pipe)
        seen.cpu_s = own_cpu_s() - cpu_before
        deadline = time.monotonic() + LAST_WITHIN_S
        while (missing := sum(stream.missing(numbers) for stream in streams)) and time.monotonic() < deadline:
            _take_all(selector, seen)
        seen.missing = missing
    seen.latencies.sort()
    return seen


def _take_all(selector: selectors.BaseSelector, seen: Seen) -> None:
    """Take in what has come to any stream, after a wait of POLL_S at most."""
    for key, _ in selector.select(POLL_S):
        if key.data is not None and not key.data.take(seen):
            seen.ended += 1
            selector.unregister(key.fileobj)
