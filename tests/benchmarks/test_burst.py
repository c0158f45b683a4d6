import itertools
import socket
import threading
from multiprocessing import Pipe

import pytest

from benchmarks.burst import look_up_until_told, place_at_once
from benchmarks.load_client import NO_ANSWER, LoadError
from benchmarks.traffic import HOT, order_requests
from tests.benchmarks.servers import OK, server

CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}"
OVERLOADED = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"


def test_every_order_has_a_connection_of_its_own_and_its_answer_is_counted():
    count = itertools.count()

    def answer(connection: socket.socket, _number: int) -> bool:
        connection.sendall([CREATED, OVERLOADED, b""][next(count) % 3])
        return False

    with server(answer) as address:
        burst = place_at_once(address, order_requests(HOT), 30)
    assert burst.counts == {201: 10, 503: 10, NO_ANSWER: 10}
    assert burst.kept == [b"{}"] * 10
    assert burst.slowest == max(itertools.chain(*burst.times.values()))


def test_silence_is_an_error(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("benchmarks.burst.SILENCE_S", 0.1)
    with server(lambda *_: True) as address, pytest.raises(LoadError, match="3 orders got no answer"):
        place_at_once(address, order_requests(HOT), 3)


def test_look_ups_go_on_until_they_are_told_to_end():
    def answer(connection: socket.socket, _number: int) -> bool:
        connection.sendall(OK)
        return True

    ours, theirs = Pipe()
    with server(answer) as address, ours, theirs:
        thread = threading.Thread(target=look_up_until_told, args=(theirs, address, "/"))
        thread.start()
        assert ours.poll(30)
        assert ours.recv() == "begun"
        ours.send("enough")
        assert ours.poll(30)
        load = ours.recv()
        ours.close()
        thread.join(30)
        assert not thread.is_alive()
    assert load.latencies == sorted(load.latencies)
    assert len(load.latencies) > 10
    assert load.seconds >= 0.2


def test_look_ups_that_fail_are_told():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    ours, theirs = Pipe()
    with ours, theirs:
        look_up_until_told(theirs, address, "/")
        assert isinstance(ours.recv(), LoadError)
