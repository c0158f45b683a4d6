"""POST /orders: what is placed, and what is refused."""

import json
import re

import pytest

from common.calls.failures import failure_from_wire
from common.calls.reasons import Reason
from protos import catalog_pb2
from tests.trading.fakes import failed

GOOD = {"name": "BlueFinch", "type": "buy", "quantity": 3}


def test_order_is_created_and_found_again(rest, post, market):
    response = post(**GOOD, headers={"Idempotency-Key": "bot7-000318"})
    assert response.status_code == 201
    assert response["Location"] == "/orders/1"
    assert "Idempotency-Replayed" not in response
    assert response.json() == {
        "data": {
            "transaction_number": 1,
            "transaction_id": 1,
            "number": 1,
            "name": "BlueFinch",
            "type": "buy",
            "quantity": 3,
            "price": 41.35,
            "price_decimal": "41.35",
            "status": "filled",
            "client_order_id": "bot7-000318",
            "created_at": "2031-04-09T13:05:22.104511Z",
        }
    }
    assert rest.get("/orders/1").json() == response.json()
    assert market.placed[0].order_type == catalog_pb2.BUY
    assert market.placed[0].account == ""


@pytest.mark.parametrize("path", ["/orders", "/orders/"])
@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "multipart"])
def test_html_form_data_is_taken(rest, market, path, content_type):
    fields = {"name": "BlueFinch", "type": "sell", "quantity": "3", "client_order_id": ""}
    if content_type == "multipart":
        response = rest.post(path, fields, format="multipart")
    else:
        body = "name=BlueFinch&type=sell&quantity=3&client_order_id="
        response = rest.post(path, body, content_type=content_type)
    assert response.status_code == 201, response.content
    assert market.placed[0].quantity == 3


def test_clients_that_compare_with_200_can_have_it(post, settings):
    settings.ORDERS_CREATED_STATUS = 200
    assert post(**GOOD).status_code == 200


@pytest.mark.parametrize("given", ["header", "field", "both"])
def test_repeated_key_gives_the_first_answer_again(post, given):
    headers = {} if given == "field" else {"Idempotency-Key": "k:1"}
    fields = GOOD if given == "header" else GOOD | {"client_order_id": "k:1"}
    first = post(headers=headers, **fields)
    second = post(headers=headers, **fields)
    assert (second.status_code, second["Location"]) == (201, "/orders/1")
    assert second["Idempotency-Replayed"] == "true"
    assert second.json() == first.json()


def test_order_without_a_key_gets_one_that_the_answer_names(post):
    keys = [post(**GOOD).json()["data"]["client_order_id"] for _ in range(2)]
    assert keys[0] != keys[1]
    assert re.fullmatch("[0-9a-f]{32}", keys[0])


def test_key_of_another_order_is_422_and_names_it(post):
    post(**GOOD, headers={"Idempotency-Key": "k1"})
    response = post(name="BlueFinch", type="buy", quantity=4, headers={"Idempotency-Key": "k1"})
    error = response.json()["error"]
    assert response.status_code == 422
    assert (error["reason"], error["outcome"], error["client_order_id"]) == (
        "IDEMPOTENCY_KEY_REUSED",
        "not_executed",
        "k1",
    )
    assert error["details"] == [{"field": "client_order_id", "transaction_number": 1}]


@pytest.mark.parametrize(
    ("headers", "fields"),
    [
        ({"Idempotency-Key": "a"}, {"client_order_id": "b"}),
        ({"Idempotency-Key": "two words"}, {}),
        ({"Idempotency-Key": ""}, {}),
        ({"Idempotency-Key": "k" * 65}, {}),
        ({}, {"client_order_id": "two words"}),
        ({}, {"client_order_id": ""}),
        ({}, {"client_order_id": None}),
        ({}, {"client_order_id": 7}),
        ({}, {"client_order_id": "k" * 65}),
    ],
)
def test_keys_that_cannot_be_used_are_refused_and_none_is_named(post, market, headers, fields):
    response = post(headers=headers, **GOOD, **fields)
    error = response.json()["error"]
    assert (error["code"], error["reason"]) == (400, "VALIDATION_FAILED")
    assert [detail["field"] for detail in error["details"]] == ["client_order_id"]
    assert "client_order_id" not in error
    assert market.placed == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"quantity": True}, "quantity"),
        ({"quantity": 1.5}, "quantity"),
        ({"quantity": 3.0}, "quantity"),
        ({"quantity": "3"}, "quantity"),
        ({"quantity": None}, "quantity"),
        ({"quantity": [3]}, "quantity"),
        ({"quantity": {"a": 1}}, "quantity"),
        ({"quantity": 0}, "quantity"),
        ({"quantity": -1}, "quantity"),
        ({"quantity": 10**9 + 1}, "quantity"),
        ({"quantity": 10**300}, "quantity"),
        ({"type": "short"}, "type"),
        ({"type": "BUY"}, "type"),
        ({"type": True}, "type"),
        ({"type": ["buy"]}, "type"),
        ({"name": 5}, "name"),
        ({"name": ""}, "name"),
        ({"name": "two words"}, "name"),
        ({"name": "a/b"}, "name"),
        ({"name": "BlueFinch\n"}, "name"),
        ({"name": "Zürich"}, "name"),
        ({"name": "\ud800"}, "name"),
        ({"name": "N" * 10_000}, "name"),
        ({"price": 3}, "price"),
        ({"\ud800": 3}, "'\\ud800'"),
    ],
)
def test_wrong_field_is_named(rest, market, change, field):
    response = rest.post("/orders", json.dumps(GOOD | change), content_type="application/json")
    error = response.json()["error"]
    assert (response.status_code, error["reason"], error["outcome"]) == (400, "VALIDATION_FAILED", "not_executed")
    assert [detail["field"] for detail in error["details"]] == [field]
    assert re.fullmatch("[0-9a-f]{32}", error["client_order_id"])
    assert len(error["message"]) < 300
    assert market.placed == []


def test_all_that_is_wrong_is_told_at_once(rest):
    body = {"type": "give", "quantity": 0, "prize": 1}
    error = rest.post("/orders", body, format="json").json()["error"]
    assert sorted(detail["field"] for detail in error["details"]) == ["name", "prize", "quantity", "type"]
    assert "'give'" in error["message"]


def test_thousands_of_unknown_fields_make_a_short_answer(rest):
    response = rest.post("/orders", GOOD | {f"x{number}": 1 for number in range(3000)}, format="json")
    assert response.status_code == 400
    assert len(response.content) < 5000


@pytest.mark.parametrize("body", ["name=A&name=B&type=buy&quantity=1", "name=A&type=buy&quantity=1e3"])
def test_wrong_form_is_refused(rest, market, body):
    response = rest.post("/orders", body, content_type="application/x-www-form-urlencoded")
    assert (response.status_code, response.json()["error"]["reason"]) == (400, "VALIDATION_FAILED")
    assert market.placed == []


def test_file_in_a_form_is_no_name(rest, tmp_path):
    (tmp_path / "name").write_text("BlueFinch")
    with (tmp_path / "name").open("rb") as file:
        response = rest.post("/orders", {"name": file, "type": "buy", "quantity": "1"}, format="multipart")
    assert (response.status_code, response.json()["error"]["details"][0]["field"]) == (400, "name")


@pytest.mark.parametrize(
    ("reason", "outcome", "code", "status", "retry_after"),
    [
        (Reason.NO_LEADER, "not_executed", 503, "UNAVAILABLE", "2"),
        (Reason.CATALOG, "not_executed", 503, "UNAVAILABLE", "2"),
        (Reason.OVERLOADED, "not_executed", 503, "RESOURCE_EXHAUSTED", "1"),
        (Reason.DISK_FULL, "not_executed", 503, "RESOURCE_EXHAUSTED", "30"),
        (Reason.HALTED, "not_executed", 503, "DATA_LOSS", "60"),
        (Reason.NOT_REPLICATED, "unknown", 504, "UNAVAILABLE", None),
        (Reason.OUTCOME_UNKNOWN, "unknown", 504, "DEADLINE_EXCEEDED", None),
    ],
)
def test_failure_has_its_code_and_says_what_became_of_the_order(
    post, market, reason, outcome, code, status, retry_after
):
    market.failure = failed(reason)
    response = post(**GOOD, headers={"Idempotency-Key": "k1"})
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["status"]) == (code, code, status)
    assert (error["reason"], error["outcome"], error["client_order_id"]) == (reason.told_as, outcome, "k1")
    assert response.headers.get("Retry-After") == retry_after


def test_unknown_outcome_is_never_told_as_a_refusal(post, market):
    market.failure = failed(Reason.NO_LEADER)
    market.failure.outcome_unknown = True
    response = post(**GOOD)
    assert (response.status_code, response.json()["error"]["reason"]) == (504, "OUTCOME_UNKNOWN")


@pytest.mark.parametrize("failure", [ValueError("a bug"), failure_from_wire(14, "NEVER_HEARD_OF", "odd", {})])
def test_unforeseen_failure_is_500_and_the_outcome_is_unknown(post, market, failure):
    market.failure = failure
    response = post(**GOOD, headers={"Idempotency-Key": "k1", "X-Request-Id": "r1"})
    error = response.json()["error"]
    assert (error["code"], error["reason"], error["outcome"]) == (500, "INTERNAL", "unknown")
    assert (error["client_order_id"], error["request_id"]) == ("k1", "r1")
    assert "bug" not in error["message"]


def test_refusals_of_the_market(post):
    unknown = post(name="NoSuch", type="buy", quantity=1)
    assert (unknown.status_code, unknown.json()["error"]["reason"]) == (404, "STOCK_NOT_FOUND")
    short = post(name="BlueFinch", type="buy", quantity=121).json()["error"]
    assert (short["code"], short["reason"], short["outcome"]) == (409, "INSUFFICIENT_STOCK", "not_executed")
    assert short["details"] == [{"field": "quantity", "available": 120}]


@pytest.mark.parametrize("failure", [None, failed(Reason.OUTCOME_UNKNOWN)])
def test_stock_is_read_anew_after_an_order_whatever_came_of_it(rest, post, market, failure):
    rest.get("/stocks/BlueFinch")
    market.failure = failure
    post(**GOOD)
    market.failure = None
    assert rest.get("/stocks/BlueFinch")["X-Cache"] == "MISS"


def test_page_of_another_site_cannot_trade_for_its_reader(rest, market):
    foreign = rest.post("/orders", GOOD, format="multipart", headers={"Origin": "http://elsewhere.test"})
    assert (foreign.status_code, foreign.json()["error"]["reason"]) == (403, "PERMISSION_DENIED")
    assert foreign.json()["error"]["outcome"] == "not_executed"
    assert market.placed == []
    own = rest.post("/orders", GOOD, format="multipart", headers={"Origin": "http://testserver"})
    assert own.status_code == 201
