"""Requests that are answered without their view must be answered as their view would."""

import io
import json
import re
from codecs import BOM_UTF8
from typing import Any

import pytest

from common.calls.reasons import Reason
from common.process.rates import Rate
from tests.trading.fakes import failed
from trading import services
from trading.api import throttling
from trading.api.accepted import MEANT_HEADERS

# Asks for JSON as well, but not as plainly: the view answers.
BY_VIEW = {"Accept": "application/json, text/plain;q=0.1"}
ORDER = {"name": "BlueFinch", "type": "buy", "quantity": 3, "client_order_id": "mine"}
HEADERS = (
    "Cache-Control",
    "Content-Type",
    "Content-Length",
    "X-Content-Type-Options",
    "Location",
    "Vary",
    "Retry-After",
    "Idempotency-Replayed",
)


@pytest.fixture
def answered_plainly(rest) -> list[bool]:
    """For each request: whether it was answered before Django."""
    return rest.handler.answered_plainly


def same(plain: Any, by_view: Any) -> bool:
    """Whether two answers to the same request differ in nothing but what names the request."""
    bodies = [answer.json() for answer in (plain, by_view)]
    for body in bodies:
        body.get("error", {}).pop("request_id", None)
    headers = [[answer.headers.get(name) for name in HEADERS] for answer in (plain, by_view)]
    return (plain.status_code, bodies[0], headers[0]) == (by_view.status_code, bodies[1], headers[1])


def test_stock_is_answered_as_by_its_view(rest, answered_plainly):
    rest.get("/stocks/BlueFinch")  # fills the cache
    plain, by_view = rest.get("/stocks/BlueFinch"), rest.get("/stocks/BlueFinch", headers=BY_VIEW)
    assert plain["X-Cache"] == by_view["X-Cache"] == "HIT"
    assert plain.content == by_view.content
    assert same(plain, by_view)
    assert answered_plainly == [True, True, False]


def test_unknown_stock_is_answered_as_by_its_view(rest, answered_plainly):
    plain, by_view = rest.get("/stocks/Nobody"), rest.get("/stocks/Nobody", headers=BY_VIEW)
    assert plain.status_code == 404
    assert same(plain, by_view)
    assert answered_plainly == [True, False]


def test_order_is_answered_as_by_its_view(rest, answered_plainly):
    def place(**headers: str) -> Any:
        return rest.post("/orders", ORDER, format="json", headers=headers)

    first, plain, by_view = place(), place(), place(**BY_VIEW)
    assert (first.status_code, "Idempotency-Replayed" in first) == (201, False)
    assert plain["Idempotency-Replayed"] == "true"
    assert plain.content == by_view.content
    assert same(plain, by_view)
    assert answered_plainly == [True, True, False]


@pytest.mark.parametrize(
    "reason",
    [
        Reason.INSUFFICIENT_STOCK,
        Reason.KEY_REUSED,
        Reason.NO_LEADER,
        Reason.OUTCOME_UNKNOWN,
        Reason.QUEUE_FULL,
        Reason.UNKNOWN_STOCK,
    ],
)
def test_failed_order_is_answered_as_by_its_view(rest, market, answered_plainly, reason):
    answers = []
    for headers in ({}, BY_VIEW):
        market.failure = failed(reason)
        answers.append(rest.post("/orders", ORDER, format="json", headers=headers))
    assert answers[0].status_code >= 400
    assert same(*answers)
    assert answered_plainly == [True, False]


@pytest.mark.parametrize("ask", ["look up", "place"])
@pytest.mark.parametrize(
    ("query", "headers", "code"),
    [
        ("?", {}, None),
        ("?&", {}, None),
        ("?colour=red", {}, 400),
        ("?client_order_id=k", {}, 400),
        ("", {"Content-Encoding": "identity"}, None),
        ("", {"Content-Encoding": "gzip"}, 415),
        *(("", {header: "mine"}, 400) for header in MEANT_HEADERS if header != "Idempotency-Key"),
    ],
)
def test_request_that_says_more_is_answered_as_by_its_view(rest, market, ask, query, headers, code):
    def send(by: dict[str, str]) -> Any:
        if ask == "look up":
            return rest.get(f"/stocks/BlueFinch{query}", headers=headers | by)
        return rest.post(f"/orders{query}", ORDER, format="json", headers=headers | by)

    send({})
    plain, by_view = send({}), send(BY_VIEW)
    assert same(plain, by_view)
    assert plain.status_code == (code or {"look up": 200, "place": 201}[ask])
    assert len(market.placed) == (3 if code is None and ask == "place" else 0)


def test_order_behind_a_byte_order_mark_is_answered_as_by_its_view(rest, answered_plainly):
    body = BOM_UTF8 + json.dumps(ORDER).encode()
    answers = [
        rest.generic("POST", "/orders", body, content_type="application/json", headers=headers)
        for headers in ({}, {}, BY_VIEW)
    ]
    assert same(*answers[1:])
    assert (answers[1].status_code, answered_plainly) == (201, [True, True, False])


def test_bug_is_answered_as_by_its_view(rest, monkeypatch, answered_plainly):
    def fail(**_order: Any) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(services, "place_order", fail)
    plain, by_view = (rest.post("/orders", ORDER, format="json", headers=headers) for headers in ({}, BY_VIEW))
    assert (plain.status_code, plain.json()["error"]["reason"]) == (500, "INTERNAL")
    assert "a bug" not in plain.text
    assert same(plain, by_view)
    assert answered_plainly == [True, False]


def test_the_answer_is_the_same_one_under_the_header_s_key(rest, answered_plainly):
    body = {name: value for name, value in ORDER.items() if name != "client_order_id"}
    first, again = (rest.post("/orders", body, format="json", headers={"Idempotency-Key": "mine"}) for _ in range(2))
    assert first.json()["data"]["client_order_id"] == "mine"
    assert first.content == again.content
    assert answered_plainly == [True, True]


def test_order_without_a_key_gets_one_of_its_own(rest, market):
    body = {name: value for name, value in ORDER.items() if name != "client_order_id"}
    keys = {rest.post("/orders", body, format="json").json()["data"]["client_order_id"] for _ in range(3)}
    assert len(keys) == 3


@pytest.mark.parametrize(("given", "told"), [("bot7:1", "bot7:1"), ("two words", None)])
def test_the_answer_carries_the_request_s_id(rest, answered_plainly, given, told):
    found = rest.get("/stocks/BlueFinch", headers={"X-Request-Id": given})["X-Request-Id"]
    assert found == told if told else re.fullmatch("[0-9a-f]{16}", found)
    assert answered_plainly == [True]


@pytest.mark.parametrize("host", ["localhost:8081", "127.0.0.1", "[::1]:8081"])
def test_every_host_that_is_served_is_answered_plainly(rest, answered_plainly, host):
    rest.get("/stocks/BlueFinch", headers={"Host": host})
    assert answered_plainly == [True]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.test"},
        {"X-Sandbox-Fault": "reject=NO_LEADER"},
        {"Idempotency-Key": "not the field's"},
        {"Accept": "text/html"},
        {"Host": "elsewhere.test"},
        {"Host": ""},
        {"Host": "local host"},
        {"Transfer-Encoding": "chunked"},
        {"Content-Encoding": "gzip"},
        {"X-Idempotency-Key": "mine"},
        {"X-HTTP-Method-Override": "DELETE"},
    ],
)
def test_what_the_view_must_look_at_is_left_to_it(rest, answered_plainly, headers):
    rest.post("/orders", ORDER, format="json", headers=headers)
    assert answered_plainly == [False]


@pytest.mark.parametrize(
    "headers",
    [
        {"Cache-Control": "no-cache"},
        {"Accept": "text/html"},
        {"Host": "elsewhere.test"},
        {"Content-Encoding": "gzip"},
        {"Idempotency-Key": "mine"},
        {"Content-Length": "2"},
    ],
)
def test_look_up_that_the_view_must_look_at_is_left_to_it(rest, answered_plainly, headers):
    rest.get("/stocks/BlueFinch", headers=headers)
    assert answered_plainly == [False]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"name": "BlueFinch", "name": "Cent", "type": "buy", "quantity": 1}',
        b'{"name": "BlueFinch", "type": "buy", "quantity": true}',
        b'{"name": "BlueFinch", "type": "buy", "quantity": 1, "colour": "red"}',
        b'["BlueFinch"]',
        b'{"name": "BlueFinch", "type": "buy", "quantity": NaN}',
        b" " * 70_000,
    ],
)
def test_wrong_body_is_explained_by_the_view_and_places_nothing(rest, market, answered_plainly, body):
    answer = rest.post("/orders", body, content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["outcome"]) == (400, "not_executed")
    assert (answered_plainly, market.placed) == ([False], [])


@pytest.mark.parametrize("length", ["0" * 5000 + "99", "+9", "9 9", "", "\u0661"])
def test_strange_length_is_left_to_the_view(rest, market, answered_plainly, length):
    answer = rest.post("/orders", ORDER, format="json", CONTENT_LENGTH=length)
    assert (answer.status_code, answered_plainly, market.placed) == (400, [False], [])


def test_body_that_ends_early_places_nothing(rest, market, answered_plainly):
    body = json.dumps(ORDER).encode()
    whole = {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body) + 1)}
    answer = rest.post("/orders", body, content_type="application/json", **whole)
    assert answer.status_code == 400
    assert f"ended after {len(body)} of its {len(body) + 1} bytes" in answer.json()["error"]["message"]
    assert (answered_plainly, market.placed) == ([False], [])


@pytest.mark.parametrize("setting", ["AUTHENTICATION", "SECURE_SSL_REDIRECT"])
def test_nothing_is_plain_where_callers_are_looked_at(rest, settings, answered_plainly, setting):
    setattr(settings, setting, True)
    rest.get("/stocks/BlueFinch")
    assert answered_plainly == [False]


def test_nothing_is_plain_where_there_are_limits(rest, settings, monkeypatch, answered_plainly):
    settings.RATE_LIMITS = {"read": Rate(10, 60)}
    limits = {"read": throttling.RateLimiter(Rate(10, 60))}
    monkeypatch.setattr(throttling, "limiters", lambda: limits)
    assert rest.get("/stocks/BlueFinch")["X-RateLimit-Limit"] == "10"
    assert answered_plainly == [False]
