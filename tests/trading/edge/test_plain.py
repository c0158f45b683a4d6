"""Which requests the edge answers itself."""

import io
import json
import re

import pytest

from tests.trading.edge_client import exchange, scope_of

ORDER = {"name": "BlueFinch", "type": "buy", "quantity": 3, "client_order_id": "mine"}


@pytest.fixture
def answered_plainly(rest) -> list[bool]:
    """For each request: whether it was answered before Django."""
    return rest.handler.answered_plainly


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


def test_body_in_chunks_is_plain(rest, market, answered_plainly):
    assert rest.post("/orders", ORDER, format="json", headers={"Transfer-Encoding": "chunked"}).status_code == 201
    assert (answered_plainly, len(market.placed)) == ([True], 1)


def test_header_that_is_given_twice_is_left_to_the_view(rest, market):
    """Which of two a proxy has set, and which it vouches for, only WSGI's rules say."""
    seen = []

    def django(environ, start_response):
        seen.append(environ["HTTP_ACCEPT"])
        start_response("200 OK", [])
        return rest.handler._handler(environ)

    scope = scope_of(rest._base_environ(PATH_INFO="/stocks/BlueFinch", QUERY_STRING="", HTTP_ACCEPT="*/*"))
    scope["headers"].append((b"accept", b"text/html"))
    exchange(django, scope, b"")
    assert seen == ["*/*,text/html"]


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


@pytest.mark.parametrize("length", ["0" * 5000 + "99", "+9", "9 9", ""])
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
