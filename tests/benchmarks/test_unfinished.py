import socket
from collections import Counter

import pytest

from benchmarks.load_client import LoadError
from benchmarks.unfinished import HALF_A_BODY, HALF_A_HEAD, Unfinished
from deploy.systems.waiting import wait_until

HALVES = Counter({HALF_A_HEAD: 3, HALF_A_BODY: 3})


def test_half_have_half_a_head_and_half_have_half_a_body():
    assert b"\r\n\r\n" not in HALF_A_HEAD
    head, _, body = HALF_A_BODY.partition(b"\r\n\r\n")
    assert b"Content-Length: 50" in head
    assert len(body) == 1


def test_those_that_are_answered_or_closed_do_not_wait_any_more():
    heard: Counter[bytes] = Counter()
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    with listener, Unfinished(address, 6) as unfinished:
        connections = [listener.accept()[0] for _ in range(6)]
        heard.update(connection.recv(65_536) for connection in connections)
        assert heard == HALVES
        assert unfinished.waiting() == 6
        connections[0].close()
        connections[1].sendall(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        wait_until(lambda: unfinished.waiting() == 4, 10, "two have heard of the server")
        for connection in connections[1:]:
            connection.settimeout(10)
    assert [connection.recv(1) for connection in connections[2:]] == [b""] * 4
    for connection in connections:
        connection.close()


def test_a_server_that_takes_no_connection_is_told_with_how_many_it_took():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(LoadError, match=r"0 of 6 connections could be made: .*refused"), Unfinished(address, 6):
        pass
