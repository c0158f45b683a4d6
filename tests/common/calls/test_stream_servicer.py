import queue
import threading
import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.rpc import status_pb2

from backends.serving.server import STOP_GRACE_S, BackendServer
from common.calls.failures import RpcFailure
from common.calls.statuses import failure_from_status
from common.calls.waiting_room import STREAM_COUNT
from deploy.systems.waiting import wait_until
from protos import calls_pb2, calls_pb2_grpc
from protos.catalog_pb2 import LookupStockRequest, LookupStockResponse


class Handlers:
    def __init__(self) -> None:
        self.entered = threading.Event()
        self.release = threading.Event()

    def look_up(self, request: Any, context: Any) -> LookupStockResponse:
        if request.stock_name == "hang":
            self.entered.set()
            self.release.wait(10)
        return LookupStockResponse(last_number=len(request.stock_name))


@pytest.fixture
def handlers() -> Iterator[Handlers]:
    yield (handlers := Handlers())
    handlers.release.set()


@pytest.fixture
def server(handlers: Handlers) -> Iterator[BackendServer]:
    server = BackendServer("127.0.0.1:0", lambda _server: None, [], carried={LookupStockRequest: handlers.look_up})
    server.start()
    yield server
    server.stop()


class Stream:
    """A caller's end, message by message."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.calls: queue.SimpleQueue[calls_pb2.CarriedCall | None] = queue.SimpleQueue()
        self.answers: Any = calls_pb2_grpc.CallStreamServiceStub(channel).Carry(iter(self.calls.get, None), timeout=30)

    def send(
        self, request: bytes, request_type: str = LookupStockRequest.DESCRIPTOR.full_name, request_id: str = ""
    ) -> None:
        self.calls.put(
            calls_pb2.CarriedCall(request_type=request_type, request=request, timeout_ms=5000, request_id=request_id)
        )

    def receive(self) -> Any:
        answer = next(self.answers)
        if answer.WhichOneof("answer") == "response":
            return LookupStockResponse.FromString(answer.response).last_number
        failure = failure_from_status(status_pb2.Status.FromString(answer.status))
        assert isinstance(failure, RpcFailure)
        return failure.code, failure.wire_reason


@pytest.fixture
def stream(server: BackendServer) -> Iterator[Stream]:
    with grpc.insecure_channel(server.address) as channel:
        yield (stream := Stream(channel))
        stream.calls.put(None)


def look_up(name: str) -> bytes:
    return LookupStockRequest(stock_name=name).SerializeToString()


def test_what_is_sent_ahead_is_answered_in_order(stream):
    for name in ("a", "ab", "abc"):
        stream.send(look_up(name))
    assert [stream.receive() for _ in range(3)] == [1, 2, 3]


def test_an_rpc_that_is_not_carried_is_refused_by_its_name_and_the_stream_goes_on(stream):
    stream.send(b"", request_type="bourse.catalog.v1.ListStocksRequest")
    stream.send(look_up("a"))
    assert stream.receive() == (grpc.StatusCode.UNIMPLEMENTED, "NOT_CARRIED")
    assert stream.receive() == 1


def test_bytes_that_are_no_request_fail_their_call_alone(stream):
    stream.send(b"\xff\xff")
    stream.send(look_up("a"))
    assert stream.receive() == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert stream.receive() == 1


def test_a_caller_that_ends_the_stream_ends_it_in_peace(stream):
    stream.send(look_up("a"))
    assert stream.receive() == 1
    stream.calls.put(None)
    assert list(stream.answers) == []
    assert stream.answers.code() == grpc.StatusCode.OK


def test_a_stop_does_not_wait_for_streams_without_a_call(server, stream):
    stream.send(look_up("a"))
    stream.receive()
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < STOP_GRACE_S
    with pytest.raises((grpc.RpcError, StopIteration)):  # cancelled, or ended before it waited again
        next(stream.answers)


def test_a_stop_lets_a_call_under_way_be_answered_and_takes_none_after_it(server, stream, handlers):
    stream.send(look_up("hang"))
    stream.send(look_up("a"))
    assert handlers.entered.wait(5)
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    while not server._streams._is_stopping:  # set at the start of the stop
        stopping.join(0.01)
    handlers.release.set()
    assert stream.receive() == 4
    assert list(stream.answers) == []
    stopping.join(STOP_GRACE_S)
    assert not stopping.is_alive()


def test_a_stream_without_a_call_is_ended_after_a_while_and_its_place_is_free(server, stream, monkeypatch):
    monkeypatch.setattr("common.calls.streams.IDLE_S", 0.1)
    stream.send(look_up("a"))
    assert stream.receive() == 1
    with pytest.raises(grpc.RpcError) as caught:
        next(stream.answers)
    assert caught.value.code() == grpc.StatusCode.CANCELLED
    wait_until(lambda: server._streams._places._places._value == STREAM_COUNT, 5, "the stream's place")
