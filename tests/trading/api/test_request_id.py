import re

import pytest

from common.process.request_context import current_request_id


@pytest.mark.parametrize(
    "path", ["/healthz", "/orders/abc", "/nowhere", "/static/nowhere.css", "/static/trading/page.css"]
)
def test_every_answer_carries_the_requests_own_id(rest, path):
    assert rest.get(path, headers={"X-Request-Id": "bot7:000318"})["X-Request-Id"] == "bot7:000318"


@pytest.mark.parametrize("given", [None, "", "two words", "x" * 65, "Zürich"])
def test_an_id_is_made_when_none_or_no_valid_one_is_given(rest, given):
    headers = {} if given is None else {"X-Request-Id": given}
    response = rest.get("/orders/abc", headers=headers)
    assert re.fullmatch("[0-9a-f]{16}", response["X-Request-Id"])
    assert response.json()["error"]["request_id"] == response["X-Request-Id"]


def test_what_is_done_for_a_request_knows_its_id(rest, market, monkeypatch):
    seen = []

    def list_stocks(**_query):
        seen.append(current_request_id())
        return [], False

    monkeypatch.setattr(market, "list_stocks", list_stocks)
    rest.get("/stocks", headers={"X-Request-Id": "bot7:1"})
    assert seen == ["bot7:1"]
    assert current_request_id() == ""
