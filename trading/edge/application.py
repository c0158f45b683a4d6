"""The ASGI application: plain requests are answered here, in the event loop; all others by Django, in threads."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import structlog
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpResponse

from common.bounds import STOCK_NAME
from common.calls.failures import RpcFailure
from common.calls.loop import LoopNetwork
from common.calls.reasons import Reason
from common.process.request_context import work_for
from trading.accounts.account import ANY, OPEN, TRADER
from trading.accounts.verifying import AccountsUnavailable
from trading.api import request_metrics
from trading.api.answers import HEALTHY, Answer, answer_order, answer_placed, answer_stock
from trading.api.errors import ApiError
from trading.api.exception_handler import answer_failure, server_error
from trading.api.renderers import exact_json
from trading.api.request_id import HEADER
from trading.api.throttling import COUNTED, limit_headers
from trading.edge.callers import admit
from trading.edge.django_threads import Application, DjangoThreads, Headers
from trading.edge.plain import Plainness, read_order
from trading.edge.request import (
    Bodies,
    ClientGone,
    EdgeRequest,
    Receive,
    Scope,
    Send,
)
from trading.edge.streaming import stream_events
from trading.edge.turns import Turns
from trading.events.hub import event_hub
from trading.process import cluster_config
from trading.reads.stock_reader import stock_reader

log = structlog.get_logger()

_STOCKS = "/stocks/"
_ORDER = "/orders/"
_ORDERS = "/orders"
_HEALTH = ("/healthz", "/healthz/")
_REQUEST_ID = HEADER.lower().encode()
# Requests to /orders that go on before others, look-ups above all, have the loop again: some 3 ms of work.
_ORDERS_AT_ONCE = 32
# Answers to these come although a body is on its way.
_BODY_UNREAD = (Reason.BODY_LATE, Reason.SHUTTING_DOWN)


class _Plain(NamedTuple):
    """A plain request: the route it is counted under, what its caller must be, and what answers it.

    The last may return None: the view must.
    """

    route: str
    role: str
    answer: Callable[[EdgeRequest, str | None], Awaitable[Answer | None]]


class Edge:
    """Where all requests come first. One event loop serves it, and its methods are for that loop, but for `stop`."""

    def __init__(self, django: Application) -> None:
        """Settings are read now, once."""
        self._bodies = Bodies()
        self._network = LoopNetwork(cluster_config().tls)
        self._turns = Turns(_ORDERS_AT_ONCE)
        self._django = DjangoThreads(django, self._bodies)
        self._plainness = Plainness()
        self._is_logging = log.is_enabled_for(logging.DEBUG)
        self._sweeping: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watching: asyncio.Future[object] | None = None  # the catalog's changes, from the start on

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's request, or the server's start and stop."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        request = EdgeRequest(scope, receive)
        work_for(request.bourse_request_id)  # the server gives each request a task of its own
        if request.path == _ORDERS:
            await self._turns.take()
        try:
            plain = self._read(request)
            if plain is None or not await self._serve_plainly(request, plain, send):
                await self._serve_by_django(request, send)
        except ClientGone:
            return

    def stop(self) -> None:
        """Wait for no body any more. Any thread may call it."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._bodies.stop)

    async def _live(self, receive: Receive, send: Send) -> None:
        self._loop = asyncio.get_running_loop()
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._sweeping = self._loop.create_task(self._bodies.sweep())
                # Its first call is waited for: in a thread.
                self._watching = self._loop.run_in_executor(None, stock_reader)
            if message["type"] == "lifespan.shutdown":
                await self._network.close()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return

    # -- Plain requests --------------------------------------------------------------------------------------------

    def _read(self, request: EdgeRequest) -> _Plain | None:
        """Return how a plain request is answered; None: it is not plain, or its view has to say what is wrong."""
        path = request.path
        if request.method == "GET":
            if path.startswith(_STOCKS):
                if STOCK_NAME.fullmatch(path, len(_STOCKS)) and self._plainness.is_question(request):
                    return _Plain("/stocks/{name}", ANY, self._stock)
            elif path.startswith(_ORDER):
                if path[len(_ORDER) :].isdecimal() and self._plainness.is_question(request):
                    return _Plain("/orders/{number}", ANY, self._order)
            elif path in _HEALTH and self._plainness.is_probe(request):
                return _Plain("/healthz", OPEN, self._health)
        elif request.method == "POST" and path == _ORDERS and self._plainness.is_order(request):
            return _Plain(_ORDERS, TRADER, self._place)
        return None

    async def _serve_plainly(self, request: EdgeRequest, plain: _Plain, send: Send) -> bool:
        """Answer a plain request; False: its view must."""
        cache: str | None = None
        ordered: tuple[str, str] | None = None
        try:
            answer = await self._answer(request, plain)
            if answer is None:
                return False
        except ClientGone:
            raise
        except Exception as failure:  # noqa: BLE001 - one that nobody foresaw is answered and logged, too
            _raise_if_abandoned(failure)
            status, headers, body = _failed(failure, request)
            ordered = request_metrics.error_of(request)
        else:
            status, body = answer.status, exact_json({"data": answer.data}).encode()
            headers = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
            cache = answer.headers.get("X-Cache")
            ordered = "replayed" if "Idempotency-Replayed" in answer.headers else "filled", ""
        self._count(request, plain.route, status, cache)
        if plain.route == _ORDERS and ordered is not None:
            request_metrics.count_order(*ordered)
        await self._send(request, send, status, headers, body)
        return True

    async def _answer(self, request: EdgeRequest, plain: _Plain) -> Answer | None:
        if plain.role == OPEN:
            return await plain.answer(request, None)
        caller = await admit(request, plain.role)
        return None if caller is None else await plain.answer(request, caller.account)

    async def _stock(self, request: EdgeRequest, _account: str | None) -> Answer:
        if self._watching is not None and not self._watching.done():
            await self._watching
        return await self._network.run(answer_stock(request.path[len(_STOCKS) :], past_cache=False))

    async def _order(self, request: EdgeRequest, account: str | None) -> Answer:
        return await self._network.run(answer_order(request.path[len(_ORDER) :], account))

    async def _health(self, _request: EdgeRequest, _account: str | None) -> Answer:
        return Answer(HEALTHY, {})

    async def _place(self, request: EdgeRequest, account: str | None) -> Answer | None:
        request.body = await self._bodies.read(request, settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        order = read_order(request, request.body)
        if order is None:
            return None
        request.bourse_order_key = order["client_order_id"]
        answer = await self._network.run(answer_placed(**order, account=account or "", **request.order_terms()))
        await self._turns.take()  # those of one call are answered at once
        return answer

    # -- All others ------------------------------------------------------------------------------------------------

    async def _serve_by_django(self, request: EdgeRequest, send: Send) -> None:
        try:
            answer = await self._django.answer(request)
        except ClientGone:
            raise
        except Exception as failure:  # noqa: BLE001 - one that nobody foresaw is answered and logged, too
            status, headers, body = _failed(failure, request)
            self._count(request, request_metrics.OTHER, status, None)
            await self._send(request, send, status, headers, body)
        else:
            if answer.stream is not None:
                await stream_events(answer.stream, event_hub().laps, request.receive, send, answer.headers)
            else:
                await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
                await send({"type": "http.response.body", "body": answer.body})

    async def _send(self, request: EdgeRequest, send: Send, status: int, headers: Headers, body: bytes) -> None:
        headers = [
            *self._plainness.headers(request),
            *headers,
            (_REQUEST_ID, request.bourse_request_id.encode()),
            (b"content-length", b"%d" % len(body)),
        ]
        if (limit := request.meta.get(COUNTED)) is not None:
            headers += [(name.encode(), value.encode()) for name, value in limit_headers(limit).items()]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _count(self, request: EdgeRequest, route: str, status: int, cache: str | None) -> None:
        seconds = time.perf_counter() - request.arrived
        request_metrics.count_request(request_metrics.known_method(request.method), route, status, seconds, cache=cache)
        if self._is_logging:
            request_metrics.log_answer(request.method, request.path, status, seconds)


def _raise_if_abandoned(failure: Exception) -> None:
    """Leave it at that if an order was not sent because its client has gone."""
    if isinstance(failure, RpcFailure) and failure.reason is Reason.ABANDONED:
        request_metrics.count_order("dropped", "")
        raise ClientGone from failure


def _failed(failure: Exception, request: EdgeRequest) -> tuple[int, Headers, bytes]:
    """Return status, own headers and body of the answer that a view would give. Where `failure` is handled."""
    is_foreseen = isinstance(failure, ApiError | RpcFailure | AccountsUnavailable | RequestDataTooBig)
    response: HttpResponse = answer_failure(failure, request) if is_foreseen else server_error(request)
    headers = [(b"retry-after", response["Retry-After"].encode())] if "Retry-After" in response else []
    if isinstance(failure, RequestDataTooBig) or (isinstance(failure, ApiError) and failure.reason in _BODY_UNREAD):
        headers.append((b"connection", b"close"))
    return response.status_code, headers, response.content
