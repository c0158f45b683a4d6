"""Waiting for a condition with a time limit."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_S = 0.05


def wait_until(predicate: Callable[[], T], within_s: float, what: str) -> T:
    """Return what `predicate` returns as soon as that is true; it is asked every 50 ms.

    Raises:
        AssertionError: it was not true within the time; the message says `what` was waited for.
    """
    deadline = time.monotonic() + within_s
    while True:
        result = predicate()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s} s: {what} (last seen: {result!r})")
        time.sleep(POLL_S)
