"""What changes on the page by itself, without a reload."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.harness.cluster import Cluster


@pytest.fixture
def unloaded(page: Page):
    """The page; afterwards it is still the one that was loaded at first."""
    page.evaluate("window.isTheFirst = true")
    yield page
    assert page.evaluate("window.isTheFirst")


def test_leader_that_is_killed_gives_way_to_a_new_one(unloaded: Page, site: Cluster):
    page, leader = unloaded, site.leader()
    rows = page.locator("#replicas tr", has=page.locator("th[scope=row]"))
    expect(rows.first).to_contain_text("leader")
    expect(rows.first.locator("th")).to_have_text(str(leader))
    site.kill(f"order-{leader}")
    page.fill("#order-name", "AAPL")
    page.click("#order-send")
    expect(page.locator("#outcome")).to_contain_text("Filled")
    expect(rows.first.locator("th")).not_to_have_text(str(leader))
    expect(rows.first).to_contain_text("leader")
    expect(rows.filter(has_text="faulty").locator("th")).to_have_text(str(leader))
    new = rows.first.locator("th").inner_text()
    expect(page.locator("#summary")).to_have_text(
        f"Degraded: replica {new} leads (epoch {epoch(site)}), 2 of 3 in sync."
    )
    expect(page.locator("#failovers li").filter(has_text=f"replica {new} leads")).to_have_count(1)
    site.restart(f"order-{leader}")
    site.wait_ready()
    expect(page.locator("#summary")).to_contain_text("All is well")


def epoch(site: Cluster) -> int:
    number: int = site.rest.get("/replicas").json()["data"]["epoch"]
    return number


def test_orders_of_others_appear(unloaded: Page, site: Cluster):
    number = site.rest.place("MSFT", "buy", 1).json()["data"]["number"]
    expect(unloaded.locator("#orders tbody tr").first).to_contain_text(str(number))
    expect(unloaded.locator("#charts polyline").first).to_be_visible()


def test_panel_that_has_not_changed_is_not_redrawn(unloaded: Page):
    with unloaded.expect_response(lambda answer: "/dashboard/stocks" in answer.url and answer.status == 204):
        unloaded.locator("#trade-AAPL").evaluate("(button) => { window.button = button; }")
    assert unloaded.evaluate("window.button.isConnected")


def test_slow_answer_is_waited_for_and_not_asked_for_again(unloaded: Page):
    page = unloaded
    held: list[Route] = []
    page.route("**/dashboard/orders*", lambda route: held.append(route))
    with page.expect_request("**/dashboard/orders*"):
        page.evaluate("htmx.trigger('#orders', 'refresh')")
    page.evaluate("for (let n = 0; n < 3; n++) htmx.trigger('#orders', 'refresh')")
    assert len(held) == 1
    with page.expect_response("**/dashboard/orders*"):
        held[0].continue_()


def test_panel_that_is_redrawn_keeps_the_focus(unloaded: Page, site: Cluster):
    unloaded.fill("#search", "IBM")
    expect(unloaded.locator("#stocks tbody tr")).to_have_count(1)
    unloaded.locator("#trade-IBM").focus()
    quantity = site.rest.quantity("IBM")
    site.rest.place("IBM", "buy", 1)
    expect(unloaded.locator("#stocks tbody tr")).to_contain_text(str(quantity - 1))
    expect(unloaded.locator("#trade-IBM")).to_be_focused()
    assert unloaded.input_value("#search") == "IBM"


def test_frontend_that_is_away_is_told_and_what_is_shown_is_said_to_be_old(unloaded: Page, site: Cluster):
    page = unloaded
    problem = page.locator("#replicas .problem")
    site.kill("frontend")
    expect(problem).to_have_text(
        re.compile(r"^The frontend does not answer\. Shown is how it was at \d\d:\d\d:\d\d UTC\.$")
    )
    expect(page.locator("#summary")).to_have_text("Nobody knows how the replicas are.")
    expect(page.locator("#replicas tbody tr").first).to_be_visible()
    site.restart("frontend")
    site.wait_ready()
    expect(problem).to_be_hidden()
    expect(page.locator("#summary")).to_contain_text("All is well")


def test_catalog_that_is_away_is_told_where_it_matters(unloaded: Page, site: Cluster):
    page = unloaded
    site.kill("catalog")
    expect(page.locator("#orders .problem")).to_contain_text("the catalog does not answer. Shown is how it was at")
    expect(page.locator("#summary")).to_contain_text("Down: the catalog does not trade")
    site.restart("catalog")
    site.wait_ready()
    expect(page.locator("#orders .problem")).to_be_hidden()
    expect(page.locator("#summary")).to_contain_text("All is well")


def test_hidden_tab_asks_nothing_and_all_panels_are_refreshed_when_it_is_shown(unloaded: Page):
    sent_while_hidden, refreshed = unloaded.evaluate(
        """() => {
            let sent = 0;
            const refreshed = [];
            document.addEventListener("htmx:beforeSend", () => sent++);
            Object.defineProperty(document, "hidden", {value: true, configurable: true});
            for (const panel of document.querySelectorAll("[hx-get]")) htmx.trigger(panel, "refresh");
            const sentWhileHidden = sent;
            delete document.hidden;
            document.addEventListener("refresh", (event) => refreshed.push(event.target.id));
            document.dispatchEvent(new Event("visibilitychange"));
            return [sentWhileHidden, refreshed];
        }"""
    )
    assert (sent_while_hidden, refreshed) == (0, ["stocks", "orders", "charts", "replicas", "failovers"])
