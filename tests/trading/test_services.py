"""What a frontend answers while it is stopping."""

import threading

import pytest

from trading import services

ORDER = {"name": "BlueFinch", "type": "buy", "quantity": 1, "client_order_id": "mine"}


@pytest.fixture(autouse=True)
def of_its_own(monkeypatch):
    monkeypatch.setattr(services, "_stopping", threading.Event())


def test_order_that_begins_after_the_stop_is_refused_and_not_made(post, market):
    services.begin_shutdown()
    response = post(**ORDER)
    error = response.json()["error"]
    assert (response.status_code, error["reason"], error["outcome"]) == (503, "SHUTTING_DOWN", "not_executed")
    assert (response["Retry-After"], error["client_order_id"]) == ("2", "mine")
    assert market.placed == []


def test_what_cannot_be_an_order_is_told_so(post, market):
    services.begin_shutdown()
    assert post(**ORDER | {"quantity": 0}).status_code == 400


def test_reads_go_on(rest, post, market):
    assert post(**ORDER).status_code == 201
    services.begin_shutdown()
    assert rest.get("/orders/1").status_code == 200
    assert rest.get("/stocks/BlueFinch").status_code == 200
