"""Which tests start processes: seen in what they and their fixtures name, and watched while they run.

A test that starts one has the marker `processes`, so that `-m "not processes"` chooses those that need none. Any other
that does start one fails: what was not seen is marked by hand.
"""

import sys
from collections.abc import Iterator
from functools import cache
from types import CodeType
from typing import Any

import pytest

from deploy.systems.process import Process
from deploy.systems.system import System

MARKER = "processes"
STARTERS = {"subprocess", "multiprocessing", "fork"}
# What is looked into; elsewhere nothing starts a process.
OURS = ("tests.", "deploy.", "benchmarks.", "examples.")
EVENTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn"}


def names_in(code: CodeType) -> set[str]:
    """Return the names of globals and attributes that a function uses, with those of the functions in it."""
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*map(names_in, inner))


def starts_processes(thing: Any, seen: set[int] | None = None) -> bool:
    """Whether a function or class of ours starts a process, or uses one that does."""
    seen = set() if seen is None else seen
    if id(thing) in seen or not getattr(thing, "__module__", "").startswith(OURS):
        return False
    seen.add(id(thing))
    if isinstance(thing, type):
        return issubclass(thing, (Process, System)) or any(starts_processes(one, seen) for one in vars(thing).values())
    function = getattr(thing, "__wrapped__", thing)
    if not hasattr(function, "__code__"):
        return False
    names = names_in(function.__code__)
    return bool(names & STARTERS) or any(starts_processes(function.__globals__.get(name), seen) for name in names)


@cache
def is_starter(function: Any) -> bool:
    """Whether a test or a fixture starts processes; each is looked at once, however many items have it."""
    return starts_processes(function)


def mark(item: pytest.Item) -> None:
    """Give a test the marker if it, or a fixture of it, starts processes."""
    if not isinstance(item, pytest.Function):
        return
    # The last one that is defined is the nearest; it stands for those that it overrides.
    fixtures = [defined[-1].func for defined in item._fixtureinfo.name2fixturedefs.values()]
    if any(map(is_starter, [item.function, *fixtures])):
        item.add_marker(MARKER)


class Watch:
    """Fails a test that starts a process without having the marker."""

    def __init__(self) -> None:
        self._unmarked: str | None = None  # the test that runs, if it is one of those
        sys.addaudithook(self._hear)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[Any]:
        self._unmarked = None if item.get_closest_marker(MARKER) else item.nodeid
        try:
            return (yield)
        finally:
            self._unmarked = None

    def _hear(self, event: str, _arguments: tuple[Any, ...]) -> None:
        if event in EVENTS and self._unmarked is not None:
            raise AssertionError(f"{self._unmarked} starts a process: mark it with @pytest.mark.{MARKER}")
