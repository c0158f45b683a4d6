"""The browser that the page is tried in: Chromium, from Debian or as Playwright brings it.

`python -m tests.page.browser` prints its path; exit code 1 and one line if it cannot be used.
"""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from playwright._impl._driver import compute_driver_executable
from playwright.sync_api import Browser, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Where Playwright keeps its own: https://playwright.dev/python/docs/browsers#managing-browser-binaries
PLAYWRIGHTS_VARIABLE = "PLAYWRIGHT_BROWSERS_PATH"
PLAYWRIGHTS_OWN = "chromium-*/chrome-linux*/chrome"
# Chromium's own sandbox needs rights that root in a container does not have; only our own pages are opened.
ARGUMENTS = ("--no-sandbox", "--disable-dev-shm-usage")
ANSWERS_WITHIN_S = 20.0


def find_browser() -> str | None:
    """Return the path of a Chromium on this machine, None if there is none."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    kept = Path(os.environ.get(PLAYWRIGHTS_VARIABLE) or Path.home() / ".cache/ms-playwright")
    return next((str(path) for path in sorted(kept.glob(PLAYWRIGHTS_OWN), reverse=True)), None)


@cache
def what_is_missing() -> str:
    """Return one line that says why no page can be tried here, and what to install; "" if nothing is missing.

    Only a Chromium that is there is looked at further, with the driver between it and the tests: either may lack a
    library of the system.
    """
    browser = find_browser()
    if browser is None:
        return _left_out("there is no Chromium")
    driver = compute_driver_executable()[0]  # its JavaScript runtime
    return next((_left_out(why) for one in (driver, browser) if (why := why_not(one))), "")


def why_not(program: str) -> str:
    """Return in a line why a program does not start, "" if it does."""
    try:
        tried = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=ANSWERS_WITHIN_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{program} does not start: {error}"
    said = (tried.stderr.strip() or f"exit code {tried.returncode}").splitlines()[-1]
    return "" if tried.returncode == 0 else f"{Path(program).name} does not start: {said}"


def _left_out(why: str) -> str:
    return f"tests/page is left out: {why}; install what is missing with: make browser"


def launch(playwright: Playwright) -> Browser:
    """Start the browser, without a window."""
    return playwright.chromium.launch(executable_path=find_browser(), args=list(ARGUMENTS))


def main() -> None:
    """Print the path."""
    if missing := what_is_missing():
        sys.exit(missing)
    print(find_browser())


if __name__ == "__main__":
    main()
