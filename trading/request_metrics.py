"""Counts each request and its answer; at the log level debug it is a line, too."""

import functools
import logging
import re
import time
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse

from trading.metrics import ORDERS, REQUEST_SECONDS, REQUESTS, STOCK_READS

log = structlog.get_logger()

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"


class RequestMetricsMiddleware:
    """Belongs behind the one that names the request, and before all that can answer one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response
        self._is_logging = log.is_enabled_for(logging.DEBUG)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        response = self._get_response(request)
        seconds = time.perf_counter() - began
        # A client may make up a method or a path: neither becomes a label.
        method = request.method if request.method in _METHODS else OTHER
        route = _route(request)
        count, observe = _of_request(method, route, response.status_code)
        count()
        observe(seconds)
        if "X-Cache" in response:
            _of_read(response["X-Cache"])()
        if route == "/orders" and method == "POST":
            _of_order(*_outcome(request, response))()
        if self._is_logging:
            path, rounded = request.path[:200], round(seconds, 6)
            log.debug("answered", method=method, path=path, status=response.status_code, seconds=rounded)
        return response


def name_route(request: HttpRequest, route: str) -> None:
    """Say under which route a request is counted that is answered before its path is resolved."""
    request.bourse_route = route


def note_error(request: HttpRequest, outcome: str, reason: str) -> None:
    """Say with which error a request is answered, and what became of the order if it was one."""
    request.bourse_error = (outcome, reason)


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
    named: str | None = getattr(request, "bourse_route", None)
    if named is not None:
        return named
    return route_of(request.resolver_match.route) if request.resolver_match else OTHER


def _outcome(request: HttpRequest, response: HttpResponse) -> tuple[str, str]:
    """Return what became of an order that was posted, and why it failed."""
    error: tuple[str, str] | None = getattr(request, "bourse_error", None)
    if error is not None:
        return error
    return ("replayed" if "Idempotency-Replayed" in response else "filled"), ""
