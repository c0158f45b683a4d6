"""Every page by the rules of axe, in both colour schemes; and that nothing is cut off on small screens."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

PAGES = [
    ("/", "dark"),
    *((path, "light") for path in ("/", "/stocks", "/stocks/AAPL", "/orders", "/orders/x", "/replicas")),
]
# Swagger UI's own page breaks rules of contrast that are not ours to mend.
FOREIGN = "#swagger-ui"


def violations(page: Page) -> list[str]:
    """Return what axe calls serious or critical."""
    found = Axe().run(page, context={"exclude": [[FOREIGN]]}).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {[node['html'][:100] for node in one['nodes']]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize(("path", "scheme"), [*PAGES, ("/orders", "dark"), ("/docs", "light")])
def test_no_serious_violation(tab: Page, site, path, scheme):
    site.rest.place("AAPL", "buy", 1, key="the first")
    tab.emulate_media(color_scheme=scheme)
    tab.goto(f"http://{site.rest.address}{path}")
    if path == "/":
        for panel in ("stocks", "orders", "replicas", "failovers", "charts"):
            tab.wait_for_selector(f"#{panel} .body > :not(.empty)", state="attached")
    assert violations(tab) == []


@pytest.mark.parametrize("width", [320, 390, 768, 1280, 1920])
def test_nothing_is_cut_off(page: Page, width):
    """320 CSS pixels: WCAG 2.1, 1.4.10 Reflow."""
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_colours_follow_the_system(page: Page):
    colours = set()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        colours.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(colours) == 2
