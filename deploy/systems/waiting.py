"""Waiting for a condition with a time limit."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_S = 0.05


class NotInTime(AssertionError):
    """What was waited for was not true within its time: what was expected of the system does not hold."""


def wait_until(predicate: Callable[[], T], within_s: float, what: str) -> T:
    """Return what `predicate` returns as soon as that is true; it is asked every 50 ms.

    Raises:
        NotInTime: it was not true within the time; the message says `what` was waited for.
    """
    deadline = time.monotonic() + within_s
    while True:
        result = predicate()
        if result:
            return result
        if time.monotonic() > deadline:
            raise NotInTime(f"not within {within_s:g} s: {what} (last seen: {result!r})")
        time.sleep(POLL_S)
