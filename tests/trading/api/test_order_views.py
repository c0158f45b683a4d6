"""GET /orders and GET /orders/{number}."""

import pytest

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from protos import catalog_pb2


@pytest.fixture
def seven(post):
    """Seven orders: BlueFinch at odd numbers, Cent at even ones."""
    for number in range(1, 8):
        assert post(name="BlueFinch" if number % 2 else "Cent", type="buy", quantity=number).status_code == 201


def numbers(response):
    assert response.status_code == 200, response.content
    return [order["number"] for order in response.json()["data"]]


@pytest.mark.parametrize("path", ["/orders/5", "/orders/5/"])
def test_order_is_found_by_its_number(rest, seven, path):
    order = rest.get(path).json()["data"]
    assert [order[name] for name in ("transaction_number", "transaction_id", "number", "quantity")] == [5, 5, 5, 5]


@pytest.mark.parametrize(
    "number",
    ["0", "-1", "abc", "1.5", "+1", "007", "1e3", "%20", "1%0A", "٣", "2/3", str(2**53), str(2**64), "9" * 9999],
)
def test_what_is_no_order_number_is_400(rest, market, number):
    response = rest.get(f"/orders/{number}")
    error = response.json()["error"]
    assert (response.status_code, error["reason"]) == (400, "VALIDATION_FAILED")
    assert error["details"][0]["field"] == "number"


@pytest.mark.parametrize("number", [8, 2**53 - 1])
def test_number_not_given_yet_is_404_and_tells_the_latest(rest, seven, number):
    error = rest.get(f"/orders/{number}").json()["error"]
    assert (error["code"], error["reason"]) == (404, "ORDER_NOT_FOUND")
    assert error["details"] == [{"field": "number", "latest": 7}]


def test_list_is_newest_first(rest, seven):
    response = rest.get("/orders")
    assert numbers(response) == [7, 6, 5, 4, 3, 2, 1]
    assert response.json()["page"] == {"next": None, "next_cursor": None, "has_more": False, "latest": 7}


def test_empty_list(rest):
    assert rest.get("/orders").json()["data"] == []


@pytest.mark.parametrize(
    ("query", "pages"),
    [
        ("limit=3", [[7, 6, 5], [4, 3, 2], [1]]),
        ("limit=3&direction=asc", [[1, 2, 3], [4, 5, 6], [7]]),
        ("limit=2&name=BlueFinch", [[7, 5], [3, 1]]),
        ("limit=2&direction=asc&name=Cent&after_number=2", [[4, 6]]),
        ("limit=2&after_number=4", [[7, 6], [5]]),
        ("limit=4&name=Cent&name=BlueFinch", [[7, 6, 5, 4], [3, 2, 1]]),
    ],
)
def test_pages_follow_one_another_with_their_filters(rest, seven, query, pages):
    path, seen = f"/orders?{query}", []
    while path is not None:
        response = rest.get(path)
        if got := numbers(response):
            seen.append(got)
        path = response.json()["page"]["next"]
    assert seen == pages


def test_page_may_be_empty_and_have_a_next_one(rest, seven, market, monkeypatch):
    """The time for looking was up, nothing was found, and the list is not at its end."""
    monkeypatch.setattr("trading.services.LIST_BUDGET_S", 0.0)
    market.scan_limit = 2
    page = rest.get("/orders?name=Nobody&limit=2").json()
    assert page["data"] == []
    assert page["page"]["has_more"] is True
    assert market.listed[-1].before_number == 0
    rest.get(page["page"]["next"])
    assert market.listed[-1].before_number == 6
    assert list(market.listed[-1].stock_names) == ["Nobody"]


def test_replica_that_finds_nothing_in_one_call_is_asked_to_go_on(rest, seven, market):
    market.scan_limit = 2
    market.orders[0].stock_name = "OLD"
    assert numbers(rest.get("/orders?name=OLD")) == [1]
    assert len(market.listed) == 4


def test_new_orders_are_neither_repeated_nor_skipped_between_pages(rest, seven, post):
    first = rest.get("/orders?limit=3").json()
    post(name="Cent", type="buy", quantity=1)
    assert numbers(rest.get(first["page"]["next"])) == [4, 3, 2]


def test_all_filters_reach_the_replica(rest, market):
    rest.get(
        "/orders?name=A&name=B&name=A&type=sell&client_order_id=k:1&status=filled&direction=asc&limit=7"
        "&after=2031-04-09T13:05:22Z&until=2031-04-09T16:05:22.5%2B02:00&after_number=3"
    )
    request = market.listed[-1]
    assert list(request.stock_names) == ["A", "B"]
    assert request.order_type == catalog_pb2.SELL
    assert request.idempotency_key == "k:1"
    assert (request.after_time, request.until_time) == ("2031-04-09T13:05:22.000000Z", "2031-04-09T14:05:22.500000Z")
    assert (request.after_number, request.before_number, request.descending, request.limit) == (3, 0, False, 7)
    assert request.HasField("account")  # a key is looked up among its account's
    assert request.account == ""
    rest.get("/orders?name=A")
    assert not market.listed[-1].HasField("account")


@pytest.mark.parametrize("digits", ["104511", "1045119", "104511999", "104511999999999"])
def test_time_finer_than_microseconds_is_cut(rest, market, digits):
    moments = [f"after=2031-04-09T13:05:22.{digits}Z", f"until=2031-04-09T15:05:22.{digits}%2B02:00"]
    assert rest.get(f"/orders?{'&'.join(moments)}").status_code == 200
    asked = market.listed[-1]
    assert asked.after_time == asked.until_time == "2031-04-09T13:05:22.104511Z"


@pytest.mark.parametrize("name", [".", ".."])
def test_name_that_no_path_can_hold_is_no_stock_name(rest, market, name):
    order = {"name": name, "type": "buy", "quantity": 1}
    for response in (rest.post("/orders", order, format="json"), rest.get("/orders", {"name": name})):
        assert (response.status_code, response.json()["error"]["details"][0]["field"]) == (400, "name")
    assert market.placed == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("nmae=A", "nmae"),
        ("format=json", "format"),
        ("name=two%20words", "name"),
        ("name=", "name"),
        ("type=short", "type"),
        ("type=buy&type=sell", "type"),
        ("status=open", "status"),
        ("client_order_id=%20", "client_order_id"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=٣", "limit"),
        ("direction=up", "direction"),
        ("after_number=-1", "after_number"),
        (f"after_number={2**53}", "after_number"),
        ("after=2031-04-09T13:00:00", "after"),
        ("after=2031-04-09", "after"),
        ("after=2031-04-09T13:00:000Z", "after"),
        ("after=2031-04-09T13:00:00.Z", "after"),
        ("after=2031-04-09T13:00:00+02:00", "after"),  # the + is a space here
        ("until=2031-02-30T13:00:00Z", "until"),
        ("until=0001-01-01T00:00:00%2B02:00", "until"),
        ("until=now", "until"),
        ("%ff=1", "\ufffd"),
    ],
)
def test_wrong_parameter_is_named(rest, market, query, field):
    response = rest.get(f"/orders?{query}")
    error = response.json()["error"]
    assert (response.status_code, error["reason"]) == (400, "VALIDATION_FAILED")
    assert [detail["field"] for detail in error["details"]] == [field]
    assert "outcome" not in error
    assert market.listed == []


def test_too_many_parameters_are_refused(rest, market):
    response = rest.get("/orders?" + "&".join(f"x{number}=1" for number in range(200)))
    assert (response.status_code, response.json()["error"]["reason"]) == (400, "VALIDATION_FAILED")


def test_filter_beside_a_cursor_must_be_the_one_it_keeps(rest, seven):
    cursor = rest.get("/orders?name=Cent&limit=1").json()["page"]["next_cursor"]
    assert numbers(rest.get(f"/orders?name=Cent&limit=2&cursor={cursor}")) == [4, 2]
    refused = rest.get(f"/orders?name=BlueFinch&cursor={cursor}").json()["error"]
    assert (refused["reason"], refused["details"][0]["field"]) == ("VALIDATION_FAILED", "name")


@pytest.mark.parametrize(
    ("reason", "code"), [(Reason.NO_LEADER, 503), (Reason.CATALOG, 503), (Reason.HALTED, 503), (Reason.UNKNOWN, 500)]
)
@pytest.mark.parametrize("path", ["/orders", "/orders/1"])
def test_failure_of_a_read_has_its_code_and_no_outcome(rest, market, reason, code, path):
    market.failure = RpcFailure(reason, "down")
    response = rest.get(path)
    assert response.status_code == code
    assert "outcome" not in response.json()["error"]
    assert ("Retry-After" in response) == (code == 503)
