"""The load client, against servers of one purpose on sockets of their own."""

import socket

import pytest

from benchmarks.load_client import NO_ANSWER, LoadError, LoadResult, get_request, post_request, run_load
from tests.benchmarks.servers import OK, server

REQUEST = get_request("/", "localhost")


def run(address: str, **options) -> LoadResult:
    return run_load(address, lambda: REQUEST, clients=options.pop("clients", 2), seconds=0.1, **options)


def test_answers_are_counted_and_connections_kept():
    connections = set()

    def answer(connection: socket.socket, _number: int) -> bool:
        connections.add(connection.fileno())
        connection.sendall(OK)
        return True

    with server(answer) as address:
        result = run(address, keep=200)
    assert not result.errors
    assert len(result.latencies) > 10
    assert result.kept == [b"ok"] * len(result.latencies)
    assert len(connections) == 2
    assert result.rate == len(result.latencies) / result.seconds
    assert result.latencies == sorted(result.latencies)


def test_an_unexpected_status_is_an_error_and_no_answer():
    def answer(connection: socket.socket, number: int) -> bool:
        connection.sendall(OK if number % 2 else b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n")
        return True

    with server(answer) as address:
        result = run(address, clients=1)
    assert abs(result.errors[503] - len(result.latencies)) <= 1
    assert result.errors.total() == result.errors[503] > 0


def test_a_broken_connection_is_an_error_and_another_one_is_opened():
    def answer(connection: socket.socket, number: int) -> bool:
        if number <= 3:
            connection.sendall(OK)
        return number <= 3

    with server(answer) as address:
        result = run(address, clients=1)
    assert result.errors[NO_ANSWER] >= 2
    assert len(result.latencies) >= 3 * (result.errors[NO_ANSWER] - 1)


def test_an_answer_in_pieces_is_one_answer():
    def answer(connection: socket.socket, _number: int) -> bool:
        for at in range(len(OK)):
            connection.sendall(OK[at : at + 1])
        return True

    with server(answer) as address:
        result = run(address, clients=1, keep=200)
    assert not result.errors
    assert set(result.kept) == {b"ok"}


def test_a_chunked_answer_is_refused():
    def answer(connection: socket.socket, _number: int) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
        return True

    with server(answer) as address, pytest.raises(LoadError, match="without a length"):
        run(address)


def test_nobody_listening_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(LoadError, match="refused"):
        run(address)


def test_a_run_without_one_expected_answer_is_refused():
    def answer(connection: socket.socket, _number: int) -> bool:
        connection.sendall(OK)
        return True

    with server(answer) as address, pytest.raises(LoadError, match=r"not one answer was as expected.*200"):
        run(address, expected=(201,))


def test_percentiles():
    result = LoadResult(1.0, [0.1, 0.2, 0.3, 0.4])
    assert [result.percentile(part) for part in (0.0, 0.5, 0.99, 1.0)] == [0.1, 0.3, 0.4, 0.4]
    assert LoadResult().percentile(0.5) == 0.0


def test_a_post_says_its_length_and_key():
    head, _, body = post_request("/orders", "localhost", b'{"a":1}', "key-1").partition(b"\r\n\r\n")
    assert body == b'{"a":1}'
    assert {b"Content-Length: 7", b"Idempotency-Key: key-1"} <= set(head.split(b"\r\n"))


def test_a_caller_with_a_token_says_it():
    for request in (get_request("/", "localhost", "abc"), post_request("/orders", "localhost", b"{}", "key-1", "abc")):
        head, end, _ = request.partition(b"\r\n\r\n")
        assert end
        assert b"Authorization: Bearer abc" in head.split(b"\r\n")
    assert b"Authorization" not in get_request("/", "localhost")
