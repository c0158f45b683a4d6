"""When the page asks for its panels: at events while it has a stream of them, and now and then without."""

from collections.abc import Callable
from time import monotonic

import pytest
from playwright.sync_api import Page, Request, expect

from deploy.systems.waiting import wait_until
from tests.harness.cluster import Cluster

WITHIN_S = 20.0
AT_ONCE_S = 1.5


def count(page: Page, panel: str) -> Callable[[], int]:
    """Count the requests for a panel from now on."""
    asked: list[str] = []

    def note(request: Request) -> None:
        if f"/dashboard/{panel}" in request.url:
            asked.append(request.url)

    page.on("request", note)
    return lambda: len(asked)


def wait_for_charts(page: Page, times: int) -> None:
    """Let time pass: the charts are asked for every two seconds whatever happens."""
    for _time in range(times):
        page.wait_for_event("request", lambda request: "/dashboard/charts" in request.url)


def wait_for(page: Page, condition: str) -> None:
    """Wait until the page's scripts find it true; asked from outside, for the page itself evaluates no texts."""
    wait_until(lambda: page.evaluate(condition), WITHIN_S, condition)


@pytest.fixture
def live(page: Page) -> Page:
    """The page with its stream open, and with what it asked for at the beginning answered."""
    wait_for(page, "isLive() && !panels.some((panel) => panel.isWanted)")
    wait_for(page, "document.querySelectorAll('.htmx-request').length === 0")
    return page


def test_page_with_a_stream_does_not_poll_and_shows_what_happens_at_once(live: Page, site: Cluster):
    stocks, orders = count(live, "stocks"), count(live, "orders")
    wait_for_charts(live, 3)
    assert (stocks(), orders()) == (0, 0)
    began = monotonic()
    number = site.rest.place("MSFT", "buy", 1).json()["data"]["number"]
    expect(live.locator("#orders tbody tr").first).to_contain_text(str(number))
    print(f"the order was shown after {monotonic() - began:.2f} s")
    assert monotonic() - began < AT_ONCE_S
    assert orders() == 1


def test_page_without_a_stream_polls(tab: Page, site: Cluster):
    tab.route("**/events?*", lambda route: route.fulfill(status=503, json={"error": {"message": "no place"}}))
    tab.goto(f"http://{site.rest.address}/")
    tab.wait_for_selector("#orders tbody, #orders .empty")
    assert not tab.evaluate("isLive()")
    stocks = count(tab, "stocks")
    wait_for_charts(tab, 3)
    assert stocks() >= 2
    number = site.rest.place("MSFT", "buy", 1).json()["data"]["number"]
    expect(tab.locator("#orders tbody tr").first).to_contain_text(str(number))


def test_stream_that_was_refused_is_asked_for_again(tab: Page, site: Cluster):
    tab.clock.install()
    tab.route("**/events?*", lambda route: route.fulfill(status=503, json={"error": {"message": "no place"}}), times=1)
    tab.goto(f"http://{site.rest.address}/")
    wait_for(tab, "stream === null")
    tab.clock.run_for(31_000)
    wait_for(tab, "isLive()")


def test_tab_that_nobody_sees_holds_no_stream(live: Page):
    live.evaluate(
        """() => {
            Object.defineProperty(document, "hidden", {value: true, configurable: true});
            document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    assert live.evaluate("stream === null")
    live.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'));")
    wait_for(live, "isLive()")
