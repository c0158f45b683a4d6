"""With authentication on: logging in, trading under an account, and what each role is shown."""

import pytest
from playwright.sync_api import Page, expect

from tests.harness.cluster import Cluster
from tests.page.axe import violations
from tests.page.conftest import STOCKS


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A system that asks everybody for a token."""
    cluster = Cluster(tmp_path_factory.mktemp("guarded"), STOCKS, environment={"BOURSE_AUTH": "on"})
    cluster.manage("migrate", "--verbosity", "0")
    cluster.log_in("harness", "trader")
    with cluster:
        yield cluster


def log_in(tab: Page, site: Cluster, account: str, role: str) -> None:
    """Come to the page without a session, and log in where it leads to."""
    token = site.manage("tokens", "create", account, "--role", role).strip()
    tab.goto(f"http://{site.rest.address}/")
    tab.get_by_role("main").get_by_role("link", name="Log in").click()
    tab.get_by_label("Token").fill(token)
    tab.get_by_role("button", name="Log in").click()
    tab.wait_for_selector("#replicas tbody")


def test_trader_logs_in_trades_and_logs_out(tab: Page, guarded: Cluster):
    guarded.rest.place("MSFT", "buy", 1)
    log_in(tab, guarded, "ann", "trader")
    expect(tab.locator("header")).to_contain_text("ann (trader)")
    expect(tab.locator("#orders")).to_contain_text("No orders yet.")
    tab.fill("#order-name", "AAPL")
    tab.click("#order-send")
    expect(tab.locator("#outcome")).to_contain_text("Filled: buy 1 AAPL at")
    expect(tab.locator("#orders tbody tr")).to_have_count(1)
    assert "127.0.0.1" not in tab.locator("#replicas").inner_text()
    tab.get_by_role("button", name="Log out").click()
    expect(tab.locator("h1")).to_have_text("Log in")
    assert violations(tab) == []


def test_operator_sees_addresses_and_operates_but_does_not_trade(tab: Page, guarded: Cluster):
    log_in(tab, guarded, "olga", "operator")
    expect(tab.locator("#replicas")).to_contain_text("127.0.0.1")
    expect(tab.get_by_text("An account with the role operator does not trade.")).to_be_visible()
    tab.get_by_role("link", name="Replicas").click()
    follower = next(number for number in guarded.replicas if number != guarded.leader())
    tab.get_by_role("button", name=f"Make replica {follower} the leader").click()
    expect(tab.locator("pre")).to_contain_text(f'"leader": {follower}')
    guarded.wait_ready()


def test_session_that_has_ended_is_told_on_the_open_page(tab: Page, guarded: Cluster):
    log_in(tab, guarded, "bob", "trader")
    tab.context.clear_cookies()
    expect(tab.locator("#replicas .problem")).to_contain_text("You are logged out")
