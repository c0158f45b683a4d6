"""Counts each request and its answer; at the log level debug it is a line, too.

The registry of the frontend's metrics is here. What else is shown in it is registered by the one who knows it.
"""

import functools
import logging
import re
import time
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse
from prometheus_client import Counter, Histogram

from common.process.metrics import SECONDS_BUCKETS, new_registry

log = structlog.get_logger()

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"

REGISTRY = new_registry()

REQUESTS = Counter(
    "bourse_frontend_requests", "Requests that were answered", ["method", "route", "code"], registry=REGISTRY
)
REQUEST_SECONDS = Histogram(
    "bourse_frontend_request_seconds",
    "Time from a request to its answer (of a stream: to its beginning)",
    ["method", "route"],
    buckets=SECONDS_BUCKETS,
    registry=REGISTRY,
)
ORDERS = Counter(
    "bourse_frontend_orders",
    "POSTed orders by outcome: filled, replayed, dropped, not_executed, unknown; and the reason of the last two",
    ["outcome", "reason"],
    registry=REGISTRY,
)
STOCK_READS = Counter(
    "bourse_frontend_stock_reads",
    "Stocks that were read, by the cache's part",
    ["cache"],
    registry=REGISTRY,
)


class RequestMetricsMiddleware:
    """Belongs behind the one that names the request, and before all that can answer one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response
        self._is_logging = log.is_enabled_for(logging.DEBUG)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        response = self._get_response(request)
        seconds = time.perf_counter() - began
        method, route = known_method(request.method), _route(request)
        count_request(method, route, response.status_code, seconds, cache=response.get("X-Cache"))
        if route == "/orders" and method == "POST":
            count_order(*(error_of(request) or ("replayed" if "Idempotency-Replayed" in response else "filled", "")))
        if self._is_logging:
            log_answer(method, request.path, response.status_code, seconds)
        return response


def count_request(method: str, route: str, code: int, seconds: float, *, cache: str | None) -> None:
    """Count an answer; `cache` says how the cache took part in a look-up of a stock, None if it was none."""
    count, observe = _of_request(method, route, code)
    count()
    observe(seconds)
    if cache is not None:
        _of_read(cache)()


def count_order(outcome: str, reason: str) -> None:
    """Count what became of an order: `filled`, `replayed` or an error's outcome, and the error's reason."""
    _of_order(outcome, reason)()


def log_answer(method: str, path: str, code: int, seconds: float) -> None:
    """Log an answer, at the level debug."""
    log.debug("answered", method=method, path=path[:200], status=code, seconds=round(seconds, 6))


def note_error(request: HttpRequest, outcome: str, reason: str) -> None:
    """Say with which error a request is answered, and what became of the order if it was one."""
    request.bourse_error = (outcome, reason)


def error_of(request: HttpRequest) -> tuple[str, str] | None:
    """Return what `note_error` was told of a request; None if it was answered without an error."""
    error: tuple[str, str] | None = getattr(request, "bourse_error", None)
    return error


# The library looks a label's child up under a lock, in 3 us; there are few, and a dictionary finds them in a tenth.
@functools.cache
def _of_request(method: str, route: str, code: int) -> tuple[Callable[[], None], Callable[[float], None]]:
    return REQUESTS.labels(method, route, code).inc, REQUEST_SECONDS.labels(method, route).observe


@functools.cache
def _of_read(cache: str) -> Callable[[], None]:
    count: Callable[[], None] = STOCK_READS.labels(cache.lower()).inc
    return count


@functools.cache
def _of_order(outcome: str, reason: str) -> Callable[[], None]:
    count: Callable[[], None] = ORDERS.labels(outcome, reason).inc
    return count


def known_method(method: str) -> str:
    """Return a method as a label: a client may make one up, or a path, and neither becomes one."""
    return method if method in _METHODS else OTHER


@functools.cache
def route_of(pattern: str) -> str:
    r"""Return a route as the API page writes it: `^stocks/(?P<name>[\s\S]+?)/?\Z` -> `/stocks/{name}`.

    The route that takes what no other does is OTHER.
    """
    if pattern == "^":
        return OTHER
    bare = pattern.removeprefix("^").removesuffix(r"\Z").removesuffix("/?")
    return "/" + re.sub(r"\(\?P<(\w+)>.*\)", r"{\1}", bare)


def _route(request: HttpRequest) -> str:
    return route_of(request.resolver_match.route) if request.resolver_match else OTHER
