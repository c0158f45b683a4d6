"""Errors that no endpoint raises: paths, methods, hosts, media types. All have the same envelope."""

import pytest

from trading.operator import services


@pytest.mark.parametrize(
    "path", ["/nowhere", "/stock/BlueFinch", "/nowhere//", "/stocks.json", "/admin/", "/%ff", "/favicon.ico"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_unknown_path_is_404(rest, path, method):
    response = rest.generic(method, path)
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["reason"]) == (404, 404, "PATH_NOT_FOUND")
    assert "outcome" not in error


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/orders", "GET, POST, HEAD"),
        ("PUT", "/orders/1", "GET, HEAD"),
        ("POST", "/stocks/BlueFinch", "GET, HEAD"),
        ("OPTIONS", "/orders", "GET, POST, HEAD"),
        ("BREW", "/stocks", "GET, HEAD"),
    ],
)
def test_wrong_method_is_405_and_the_right_ones_are_named(rest, method, path, allowed):
    response = rest.generic(method, path)
    assert (response.status_code, response.json()["error"]["reason"]) == (405, "METHOD_NOT_ALLOWED")
    assert response["Allow"] == allowed


@pytest.mark.parametrize("accept", ["image/png", "foo", "application/xml;q=0.9"])
def test_other_media_type_is_406_in_json(rest, accept):
    response = rest.get("/stocks", headers={"Accept": accept})
    assert (response.status_code, response.json()["error"]["reason"]) == (406, "NOT_ACCEPTABLE")


def test_order_refused_by_its_accept_header_is_not_executed(rest, market):
    order = {"name": "BlueFinch", "type": "buy", "quantity": 1}
    error = rest.post("/orders", order, format="json", headers={"Accept": "image/png"}).json()["error"]
    assert (error["code"], error["outcome"]) == (406, "not_executed")
    assert error["client_order_id"]
    assert market.placed == []


def test_unknown_host_is_refused_before_anything_is_done(rest, market):
    order = {"name": "BlueFinch", "type": "buy", "quantity": 1}
    response = rest.post("/orders", order, format="json", headers={"Host": "evil.test"})
    error = response.json()["error"]
    assert (response.status_code, error["reason"], error["outcome"]) == (400, "VALIDATION_FAILED", "not_executed")
    assert error["request_id"] == response["X-Request-Id"]
    assert market.placed == []


def test_failure_outside_of_a_view_has_the_envelope_too(rest, monkeypatch):
    """A renderer that fails comes after everything that a view could have handled."""
    monkeypatch.setattr(services, "replicas_status", lambda: {"health": object()})
    response = rest.get("/replicas")
    assert (response.status_code, response.json()["error"]["reason"]) == (500, "INTERNAL")


def test_start_and_health(rest):
    assert rest.get("/").json()["data"]["orders"] == "/orders"
    for path in ("/healthz", "/healthz/"):
        assert rest.get(path).json() == {"data": {"status": "ok"}}


@pytest.mark.parametrize("path", ["/", "/stocks", "/stocks/BlueFinch", "/orders", "/healthz"])
def test_answers_are_not_kept_on_the_way(rest, path):
    assert rest.get(path)["Cache-Control"] == "no-store"
