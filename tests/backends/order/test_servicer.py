"""Replicas and a catalog behind real gRPC, in this process."""

import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from backends.catalog.__main__ import make_server as make_catalog_server
from backends.catalog.catalog import Catalog
from backends.order.__main__ import make_server, work_until_stopped
from backends.order.catalog_link import CatalogLink
from backends.order.reads.reader import OrderReader
from backends.order.replica import Replica
from backends.serving.order_metrics import OrderMetrics
from backends.serving.server import BackendServer
from backends.storage.csv.data_directory import DataDirectory
from backends.storage.csv.ledger import open_ledger
from backends.storage.csv.small_files import SmallFiles
from backends.storage.values import Stock
from common.calls.failures import RpcFailure
from common.calls.network import Network
from common.calls.reasons import Reason
from common.calls.statuses import failure_from_error
from deploy.probe import ask
from deploy.systems.waiting import wait_until
from protos import catalog_pb2, order_pb2, order_pb2_grpc
from tests.backends.order.direct import Clock


@dataclass
class Served:
    """A catalog and replicas 1 and 2, replica 2 leading in epoch 1."""

    network: Network
    catalog: BackendServer
    replicas: dict[int, BackendServer]
    logic: dict[int, Replica]

    def call(self, replica_id: int, request, timeout_s: float = 5.0):
        return self.network.call(self.replicas[replica_id].address, request, timeout_s)

    def place(self, *orders: catalog_pb2.NewOrder, timeout_s: float = 5.0):
        request = order_pb2.PlaceOrdersRequest(epoch=1, orders=orders)
        return self.call(2, request, timeout_s).results


@pytest.fixture
def served(tmp_path: Path, open_store) -> Iterator[Served]:
    directory = DataDirectory.open(tmp_path / "catalog", "catalog")
    stocks = [Stock.new("AAPL", 22_750, 100)]
    ledger = open_ledger(directory, lambda: stocks, SmallFiles(directory.path), run_id="run")
    catalog = Catalog(ledger, utc_now=Clock().utc)
    catalog_server = make_catalog_server("127.0.0.1:0", catalog)
    catalog_server.start()
    network = Network()
    servers: dict[int, BackendServer] = {}
    stopping = threading.Event()
    workers: list[threading.Thread] = []
    alarms: list[threading.Event] = []
    replicas: list[Replica] = []
    for replica_id in (1, 2):
        work = threading.Event()
        alarms.append(work)
        store = open_store(replica_id)
        store.adopt(catalog.cluster_id)
        link = CatalogLink(catalog_server.address, time.monotonic)
        replica = Replica(
            replica_id=replica_id,
            store=store,
            catalog=link,
            min_in_sync=1,
            monotonic=time.monotonic,
            observer=OrderMetrics(),
            on_work=work.set,
        )
        replicas.append(replica)
        servers[replica_id] = make_server("127.0.0.1:0", replica, OrderReader(store, link, time.monotonic), network)
        workers.append(threading.Thread(target=work_until_stopped, args=(replica, network, work, stopping)))
        workers[-1].start()
        servers[replica_id].start()
    served = Served(network, catalog_server, servers, {replica.replica_id: replica for replica in replicas})
    peers = [order_pb2.Peer(replica_id=n, address=server.address) for n, server in servers.items()]
    served.call(2, order_pb2.AssignLeaderRequest(leader_id=2, peers=peers, expected_epoch=0))
    served.call(1, order_pb2.AssignLeaderRequest(leader_id=2, peers=peers, expected_epoch=1))
    yield served
    stopping.set()
    for replica, work, worker in zip(replicas, alarms, workers, strict=True):
        replica.stop()
        work.set()
        worker.join()
    for server in [*servers.values(), catalog_server]:
        server.stop()
    network.close()
    directory.close()


def buy(key: str, quantity: int = 1, name: str = "AAPL") -> catalog_pb2.NewOrder:
    return catalog_pb2.NewOrder(stock_name=name, order_type=catalog_pb2.BUY, quantity=quantity, idempotency_key=key)


def alone(order: catalog_pb2.NewOrder) -> order_pb2.PlaceOrderRequest:
    return order_pb2.PlaceOrderRequest(
        epoch=1,
        stock_name=order.stock_name,
        order_type=order.order_type,
        quantity=order.quantity,
        idempotency_key=order.idempotency_key,
        account=order.account,
    )


@contextmanager
def plain_client(served: Served, replica_id: int) -> Iterator[order_pb2_grpc.OrderServiceStub]:
    """What protoc generates and nothing else: no key, no epoch, no channel options."""
    with grpc.insecure_channel(served.replicas[replica_id].address) as channel:
        yield order_pb2_grpc.OrderServiceStub(channel)


def test_one_order_is_placed_and_found_at_any_replica(served):
    placed = served.call(2, alone(buy("k", 3)))
    assert placed.order.transaction_number == 1
    assert not placed.replayed
    for replica_id in (1, 2):
        assert served.call(replica_id, order_pb2.LookUpOrderRequest(transaction_id=1)).order == placed.order


def test_rows_of_both_replicas_are_the_same_bytes(served):
    served.place(buy("k", 3), buy("l", 1))
    first, second = [served.call(one, order_pb2.ListRowsRequest()).rows for one in (1, 2)]
    assert first == second
    assert first.count(b"\n") == 2


def test_repeated_key_is_replayed_and_a_reused_one_names_its_order(served):
    served.place(buy("k", 3))
    again, other = served.place(buy("k", 3), buy("k", 4))
    assert again.placed.replayed
    assert (other.failure.reason, other.failure.metadata["transaction_number"]) == ("KEY_REUSED", "1")
    assert other.failure.code == grpc.StatusCode.ALREADY_EXISTS.value[0]
    assert not other.failure.outcome_unknown


def test_refusal_of_a_single_order_is_its_status(served):
    with pytest.raises(RpcFailure) as caught:
        served.call(2, alone(buy("k", 101)))
    assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.FAILED_PRECONDITION, Reason.INSUFFICIENT_STOCK)
    assert caught.value.metadata == {"available": "100", "idempotency_key": "k"}


BAD_ORDERS = pytest.mark.parametrize(
    ("order", "named"),
    [
        (buy("k", 0), "quantity 0"),
        (buy("k", -1), "quantity -1"),
        (buy("k", 10**9 + 1), "quantity 1000000001"),
        (buy("", 1), "idempotency_key ''"),
        (buy("a,b", 1), "'a,b'"),
        (buy("k", 1, ""), "stock_name ''"),
        (buy("k", 1, "A B"), "'A B'"),
        (buy("k", 1, "x" * 33), "x{33}"),
        (buy("k", 1, "AAPL\n"), "AAPL"),
        (catalog_pb2.NewOrder(stock_name="AAPL", quantity=1, idempotency_key="k"), "order_type 0"),
        (catalog_pb2.NewOrder(stock_name="AAPL", order_type=7, quantity=1, idempotency_key="k"), "order_type 7"),  # type: ignore[arg-type]
        (
            catalog_pb2.NewOrder(
                stock_name="AAPL", order_type=catalog_pb2.BUY, quantity=1, idempotency_key="k", account="a b"
            ),
            "'a b'",
        ),
    ],
)


@BAD_ORDERS
def test_a_bad_order_in_a_call_is_answered_alone_and_those_of_others_are_made(served, order, named):
    first, bad, last = served.place(buy("first", 1), order, buy("last", 1))
    assert (first.placed.order.transaction_number, last.placed.order.transaction_number) == (1, 2)
    assert (bad.failure.reason, bad.failure.outcome_unknown) == ("INVALID_ARGUMENT", False)
    assert re.search(named, bad.failure.message)


@BAD_ORDERS
def test_bad_orders_are_invalid_arguments_that_name_the_value(served, order, named):
    with pytest.raises(RpcFailure, match=named) as caught:
        served.call(2, alone(order))
    assert caught.value.code == grpc.StatusCode.INVALID_ARGUMENT


def test_bad_numbers_are_invalid_or_not_found(served):
    for number, reason in ((0, Reason.INVALID_ARGUMENT), (-1, Reason.INVALID_ARGUMENT), (2**62, Reason.UNKNOWN_ORDER)):
        with pytest.raises(RpcFailure, match=str(number)) as caught:
            served.call(1, order_pb2.LookUpOrderRequest(transaction_id=number))
        assert caught.value.reason is reason


def test_rows_before_the_first_are_invalid(served):
    for message in (order_pb2.SyncOrderRequest, order_pb2.BulkUpsertRequest):
        with pytest.raises(RpcFailure, match="prev_number -1") as caught:
            served.call(1, message(cluster_id="any", prev_number=-1, rows=b"x\n"))
        assert caught.value.reason is Reason.INVALID_ARGUMENT


def test_no_orders_and_too_many_are_invalid(served):
    with pytest.raises(RpcFailure) as caught:
        served.place()
    assert caught.value.reason is Reason.INVALID_ARGUMENT
    with pytest.raises(RpcFailure) as caught:
        served.place(*(buy(f"k{n}") for n in range(1001)))
    assert caught.value.reason is Reason.INVALID_ARGUMENT


def test_many_callers_with_one_key_get_one_order(served):
    with ThreadPoolExecutor(20) as callers:
        results = list(callers.map(lambda _: served.place(buy("same", 2))[0], range(50)))
    assert {result.placed.order.transaction_number for result in results} == {1}
    assert sum(not result.placed.replayed for result in results) == 1


def test_callers_at_once_get_numbers_without_gap(served):
    with ThreadPoolExecutor(16) as callers:
        results = list(callers.map(lambda n: served.place(buy(f"k{n}", 1))[0], range(100)))
    assert sorted(result.placed.order.transaction_number for result in results) == list(range(1, 101))


def test_answer_comes_before_the_callers_deadline_when_the_catalog_is_gone(served):
    served.place(buy("a"))
    served.catalog.stop()
    (result,) = served.place(buy("b"), timeout_s=2.5)
    assert result.failure.reason in ("CATALOG", "NO_ANSWER_YET")


def test_follower_that_did_not_follow_is_resynced_over_the_stream(served):
    served.place(buy("a"))
    events = list(served.network.stream(served.replicas[2].address, order_pb2.ResyncRequest(replica_id=1), 10))
    assert events[-1].state == order_pb2.IN_SYNC
    with pytest.raises(RpcFailure, match="replica 9 is no follower"):
        list(served.network.stream(served.replicas[2].address, order_pb2.ResyncRequest(replica_id=9), 10))
    with pytest.raises(RpcFailure) as caught:
        list(served.network.stream(served.replicas[1].address, order_pb2.ResyncRequest(replica_id=2), 10))
    assert (caught.value.reason, caught.value.metadata["leader_id"]) == (Reason.NOT_LEADER, "2")


def test_resync_that_ends_in_a_bug_ends_the_stream(served, monkeypatch):
    def break_down(*_arguments):
        raise ValueError("secret")

    monkeypatch.setattr(Replica, "resync", break_down)
    with pytest.raises(RpcFailure) as caught:
        list(served.network.stream(served.replicas[2].address, order_pb2.ResyncRequest(replica_id=1), 10))
    assert caught.value.reason is Reason.INTERNAL


def test_malformed_assignment_is_invalid(served):
    for request in (
        order_pb2.AssignLeaderRequest(leader_id=0),
        order_pb2.AssignLeaderRequest(leader_id=2, expected_epoch=-1),
        order_pb2.AssignLeaderRequest(leader_id=2, hold_s=86_401),
        order_pb2.AssignLeaderRequest(
            leader_id=2, expected_epoch=5, peers=[order_pb2.Peer(replica_id=1, address="nowhere")]
        ),
    ):
        with pytest.raises(RpcFailure) as caught:
            served.call(2, request)
        assert caught.value.reason is Reason.INVALID_ARGUMENT


def test_standard_health_of_a_halted_replica_says_that_it_lives_and_does_not_trade(served):
    served.logic[1]._standing.halt("histories differ")

    def shown(service: str) -> str:
        return ask(served.replicas[1].address, service, 5.0)

    wait_until(lambda: shown("bourse.order.v1.OrderService") == "NOT_SERVING", 10, "not ready")
    assert shown("") == shown("bourse.order.v1.ReplicationService") == "SERVING"
    assert ask(served.replicas[2].address, "bourse.order.v1.OrderService", 5.0) == "SERVING"
    assert ask(served.catalog.address, "bourse.catalog.v1.CatalogService", 5.0) == "SERVING"


THREE_FIELDS = order_pb2.PlaceOrderRequest(stock_name="AAPL", quantity=3, order_type=catalog_pb2.BUY)


def test_client_that_knows_three_fields_trades_at_the_leader(served):
    with plain_client(served, 2) as orders:
        first, second = orders.PlaceOrder(THREE_FIELDS), orders.PlaceOrder(THREE_FIELDS)
        assert (first.order.transaction_number, second.order.transaction_number) == (1, 2)
        assert first.order.idempotency_key != second.order.idempotency_key
        assert first.order.account == ""
        again = order_pb2.PlaceOrderRequest(idempotency_key=first.order.idempotency_key)
        again.MergeFrom(THREE_FIELDS)
        assert orders.PlaceOrder(again) == order_pb2.PlaceOrderResponse(order=first.order, replayed=True)
        assert orders.LookUpOrder(order_pb2.LookUpOrderRequest(transaction_id=1)).order == first.order


def test_follower_names_the_leader_to_a_client_that_knows_three_fields(served):
    with plain_client(served, 1) as orders, pytest.raises(grpc.RpcError) as caught:
        orders.PlaceOrder(THREE_FIELDS)
    failure = failure_from_error(caught.value, "")
    key = failure.metadata.pop("idempotency_key")
    assert failure.reason is Reason.NOT_LEADER
    assert failure.metadata == {"leader_id": "2", "epoch": "1", "leader_address": served.replicas[2].address}
    with plain_client(served, 2) as orders:
        request = order_pb2.PlaceOrderRequest(idempotency_key=key)
        request.MergeFrom(THREE_FIELDS)
        assert not orders.PlaceOrder(request).replayed


def test_refused_order_without_a_key_names_the_key_that_was_made(served):
    request = order_pb2.PlaceOrderRequest(stock_name="AAPL", quantity=101, order_type=catalog_pb2.BUY)
    with pytest.raises(RpcFailure) as caught:
        served.call(2, request)
    assert (caught.value.reason, caught.value.metadata["available"]) == (Reason.INSUFFICIENT_STOCK, "100")
    assert len(caught.value.metadata["idempotency_key"]) == 32


def test_order_for_another_epoch_is_not_placed(served):
    request = order_pb2.PlaceOrderRequest(epoch=2)
    request.MergeFrom(THREE_FIELDS)
    with pytest.raises(RpcFailure) as caught:
        served.call(2, request)
    assert (caught.value.reason, caught.value.metadata["epoch"]) == (Reason.NOT_LEADER, "1")


def test_key_that_was_given_and_is_empty_is_no_order_without_a_key(served):
    request = order_pb2.PlaceOrderRequest(idempotency_key="")
    request.MergeFrom(THREE_FIELDS)
    with pytest.raises(RpcFailure, match="idempotency_key ''"):
        served.call(2, request)


def test_order_in_the_form_of_before_it_was_flat_is_refused(served):
    former = b"\x08\x01" + b"\x12\x0d" + b"\x0a\x04AAPL\x10\x01\x18\x03\x2a\x01k"  # epoch = 1, order = NewOrder
    with pytest.raises(RpcFailure, match="stock_name ''"):
        served.call(2, order_pb2.PlaceOrderRequest.FromString(former))


def test_replica_that_a_health_loop_asks_says_so_to_others(served):
    assert not served.call(1, order_pb2.HealthCheckRequest()).watched
    assert served.call(1, order_pb2.HealthCheckRequest(watch_s=28)).watched
    assert served.call(1, order_pb2.HealthCheckRequest()).watched


def test_replica_says_how_it_is_under_the_former_name_too(served):
    health = served.call(1, order_pb2.HealthCheckRequest())
    health.ClearField("catalog_heard_ms")  # time goes on
    with grpc.insecure_channel(served.replicas[1].address) as channel:
        for stub in (order_pb2_grpc.OrderServiceStub, order_pb2_grpc.ReplicationServiceStub):
            answer = stub(channel).HealthCheck(order_pb2.HealthCheckRequest())
            answer.ClearField("catalog_heard_ms")
            assert answer == health
    assert (health.replica_id, health.leader_id, health.role) == (1, 2, order_pb2.FOLLOWER)


def requests_with_an_addressee():
    """One request of each RPC that names whom it means."""
    for service in order_pb2.DESCRIPTOR.services_by_name.values():
        for method in service.methods:
            if "to" in method.input_type.fields_by_name:
                yield getattr(order_pb2, method.input_type.name)


@pytest.mark.parametrize("request_type", [*requests_with_an_addressee()], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(
    ("to", "reason", "metadata"),
    [
        (order_pb2.Addressee(replica_id=1), Reason.WRONG_REPLICA, {"replica_id": "2"}),
        (order_pb2.Addressee(replica_id=2, cluster_id="another"), Reason.WRONG_CLUSTER, {"cluster_id": "own"}),
    ],
)
def test_message_for_somebody_else_is_refused(served, request_type, to, reason, metadata):
    if metadata == {"cluster_id": "own"}:
        metadata = {"cluster_id": served.logic[2].store.cluster_id}
    ask = served.network.stream if request_type is order_pb2.ResyncRequest else served.network.call
    with pytest.raises(RpcFailure) as caught:
        list(ask(served.replicas[2].address, request_type(to=to), 5.0))
    assert (caught.value.reason, caught.value.metadata) == (reason, metadata)
    assert not caught.value.may_be_executed


def test_every_message_to_a_replica_names_whom_it_means():
    """Except the question who is there, under both its names."""
    without = {
        method.input_type.name
        for service in order_pb2.DESCRIPTOR.services_by_name.values()
        for method in service.methods
        if "to" not in method.input_type.fields_by_name
    }
    assert without == {"HealthCheckRequest"}
