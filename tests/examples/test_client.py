"""The example client against made-up answers: what it sends again, and what it tells its caller."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx
import pytest

from examples import client as client_module
from examples.client import BourseError, Client, OutcomeUnknown

ORDER = {
    "number": 7,
    "name": "ACME",
    "type": "buy",
    "quantity": 3,
    "price_decimal": "41.30",
    "client_order_id": "k",
    "created_at": "2031-04-09T13:05:22.104511Z",
}


class Server:
    """Gives its answers in turn, the last one for ever; an exception is raised instead."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def keys(self) -> list[str]:
        return [request.headers["Idempotency-Key"] for request in self.requests]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for pause in ("FIRST_PAUSE_S", "LONGEST_PAUSE_S", "RECONNECT_S"):
        monkeypatch.setattr(client_module, pause, 0.0)


@pytest.fixture
def bourse() -> Callable[..., Client]:
    return lambda server, patience_s=5.0: Client(
        "http://bourse", patience_s=patience_s, transport=httpx.MockTransport(server)
    )


def made(**headers: str) -> httpx.Response:
    return httpx.Response(201, json={"data": ORDER}, headers=headers)


def failed(code: int, reason: str, outcome: str) -> httpx.Response:
    error = {"code": code, "reason": reason, "message": "no", "outcome": outcome}
    return httpx.Response(code, json={"error": error}, headers={"Retry-After": "0"})


def test_order_is_sent_again_with_its_key_until_it_is_settled(bourse):
    server = Server(
        httpx.ReadTimeout("slow"),
        failed(503, "NO_LEADER", "not_executed"),
        failed(504, "OUTCOME_UNKNOWN", "unknown"),
        httpx.Response(502, text="<html>a proxy</html>"),
        made(),
    )
    order = bourse(server).place("ACME", "buy", 3)
    assert (order.number, order.price) == (7, Decimal("41.30"))
    assert len(server.keys) == 5
    assert len(set(server.keys)) == 1
    assert json.loads(server.requests[0].content) == {"name": "ACME", "type": "buy", "quantity": 3}


def test_two_orders_have_two_keys_and_an_own_key_is_kept(bourse):
    server = Server(made())
    client = bourse(server)
    client.place("ACME", "buy", 3)
    client.place("ACME", "buy", 3)
    client.place("ACME", "buy", 3, key="mine")
    assert len(set(server.keys)) == 3
    assert server.keys[2] == "mine"


@pytest.mark.parametrize(("code", "reason"), [(409, "INSUFFICIENT_STOCK"), (404, "STOCK_NOT_FOUND"), (400, "X")])
def test_refusal_is_final_even_after_an_unknown_outcome(bourse, code, reason):
    server = Server(failed(504, "OUTCOME_UNKNOWN", "unknown"), failed(code, reason, "not_executed"))
    with pytest.raises(BourseError) as caught:
        bourse(server).place("ACME", "buy", 3)
    assert (type(caught.value), caught.value.code, caught.value.reason) == (BourseError, code, reason)


def test_what_was_unknown_once_stays_unknown_when_patience_ends(bourse):
    """A later 503 says nothing about the attempt that may have been executed."""
    server = Server(httpx.ReadTimeout("slow"), failed(503, "NO_LEADER", "not_executed"))
    with pytest.raises(OutcomeUnknown) as caught:
        bourse(server, patience_s=0.2).place("ACME", "buy", 3, key="mine")
    assert caught.value.key == "mine"
    assert "mine" in str(caught.value)


def test_what_was_never_executed_is_told_so(bourse):
    with pytest.raises(BourseError) as caught:
        bourse(Server(failed(503, "NO_LEADER", "not_executed")), patience_s=0.2).place("ACME", "buy", 3)
    assert not isinstance(caught.value, OutcomeUnknown)


def test_list_is_followed_to_its_end(bourse):
    def page(numbers: list[int], following: str | None) -> httpx.Response:
        return httpx.Response(
            200, json={"data": [ORDER | {"number": number} for number in numbers], "page": {"next": following}}
        )

    server = Server(page([9, 8], "/orders?cursor=abc&limit=2"), page([], "/orders?cursor=def&limit=2"), page([7], None))
    assert [order.number for order in bourse(server).orders(name="ACME", limit=2)] == [9, 8, 7]
    assert [str(request.url) for request in server.requests] == [
        "http://bourse/orders?name=ACME&limit=2",
        "http://bourse/orders?cursor=abc&limit=2",
        "http://bourse/orders?cursor=def&limit=2",
    ]


def test_events_go_on_behind_the_last_one_after_a_break(bourse):
    def stream(text: str) -> httpx.Response:
        return httpx.Response(200, text=text)

    server = Server(
        stream('retry: 1000\n: a-1\nid: a-1\n\nid: a-2\nevent: order\ndata: {"number": 1}\n\nid: a-3\nevent: ord'),
        httpx.ReadError("cut"),
        failed(503, "OVERLOADED", ""),
        stream('id: a-3\nevent: order\ndata: {"number": 2}\n\n'),
    )
    opened_after = []
    events = bourse(server).events(lambda: opened_after.append(len(server.requests)), types="order")
    found: list[Any] = [next(events), next(events)]
    assert opened_after == [1, 4]
    assert found == [("order", {"number": 1}), ("order", {"number": 2})]
    assert [request.headers.get("Last-Event-ID") for request in server.requests] == [None, "a-2", "a-2", "a-2"]


def test_stream_that_is_refused_for_good_says_why(bourse):
    with pytest.raises(BourseError, match="VALIDATION_FAILED"):
        next(bourse(Server(failed(400, "VALIDATION_FAILED", ""))).events(typo=1))
