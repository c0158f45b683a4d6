"""Logging in to the browsable API."""

import re

import pytest
from django.test import Client

HTML = {"Accept": "text/html"}


@pytest.fixture
def browser(market, authentication):
    """A client that keeps cookies, and has its form tokens checked."""
    return Client(enforce_csrf_checks=True, headers=HTML)


def form_token(page):
    return re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.content.decode())[0]


def log_in(browser, headers, **fields):
    page = browser.get("/login")
    secret = headers["Authorization"].split()[1]
    return browser.post("/login", {"token": secret, "csrfmiddlewaretoken": form_token(page)} | fields)


def test_page_without_a_login_says_so_and_links_to_it(browser):
    page = browser.get("/orders?limit=2")
    assert page.status_code == 401
    assert 'href="/login?next=/orders%3Flimit%3D2"' in page.content.decode()


def test_who_logged_in_trades_with_the_form(browser, token, market):
    assert log_in(browser, token("ann"), next="/orders").headers["Location"] == "/orders"
    page = browser.get("/orders")
    assert "ann (trader)" in page.content.decode()
    order = {"name": "BlueFinch", "type": "buy", "quantity": "3", "csrfmiddlewaretoken": form_token(page)}
    assert browser.post("/orders", order).status_code == 201
    assert market.placed[0].account == "ann"


def test_order_without_the_token_of_its_form_is_refused(browser, token, market):
    log_in(browser, token("ann"))
    response = browser.post("/orders", {"name": "BlueFinch", "type": "buy", "quantity": "3"})
    assert response.status_code == 403
    assert market.placed == []


def test_operator_gets_no_form_for_orders(browser, token):
    log_in(browser, token("op", "operator"))
    page = browser.get("/orders").content.decode()
    assert "op (operator)" in page
    assert 'name="quantity"' not in page


def test_token_that_is_not_known_is_told_at_its_field_and_not_shown(browser):
    page = log_in(browser, {"Authorization": "Bearer bourse_wrong"})
    assert page.status_code == 200
    assert 'role="alert">This token is not known' in page.content.decode()
    assert "bourse_wrong" not in page.content.decode()


def test_session_has_another_id_after_the_login(browser, token):
    session = browser.session
    session["planted"] = True
    session.save()
    before = browser.cookies["sessionid"].value
    log_in(browser, token("ann"))
    assert browser.cookies["sessionid"].value != before


def test_logging_out_ends_the_session(browser, token):
    log_in(browser, token("ann"))
    page = browser.get("/orders")
    assert browser.get("/logout").status_code == 405
    assert browser.post("/logout").status_code == 403
    browser.post("/logout", {"csrfmiddlewaretoken": form_token(page)})
    assert browser.get("/orders").status_code == 401


@pytest.mark.parametrize("wanted", ["https://elsewhere.test/", "//elsewhere.test", "javascript:alert(1)", ""])
def test_login_leads_to_no_other_site(browser, token, wanted):
    assert log_in(browser, token("ann"), next=wanted).headers["Location"] == "/"


@pytest.mark.parametrize("path", ["/login", "/logout"])
def test_without_authentication_there_is_no_login(market, path):
    assert Client().get(path).status_code == 404
