"""Fixtures of the REST interface over a market in memory."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.trading.fake_network import FakeClock
from tests.trading.fakes import FakeCatalogClient, FakeMarket, FakeOrderClient, FakeOrderReader
from tests.trading.wsgi_client import BehindPlainRequests
from trading import services
from trading.accounts.tokens import create_token
from trading.reads.stock_cache import StockCache
from trading.reads.stock_reader import StockReader


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
    client.handler = BehindPlainRequests(client.handler)
    return client


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
