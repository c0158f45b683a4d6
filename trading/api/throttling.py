"""Limits of how often one caller may call: docs/API.md, "Authentication and limits"."""

import math
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from rest_framework.throttling import BaseThrottle

from common.process.rates import Rate
from trading.accounts.account import ANY, OPERATOR, TRADER
from trading.process import OncePerProcess

# The class of limit that an endpoint falls under, by what it asks of its caller. OPEN has none.
CLASSES = {ANY: "read", TRADER: "trade", OPERATOR: "operate"}
MOST_CALLERS = 100_000
# In a request's META: what was decided on it.
COUNTED = "bourse.limit"


class Decision(NamedTuple):
    """What was decided on one request: how many more there may be before `reset` (Unix seconds)."""

    is_allowed: bool
    limit: int
    remaining: int
    reset: int
    retry_after_s: int


class RateLimiter:
    """Counts the requests of each caller in windows of the wall clock, all of one length. Any number of threads may
    use it. Counts are this process's own."""

    def __init__(self, rate: Rate, unix_time: Callable[[], float] = time.time) -> None:
        self._rate = rate
        self._unix_time = unix_time
        self._lock = threading.Lock()
        self._window = 0  # guarded by _lock, like the counts in it
        self._counts: dict[str, int] = {}

    def take(self, caller: str) -> Decision:
        """Count one request, if it is within the limit."""
        most, period_s = self._rate
        now = self._unix_time()
        window = int(now // period_s)
        with self._lock:
            if window != self._window or len(self._counts) >= MOST_CALLERS:
                # What was counted in other windows says nothing; nor may the memory be anybody's to fill.
                self._window, self._counts = window, {}
            used = self._counts.get(caller, 0)
            is_allowed = used < most
            if is_allowed:
                used += 1
                self._counts[caller] = used
        reset = (window + 1) * period_s
        return Decision(is_allowed, most, most - used, reset, max(1, math.ceil(reset - now)))


limiters = OncePerProcess(lambda: {name: RateLimiter(rate) for name, rate in settings.RATE_LIMITS.items()})


class CallerThrottle(BaseThrottle):
    """The limit of one caller for one class of endpoints: an account, or an address while authentication is off."""

    def allow_request(self, request: Any, view: Any) -> bool:
        """Return whether the request is within its limit, and note the decision on it; True if it has none."""
        limiter = limiters().get(CLASSES.get(view.role_needed(request.method)))
        if limiter is None:
            return True
        # Counted once: by the edge, if it has looked at it, or by a view that was asked before the body had come.
        counted = request.META.get(COUNTED)
        decision = counted or limiter.take(caller_name(request.user, request.META.get("REMOTE_ADDR", "")))
        self._decision = request.META[COUNTED] = request._request.bourse_limit = decision
        return self._decision.is_allowed

    def wait(self) -> float:
        """Return after how many seconds it is worth to try again."""
        return self._decision.retry_after_s


def add_limit_headers(request: HttpRequest, response: HttpResponse) -> None:
    """Tell the caller about the limit that the request fell under, if there is one."""
    decision: Decision | None = getattr(request, "bourse_limit", None)
    if decision is not None:
        for name, value in limit_headers(decision).items():
            response[name] = value


def limit_headers(decision: Decision) -> dict[str, str]:
    """Return the headers that tell a caller about its limit."""
    return {
        "X-RateLimit-Limit": str(decision.limit),
        "X-RateLimit-Remaining": str(decision.remaining),
        "X-RateLimit-Reset": str(decision.reset),
    }


def caller_name(user: Any, address: str) -> str:
    """Return under which name a caller is counted: its account, or the address it calls from if it has none."""
    # An address has no `account:` before it, so no account can pass for one.
    name = getattr(user, "name", None)
    return f"account:{name}" if name else address
