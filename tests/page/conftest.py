"""A running system, a browser, and a tab of it that may break no rule."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.harness.cluster import Cluster
from tests.page.browser import launch

STOCKS = Path(__file__).parents[2] / "backends" / "storage" / "default_stocks.csv"
WITHIN_MS = 30_000
expect.set_options(timeout=WITHIN_MS)


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A sandbox that the tests share: each leaves all of it running."""
    with Cluster(tmp_path_factory.mktemp("page"), STOCKS, environment={"BOURSE_SANDBOX_FAULTS": "on"}) as running:
        yield running


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One browser for all tests."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    """An empty tab. Afterwards no script of its pages has failed, and nothing was refused by the content policy."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(WITHIN_MS)
    page = context.new_page()
    problems: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            problems.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    context.close()
    assert problems == []


@pytest.fixture
def page(tab: Page, site: Cluster) -> Page:
    """The dashboard in a tab, with its panels filled."""
    tab.goto(f"http://{site.rest.address}/")
    for panel in ("#stocks tbody", "#replicas tbody"):
        tab.wait_for_selector(panel)
    return tab
