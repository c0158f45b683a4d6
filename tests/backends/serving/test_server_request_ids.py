from collections.abc import Iterator
from concurrent import futures

import grpc
import pytest

from backends.serving.server import RequestIds
from common.calls.failures import RpcFailure
from common.calls.network import Network
from common.calls.reasons import Reason
from common.calls.statuses import aborting_on_failures
from common.calls.steps import Call, Steps, Together
from common.process.request_context import METADATA_KEY, current_request_id, working_for
from protos import catalog_pb2, catalog_pb2_grpc, order_pb2, order_pb2_grpc

LOOK_UP = catalog_pb2.LookupStockRequest(stock_name="ACME")


class FakeCatalog(catalog_pb2_grpc.CatalogServiceServicer):
    """Answers with the id that the call is handled for, as a stock's name."""

    def LookupStock(self, request, context):
        with aborting_on_failures(context):
            if request.stock_name == "fail":
                raise RpcFailure(Reason.FENCED, current_request_id())
            return catalog_pb2.LookupStockResponse(stock=catalog_pb2.Stock(name=current_request_id()))


class FakeReplica(order_pb2_grpc.ReplicationServiceServicer):
    def Resync(self, request, context):
        yield order_pb2.ResyncProgress(done_number=len(current_request_id()))


@pytest.fixture
def address() -> Iterator[str]:
    # One thread: what a call left behind in it, the next one would find.
    server = grpc.server(futures.ThreadPoolExecutor(1), interceptors=[RequestIds()])
    catalog_pb2_grpc.add_CatalogServiceServicer_to_server(FakeCatalog(), server)  # type: ignore[abstract]
    order_pb2_grpc.add_ReplicationServiceServicer_to_server(FakeReplica(), server)  # type: ignore[abstract]
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(0).wait()


@pytest.fixture
def network() -> Iterator[Network]:
    yield (network := Network())
    network.close()


def test_the_callee_works_for_the_callers_request(network, address):
    with working_for("req-1"):
        assert network.call(address, LOOK_UP, 5).stock.name == "req-1"
        with pytest.raises(RpcFailure, match="req-1"):
            network.call(address, catalog_pb2.LookupStockRequest(stock_name="fail"), 5)
        assert next(network.stream(address, order_pb2.ResyncRequest(replica_id=1), 5)).done_number == 5


def test_calls_made_together_carry_it_too(network, address):
    def procedure() -> Steps[list]:
        return (yield Together([Call(address, LOOK_UP, 5)] * 2))

    with working_for("req-2"):
        assert [answer.stock.name for answer in network.run(procedure())] == ["req-2", "req-2"]


@pytest.mark.parametrize("named", ["req-5", ""])
def test_a_call_can_be_named_otherwise_than_its_thread(network, address, named: str):
    def procedure() -> Steps[catalog_pb2.LookupStockResponse]:
        return (yield Call(address, LOOK_UP, 5, named))

    with working_for("req-4"):
        assert network.run(procedure()).stock.name == named


def test_a_call_for_no_request_finds_nothing_of_the_one_before(network, address):
    with working_for("req-3"):
        network.call(address, LOOK_UP, 5)
    assert network.call(address, LOOK_UP, 5).stock.name == ""


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "a=1"])
def test_an_id_that_is_none_is_not_taken_over(address, given: str):
    with grpc.insecure_channel(address) as channel:
        stub = catalog_pb2_grpc.CatalogServiceStub(channel)
        answer = stub.LookupStock(LOOK_UP, timeout=5, metadata=((METADATA_KEY, given),))
    assert answer.stock.name == ""
