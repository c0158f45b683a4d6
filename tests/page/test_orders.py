"""Placing orders in a browser: each outcome, and that none is ever executed twice."""

import pytest
from playwright.sync_api import Page, Route, expect

from deploy.systems.waiting import wait_until
from tests.harness.cluster import Cluster

STOCK = "AAPL"
FILLED = "Filled: buy {} AAPL at"


def place(page: Page, quantity: int) -> None:
    page.fill("#order-name", STOCK)
    page.fill("#order-quantity", str(quantity))
    page.click("#order-send")


def newest_number(site: Cluster) -> int:
    number: int = site.rest.get("/orders?limit=1").json()["page"]["latest"]
    return number


def outcome(page: Page, text: str) -> None:
    expect(page.locator("#outcome")).to_contain_text(text)


def test_order_is_filled_and_shown_also_after_a_reload(page: Page, site: Cluster):
    before = site.rest.quantity(STOCK)
    place(page, 2)
    outcome(page, FILLED.format(2))
    number = newest_number(site)
    for _ in range(2):
        expect(page.locator("#orders tbody tr").first).to_contain_text(str(number))
        expect(page.locator("#stocks tr", has_text=STOCK)).to_contain_text(str(before - 2))
        page.reload()
    assert page.locator("#outcome").inner_text() == ""


def test_order_is_sold_by_the_other_choice(page: Page, site: Cluster):
    before = site.rest.quantity(STOCK)
    page.check("input[value=sell]")
    place(page, 3)
    outcome(page, "Filled: sell 3 AAPL at")
    assert site.rest.quantity(STOCK) == before + 3


def test_refusal_is_told_with_its_reason_and_the_next_order_is_a_new_one(page: Page):
    place(page, 10**9)
    outcome(page, "Refused, not executed: stock 'AAPL'")
    expect(page.locator("#order-quantity")).to_have_attribute("aria-invalid", "true")
    place(page, 1)
    outcome(page, FILLED.format(1))
    expect(page.locator("#order-quantity")).to_have_attribute("aria-invalid", "false")


def test_unknown_stock_is_told_at_its_field(page: Page):
    page.fill("#order-name", "no such stock")
    page.click("#order-send")
    outcome(page, "Refused, not executed")
    expect(page.locator("#order-name-problem")).to_contain_text("is not a stock name")


def with_fault(fault: str):
    def go_on(route: Route) -> None:
        route.continue_(headers=route.request.headers | {"X-Sandbox-Fault": fault})

    return go_on


def abort(route: Route) -> None:
    route.abort()


@pytest.mark.parametrize(
    ("handler", "is_executed", "is_reloaded"),
    [(with_fault("lose-reply"), True, False), (with_fault("lose-reply"), True, True), (abort, False, True)],
    ids=["504", "504 and a reload", "no answer and a reload"],
)
def test_after_an_unknown_outcome_the_same_order_is_sent_again(page, site, handler, is_executed, is_reloaded):
    before = newest_number(site)
    page.route("**/orders", handler)
    place(page, 1)
    outcome(page, "Outcome unknown: buy 1 AAPL.")
    assert newest_number(site) == before + is_executed
    page.unroute("**/orders")
    if is_reloaded:
        page.reload()
        outcome(page, "Outcome unknown: buy 1 AAPL.")
    expect(page.locator("#order-send")).to_be_disabled()
    expect(page.locator("#order-again")).to_be_focused()
    page.keyboard.press("Enter")
    outcome(page, "Filled: buy 1 AAPL at")
    assert newest_number(site) == before + 1
    expect(page.locator("#order-send")).to_be_enabled()


def test_page_that_is_loaded_anew_while_an_order_is_under_way_still_has_its_key(page: Page, site: Cluster):
    before = newest_number(site)
    page.route("**/orders", with_fault("delay=2000"))
    place(page, 1)
    outcome(page, "Sending buy 1 AAPL")
    wait_until(lambda: newest_number(site) == before + 1, 10, "the order")
    # A browser that is killed now runs no script that could keep it.
    assert page.evaluate("sessionStorage.getItem('bourse.unsettled')")
    page.reload()
    outcome(page, "Outcome unknown: buy 1 AAPL. The page was loaded anew")
    page.unroute("**/orders")
    page.click("#order-again")
    outcome(page, "executed already")
    assert newest_number(site) == before + 1


def test_a_503_after_an_unknown_outcome_settles_nothing(page: Page, site: Cluster):
    before = newest_number(site)
    page.route("**/orders", with_fault("lose-reply"))
    place(page, 1)
    outcome(page, "Outcome unknown")
    page.unroute("**/orders")
    page.route("**/orders", with_fault("reject=NO_LEADER"))
    page.click("#order-again")
    outcome(page, "was rejected as the header X-Sandbox-Fault asked")
    outcome(page, "Outcome unknown")
    page.unroute("**/orders")
    page.click("#order-again")
    outcome(page, "executed already")
    assert newest_number(site) == before + 1


def test_an_order_that_is_left_can_be_looked_for(page: Page):
    page.route("**/orders", with_fault("lose-reply"))
    place(page, 1)
    outcome(page, "Outcome unknown")
    page.unroute("**/orders")
    found = page.locator("#order-look").get_attribute("href")
    page.click("#order-leave")
    outcome(page, "Left: buy 1 AAPL.")
    expect(page.locator("#order-send")).to_be_enabled()
    assert found is not None
    page.goto(page.url.rstrip("/") + found)
    expect(page.locator("tbody tr")).to_have_count(1)


def test_two_clicks_are_one_order(page: Page, site: Cluster):
    before = newest_number(site)
    page.route("**/orders", with_fault("delay=300"))
    page.fill("#order-name", STOCK)
    page.locator("#order-send").dblclick()
    outcome(page, FILLED.format(1))
    assert newest_number(site) == before + 1


def test_order_by_keyboard_alone(page: Page):
    """From the top of the page: the link past the navigation, then the fields as they come."""
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("input[value=buy]")).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    page.keyboard.type(STOCK)
    page.keyboard.press("Tab")
    page.keyboard.press("Control+A")
    page.keyboard.type("4")
    page.keyboard.press("Enter")
    outcome(page, "Filled: sell 4 AAPL at")


def test_button_of_a_stock_fills_the_form(page: Page):
    page.fill("#search", "msf")
    expect(page.locator("#stocks tbody tr")).to_have_count(1)
    page.get_by_role("button", name="Trade MSFT").click()
    expect(page.locator("#order-name")).to_have_value("MSFT")
    expect(page.locator("#order-quantity")).to_be_focused()


def test_without_scripts_the_form_places_an_order_too(browser, site):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"http://{site.rest.address}/")
    place(page, 1)
    expect(page.locator("h1")).to_have_text("Orders")
    expect(page.locator("pre")).to_contain_text('"status": "filled"')
    context.close()
