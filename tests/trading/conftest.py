"""Fixtures of the REST interface over a market in memory."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.trading.edge_client import ByEdge
from tests.trading.fake_cluster import CONFIG, FakeCluster
from tests.trading.fake_network import FakeClock
from tests.trading.fakes import FakeCatalogClient, FakeMarket, FakeOrderClient, FakeOrderReader
from trading import services
from trading.accounts.tokens import create_token
from trading.operator import services as operator_services
from trading.operator.jobs import ResyncJobs
from trading.operator.look import ClusterLook
from trading.operator.resync import ResyncResult
from trading.operator.status import status_data
from trading.reads.stock_cache import StockCache
from trading.reads.stock_reader import StockReader
from trading.replicas.manager import ReplicaManager


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def market(monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> FakeMarket:
    """The market that the services reach, through a stock cache of their own on a clock that stands."""
    market = FakeMarket()
    catalog, orders = FakeCatalogClient(market), FakeOrderClient(market)
    reader = StockReader(catalog.look_up, StockCache(100, clock), clock)
    monkeypatch.setattr(services, "catalog_client", lambda: catalog)
    monkeypatch.setattr(services, "order_client", lambda: orders)
    monkeypatch.setattr(services, "order_reader", lambda: FakeOrderReader(market))
    monkeypatch.setattr(services, "stock_reader", lambda: reader)
    monkeypatch.setattr(services, "forget_stock", reader.forget)
    return market


@pytest.fixture
def rest(market: FakeMarket) -> APIClient:
    """A client that gets an answer also to what made the server fail."""
    client = APIClient(raise_request_exception=False, HTTP_HOST="testserver")
    client.handler = ByEdge(client.handler)
    return client


@pytest.fixture
def operator(rest: APIClient, settings: Any) -> APIClient:
    """The client, bringing the operator key with every request that names no other token."""
    rest.defaults["HTTP_AUTHORIZATION"] = f"Bearer {settings.OPERATOR_KEY}"
    return rest


@pytest.fixture
def operated_cluster(monkeypatch: pytest.MonkeyPatch, market: FakeMarket) -> FakeCluster:
    """Three replicas of which 3 leads and 1 and 2 are in sync, behind the services."""
    cluster = FakeCluster.led_by(3, epoch=4)
    look = ClusterLook(ReplicaManager(CONFIG, cluster.network, cluster.clock), cluster.network)
    jobs = ResyncJobs(lambda _leader, replica_id, _show: ResyncResult(replica_id, 1, 1, 1, 0.1, True))
    monkeypatch.setattr(operator_services, "cluster_config", lambda: CONFIG)
    monkeypatch.setattr(operator_services, "network", lambda: cluster.network)
    monkeypatch.setattr(operator_services, "cluster_look", lambda: look)
    monkeypatch.setattr(operator_services, "resync_jobs", lambda: jobs)
    monkeypatch.setattr(operator_services, "replicas_status", lambda: status_data(look.look(), CONFIG))
    return cluster


@pytest.fixture
def post(rest: APIClient) -> Callable[..., Any]:
    """Place an order as JSON: the fields, and headers by keyword `headers`."""

    def place(headers: dict[str, str] | None = None, **fields: Any) -> Any:
        return rest.post("/orders", fields, format="json", headers=headers or {})

    return place


@pytest.fixture
def authentication(settings: Any, db: None) -> None:
    """Authentication is on, with an empty database of accounts; nothing is remembered from another test."""
    settings.AUTHENTICATION = True
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
    ]


@pytest.fixture
def token(authentication: None) -> Callable[..., dict[str, str]]:
    """Make a token for an account, and return the headers of a request with it."""

    def make(name: str, role: str = "trader") -> dict[str, str]:
        return {"Authorization": f"Bearer {create_token(name, role, 1)[0]}"}

    return make
