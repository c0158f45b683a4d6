"""Fixtures that run the real system."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness import marking
from tests.harness.cluster import Cluster
from tests.harness.seeds import write_chosen_seed, write_seed
from tests.page.browser import what_is_missing

# Decided before anything is collected: a test that cannot run here is left out and said to be, not skipped.
collect_ignore = ["page"] if what_is_missing() else []


def pytest_configure(config: pytest.Config) -> None:
    """Watch who starts processes, and make files as they do: for their owner alone."""
    os.umask(0o077)
    config.pluginmanager.register(marking.Watch())


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark the tests that start processes."""
    marking.mark(item)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say it if the tests of the page are left out."""
    if missing := what_is_missing():
        terminalreporter.write_line(missing)


def pytest_collection_finish() -> None:
    """Leave what was imported and collected alone: going through it again and again is a third of a simulated run."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Any:
    """Show, with a failed test, what the processes of its cluster wrote, by whatever name it has that."""
    report = yield
    for given in getattr(item, "funcargs", {}).values():
        if report.failed and isinstance(given, Cluster):
            report.sections.append(("processes", given.outputs()))
    return report


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A running cluster of its own for one test."""
    write_chosen_seed(tmp_path / "seed.csv")
    with Cluster(tmp_path, tmp_path / "seed.csv") as running:
        yield running


@pytest.fixture(scope="module")
def shared_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A running cluster of made-up stocks that the tests of one module share: each leaves all of it running."""
    folder = tmp_path_factory.mktemp("shared")
    write_seed(folder / "seed.csv")
    with Cluster(folder, folder / "seed.csv") as running:
        yield running
