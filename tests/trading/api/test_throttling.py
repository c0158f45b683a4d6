"""Limits of how often one caller may call."""

import threading

import pytest

from common.process.rates import Rate
from trading.api import throttling
from trading.api.throttling import MOST_CALLERS, RateLimiter
from trading.edge import callers
from trading.operator import services

START = 1_700_000_040  # a full minute


@pytest.fixture
def limits(settings, monkeypatch):
    """2 reads, 1 order, 1 operation a minute; the clock stands at START."""
    time = [float(START)]
    rates = {"read": Rate(2, 60), "trade": Rate(1, 60), "operate": Rate(1, 60)}
    settings.RATE_LIMITS = rates
    made = {name: RateLimiter(rate, lambda: time[0]) for name, rate in rates.items()}
    for module in (throttling, callers):
        monkeypatch.setattr(module, "limiters", lambda: made)
    return time


def told(response):
    return [int(response[f"X-RateLimit-{name}"]) for name in ("Limit", "Remaining", "Reset")]


def test_every_limited_answer_tells_the_limit(rest, limits):
    assert told(rest.get("/stocks/BlueFinch")) == [2, 1, START + 60]
    assert told(rest.get("/stocks/Unknown")) == [2, 0, START + 60]


def test_too_many_are_429_until_the_window_ends(rest, limits):
    limits[0] = START + 17.5
    for _ in range(2):
        assert rest.get("/stocks").status_code == 200
    refused = rest.get("/stocks")
    error = refused.json()["error"]
    assert (refused.status_code, error["status"], error["reason"]) == (429, "RESOURCE_EXHAUSTED", "RATE_LIMITED")
    assert (refused["Retry-After"], told(refused)) == ("43", [2, 0, START + 60])
    limits[0] = START + 60
    assert rest.get("/stocks").status_code == 200


def test_classes_are_counted_apart(rest, limits, post, monkeypatch):
    monkeypatch.setattr(services, "replicas_status", lambda: {"health": "ok"})
    for _ in range(2):
        rest.get("/orders")
    assert rest.get("/stocks").status_code == 429
    assert post(name="BlueFinch", type="buy", quantity=1).status_code == 201
    assert rest.get("/replicas").status_code == 200
    assert rest.get("/replicas").status_code == 429


def test_order_above_the_limit_is_not_executed_and_keeps_its_key(post, limits, market):
    post(name="BlueFinch", type="buy", quantity=1)
    refused = post(name="BlueFinch", type="buy", quantity=1, client_order_id="mine")
    error = refused.json()["error"]
    assert (refused.status_code, error["outcome"], error["client_order_id"]) == (429, "not_executed", "mine")
    assert len(market.placed) == 1


def test_callers_are_counted_apart_by_address(rest, limits):
    for _ in range(3):
        last = rest.get("/stocks", REMOTE_ADDR="10.0.0.7")
    assert last.status_code == 429
    assert rest.get("/stocks", REMOTE_ADDR="10.0.0.8").status_code == 200


def test_with_authentication_an_account_is_counted_whatever_its_address_and_token(rest, limits, token):
    ann, again, bob = token("ann"), token("ann"), token("bob")
    codes = [
        rest.get("/stocks", headers=headers, REMOTE_ADDR=address).status_code
        for headers, address in [(ann, "10.0.0.7"), (again, "10.0.0.8"), (ann, "10.0.0.9"), (bob, "10.0.0.7")]
    ]
    assert codes == [200, 200, 429, 200]


def test_health_is_not_limited(rest, limits):
    for _ in range(5):
        response = rest.get("/healthz")
    assert response.status_code == 200
    assert "X-RateLimit-Limit" not in response


def test_without_limits_no_headers(rest):
    assert "X-RateLimit-Limit" not in rest.get("/stocks")


def test_many_threads_get_exactly_what_is_allowed():
    limiter = RateLimiter(Rate(500, 3600), lambda: float(START))
    allowed = []
    barrier = threading.Barrier(8)

    def ask():
        barrier.wait()
        for _ in range(100):
            if limiter.take("one").is_allowed:
                allowed.append(1)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(allowed) == 500


def test_memory_is_bounded():
    limiter = RateLimiter(Rate(1, 86_400), lambda: float(START))
    for number in range(MOST_CALLERS + 10):
        limiter.take(str(number))
    assert len(limiter._counts) <= MOST_CALLERS
