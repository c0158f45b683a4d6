"""X-Sandbox-Fault on POST /orders."""

import time

import pytest

ORDER = {"name": "BlueFinch", "type": "buy", "quantity": 1}


@pytest.fixture
def sandbox(settings):
    settings.SANDBOX_FAULTS = True


@pytest.fixture
def ask(post):
    return lambda fault, **fields: post(headers={"X-Sandbox-Fault": fault}, **ORDER | fields)


def test_rejected_order_is_not_made(sandbox, ask, market):
    response = ask("reject=NO_LEADER")
    error = response.json()["error"]
    assert (response.status_code, error["reason"], error["outcome"]) == (503, "NO_LEADER", "not_executed")
    assert response["Retry-After"]
    assert market.placed == []


def test_lost_reply_leaves_an_order_that_the_retry_finds(sandbox, ask, post, market):
    lost = ask("lose-reply")
    error = lost.json()["error"]
    assert (lost.status_code, error["reason"], error["outcome"]) == (504, "OUTCOME_UNKNOWN", "unknown")
    assert len(market.orders) == 1
    again = post(**ORDER, client_order_id=error["client_order_id"])
    assert (again.status_code, again["Idempotency-Replayed"]) == (201, "true")
    assert len(market.orders) == 1


def test_refusal_is_not_lost(sandbox, ask):
    assert ask("lose-reply", quantity=121).status_code == 409


def test_delay_keeps_the_answer_back_not_the_order(sandbox, ask, monkeypatch, market):
    waited = []
    monkeypatch.setattr(time, "sleep", lambda seconds: waited.append((seconds, len(market.orders))))
    assert ask("delay=1500").status_code == 201
    assert waited == [(1.5, 1)]


@pytest.mark.parametrize(
    "fault",
    ["", "delay", "delay=", "delay=-1", "delay=1.5", "delay=30001", "delay=\xd9\xa3", "reject=HALTED", "lose-reply "],
)
def test_other_value_is_400_and_nothing_is_made(sandbox, ask, market, fault):
    response = ask(fault)
    error = response.json()["error"]
    assert (response.status_code, error["reason"]) == (400, "VALIDATION_FAILED")
    assert error["details"][0]["field"] == "X-Sandbox-Fault"
    assert market.placed == []


@pytest.mark.parametrize("fault", ["reject=NO_LEADER", "lose-reply", "delay=30000", "nonsense"])
def test_outside_of_a_sandbox_no_order_is_made_of_one_that_was_to_fail(ask, market, fault):
    response = ask(fault)
    error = response.json()["error"]
    assert (response.status_code, error["reason"], error["outcome"]) == (400, "VALIDATION_FAILED", "not_executed")
    assert error["details"][0]["field"] == "X-Sandbox-Fault"
    assert "BOURSE_SANDBOX_FAULTS" in error["message"]
    assert market.placed == []


@pytest.mark.parametrize("path", ["/stocks/BlueFinch", "/orders", "/replicas"])
def test_what_cannot_be_asked_to_fail_refuses_the_header(sandbox, rest, market, path):
    response = rest.get(path, headers={"X-Sandbox-Fault": "lose-reply"})
    assert response.status_code == 400
    assert response.json()["error"]["details"][0]["field"] == "X-Sandbox-Fault"
