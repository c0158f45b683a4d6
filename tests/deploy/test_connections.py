"""What one client may hold of the server: a connection, while something comes on it."""

import time
from contextlib import ExitStack

import pytest

from deploy.connections import MOST_HEAD_BYTES
from tests.harness.edge_server import EdgeServer
from trading.edge import application

LATE_S = 0.4
SOON_S = LATE_S + 1.5
HEAD = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(autouse=True)
def no_watch(monkeypatch):
    monkeypatch.setattr(application, "stock_reader", lambda: None)


@pytest.fixture
def impatient():
    """Heads are late soon."""
    with EdgeServer(head_timeout_s=LATE_S) as serving:
        yield serving


@pytest.mark.parametrize("sent", ["", "G", "GET /healthz HTTP/1.1\r\n", HEAD, "\r\n"])
def test_connection_without_a_whole_head_is_closed(impatient, sent):
    began = time.monotonic()
    with impatient.connect() as client:
        if sent:
            client.send(sent)
        assert client.is_closed_within(SOON_S)
    assert time.monotonic() - began >= LATE_S * 0.9


def test_head_that_comes_letter_by_letter_is_late_all_the_same(impatient):
    began = time.monotonic()
    with impatient.connect() as client:
        for letter in HEAD * 100:
            client._socket.settimeout(SOON_S)
            try:
                client.send(letter)
            except ConnectionError:
                break
            if client.is_closed_within(0.02):
                break
        else:
            pytest.fail("the connection is still open")
    assert time.monotonic() - began < SOON_S


def test_connection_that_is_asked_nothing_more_is_closed(impatient):
    with impatient.connect() as client:
        assert client.send(f"{HEAD}\r\n").answer().status == 200
        began = time.monotonic()
        assert client.is_closed_within(SOON_S)
        assert time.monotonic() - began >= LATE_S * 0.9


def test_second_half_head_is_late_as_a_first_one_is(impatient):
    with impatient.connect() as client:
        assert client.send(f"{HEAD}\r\n{HEAD}").answer().status == 200
        assert client.is_closed_within(SOON_S)


def test_connection_that_goes_on_asking_stays(impatient):
    with impatient.connect() as client:
        give_up = time.monotonic() + 3 * LATE_S
        while time.monotonic() < give_up:
            assert client.send(f"{HEAD}\r\n").answer().status == 200
            assert not client.is_closed_within(LATE_S / 4)


def test_request_that_is_answered_late_is_no_late_head(impatient, monkeypatch):
    """Nor is its body, which has a deadline of its own."""
    with impatient.connect() as client:
        client.ask("POST /orders", "Content-Type: application/json", "Content-Length: 9", body="{")
        assert not client.is_closed_within(2 * LATE_S)


def test_head_without_an_end_is_400():
    with EdgeServer() as server, server.connect() as client:
        client.send(HEAD + "X-Long: " + "a" * MOST_HEAD_BYTES)
        client._socket.settimeout(SOON_S)
        assert client._socket.recv(100).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("sent", ["nonsense\r\n\r\n", "GET / HTTP/1.1\r\nNo colon\r\n\r\n", "\x16\x03\x01\x02"])
def test_what_is_no_http_is_400_and_closed(sent):
    with EdgeServer() as server, server.connect() as client:
        client.send(sent)
        client._socket.settimeout(SOON_S)
        assert client._socket.recv(100).startswith(b"HTTP/1.1 400")


def test_when_there_are_too_many_the_one_that_has_waited_longest_makes_room():
    with EdgeServer(most_connections=5) as server, ExitStack() as stack:
        idle = [stack.enter_context(server.connect()) for _ in range(5)]
        assert idle[4].send(f"{HEAD}\r\n").answer().status == 200
        with server.connect() as another:
            assert another.send(f"{HEAD}\r\n").answer().status == 200
        assert idle[0].is_closed_within(SOON_S)
        assert idle[1].send(f"{HEAD}\r\n").answer().status == 200


def test_a_new_one_finds_no_room_when_all_are_at_work():
    with EdgeServer(most_connections=3) as server, ExitStack() as stack:
        for _ in range(3):
            client = stack.enter_context(server.connect())
            client.ask("POST /orders", "Content-Type: application/json", "Content-Length: 9", body="{")
            assert not client.is_closed_within(0.05)
        assert stack.enter_context(server.connect()).is_closed_within(SOON_S)


def test_at_a_stop_all_that_wait_for_a_head_are_closed_and_whoever_comes_later_too():
    """Else a connection that the loop begins just behind uvicorn's own round holds the stop up for all of its time."""
    with EdgeServer() as server, server.connect().send(HEAD) as half, server.connect() as idle:
        assert idle.send(f"{HEAD}\r\n").answer().status == 200
        server.in_loop(server.waiting.stop)
        assert half.is_closed_within(SOON_S)
        assert idle.is_closed_within(SOON_S)
        with server.connect().send(HEAD) as late:
            assert late.is_closed_within(SOON_S)
