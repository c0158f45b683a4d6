"""The two requests that programs make all day, answered before Django.

A look-up of one stock and an order, asked for in plain JSON, need no content negotiation, no session, no page's headers
and no form; nor Django's request, middleware and signals. They are answered here, in a fraction of the time. Whatever
is not as plain as that, or is wrong, or is to go past the cache, goes on to the view of the same address, which knows
the whole contract.
"""

import functools
import io
import logging
import re
import time
from collections.abc import Callable, Iterable, Set
from http import HTTPStatus
from typing import Any, NamedTuple

import structlog
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest

from common.bounds import STOCK_NAME
from common.calls.failures import RpcFailure
from common.process.request_context import working_for
from trading import services
from trading.api import request_metrics
from trading.api.accepted import MEANT_HEADERS, has_body
from trading.api.errors import ApiError
from trading.api.exception_handler import answer_failure, server_error
from trading.api.order_key import chosen_key
from trading.api.parsers import strict_json
from trading.api.renderers import ExactJSONRenderer
from trading.api.representations import order_data, placed_headers, stock_data
from trading.api.request_id import HEADER, usable_id
from trading.api.serializers import plain_order

log = structlog.get_logger()

_STOCKS = "/stocks/"
_ORDERS = "/orders"
# Of a request that has one of these the view must know more. A page's site stands in Origin.
_NOT_PLAIN_HEADERS = {
    "HTTP_CACHE_CONTROL",
    "HTTP_CONTENT_ENCODING",
    "HTTP_ORIGIN",
    "HTTP_TRANSFER_ENCODING",
    *("HTTP_" + name.upper().replace("-", "_") for name in MEANT_HEADERS),
}
_NOT_PLAIN_BESIDE_AN_ORDER = _NOT_PLAIN_HEADERS - {"HTTP_IDEMPOTENCY_KEY"}
_HEADERS = {
    "Content-Type": "application/json",
    "Cache-Control": "no-store",
    "Vary": "Accept",
    "X-Content-Type-Options": "nosniff",
}
# Longer ones are not plain: Python refuses to read numbers of thousands of digits.
_LENGTH = re.compile("[0-9]{1,9}")
# Host names that were checked and are remembered: clients may send any.
_KEPT_HOSTS = 64

_render = ExactJSONRenderer().render

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class _Plain(NamedTuple):
    """A plain request: the route it is counted under, what it asks for, and the key if it is an order."""

    route: str
    act: Callable[[], "_Answer"]
    key: str | None


class _Answer(NamedTuple):
    """What a request is answered with, and the order's outcome and reason to count; None: it was no order."""

    code: int
    headers: dict[str, str]
    body: bytes
    ordered: tuple[str, str] | None


class PlainRequests:
    """WSGI middleware that answers plain requests, and hands all others on.

    No request is plain where callers have accounts or limits, or must come by HTTPS: that is looked at further on.
    """

    def __init__(self, application: Application) -> None:
        """Settings are read now, once."""
        self._application = application
        self._is_open = not (settings.AUTHENTICATION or settings.SECURE_SSL_REDIRECT or settings.RATE_LIMITS)
        self._is_served = functools.lru_cache(_KEPT_HOSTS)(_is_served)
        self._is_logging = log.is_enabled_for(logging.DEBUG)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        began = time.perf_counter()
        plain = self._read(environ) if self._is_open else None
        if plain is None:
            return self._application(environ, start_response)
        answer = self._perform(environ, plain, began)
        start_response(f"{answer.code} {HTTPStatus(answer.code).phrase}", list(answer.headers.items()))
        return [answer.body]

    def _read(self, environ: Environ) -> _Plain | None:
        """Return what a plain request asks for; None: it is not plain, or Django has to say what is wrong with it."""
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if method == "GET" and path.startswith(_STOCKS):
            name = path[len(_STOCKS) :]
            is_plain = STOCK_NAME.fullmatch(name) and not has_body(environ)
            if is_plain and self._is_plain(environ, _NOT_PLAIN_HEADERS):
                return _Plain("/stocks/{name}", functools.partial(_look_up, name), None)
        elif method == "POST" and path == _ORDERS:
            is_plain = self._is_plain(environ, _NOT_PLAIN_BESIDE_AN_ORDER)
            order = _read_order(environ) if is_plain else None
            if order is not None:
                return _Plain(_ORDERS, functools.partial(_place, order), order["client_order_id"])
        return None

    def _is_plain(self, environ: Environ, not_plain: Set[str]) -> bool:
        return (
            environ.get("HTTP_ACCEPT", "*/*") in ("*/*", "application/json")
            and not environ.get("QUERY_STRING")
            and not_plain.isdisjoint(environ)
            and self._is_served(environ.get("HTTP_HOST", ""))
        )

    def _perform(self, environ: Environ, plain: _Plain, began: float) -> _Answer:
        """Do what was asked for, count it, and name it in the answer."""
        request_id = usable_id(environ.get("HTTP_X_REQUEST_ID", ""))
        with working_for(request_id):
            try:
                answer = plain.act()
            except Exception as failure:  # noqa: BLE001 - one that nobody foresaw is answered and logged, too
                answer = _failed(failure, environ, request_id, plain.key)
        seconds = time.perf_counter() - began
        answer.headers["Content-Length"] = str(len(answer.body))
        answer.headers[HEADER] = request_id
        method = environ["REQUEST_METHOD"]
        request_metrics.count_request(method, plain.route, answer.code, seconds, cache=answer.headers.get("X-Cache"))
        if answer.ordered is not None:
            request_metrics.count_order(*answer.ordered)
        if self._is_logging:
            request_metrics.log_answer(method, environ["PATH_INFO"], answer.code, seconds)
        return answer


def _is_served(host: str) -> bool:
    """Whether a Host header names this server."""
    request = HttpRequest()
    request.META = {"HTTP_HOST": host}
    try:
        return bool(host and request.get_host())
    except SuspiciousOperation:
        return False


def _read_order(environ: Environ) -> dict[str, Any] | None:
    """Return the fields of an order, its key among them; None if the view has to say what is wrong."""
    length = environ.get("CONTENT_LENGTH", "")
    if environ.get("CONTENT_TYPE") != "application/json" or not _LENGTH.fullmatch(length):
        return None
    if int(length) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        return None
    try:
        body = environ["wsgi.input"].read(int(length))
        environ["wsgi.input"] = io.BytesIO(body)  # the view can read it again
        if len(body) < int(length):
            return None
        data = strict_json(body)
    except (ApiError, OSError):
        return None
    fields = plain_order(data)
    key = chosen_key(environ, data) if fields is not None else None
    return None if fields is None or key is None else fields | {"client_order_id": key}


def _look_up(name: str) -> _Answer:
    read = services.look_up_stock(name=name, past_cache=False)
    return _Answer(200, {**_HEADERS, "X-Cache": read.cache}, _render({"data": stock_data(read.stock)}), None)


def _place(order: dict[str, Any]) -> _Answer:
    placed = services.place_order(**order)
    headers = _HEADERS | placed_headers(placed)
    outcome = "replayed" if placed.replayed else "filled"
    return _Answer(settings.ORDERS_CREATED_STATUS, headers, _render({"data": order_data(placed.order)}), (outcome, ""))


def _failed(failure: Exception, environ: Environ, request_id: str, key: str | None) -> _Answer:
    """Answer with an error as the view would. To be called where `failure` is handled."""
    request = WSGIRequest(environ)
    request.bourse_request_id = request_id
    request.bourse_order_key = key
    response = answer_failure(failure, request) if isinstance(failure, ApiError | RpcFailure) else server_error(request)
    ordered = request_metrics.error_of(request) if key is not None else None
    return _Answer(response.status_code, {**dict(response.items()), **_HEADERS}, response.content, ordered)
