"""GET /stocks/{name} and GET /stocks."""

import pytest

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason

DOWN = RpcFailure(Reason.CATALOG, "The catalog cannot be reached.")


def test_stock_has_an_exact_price_and_a_quantity(rest):
    response = rest.get("/stocks/BlueFinch")
    assert response.status_code == 200
    assert response.content == b'{"data":{"name":"BlueFinch","price":41.35,"price_decimal":"41.35","quantity":120}}'


@pytest.mark.parametrize(
    ("name", "price", "text"), [("Cent", b'"price":0.01,', "0.01"), ("Dear", b'"price":1000000000.0,', "1000000000.00")]
)
def test_smallest_and_largest_price_are_exact(rest, name, price, text):
    response = rest.get(f"/stocks/{name}")
    assert price in response.content
    assert response.json()["data"]["price_decimal"] == text


def test_x_cache_tells_miss_hit_and_bypass(rest):
    told = [
        rest.get("/stocks/BlueFinch", headers=headers)["X-Cache"] for headers in ({}, {}, {"Cache-Control": "no-cache"})
    ]
    assert told == ["MISS", "HIT", "BYPASS"]


@pytest.mark.parametrize("slash", ["", "/"])
def test_read_after_an_answered_order_shows_it(rest, post, slash):
    rest.get(f"/stocks/BlueFinch{slash}")
    assert post(name="BlueFinch", type="buy", quantity=3).status_code == 201
    assert rest.get(f"/stocks/BlueFinch{slash}").json()["data"]["quantity"] == 117


@pytest.mark.parametrize(
    "path",
    ["NoSuch", "two%20words", "a%2Fb", "a/b", "50%25", "%00", "%0a", "%ff", "Z%C3%BCrich", "N" * 10_000, "bluefinch"],
)
def test_name_that_no_stock_has_is_not_found(rest, path):
    response = rest.get(f"/stocks/{path}")
    assert response.status_code == 404
    error = response.json()["error"]
    assert (error["code"], error["status"], error["reason"]) == (404, "NOT_FOUND", "STOCK_NOT_FOUND")
    assert "outcome" not in error
    assert len(error["message"]) < 200


def test_name_that_no_stock_can_have_is_not_asked_for(rest, market):
    rest.get("/stocks/two%20words")
    assert market.look_ups == 0


def test_catalog_down_is_503_with_a_time_to_retry(rest, market):
    market.failure = DOWN
    for path in ("/stocks/BlueFinch", "/stocks"):
        response = rest.get(path)
        assert response.status_code == 503
        assert response["Retry-After"] == "2"
        assert response.json()["error"]["reason"] == "CATALOG_UNAVAILABLE"


def test_list_goes_by_name_page_by_page(rest):
    first = rest.get("/stocks?limit=2").json()
    assert [stock["name"] for stock in first["data"]] == ["BlueFinch", "Cent"]
    assert first["page"]["has_more"] is True
    second = rest.get(first["page"]["next"]).json()
    assert [stock["name"] for stock in second["data"]] == ["Dear"]
    assert second["page"] == {"next": None, "next_cursor": None, "has_more": False}


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("limit=0", "VALIDATION_FAILED"),
        ("limit=501", "VALIDATION_FAILED"),
        ("limit=ten", "VALIDATION_FAILED"),
        ("limit=1&limit=2", "VALIDATION_FAILED"),
        ("limt=1", "VALIDATION_FAILED"),
        ("cursor=", "INVALID_CURSOR"),
        ("cursor=AAAA", "INVALID_CURSOR"),
    ],
)
def test_wrong_query_is_refused(rest, query, reason):
    response = rest.get(f"/stocks?{query}")
    assert response.status_code == 400
    assert response.json()["error"]["reason"] == reason


def test_head_is_answered_without_a_body(rest):
    response = rest.head("/stocks/BlueFinch")
    assert (response.status_code, response.content) == (200, b"")
