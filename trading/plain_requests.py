"""The two requests that programs make all day, answered without what all others need.

A look-up of one stock and an order, asked for in plain JSON, need no content negotiation, no session, no page's headers
and no form: Django alone answers them here, in a fraction of the time. Whatever is not as plain as that, or is wrong,
or is to go past the cache, goes on to the view of the same address, which knows the whole contract.
"""

from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse

from common.bounds import STOCK_NAME
from common.failures import RpcFailure
from trading import services, throttling
from trading.errors import ApiError
from trading.exception_handler import answer_failure
from trading.order_key import name_key
from trading.parsers import strict_json
from trading.renderers import ExactJSONRenderer
from trading.representations import order_data, stock_data
from trading.request_metrics import name_route
from trading.serializers import plain_order

_STOCKS = "/stocks/"
_ORDERS = "/orders"
# Of a request that has one of these the view must know more. A page's site stands in Origin.
_NOT_PLAIN_HEADERS = ("HTTP_CACHE_CONTROL", "HTTP_ORIGIN", "HTTP_X_SANDBOX_FAULT")
_HEADERS = {"Cache-Control": "no-store", "Vary": "Accept", "X-Content-Type-Options": "nosniff"}
_renderer = ExactJSONRenderer()


class PlainRequestsMiddleware:
    """Answers plain requests; belongs behind the middleware that names and counts requests, and before all other.

    No request is plain where callers have accounts or limits, or must come by HTTPS: that is looked at further on.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path, answer = request.path_info, None
        if request.method == "GET" and path.startswith(_STOCKS):
            answer = _answer_stock(request, path[len(_STOCKS) :])
        elif request.method == "POST" and path == _ORDERS:
            answer = _answer_order(request)
        return self._get_response(request) if answer is None else answer


def _answer_stock(request: HttpRequest, name: str) -> HttpResponse | None:
    """Answer with a stock, or None if the view has to."""
    if not (STOCK_NAME.fullmatch(name) and _is_plain(request)):
        return None
    name_route(request, "/stocks/{name}")
    try:
        read = services.look_up_stock(name=name, past_cache=False)
    except (ApiError, RpcFailure) as failure:
        return _failed(failure, request)
    return _json({"data": stock_data(read.stock)}, 200, {"X-Cache": read.cache})


def _answer_order(request: HttpRequest) -> HttpResponse | None:
    """Place an order and answer with it, or None if the view has to, which then has done nothing yet."""
    if not _is_plain(request) or request.META.get("CONTENT_TYPE") != "application/json":
        return None
    try:
        data = strict_json(request.body)
    except (ApiError, SuspiciousOperation, OSError):
        return None
    fields = plain_order(data)
    key = name_key(request, data) if fields is not None else None
    if fields is None or key is None:
        return None
    name_route(request, "/orders")
    try:
        placed = services.place_order(**fields | {"client_order_id": key})
    except (ApiError, RpcFailure) as failure:
        return _failed(failure, request)
    headers = {"Location": f"/orders/{placed.order.transaction_number}"}
    if placed.replayed:
        headers["Idempotency-Replayed"] = "true"
    return _json({"data": order_data(placed.order)}, settings.ORDERS_CREATED_STATUS, headers)


def _is_plain(request: HttpRequest) -> bool:
    if settings.AUTHENTICATION or settings.SECURE_SSL_REDIRECT or throttling.limiters():
        return False
    meta = request.META
    if meta.get("HTTP_ACCEPT", "*/*") not in ("*/*", "application/json") or any(
        name in meta for name in _NOT_PLAIN_HEADERS
    ):
        return False
    try:
        request.get_host()
    except SuspiciousOperation:
        return False
    return True


def _failed(failure: ApiError | RpcFailure, request: HttpRequest) -> HttpResponse:
    answer = answer_failure(failure, request)
    for name, value in {**_HEADERS, "Content-Length": str(len(answer.content))}.items():
        answer[name] = value
    return answer


def _json(data: Mapping[str, Any], status: int, headers: Mapping[str, str]) -> HttpResponse:
    body = _renderer.render(data)
    length = {"Content-Length": str(len(body))}
    return HttpResponse(body, "application/json", status, headers={**_HEADERS, **headers, **length})
