"""Every page by the rules of axe, in both colour schemes; and that nothing is cut off on small screens."""

import pytest
from playwright.sync_api import Page

from tests.page.axe import violations

PAGES = [
    ("/", "dark"),
    *((path, "light") for path in ("/", "/stocks", "/stocks/AAPL", "/orders", "/replicas/2/resync", "/replicas")),
]


@pytest.mark.parametrize(("path", "scheme"), [*PAGES, ("/orders", "dark"), ("/docs", "light"), ("/docs", "dark")])
def test_no_serious_violation(tab: Page, site, path, scheme):
    site.rest.place("AAPL", "buy", 1, key="the first")
    tab.emulate_media(color_scheme=scheme)
    if path.startswith("/replicas"):
        tab.goto(site.operator_page)
    tab.goto(f"http://{site.rest.address}{path}")
    if path == "/":
        for panel in ("stocks", "orders", "replicas", "failovers", "charts"):
            tab.wait_for_selector(f"#{panel} .body > :not(.empty)", state="attached")
    assert violations(tab) == []


def test_nothing_is_cut_off_on_any_screen(page: Page):
    """320 CSS pixels: WCAG 2.1, 1.4.10 Reflow."""
    widths = [320, 390, 768, 1280, 1920]
    needed = []
    for width in widths:
        page.set_viewport_size({"width": width, "height": 800})
        needed.append(page.evaluate("document.documentElement.scrollWidth"))
    assert needed == widths


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_colours_follow_the_system(tab: Page, site, path):
    colours = set()
    for scheme in ("light", "dark"):
        tab.emulate_media(color_scheme=scheme)
        tab.goto(f"http://{site.rest.address}{path}")
        html, body = (
            tab.evaluate(f"getComputedStyle(document.{name}).backgroundColor") for name in ("documentElement", "body")
        )
        colours.add((html, body))
    assert len(colours) == 2
