"""Clients that send a part of a request, and no more: they hold nothing that others need, and not for long."""

import json
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from knox.crypto import hash_token

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.steps import Pause
from common.process.rates import Rate
from tests.harness.edge_server import EdgeServer, wait_until
from tests.harness.slow_client import Client
from trading import services
from trading.accounts import authentication
from trading.accounts.account import Account
from trading.accounts.verifying import TokenVerifier
from trading.api import throttling
from trading.api.request_metrics import REGISTRY
from trading.api.throttling import RateLimiter
from trading.edge import application, callers, request
from trading.edge.request import LEAST_BUDGET_S
from trading.market.order_client import ORDER_BUDGET_S

ORDER = json.dumps({"name": "BlueFinch", "type": "buy", "quantity": 1, "client_order_id": "mine"})
JSON = "Content-Type: application/json"
FORM = "Content-Type: application/x-www-form-urlencoded"
MULTIPART = "Content-Type: multipart/form-data; boundary=b"
# What each sends of a body: one part of it.
HALF = {
    "length": ([JSON, f"Content-Length: {len(ORDER)}"], ORDER[:20]),
    "length, nothing of it": ([JSON, f"Content-Length: {len(ORDER)}"], ""),
    "chunks": ([JSON, "Transfer-Encoding: chunked"], f"14\r\n{ORDER[:20]}\r\n"),
    "half a chunk": ([JSON, "Transfer-Encoding: chunked"], f"50\r\n{ORDER[:20]}"),
    "form": ([FORM, "Content-Length: 50"], "name=BlueFinch&type=buy"),
    "multipart": ([MULTIPART, "Content-Length: 500"], '--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nBlue'),
}
LATE_S = 0.25
SOON_S = 1.0


@pytest.fixture(autouse=True)
def no_watch(market, monkeypatch):
    """The market is the test's own: the catalog's changes are not watched."""
    monkeypatch.setattr(application, "stock_reader", lambda: None)


@pytest.fixture
def server(no_watch):
    with EdgeServer() as serving:
        yield serving


@pytest.fixture
def impatient(no_watch):
    """Bodies are late soon."""
    with EdgeServer(body_timeout_s=LATE_S) as serving:
        yield serving


@pytest.fixture
def accounts(settings, no_watch, monkeypatch):
    """Authentication is on; the tokens `good` and `operator` are known, and no database is asked."""
    settings.AUTHENTICATION = True
    by_digest = {
        hash_token("good"): Account("ann", "trader", None),
        hash_token("operator"): Account("op", "operator", None),
    }
    verifier = TokenVerifier(by_digest.get)
    for module in (authentication, callers):
        monkeypatch.setattr(module, "token_verifier", lambda: verifier)


def told(client: Client) -> tuple[int, str, bool]:
    """Return status and reason of the answer, and whether the connection is closed behind it."""
    answer = client.answer()
    return answer.status, json.loads(answer.body)["error"]["reason"], client.is_closed_within(SOON_S)


@pytest.mark.parametrize("kind", HALF)
def test_body_that_does_not_come_is_408_and_the_connection_is_closed(impatient, market, kind):
    headers, body = HALF[kind]
    began = time.monotonic()
    with impatient.connect().ask("POST /orders", *headers, body=body) as client:
        assert told(client) == (408, "REQUEST_TIMEOUT", True)
    assert LATE_S <= time.monotonic() - began < LATE_S + 1.5
    assert market.placed == []


@pytest.mark.parametrize("kind", HALF)
def test_with_authentication_only_who_may_trade_is_waited_for(accounts, market, kind):
    headers, body = HALF[kind]
    with EdgeServer(body_timeout_s=LATE_S) as server:
        with server.connect().ask("POST /orders", "Authorization: Bearer good", *headers, body=body) as client:
            assert told(client) == (408, "REQUEST_TIMEOUT", True)
        for token, refusal in [("bad", (401, "UNAUTHENTICATED", True)), ("operator", (403, "PERMISSION_DENIED", True))]:
            with server.connect().ask("POST /orders", f"Authorization: Bearer {token}", *headers, body=body) as client:
                assert told(client) == refusal
    assert market.placed == []


@pytest.mark.parametrize(
    ("head", "headers", "status", "reason"),
    [
        ("POST /nowhere", [JSON], 404, "PATH_NOT_FOUND"),
        ("POST /stocks/BlueFinch", [JSON], 405, "METHOD_NOT_ALLOWED"),
        ("DELETE /orders", [JSON], 405, "METHOD_NOT_ALLOWED"),
        ("POST /orders?colour=red", [JSON], 400, "VALIDATION_FAILED"),
        ("POST /orders", [JSON, "Content-Encoding: gzip"], 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("POST /orders", ["Content-Type: text/plain"], 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("POST /orders", [JSON, "Accept: image/png"], 406, "NOT_ACCEPTABLE"),
        ("POST /orders", [JSON, "Origin: https://elsewhere.test"], 403, "PERMISSION_DENIED"),
        ("POST /replicas/switchover", [JSON], 403, "PERMISSION_DENIED"),
    ],
)
def test_refusal_does_not_wait_for_a_body(server, head, headers, status, reason):
    with server.connect().ask(head, *headers, "Content-Length: 100", body="{") as client:
        began = time.monotonic()
        assert told(client) == (status, reason, True)
        assert time.monotonic() - began < SOON_S


def test_body_that_is_too_large_by_its_own_word_is_refused_at_once(server):
    with server.connect().ask("POST /orders", JSON, "Content-Length: 70000", body="{") as client:
        assert told(client) == (400, "VALIDATION_FAILED", True)


def test_body_in_chunks_is_read_no_further_than_it_may_be_long(server, market):
    with server.connect().ask("POST /orders", JSON, "Transfer-Encoding: chunked") as client:
        client.send("11170\r\n" + " " * 70_000 + "\r\n")
        assert client.answer().status == 400
    assert market.placed == []


def test_who_is_above_a_limit_is_not_waited_for(no_watch, settings, monkeypatch):
    settings.RATE_LIMITS = {"trade": Rate(1, 3600)}
    limits = {"trade": RateLimiter(Rate(1, 3600))}
    for module in (throttling, callers):
        monkeypatch.setattr(module, "limiters", lambda: limits)
    with EdgeServer() as server, server.connect() as client:
        whole = client.ask("POST /orders", JSON, f"Content-Length: {len(ORDER)}", body=ORDER)
        assert whole.answer().status == 201
        for headers, body in HALF.values():
            with server.connect().ask("POST /orders", *headers, body=body) as late:
                assert told(late) == (429, "RATE_LIMITED", True)


@pytest.mark.parametrize("kind", ["form", "multipart", "length"])
def test_order_whose_body_comes_late_is_counted_once(no_watch, settings, monkeypatch, kind):
    """Django is asked twice for it: before its body has come, and with it."""
    settings.RATE_LIMITS = {"trade": Rate(1, 3600)}
    limits = {"trade": RateLimiter(Rate(1, 3600))}
    for module in (throttling, callers):
        monkeypatch.setattr(module, "limiters", lambda: limits)
    whole = {
        "form": (FORM, "name=BlueFinch&type=buy&quantity=1"),
        "multipart": (
            MULTIPART,
            "".join(
                f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
                for name, value in {"name": "BlueFinch", "type": "buy", "quantity": "1"}.items()
            )
            + "--b--\r\n",
        ),
        "length": (JSON + "; indent=2", ORDER),
    }
    kind_of_body, body = whole[kind]
    with EdgeServer() as server, server.connect() as client:
        client.ask("POST /orders", kind_of_body, f"Content-Length: {len(body)}", body=body[:10])
        with pytest.raises(TimeoutError):
            client.answer(within_s=0.2)
        answer = client.send(body[10:]).answer()
        assert (answer.status, answer.headers["x-ratelimit-remaining"]) == (201, "0")


@pytest.mark.parametrize("kind", HALF)
def test_refused_orders_are_named_by_what_has_come_of_them(server, kind):
    """The key may stand in the body: none is made up."""
    headers, body = HALF[kind]
    with server.connect().ask("POST /orders?colour=red", *headers, body=body) as client:
        assert "client_order_id" not in json.loads(client.answer().body)["error"]
    with server.connect().ask("POST /orders?colour=red", "Idempotency-Key: k1", *headers, body=body) as client:
        assert json.loads(client.answer().body)["error"]["client_order_id"] == "k1"


def test_client_that_is_told_to_go_on_sends_its_body_then(server):
    with server.connect().ask("POST /orders", JSON, f"Content-Length: {len(ORDER)}", "Expect: 100-continue") as client:
        assert client._socket.recv(100).startswith(b"HTTP/1.1 100")
        assert client.send(ORDER).answer().status == 201


@pytest.mark.parametrize("pieces", [1, 7])
def test_body_that_comes_in_pieces_is_an_order(server, market, pieces):
    with server.connect().ask("POST /orders", JSON, f"Content-Length: {len(ORDER)}") as client:
        for start in range(0, len(ORDER), -(-len(ORDER) // pieces)):
            client.send(ORDER[start : start + -(-len(ORDER) // pieces)])
        assert client.answer().status == 201
    with server.connect().ask("POST /orders", JSON, "Transfer-Encoding: chunked") as client:
        for letter in ORDER:
            client.send(f"1\r\n{letter}\r\n")
        assert client.send("0\r\n\r\n").answer().headers["idempotency-replayed"] == "true"
    assert len(market.orders) == 1


def test_body_that_is_cut_off_places_nothing(server, market):
    with server.connect().ask("POST /orders", JSON, f"Content-Length: {len(ORDER) + 1}", body=ORDER):
        wait_until(lambda: server.bodies._deadlines)
    wait_until(lambda: not server.bodies._deadlines)
    assert market.placed == []


def test_requests_that_are_sent_together_are_answered_in_their_order(server):
    with server.connect() as client:
        for name in ("BlueFinch", "Nobody", "Cent"):
            client.ask(f"GET /stocks/{name}")
        client.ask("GET /stocks")
        client.ask("POST /orders", JSON, f"Content-Length: {len(ORDER)}", body=ORDER)
        assert [client.answer().status for _ in range(5)] == [200, 404, 200, 200, 201]


def test_older_clients_are_answered_and_closed(server):
    with server.connect().send("GET /stocks/BlueFinch HTTP/1.0\r\nHost: localhost\r\n\r\n") as client:
        assert client.answer().status == 200
        assert client.is_closed_within(SOON_S)


def test_header_with_an_underscore_is_not_taken_for_one_with_a_dash(no_watch, settings):
    """A proxy that sets or removes X-Forwarded-Proto passes the other on as it came."""
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    with EdgeServer() as server:
        for path in ("/stocks/BlueFinch", "/stocks"):
            with server.connect() as client:
                assert client.ask(f"GET {path}", "X_Forwarded_Proto: https").answer().status == 301
                assert client.ask(f"GET {path}", "X-Forwarded-Proto: https").answer().status == 200


def test_hundreds_of_unfinished_requests_hold_up_nobody(server, market):
    with ExitStack() as stack:
        for number in range(400):
            client = stack.enter_context(server.connect())
            headers, body = list(HALF.values())[number % len(HALF)]
            if number % 7 == 0:
                client.send("GET /stocks/BlueFinch HTTP/1.1\r\nHost: loc")
            else:
                client.ask("POST /orders", *headers, body=body)
        with server.connect() as other:
            for number in range(50):
                key = f"Idempotency-Key: k{number}"
                body = json.dumps({"name": "BlueFinch", "type": "sell", "quantity": 1})
                answers = [
                    other.ask("GET /stocks/BlueFinch").answer(),
                    other.ask("GET /stocks").answer(),
                    other.ask("POST /orders", JSON, key, f"Content-Length: {len(body)}", body=body).answer(),
                ]
                assert [one.status for one in answers] == [200, 200, 201]
                assert max(one.seconds for one in answers) < SOON_S
    assert len(market.orders) == 50


class Terms:
    """Notes in what time an order is to be placed, and whether it is still wanted; holds it until it is let."""

    def __init__(self, market):
        self.budgets: list[float] = []
        self.is_wanted: list[Callable[[], bool]] = []
        self._market = market

    def place(self, order, *, budget_s, is_wanted):
        self.budgets.append(budget_s)
        self.is_wanted.append(is_wanted)
        give_up = time.monotonic() + 5
        while order.idempotency_key == "held" and time.monotonic() < give_up:
            if not is_wanted():
                raise RpcFailure(Reason.ABANDONED, "nobody waits for the answer any more")
            yield Pause(0.01)
        return self._market.place(order)


@pytest.fixture
def terms(market, monkeypatch) -> Terms:
    terms = Terms(market)
    monkeypatch.setattr(services, "order_client", lambda: terms)
    return terms


def test_an_order_has_what_its_body_has_left_of_its_time(server, terms):
    with server.connect().ask("POST /orders", JSON, f"Content-Length: {len(ORDER)}", body=ORDER[:9]) as client:
        assert not client.is_closed_within(0.5)
        assert client.send(ORDER[9:]).answer().status == 201
        client.ask("POST /orders", JSON, f"Content-Length: {len(ORDER)}", body=ORDER).answer()
    slow, quick = terms.budgets
    assert ORDER_BUDGET_S - 2 < slow < ORDER_BUDGET_S - 0.5 < quick < ORDER_BUDGET_S


def test_an_order_whose_body_has_left_it_no_time_is_not_begun(server, terms, monkeypatch):
    monkeypatch.setattr(request, "ORDER_BUDGET_S", LEAST_BUDGET_S + 0.2)
    with server.connect().ask("POST /orders", JSON, f"Content-Length: {len(ORDER)}", body=ORDER[:9]) as client:
        assert not client.is_closed_within(0.3)
        answer = client.send(ORDER[9:]).answer()
    error = json.loads(answer.body)["error"]
    assert (answer.status, error["outcome"], error["client_order_id"]) == (408, "not_executed", "mine")
    assert terms.budgets == []


def dropped() -> float:
    return REGISTRY.get_sample_value("bourse_frontend_orders_total", {"outcome": "dropped", "reason": ""}) or 0.0


def test_client_that_hangs_up_is_noticed_while_its_order_waits(server, terms, market):
    before, held = dropped(), json.dumps(json.loads(ORDER) | {"client_order_id": "held"})
    client = server.connect().ask("POST /orders", JSON, f"Content-Length: {len(held)}", body=held)
    wait_until(lambda: terms.is_wanted)
    assert terms.is_wanted[0]()
    client.close()
    wait_until(lambda: dropped() == before + 1)
    assert (terms.is_wanted[0](), market.placed) == (False, [])
