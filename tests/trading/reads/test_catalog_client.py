import grpc
import pytest

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from protos import catalog_pb2
from tests.trading.fake_cluster import CATALOG, CONFIG
from tests.trading.fake_network import FakeClock, FakeNetwork
from trading.reads.catalog_client import CatalogClient
from trading.reads.stock import Stock


@pytest.fixture
def network():
    network = FakeNetwork(FakeClock())

    def answer(request):
        match request:
            case catalog_pb2.LookupStockRequest(stock_name="ACME"):
                return catalog_pb2.LookupStockResponse(stock=stock("ACME"))
            case catalog_pb2.LookupStockRequest():
                raise RpcFailure(Reason.UNKNOWN_STOCK, "no stock")
            case catalog_pb2.ListStocksRequest():
                return catalog_pb2.ListStocksResponse(stocks=[stock("ACME")], has_more=True)
            case catalog_pb2.WatchStocksRequest():
                return catalog_pb2.WatchStocksResponse(cursor="r.1")

    network.handlers[CATALOG] = answer
    return network


@pytest.fixture
def client(network):
    return CatalogClient(CONFIG, network.clock)


def stock(name):
    return catalog_pb2.Stock(name=name, price_cents=4135, quantity=120)


def test_stock_is_looked_up(client, network):
    assert network.run(client.look_up("ACME")) == Stock("ACME", 4135, 120)


def test_refusal_is_raised_at_once(client, network):
    with pytest.raises(RpcFailure, match="UNKNOWN_STOCK"):
        network.run(client.look_up("NoSuch"))
    assert len(network.calls) == 1


def test_page_of_stocks(client, network):
    assert network.run(client.list_stocks(after_name="A", limit=1)) == ([Stock("ACME", 4135, 120)], True)
    assert network.calls[0][1] == catalog_pb2.ListStocksRequest(after_name="A", limit=1)


def test_catalog_that_comes_back_within_the_time_answers(client, network):
    network.dead.add(CATALOG)

    def restart(_address, _request):
        if len(network.calls) == 3:
            network.dead.clear()

    network.before = restart
    assert network.run(client.look_up("ACME")).quantity == 120
    assert len(network.calls) == 4


@pytest.mark.parametrize("trouble", ["dead", "frozen"])
def test_catalog_that_stays_away_is_told_within_a_second(client, network, trouble):
    getattr(network, trouble).add(CATALOG)
    begun = network.clock()
    with pytest.raises(RpcFailure) as raised:
        network.run(client.look_up("ACME"))
    assert (raised.value.reason, raised.value.code) == (Reason.CATALOG, grpc.StatusCode.UNAVAILABLE)
    assert CATALOG not in raised.value.message
    assert network.clock() - begun <= 1.01


def test_watch_is_not_repeated(client, network):
    assert network.run(client.watch("", 500)).cursor == "r.1"
    network.dead.add(CATALOG)
    with pytest.raises(RpcFailure, match="UNREACHABLE"):
        network.run(client.watch("r.1", 500))
    assert len(network.calls) == 2
