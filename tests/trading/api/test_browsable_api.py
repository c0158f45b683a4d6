"""The same interface for people, as HTML."""

import re

import pytest
from rest_framework.test import APIClient

from common.calls.reasons import Reason
from tests.trading.fakes import failed

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def browser(market):
    """A client that asks for HTML and, like a browser, has its form tokens checked if anything checks them."""
    return APIClient(enforce_csrf_checks=True, headers=HTML)


def submit(browser, **fields):
    form = {"name": "BlueFinch", "type": "buy", "quantity": "3", "client_order_id": "", "csrfmiddlewaretoken": "t"}
    return browser.post("/orders", form | fields, format="multipart")


def test_page_has_a_form_for_an_order(browser):
    page = browser.get("/orders").content.decode()
    for field in (
        'name="name"',
        '<select class="form-control" name="type"',
        'name="quantity"',
        'name="client_order_id"',
    ):
        assert field in page
    assert '<option value="sell"' in page
    assert 'type="number"' in page


@pytest.mark.parametrize("path", ["/", "/stocks", "/stocks/BlueFinch", "/orders", "/orders/1", "/nowhere", "/healthz"])
def test_every_address_has_a_page(browser, path):
    response = browser.get(path)
    assert response["Content-Type"].startswith("text/html")
    assert "Bourse" in response.content.decode()


def test_form_places_an_order(browser, market):
    response = submit(browser)
    assert response.status_code == 201
    assert market.placed[0].quantity == 3
    assert "&quot;transaction_number&quot;: 1" in response.content.decode()


def test_what_is_wrong_is_shown_at_its_field_and_the_rest_is_kept(browser, market):
    response = submit(browser, name="", quantity="0", client_order_id="mine")
    page = response.content.decode()
    assert response.status_code == 400
    assert "&#x27;0&#x27; is not an integer from 1 to 1000000000" in page
    assert 'class="help-block"' in page
    assert 'value="mine"' in page
    assert market.placed == []


def test_refusal_is_shown_above_the_form(browser):
    page = submit(browser, quantity="121").content.decode()
    assert '<div class="alert alert-danger" role="alert">' in page
    assert "120 left, 121 asked" in page
    assert "The order was not executed." in page
    assert 'value="121"' in page


def key_in(page):
    (key,) = re.findall(r'name="client_order_id"[^>]*value="([^"]*)"', page)
    return key


def test_each_form_has_a_key_of_its_own_so_that_sending_it_twice_is_one_order(browser):
    keys = [key_in(browser.get(path).content.decode()) for path in ("/", "/orders", "/orders")]
    assert len(set(keys)) == 3
    assert [submit(browser, client_order_id=keys[0])["Location"] for _ in range(2)] == ["/orders/1", "/orders/1"]


def test_after_a_refusal_the_form_has_a_new_key(browser):
    page = submit(browser, quantity="121", client_order_id="mine").content.decode()
    assert re.fullmatch("[0-9a-f]{32}", key_in(page))


def test_after_an_unknown_outcome_the_form_repeats_under_the_same_key(browser, market):
    market.failure = failed(Reason.OUTCOME_UNKNOWN)
    page = submit(browser).content.decode()
    assert key_in(page) == market.placed[0].idempotency_key
    assert "send it again with the same client order id" in page


@pytest.mark.parametrize("body", [b"{", b"[1]", b'{"name": "\\ud800"}', b'{"name": {"a": 1}, "quantity": [2]}'])
def test_json_that_is_no_order_is_answered_in_html_too(browser, body):
    response = browser.generic("POST", "/orders", body, content_type="application/json", headers=HTML)
    assert response.status_code == 400
    assert response["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "\x00", "Zürich"])
def test_what_a_client_sent_is_escaped(browser, text):
    for response in (submit(browser, name=text), browser.get("/stocks/" + text)):
        assert response.status_code in (400, 404)
        assert "<script>alert" not in response.content.decode()


def test_list_leads_to_its_next_page(browser):
    page = browser.get("/stocks?limit=1").content.decode()
    assert 'href="/stocks?cursor=' in page


def test_list_leads_to_its_items_and_an_item_back(browser):
    submit(browser)
    assert '<a href="/stocks/BlueFinch">BlueFinch</a>' in browser.get("/stocks").content.decode()
    assert '<a href="/orders/1">1</a>' in browser.get("/orders").content.decode()
    order = browser.get("/orders/1").content.decode()
    assert '<a href="/orders">All orders</a>' in order
    assert '<a href="/stocks/BlueFinch">Stock BlueFinch</a>' in order
    stock = browser.get("/stocks/BlueFinch").content.decode()
    assert '<a href="/stocks">All stocks</a>' in stock
    assert '<a href="/orders?name=BlueFinch">Orders of BlueFinch</a>' in stock


def test_placed_order_leads_to_its_page(browser):
    assert '<a href="/orders/1">Order 1</a>' in submit(browser).content.decode()


def test_refusal_is_told_at_its_field_too(browser):
    page = submit(browser, quantity="121").content.decode()
    field = page[page.index('id="order-quantity"') :]
    assert 'aria-invalid="true"' in field[: field.index(">")]
    assert '<span class="help-block">stock &#x27;BlueFinch&#x27;: 120 left, 121 asked</span>' in page


def test_stocks_can_be_chosen_and_the_form_stays_without_the_catalog(browser, market):
    assert '<option value="BlueFinch"></option>' in browser.get("/").content.decode()
    market.failure = failed(Reason.CATALOG)
    page = browser.get("/").content.decode()
    assert 'id="order-name"' in page
    assert '<option value="BlueFinch"></option>' not in page


@pytest.mark.parametrize("path", ["/", "/orders"])
def test_every_field_has_a_label(browser, path):
    page = browser.get(path).content.decode()
    fields = re.findall(r'<(?:input|select)(?![^>]*type="hidden")[^>]* id="([^"]+)"', page)
    assert len(fields) >= 3
    assert set(fields) <= set(re.findall(r'<label for="([^"]+)"', page))


@pytest.mark.parametrize("path", ["/", "/stocks", "/orders", "/docs", "/nowhere"])
def test_pages_run_nothing_but_files_from_here(browser, path):
    response = browser.get(path)
    assert "script-src 'self'" in response["Content-Security-Policy"]
    page = response.content.decode()
    assert "<style" not in page
    assert not re.search(r"<script(?![^>]* src=\"/static/)", page)
    assert not re.search(r"\son[a-z]+=", page)


def test_programs_are_sent_no_policy(rest):
    assert "Content-Security-Policy" not in rest.get("/stocks")
