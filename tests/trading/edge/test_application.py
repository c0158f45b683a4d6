"""What the edge answers by itself must be what the view of the same address would answer."""

import json
import re
from codecs import BOM_UTF8
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from rest_framework.test import APIClient

from common.calls.reasons import Reason
from common.process.rates import Rate
from protos import catalog_pb2
from tests.trading.fake_network import FakeClock
from tests.trading.fakes import FakeMarket, failed
from tests.trading.procedures import procedure
from trading import services
from trading.api import throttling
from trading.api.accepted import MEANT_HEADERS
from trading.api.probes import PROBES
from trading.api.throttling import RateLimiter
from trading.edge import callers
from trading.reads.stock_cache import StockCache
from trading.reads.stock_reader import StockReader

START = 1_700_000_040.0
ORDER = {"name": "BlueFinch", "type": "buy", "quantity": 3, "client_order_id": "mine"}
JSON = {"CONTENT_TYPE": "application/json"}
FORM = {"CONTENT_TYPE": "application/x-www-form-urlencoded"}
# What the edge leaves out: headers that only a page in a browser looks at, and the list of methods.
FOR_PAGES = {"allow", "cross-origin-opener-policy", "referrer-policy", "x-frame-options"}
# Of one request or connection alone.
OF_ITS_OWN = {"x-request-id", "connection"}
BY_TLS = {"HTTP_X_FORWARDED_PROTO": "https"}


class Ask(NamedTuple):
    """One request; `is_plain`: that the edge answers it itself, where nothing is wrong with its caller."""

    method: str
    path: str
    body: bytes = b""
    headers: dict[str, str] = {}
    is_plain: bool = True
    failure: Reason | None = None


def order(is_plain: bool = True, headers: dict[str, str] | None = None, path: str = "/orders", **fields: Any) -> Ask:
    body = {name: value for name, value in (ORDER | fields).items() if value is not None}
    return Ask("POST", path, json.dumps(body).encode(), JSON | (headers or {}), is_plain)


QUESTIONS = [
    Ask("GET", path, b"", headers, is_plain)
    for path in ("/stocks/BlueFinch", "/orders/1", "/healthz")
    for headers, is_plain in [
        ({}, True),
        ({"HTTP_ACCEPT": "*/*"}, True),
        ({"HTTP_ACCEPT": "application/json"}, True),
        ({"HTTP_ACCEPT": "application/json, text/plain;q=0.1"}, False),
        ({"HTTP_ACCEPT": "text/plain"}, False),
        ({"HTTP_CACHE_CONTROL": "no-cache"}, False),
        ({"HTTP_CONTENT_ENCODING": "identity"}, False),
        ({"HTTP_CONTENT_ENCODING": "gzip"}, False),
        ({"HTTP_ORIGIN": "https://elsewhere.test"}, False),
        ({"CONTENT_LENGTH": "0"}, True),
        *(({f"HTTP_{name.upper().replace('-', '_')}": "mine"}, False) for name in list(MEANT_HEADERS)[:3]),
    ]
]
OTHER_PATHS = [
    Ask("GET", path, is_plain=is_plain)
    for path, is_plain in [
        ("/stocks/Nobody", True),
        ("/stocks/two%20words", False),
        ("/stocks/" + "N" * 200, False),
        ("/stocks/BlueFinch?", True),
        ("/stocks/BlueFinch?colour=red", False),
        ("/stocks/BlueFinch/", False),
        ("/orders/2", True),
        ("/orders/0", True),
        ("/orders/007", True),
        ("/orders/" + "9" * 30, True),
        ("/orders/%D9%A1", True),
        ("/orders/-1", False),
        ("/orders/1?at=2", False),
        ("/healthz/", True),
        ("/healthz?deep=1", False),
        ("/nowhere", False),
    ]
]
FIRST = catalog_pb2.NewOrder(
    stock_name="BlueFinch", order_type=catalog_pb2.BUY, quantity=1, idempotency_key="first", account="ann"
)
ORDERS = [
    order(),
    order(client_order_id=None),
    order(client_order_id=None, headers={"HTTP_IDEMPOTENCY_KEY": "mine"}),
    order(headers={"HTTP_IDEMPOTENCY_KEY": "mine"}),
    order(False, headers={"HTTP_IDEMPOTENCY_KEY": "another"}),
    order(client_order_id="first", quantity=1),
    order(client_order_id="first", quantity=2),
    order(quantity=1_000),
    order(name="Nobody"),
    order(False, path="/orders/"),
    order(False, path="/orders?colour=red"),
    order(False, headers={"HTTP_ORIGIN": "https://elsewhere.test"}),
    order(False, headers={"HTTP_CONTENT_ENCODING": "gzip"}),
    order(False, headers={"HTTP_X_SANDBOX_FAULT": "delay=1"}),
    order(headers={"CONTENT_TYPE": "application/json; charset=utf-8"}),
    order(headers={"CONTENT_TYPE": "Application/JSON"}),
    order(False, headers={"CONTENT_TYPE": "text/plain"}),
    order(False, headers={"CONTENT_TYPE": ""}),
    order(False, colour="red"),
    order(False, quantity=0),
    order(False, quantity=True),
    order(False, quantity=1.5),
    order(False, type="give"),
    order(False, client_order_id="two words"),
    *(
        Ask("POST", "/orders", body, JSON, False)
        for body in (b"{", b"", b"[]", b"\xff", b'{"name": "A", "name": "B"}', b'{"quantity": NaN}')
    ),
    Ask("POST", "/orders", BOM_UTF8 + json.dumps(ORDER).encode(), JSON),
    Ask("POST", "/orders", b"name=BlueFinch&type=buy&quantity=1&client_order_id=f", FORM, is_plain=False),
    *(Ask(method, "/orders", is_plain=False) for method in ("PUT", "DELETE", "OPTIONS", "HEAD")),
]
FAILURES = [
    ask._replace(failure=reason)
    for reason in Reason
    if reason.http is not None and reason is not Reason.ABANDONED  # to which nobody listens any more
    for ask in ((order(),) if reason.http == 500 else (order(), Ask("GET", "/stocks/Dear"), Ask("GET", "/orders/1")))
]
EVERYTHING = [*QUESTIONS, *OTHER_PATHS, *ORDERS, *FAILURES]
# One of each kind, for each kind of caller.
SOME = [*OTHER_PATHS, *ORDERS[:8], *ORDERS[9:12], ORDERS[19], *QUESTIONS[::6]]


class Worlds:
    """Asks the edge and the view, each of a market, a cache and counts in the same state.

    Attributes:
        headers: sent with every request, as WSGI names them.
        rates: the limits.
    """

    def __init__(self, market: FakeMarket, rest: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
        self.headers: dict[str, str] = {}
        self.rates: dict[str, Rate] = {}
        self._rest = rest
        self._market = market
        self._monkeypatch = monkeypatch

    def differences(self, asks: list[Ask], is_plain: Callable[[Ask], bool] = lambda ask: ask.is_plain) -> list[str]:
        """Return how the edge's answers differ from the views', and which requests go another way than they should."""
        view = APIClient(raise_request_exception=False, HTTP_HOST="testserver")
        found = []
        for ask in asks:
            by_edge, by_view = self._ask(ask, self._rest), self._ask(ask, view)
            if (plainly := self._rest.handler.answered_plainly[-1]) is not is_plain(ask):
                found.append(f"{ask} is answered by the {'edge' if plainly else 'view'}")
            if told(by_edge) != told(by_view):
                found.append(f"{ask}:\n    edge {told(by_edge)}\n    view {told(by_view)}")
        return found

    def _ask(self, ask: Ask, client: APIClient) -> Any:
        self._begin_anew()
        if ask.failure is not None:
            self._market.failure = failed(ask.failure)
        path, _, query = ask.path.partition("?")
        given = {"QUERY_STRING": query, **self.headers, **ask.headers}
        kind = given.pop("CONTENT_TYPE", "application/octet-stream")
        return client.generic(ask.method, path, ask.body, content_type=kind, **given)

    def _begin_anew(self) -> None:
        clock, fresh, market = FakeClock(), FakeMarket(), self._market
        market.stocks, market.orders, market.failure = fresh.stocks, [], None
        market.place(FIRST)
        reader = StockReader(procedure(market.look_up), StockCache(100, clock), clock)
        self._monkeypatch.setattr(services, "stock_reader", lambda: reader)
        self._monkeypatch.setattr(services, "forget_stock", reader.forget)
        limits = {name: RateLimiter(rate, lambda: START) for name, rate in self.rates.items()}
        for module in (throttling, callers):
            self._monkeypatch.setattr(module, "limiters", lambda: limits)


def told(response: Any) -> tuple[int, dict[str, str], Any]:
    """Return what a caller is told: all but what names this one request."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    for name in FOR_PAGES | OF_ITS_OWN:
        headers.pop(name, None)
    if not response.content:
        return response.status_code, headers, None
    if "json" not in headers.get("content-type", ""):
        return response.status_code, headers, response.content
    body = json.loads(re.sub("[0-9a-f]{32}", "a key of its own", response.text))
    body.get("error", {}).pop("request_id", None)
    return response.status_code, headers, body


@pytest.fixture
def worlds(market, rest, monkeypatch) -> Worlds:
    return Worlds(market, rest, monkeypatch)


@pytest.fixture
def redirecting(settings, worlds):
    """Whoever does not come by TLS is sent there."""
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.SECURE_REDIRECT_EXEMPT = [PROBES]
    settings.SECURE_HSTS_SECONDS = 3600
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = True


def is_probe(ask: Ask) -> bool:
    return ask.is_plain and ask.path.startswith("/healthz")


def test_every_request_is_answered_as_by_its_view(worlds):
    assert worlds.differences(EVERYTHING) == []


@pytest.mark.parametrize("name", ["ann", "an operator", "nobody", "somebody unknown", "a misuse"])
def test_callers_are_told_by_the_edge_as_by_the_view(worlds, token, name):
    known = {"ann": token("ann"), "an operator": token("op", "operator"), "nobody": {"Authorization": ""}}
    given = known.get(name) or {"Authorization": {"a misuse": "Bearer \xff \xfe"}.get(name, "Bearer bourse_0000")}
    worlds.headers = {"HTTP_AUTHORIZATION": given["Authorization"]}

    def is_plain(ask: Ask) -> bool:
        allowed = {"ann": True, "an operator": ask.method == "GET"}.get(name, False)
        return ask.is_plain and (allowed or is_probe(ask))

    assert worlds.differences(SOME, is_plain) == []


@pytest.mark.parametrize("most", [0, 1])
def test_limits_are_told_by_the_edge_as_by_the_view(worlds, settings, most):
    settings.RATE_LIMITS = worlds.rates = {name: Rate(most, 60) for name in ("read", "trade", "operate")}
    assert worlds.differences(SOME, lambda ask: ask.is_plain and (most > 0 or is_probe(ask))) == []


@pytest.mark.parametrize("headers", [BY_TLS, {}, {"HTTP_X_FORWARDED_PROTO": "http"}])
def test_who_must_come_by_tls_is_told_by_the_edge_as_by_the_view(worlds, redirecting, headers):
    worlds.headers = headers
    assert worlds.differences(SOME, lambda ask: ask.is_plain and (headers == BY_TLS or is_probe(ask))) == []


def test_all_of_production_at_once(worlds, redirecting, token, settings):
    worlds.headers = BY_TLS | {"HTTP_AUTHORIZATION": token("ann")["Authorization"]}
    settings.RATE_LIMITS = worlds.rates = {"read": Rate(1, 60), "trade": Rate(1, 60)}
    assert worlds.differences(SOME) == []
