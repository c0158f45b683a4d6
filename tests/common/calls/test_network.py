import socket
import threading
from collections.abc import Iterator
from concurrent import futures

import grpc
import pytest

from common.calls.failures import RpcFailure
from common.calls.network import Network
from common.calls.reasons import Reason
from common.calls.statuses import aborting_on_failures
from common.calls.steps import Call, Pause, Steps, Together, Wait
from common.process.latch import Latch
from protos import catalog_pb2, catalog_pb2_grpc, order_pb2, order_pb2_grpc


class FakeCatalog(catalog_pb2_grpc.CatalogServiceServicer):
    def __init__(self) -> None:
        self.release = threading.Event()

    def LookupStock(self, request, context):
        with aborting_on_failures(context):
            if request.stock_name == "fenced":
                raise RpcFailure(Reason.FENCED, "epoch 3 is not 4", metadata={"epoch": 4, "leader_id": 2})
            if request.stock_name == "bug":
                raise KeyError("secret")
            if request.stock_name == "hang":
                self.release.wait(10)
            return catalog_pb2.LookupStockResponse(last_number=len(request.stock_name))


class FakeReplica(order_pb2_grpc.ReplicationServiceServicer):
    def Resync(self, request, context):
        with aborting_on_failures(context):
            yield order_pb2.ResyncProgress(done_number=1)
            raise RpcFailure(Reason.FENCED, "too late", metadata={"epoch": 9})


@pytest.fixture
def catalog() -> Iterator[FakeCatalog]:
    yield (servicer := FakeCatalog())  # type: ignore[abstract]
    servicer.release.set()


@pytest.fixture
def address(catalog: FakeCatalog) -> Iterator[str]:
    server = grpc.server(futures.ThreadPoolExecutor(4))
    catalog_pb2_grpc.add_CatalogServiceServicer_to_server(catalog, server)
    order_pb2_grpc.add_ReplicationServiceServicer_to_server(FakeReplica(), server)  # type: ignore[abstract]
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    catalog.release.set()
    server.stop(0).wait()


@pytest.fixture
def network() -> Iterator[Network]:
    yield (network := Network())
    network.close()


def lookup(name: str) -> catalog_pb2.LookupStockRequest:
    return catalog_pb2.LookupStockRequest(stock_name=name)


def test_the_request_names_the_rpc(network, address):
    assert network.call(address, lookup("ACME"), 5).last_number == 4


def test_reason_and_metadata_arrive_as_they_were_raised(network, address):
    with pytest.raises(RpcFailure) as caught:
        network.call(address, lookup("fenced"), 5)
    failure = caught.value
    assert (failure.code, failure.reason, failure.message) == (
        grpc.StatusCode.ABORTED,
        Reason.FENCED,
        "epoch 3 is not 4",
    )
    assert (failure.number("epoch"), failure.number("leader_id")) == (4, 2)
    assert failure.was_answered


def test_a_bug_in_a_handler_is_internal_and_keeps_its_secrets(network, address):
    with pytest.raises(RpcFailure) as caught:
        network.call(address, lookup("bug"), 5)
    assert caught.value.reason is Reason.INTERNAL
    assert "secret" not in caught.value.message


def test_no_answer_in_time(network, address):
    with pytest.raises(RpcFailure) as caught:
        network.call(address, lookup("hang"), 0.1)
    assert caught.value.reason is Reason.NO_ANSWER
    assert not caught.value.was_answered


def test_nobody_listens(network):
    with pytest.raises(RpcFailure) as caught:
        network.call("127.0.0.1:1", lookup("ACME"), 5)
    assert caught.value.reason is Reason.UNREACHABLE


def test_together_answers_in_order_with_failures_among_them(network, address):
    done = []

    def procedure() -> Steps[list]:
        calls = [Call(address, lookup(name), 5) for name in ("a", "fenced", "abc")]
        calls.append(Call("127.0.0.1:1", lookup("a"), 5))
        return (yield Together(calls, meanwhile=lambda: done.append(1)))

    first, second, third, fourth = network.run(procedure())
    assert (first.last_number, third.last_number) == (1, 3)
    assert (second.reason, fourth.reason) == (Reason.FENCED, Reason.UNREACHABLE)
    assert done == [1]


def test_together_waits_for_its_calls_before_it_raises(network, address):
    def procedure() -> Steps[None]:
        def fail() -> None:
            raise RpcFailure(Reason.DISK_FULL, "disk")

        yield Together([Call(address, lookup("a"), 5)], meanwhile=fail)

    with pytest.raises(RpcFailure, match="disk"):
        network.run(procedure())


def test_pause_pauses(network):
    def procedure() -> Steps[None]:
        yield Pause(0.001)

    assert network.run(procedure()) is None


@pytest.mark.parametrize("is_set", [True, False])
def test_wait_says_whether_the_latch_was_set_in_its_time(network, is_set):
    latch = Latch()
    if is_set:
        latch.set()

    def procedure() -> Steps[bool]:
        return (yield Wait(latch, 0.001))

    assert network.run(procedure()) is is_set


def test_stream_yields_and_then_raises(network, address):
    stream = network.stream(address, order_pb2.ResyncRequest(replica_id=1), 5)
    assert next(stream).done_number == 1
    with pytest.raises(RpcFailure) as caught:
        next(stream)
    assert caught.value.number("epoch") == 9


def test_call_without_a_connection_was_certainly_not_sent(network):
    """An order that ended so is answered "not executed"."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, never listening: connections are refused
        with pytest.raises(RpcFailure) as failure:
            network.call(f"127.0.0.1:{unused.getsockname()[1]}", catalog_pb2.CatalogHealthRequest(), 5)
    assert (failure.value.reason, failure.value.was_sent) == (Reason.UNREACHABLE, False)


def test_call_that_is_cut_off_may_have_been_sent(network, catalog, address):
    with pytest.raises(RpcFailure) as failure:
        network.call(address, catalog_pb2.LookupStockRequest(stock_name="hang"), 0.2)
    assert failure.value.was_sent
