import socket
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from multiprocessing import Pipe

import pytest

from benchmarks.event_reader import OrderEvents, Seen, read_streams
from tests.benchmarks.servers import server

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
WITHIN_S = 30.0


def order(number: int, ago_s: float = 0.0) -> bytes:
    created_at = (datetime.now(UTC) - timedelta(seconds=ago_s)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    data = f'{{"transaction_number":{number},"name":"HOT","created_at":"{created_at}"}}'
    event = f"id: x-{number}\nevent: order\ndata: {data}\n\n".encode()
    return b"%x\r\n%b\r\n" % (len(event), event)


def read(events: bytes, numbers: Mapping[str, set[int]], count: int = 1) -> tuple[Mapping[int, int], Seen]:
    """Let streams be answered with these events; return what the reader tells."""
    heads = threading.Semaphore(0)

    def answer(connection: socket.socket, _number: int) -> bool:
        connection.sendall(HEAD)
        heads.acquire(timeout=WITHIN_S)  # all streams are open before one of them brings something
        connection.sendall(events)
        return True

    ours, theirs = Pipe()
    with server(answer) as address, ours, theirs:
        reader = threading.Thread(target=read_streams, args=(theirs, address, ["HOT"], count))
        reader.start()
        assert ours.poll(WITHIN_S)
        statuses = ours.recv()
        heads.release(count)
        ours.send(numbers)
        assert ours.poll(WITHIN_S)
        seen = ours.recv()
        ours.close()
        reader.join(WITHIN_S)
        assert not reader.is_alive()
    return statuses, seen


def test_each_streams_events_are_read_with_their_age():
    statuses, seen = read(order(1, ago_s=5.0) + order(2, ago_s=7.0), {"HOT": {1, 2}}, count=3)
    assert statuses == {200: 3}
    assert len(seen.latencies) == 6
    assert (seen.missing, seen.resets, seen.ended) == (0, 0, 0)
    assert 5.0 <= seen.percentile(0.0) < 6.9
    assert 7.0 <= seen.percentile(1.0) < 8.9


def test_an_event_in_pieces_is_one_event():
    for length in (1, 30, 1000):
        events, seen = OrderEvents(), Seen()
        whole = order(1) + order(2)
        for at in range(0, len(whole), length):
            events.read(whole[at : at + length], seen, time.time())
        assert events.numbers == {1, 2}
        assert len(seen.latencies) == 2


def test_a_reset_and_events_that_never_come_are_counted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("benchmarks.event_reader.LAST_WITHIN_S", 0.2)
    reset = b'event: reset\ndata: {"reason":"x"}\n\n'
    _, seen = read(order(1) + reset, {"HOT": {1, 2, 3}, "OTHER": {4}})
    assert (len(seen.latencies), seen.missing, seen.resets) == (1, 2, 1)


def test_refusals_are_told_by_status():
    def answer(connection: socket.socket, _number: int) -> bool:
        connection.sendall(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
        return True

    ours, theirs = Pipe()
    with server(answer) as address, ours, theirs:
        reader = threading.Thread(target=read_streams, args=(theirs, address, ["HOT"], 2))
        reader.start()
        assert ours.poll(WITHIN_S)
        assert ours.recv() == {503: 2}
        ours.close()
        reader.join(WITHIN_S)
        assert not reader.is_alive()
