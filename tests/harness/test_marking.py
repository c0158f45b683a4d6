"""Every test that starts processes has the marker, seen or by hand; one that has not cannot start any."""

import os
import subprocess
import sys

import pytest

from tests.harness.cluster import Cluster
from tests.harness.marking import MARKER, starts_processes


def direct():
    subprocess.run([sys.executable, "-c", ""], check=True)


def by_another():
    return [direct() for _ in range(2)]


def by_a_system(folder):
    with Cluster(folder, folder / "seed.csv"):
        pass


def by_none(pid=os.getpid):
    return pid()


@pytest.mark.parametrize("function", [direct, by_another, by_a_system])
def test_one_that_starts_processes_is_seen(function):
    assert starts_processes(function)


def test_one_that_does_not_is_left():
    assert not starts_processes(by_none)


def test_this_one_has_no_marker(request: pytest.FixtureRequest):
    assert request.node.get_closest_marker(MARKER) is None


def test_a_process_that_was_not_seen_is_refused():
    hidden = sys.modules["sub" + "process"]
    with pytest.raises(AssertionError, match="test_a_process_that_was_not_seen_is_refused starts a process: mark it"):
        hidden.run([sys.executable, "-c", ""])


def test_what_is_marked_may_start_one(request: pytest.FixtureRequest):
    direct()
    assert request.node.get_closest_marker(MARKER) is not None
