"""Operator endpoints are for callers from the loopback interface while authentication is off."""

import pytest

from trading.operator import services

STATUS = {"health": "ok", "replicas": []}


@pytest.fixture(autouse=True)
def status(monkeypatch):
    monkeypatch.setattr(services, "replicas_status", lambda: STATUS)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("path", ["/replicas", "/replicas/"])
def test_loopback_may_see_the_replicas(rest, path, address):
    response = rest.get(path, REMOTE_ADDR=address)
    assert (response.status_code, response.json()) == (200, {"data": STATUS})


@pytest.mark.parametrize("address", ["10.0.0.7", "192.168.1.1", "::2", "::ffff:10.0.0.7", "", "nonsense"])
def test_others_are_refused(rest, address):
    response = rest.get("/replicas", REMOTE_ADDR=address)
    error = response.json()["error"]
    assert (response.status_code, error["status"], error["reason"]) == (403, "PERMISSION_DENIED", "PERMISSION_DENIED")


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
def test_what_a_proxy_on_this_machine_brings_is_not_from_loopback(rest, header):
    assert rest.get("/replicas", headers={header: "10.0.0.7"}).status_code == 403


@pytest.mark.parametrize("path", ["/stocks", "/orders", "/healthz"])
def test_everything_else_is_open_to_others(rest, path):
    assert rest.get(path, REMOTE_ADDR="10.0.0.7").status_code == 200


@pytest.mark.parametrize("origin", ["null", "http://elsewhere.test", "http://testserver:8082", "nonsense"])
def test_foreign_page_may_read_but_not_post(rest, origin):
    headers = {"Origin": origin}
    assert rest.get("/orders", headers=headers).status_code == 200
    order = {"name": "BlueFinch", "type": "buy", "quantity": 1}
    assert rest.post("/orders", order, format="json", headers=headers).status_code == 403
