"""The order client against real gRPC servers: what channels, deadlines and threads do to it."""

import threading
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest

from common.calls.failures import RpcFailure
from common.calls.network import Network
from common.calls.reasons import Reason
from common.calls.statuses import status_from_failure
from common.calls.streams import CallStreamServicer
from common.process.config import ClusterConfig
from protos import calls_pb2_grpc, catalog_pb2, catalog_pb2_grpc, order_pb2, order_pb2_grpc
from tests.trading.fake_cluster import FakeCluster
from trading.market.order_client import OrderClient
from trading.reads.order_reader import OrderReader
from trading.replicas.manager import ReplicaManager


class Servicer:
    """Gives each request to a fake's handler, one at a time."""

    lock = threading.Lock()

    def __init__(self, handle):
        self.handle = handle

    def _answer(self, request, context):
        try:
            with self.lock:
                return self.handle(request)
        except RpcFailure as failure:
            context.abort_with_status(status_from_failure(failure))

    HealthCheck = AssignLeader = PlaceOrders = LookUpOrder = _answer

    def __getattr__(self, _name):
        return self._answer


class Servers:
    """A catalog and three replicas on free ports."""

    def __init__(self):
        self.fake = FakeCluster()
        self.servers = {0: self._serve(self.fake.catalog.handle)}
        self.servers |= {one: self._serve(replica.handle) for one, replica in self.fake.replicas.items()}
        address = {one: f"127.0.0.1:{port}" for one, (_, port) in self.servers.items()}
        catalog = address.pop(0)
        self.config = ClusterConfig(catalog, address, Path("unused"), min_in_sync=1)
        self.network = Network()
        manager = ReplicaManager(self.config, self.network)
        self.client = OrderClient(manager)
        self.reader = OrderReader(self.config, manager)

    def kill(self, *ids):
        for one in ids:
            self.servers[one][0].stop(0).wait()

    @staticmethod
    def _serve(handle):
        server = grpc.server(futures.ThreadPoolExecutor(32))
        servicer: Any = Servicer(handle)
        catalog_pb2_grpc.add_CatalogServiceServicer_to_server(servicer, server)
        order_pb2_grpc.add_OrderServiceServicer_to_server(servicer, server)
        order_pb2_grpc.add_ReplicationServiceServicer_to_server(servicer, server)
        streams = CallStreamServicer({order_pb2.PlaceOrdersRequest: servicer.PlaceOrders})
        calls_pb2_grpc.add_CallStreamServiceServicer_to_server(streams, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        return server, port


@pytest.fixture
def servers():
    servers = Servers()
    yield servers
    servers.network.close()
    servers.kill(*servers.servers)


def order(key):
    return catalog_pb2.NewOrder(stock_name="ACME", order_type=catalog_pb2.BUY, quantity=1, idempotency_key=key)


def test_orders_of_many_threads_go_on_when_the_leader_dies(servers):
    placed, failed = [], []
    begun = threading.Event()

    def trade(name):
        for number in range(20):
            try:
                placed.append(servers.network.run(servers.client.place(order(f"{name}-{number}"))).order)
            except RpcFailure as failure:
                failed.append(failure)
            if len(placed) > 40:
                begun.set()

    threads = [threading.Thread(target=trade, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    assert begun.wait(10)
    servers.kill(3)
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert failed == []
    assert len(placed) == 160
    assert {one.epoch for one in placed} == {1, 2}


def test_with_all_replicas_dead_an_order_is_known_not_to_be_executed(servers):
    servers.kill(1, 2, 3)
    with pytest.raises(RpcFailure) as failure:
        servers.network.run(servers.client.place(order("k")))
    assert (failure.value.may_be_executed, failure.value.reason) == (False, Reason.NO_LEADER)


def test_one_replica_alive_is_enough_to_read(servers):
    number = servers.network.run(servers.client.place(order("k"))).order.transaction_number
    servers.fake.replicas[1].last_number = number
    servers.kill(0, 2, 3)
    assert servers.network.run(servers.reader.look_up(number)).transaction_number == number
