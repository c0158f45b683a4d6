"""`make screenshots`: the pictures of the README, in some two minutes.

They show a system of their own that trades, and fails over, meanwhile.
"""

import argparse
import random
import tempfile
import threading
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.harness.cluster import Cluster
from tests.page.browser import launch

ROOT = Path(__file__).parents[2]
STOCKS = ROOT / "backends" / "storage" / "default_stocks.csv"
FOLDER = ROOT / "docs" / "screenshots"
WIDE = {"width": 1440, "height": 900}
NARROW = {"width": 390, "height": 844}
WITHIN_MS = 30_000
LOAD_S = 60.0
# Of a pause between two requests: some thirty a second.
PAUSE_S = 0.03


def trade(site: Cluster, stop: threading.Event) -> None:
    """Look stocks up, and trade one time in five, until told to stop."""
    chance = random.Random(1)
    names = sorted(site.initial)
    while not stop.wait(chance.expovariate(1 / PAUSE_S)):
        name = names[min(int(chance.expovariate(0.3)), len(names) - 1)]
        if chance.random() < 0.2:
            site.rest.place(name, chance.choice(["buy", "sell"]), chance.randint(1, 5))
        else:
            site.rest.get(f"/stocks/{name}")


def open_page(browser: Browser, address: str, size: dict[str, int], scheme: str) -> Page:
    """Return the dashboard with its panels filled."""
    page = browser.new_page(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
    page.set_default_timeout(WITHIN_MS)
    page.goto(f"http://{address}/")
    for panel in ("#stocks tbody", "#orders tbody", "#replicas tbody", "#charts svg"):
        page.wait_for_selector(panel)
    return page


def shoot(page: Page, name: str) -> None:
    """Write one picture of the whole page."""
    page.screenshot(path=FOLDER / f"{name}.png", full_page=True)
    print(FOLDER / f"{name}.png")


def place(page: Page, name: str, quantity: int, words: str) -> None:
    """Place an order and wait for its outcome."""
    page.fill("#order-name", name)
    page.fill("#order-quantity", str(quantity))
    page.click("#order-send")
    expect(page.locator("#outcome")).to_contain_text(words)


def shoot_all(browser: Browser, site: Cluster) -> None:
    """Make every picture, the failover last."""
    address = site.rest.address
    light = open_page(browser, address, WIDE, "light")
    light.wait_for_timeout(LOAD_S * 1000)  # for charts with something in them
    place(light, "AAPL", 2, "Filled")
    shoot(light, "light")
    dark = open_page(browser, address, WIDE, "dark")
    place(dark, "AAPL", 10**6, "Refused")
    shoot(dark, "dark")
    narrow = open_page(browser, address, NARROW, "dark")
    shoot(narrow, "narrow")
    light.goto(site.operator_page)
    for path, name in (("/orders?limit=8", "orders"), ("/replicas", "replicas")):
        light.goto(f"http://{address}{path}")
        shoot(light, name)
    light.goto(f"http://{address}/")
    light.wait_for_selector("#replicas tbody")
    site.kill(f"order-{site.leader()}")
    expect(light.locator("#summary")).to_contain_text("Degraded: replica")
    light.route("**/orders", lambda route: route.abort())
    place(light, "AAPL", 1, "Outcome unknown")
    expect(light.locator("#failovers .failure")).to_be_visible()
    shoot(light, "failover")


def main() -> None:
    """Run the command line."""
    argparse.ArgumentParser(prog="python -m tests.page.screenshots", description=__doc__).parse_args()
    FOLDER.mkdir(exist_ok=True)
    expect.set_options(timeout=WITHIN_MS)
    stop = threading.Event()
    with (
        tempfile.TemporaryDirectory() as folder,
        Cluster(Path(folder), STOCKS, environment={"BOURSE_SANDBOX_FAULTS": "on"}) as site,
        sync_playwright() as playwright,
    ):
        trader = threading.Thread(target=trade, args=(site, stop))
        trader.start()
        try:
            shoot_all(launch(playwright), site)
        finally:
            stop.set()
            trader.join()


if __name__ == "__main__":
    main()
