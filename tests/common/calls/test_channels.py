from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager

import grpc
import pytest

from common.calls.failures import RpcFailure
from common.calls.network import Network
from protos import catalog_pb2, order_pb2, order_pb2_grpc

ANSWER = order_pb2.HealthCheckResponse(replica_id=3)


class Orders(order_pb2_grpc.OrderServiceServicer):
    def HealthCheck(self, request, context):
        return ANSWER


class Replication(order_pb2_grpc.ReplicationServiceServicer):
    def HealthCheck(self, request, context):
        return ANSWER


@contextmanager
def served(*services) -> Iterator[str]:
    """A replica that knows these services alone; any other call of it is answered UNIMPLEMENTED."""
    server = grpc.server(futures.ThreadPoolExecutor(2))
    for service in services:
        add = getattr(order_pb2_grpc, f"add_{service.__bases__[0].__name__}_to_server")
        add(service(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(0).wait()


@pytest.fixture
def network() -> Iterator[Network]:
    yield (network := Network())
    network.close()


@pytest.mark.parametrize("services", [(Orders,), (Replication,), (Orders, Replication)])
def test_health_is_asked_by_the_name_that_the_callee_knows(network, services):
    with served(*services) as address:
        for _ in range(2):
            assert network.call(address, order_pb2.HealthCheckRequest(), 5) == ANSWER


def test_callee_that_knows_neither_name_is_a_failure(network):
    with served() as address, pytest.raises(RpcFailure) as caught:
        network.call(address, order_pb2.HealthCheckRequest(), 5)
    assert caught.value.code == grpc.StatusCode.UNIMPLEMENTED


def test_other_rpcs_have_one_name(network):
    with served(Orders, Replication) as address, pytest.raises(RpcFailure) as caught:
        network.call(address, catalog_pb2.LookupStockRequest(stock_name="A"), 5)
    assert caught.value.code == grpc.StatusCode.UNIMPLEMENTED
