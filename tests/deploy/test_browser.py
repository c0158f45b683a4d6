"""What the tests of the page need: found without starting what would die, and named in one line if it is missing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.page import browser


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is all of PATH, on a machine where no browser was looked for yet."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "playwright"))
    browser.what_is_missing.cache_clear()
    yield tmp_path
    browser.what_is_missing.cache_clear()


def put(path: Path, script: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_without_a_browser_nothing_is_started(machine, monkeypatch):
    monkeypatch.setattr(browser, "why_not", lambda program: pytest.fail(f"{program} is started"))
    assert browser.what_is_missing() == (
        "tests/page is left out: there is no Chromium; install what is missing with: make browser"
    )


@pytest.mark.processes
def test_library_that_the_driver_lacks_is_named_in_one_line(machine, monkeypatch):
    put(machine / "chromium", "exit 0")
    says = "node: error while loading shared libraries: libatomic.so.1: cannot open shared object file"
    node = put(machine / "node", f"echo >&2; echo '{says}' >&2; exit 127")
    monkeypatch.setattr(browser, "compute_driver_executable", lambda: (node, "cli.js"))
    missing = browser.what_is_missing()
    assert missing == f"tests/page is left out: node does not start: {says}; install what is missing with: make browser"


@pytest.mark.processes
def test_browser_that_starts_is_used(machine, monkeypatch):
    own = put(machine / "playwright/chromium-1200/chrome-linux64/chrome", "echo Chromium 140")
    monkeypatch.setattr(browser, "compute_driver_executable", lambda: (own, "cli.js"))
    assert (browser.what_is_missing(), browser.find_browser()) == ("", own)
