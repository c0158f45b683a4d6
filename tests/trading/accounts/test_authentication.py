"""What a caller may do with authentication on, by role and by account."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.utils import timezone
from knox.models import AuthToken

from trading.operator import services

ORDER = {"name": "BlueFinch", "type": "buy", "quantity": 1}
PATHS = ["/", "/stocks", "/stocks/BlueFinch", "/orders", "/orders/1", "/replicas"]


@pytest.fixture(autouse=True)
def replicas(monkeypatch):
    monkeypatch.setattr(services, "replicas_status", lambda: {"health": "ok"})


def place(rest, headers, key=None):
    return rest.post("/orders", ORDER, format="json", headers=headers | ({"Idempotency-Key": key} if key else {}))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer bourse_0000"},
        {"Authorization": "Bearer \xff\xfe"},
        {"Authorization": "Basic YTpi"},
    ],
)
def test_without_a_good_token_everything_is_401(rest, authentication, path, headers):
    response = rest.get(path, headers=headers)
    error = response.json()["error"]
    assert (response.status_code, error["status"], error["reason"]) == (401, "UNAUTHENTICATED", "UNAUTHENTICATED")
    assert response["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer bourse_0000"}])
def test_health_needs_no_token_and_looks_at_none(rest, authentication, headers):
    assert rest.get("/healthz", headers=headers).status_code == 200


def test_order_without_a_token_is_not_executed(rest, authentication, market):
    response = place(rest, {}, "k1")
    error = response.json()["error"]
    assert (response.status_code, error["outcome"], error["client_order_id"]) == (401, "not_executed", "k1")
    assert market.placed == []


def test_key_in_the_body_is_named_although_nothing_was_done_with_it(rest, authentication):
    error = rest.post("/orders", ORDER | {"client_order_id": "mine"}, format="json").json()["error"]
    assert error["client_order_id"] == "mine"


@pytest.mark.parametrize(
    ("role", "get_replicas", "post_order"), [("trader", 403, 201), ("operator", 200, 403)], ids=["trader", "operator"]
)
def test_roles(rest, token, market, role, get_replicas, post_order):
    headers = token("ann", role)
    for path in ("/", "/stocks", "/stocks/BlueFinch", "/orders"):
        assert rest.get(path, headers=headers).status_code == 200
    assert rest.get("/replicas", headers=headers).status_code == get_replicas
    response = place(rest, headers)
    assert response.status_code == post_order
    if post_order == 403:
        assert (response.json()["error"]["reason"], market.placed) == ("PERMISSION_DENIED", [])


def test_operator_endpoints_are_open_to_a_token_from_anywhere_and_to_loopback_only_with_one(rest, token):
    assert rest.get("/replicas", REMOTE_ADDR="10.0.0.7", headers=token("op", "operator")).status_code == 200
    assert rest.get("/replicas", REMOTE_ADDR="127.0.0.1").status_code == 401


@pytest.mark.parametrize("word", ["Bearer", "bearer", "BEARER"])
def test_name_of_the_scheme_is_not_case_sensitive(rest, token, word):
    secret = token("ann")["Authorization"].split()[1]
    assert rest.get("/stocks", headers={"Authorization": f"{word} {secret}"}).status_code == 200


def test_nobody_reads_the_order_of_another(rest, token):
    ann, bob = token("ann"), token("bob")
    number = place(rest, ann, "k1").json()["data"]["number"]
    assert rest.get(f"/orders/{number}", headers=ann).status_code == 200
    hidden = rest.get(f"/orders/{number}", headers=bob).json()["error"]
    absent = rest.get(f"/orders/{number + 1}", headers=bob).json()["error"]
    assert (hidden["code"], hidden["reason"]) == (404, "ORDER_NOT_FOUND")
    assert hidden["message"].replace(str(number), "N") == absent["message"].replace(str(number + 1), "N")
    assert hidden["details"] == absent["details"]


def test_lists_hold_own_orders_only(rest, token):
    ann, bob = token("ann"), token("bob")
    for _ in range(3):
        place(rest, ann)
        place(rest, bob)
    assert [order["number"] for order in rest.get("/orders", headers=ann).json()["data"]] == [5, 3, 1]
    cursor = rest.get("/orders?limit=1", headers=ann).json()["page"]["next_cursor"]
    assert [one["number"] for one in rest.get(f"/orders?cursor={cursor}", headers=bob).json()["data"]] == [4, 2]
    assert rest.get("/orders", headers=token("op", "operator")).json()["data"] == []


def test_each_account_has_its_own_keys(rest, token):
    ann, bob = token("ann"), token("bob")
    first, others, again = place(rest, ann, "k1"), place(rest, bob, "k1"), place(rest, ann, "k1")
    assert first.json()["data"]["number"] == again.json()["data"]["number"] == 1
    assert again["Idempotency-Replayed"] == "true"
    assert others.json()["data"]["number"] == 2
    assert "Idempotency-Replayed" not in others
    found = rest.get("/orders?client_order_id=k1", headers=bob).json()["data"]
    assert [order["number"] for order in found] == [2]


def test_two_tokens_of_an_account_see_the_same_orders(rest, token):
    number = place(rest, token("ann")).json()["data"]["number"]
    assert rest.get(f"/orders/{number}", headers=token("ann")).status_code == 200


@pytest.mark.parametrize("change", [{"is_active": False}, {}], ids=["inactive", "without a role"])
def test_account_that_lost_its_rights_is_401(rest, token, change):
    headers = token("ann")
    User.objects.update(**{"is_active": True} | change)
    if not change:
        User.objects.get().groups.clear()
    assert rest.get("/stocks", headers=headers).status_code == 401


def test_expired_token_is_401(rest, token):
    headers = token("ann")
    AuthToken.objects.update(expiry=timezone.now() - timedelta(seconds=1))
    assert rest.get("/stocks", headers=headers).status_code == 401


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_database_that_fails_is_503_and_nothing_is_executed(rest, token, market, monkeypatch, accept):
    def fail(*_):
        raise OperationalError("locked")

    headers = token("ann")
    monkeypatch.setattr(AuthToken.objects, "select_related", fail)
    response = place(rest, headers | {"Accept": accept})
    assert response.status_code == 503
    assert "not_executed" in response.content.decode() or "not executed" in response.content.decode()
    assert market.placed == []


def test_with_authentication_off_a_token_is_not_looked_at(rest):
    assert rest.get("/stocks", headers={"Authorization": "Bearer bourse_0000"}).status_code == 200
