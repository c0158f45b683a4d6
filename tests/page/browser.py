"""The browser that the page is tried in: Chromium, from Debian or as Playwright brings it.

`python -m tests.page.browser` prints its path; exit code 1 if there is none.
"""

import shutil
import sys
from functools import cache
from pathlib import Path

from playwright.sync_api import Browser, Playwright, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
MISSING = "tests/page is left out, there is no Chromium; install it with: make browser"
# Chromium's own sandbox needs rights that root in a container does not have; only our own pages are opened.
ARGUMENTS = ("--no-sandbox", "--disable-dev-shm-usage")


@cache
def find_browser() -> str | None:
    """Return the path of a Chromium on this machine, None if there is none."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


def launch(playwright: Playwright) -> Browser:
    """Start the browser, without a window."""
    return playwright.chromium.launch(executable_path=find_browser(), args=list(ARGUMENTS))


def main() -> None:
    """Print the path."""
    if (path := find_browser()) is None:
        sys.exit(MISSING)
    print(path)


if __name__ == "__main__":
    main()
