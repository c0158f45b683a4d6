"""The REST endpoints: each reads the request, makes one call to a service, and writes the answer. docs/API.md."""

import re
from collections.abc import Mapping
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from common.calls.steps import Steps
from trading import services
from trading.accounts.account import OPEN, TRADER, account_of
from trading.api.answers import Answer, answer_order, answer_placed, answer_stock
from trading.api.api_view import IN_LOOP, ApiView
from trading.api.exception_handler import unknown_path
from trading.api.order_key import name_key, unusable_key
from trading.api.order_query import order_cursor, read_order_query
from trading.api.representations import order_data, stock_data
from trading.api.sandbox_faults import read_fault
from trading.api.schema import operations
from trading.api.serializers import PlaceOrderSerializer
from trading.api.stock_query import read_stock_query, stock_cursor

_NO_CACHE = re.compile(r"(^|[\s,])no-(cache|store)($|[\s,=])", re.IGNORECASE)


class StockListView(ApiView):
    """The stocks by name. Parameters: limit, cursor."""

    columns = ("name", "price_decimal", "quantity")
    item_path = "/stocks/{name}"

    def get_view_name(self) -> str:
        """Return the page's heading."""
        return "Stocks"

    @operations.list_stocks
    def get(self, request: Request) -> Response:
        """Answer with one page."""
        query = read_stock_query(request.query_params)
        page = services.list_stocks(after_name=query.after_name, limit=query.limit)
        following = stock_cursor(page.stocks[-1].name) if page.has_more and page.stocks else None
        return Response(
            {
                "data": [stock_data(stock) for stock in page.stocks],
                "page": _page("/stocks", following, query.limit),
            }
        )


class StockView(ApiView):
    """Price and quantity of one stock."""

    def get_view_name(self) -> str:
        """Return the page's heading."""
        return "Stock"

    def related(self, data: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return the ways to the lists."""
        own = [(f"/orders?name={data['name']}", f"Orders of {data['name']}")] if data else []
        return [("/stocks", "All stocks"), *own]

    @operations.look_up_stock
    def get(self, request: Request, name: str) -> Response:
        """Answer with the stock; the header X-Cache says how the cache took part."""
        past_cache = _NO_CACHE.search(request.headers.get("Cache-Control", "")) is not None
        return _response(answer_stock(name, past_cache=past_cache))


class OrderListView(ApiView):
    """The orders, newest first, and where orders are placed.

    Parameters: name (repeatable), type, client_order_id, status, after, until, after_number, direction, limit, cursor.
    """

    roles = {"POST": TRADER}
    serializer_class = PlaceOrderSerializer
    columns = ("number", "name", "type", "quantity", "price_decimal", "created_at")
    item_path = "/orders/{number}"

    def get_view_name(self) -> str:
        """Return the page's heading."""
        return "Orders"

    def related(self, data: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return the way to the order that was placed."""
        return [(f"/orders/{data['number']}", f"Order {data['number']}"), ("/orders", "All orders")] if data else []

    @operations.list_orders
    def get(self, request: Request) -> Response:
        """Answer with one page."""
        query = read_order_query(request.query_params)
        page = services.list_orders(query=query, account=account_of(request))
        following = None if page.next_position is None else order_cursor(query.filters, page.next_position)
        return Response(
            {
                "data": [order_data(order) for order in page.orders],
                "page": _page("/orders", following, query.limit) | {"latest": page.latest},
            }
        )

    @operations.place_order
    def post(self, request: Request) -> Response:
        """Place the order and answer once it is committed."""
        key = name_key(request._request, request.data)
        fault = read_fault(request._request)
        self.form = PlaceOrderSerializer(data=request.data)
        self.form.is_valid(raise_exception=True)
        if key is None:
            raise unusable_key(request._request, request.data)
        fault.before_order()
        in_loop = request.META.get(IN_LOOP)
        order = self.form.validated_data | {"client_order_id": key, "account": account_of(request) or ""}
        response = _response(answer_placed(**order, **(in_loop.order_terms() if in_loop is not None else {})))
        fault.after_order()
        return response


class OrderView(ApiView):
    """One order."""

    def get_view_name(self) -> str:
        """Return the page's heading."""
        return "Order"

    def related(self, data: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return the ways to the list and to the order's stock."""
        own = [(f"/stocks/{data['name']}", f"Stock {data['name']}")] if data else []
        return [("/orders", "All orders"), *own]

    @operations.look_up_order
    def get(self, request: Request, number: str) -> Response:
        """Answer with the order."""
        return _response(answer_order(number, account_of(request)))


class UnknownPathView(ApiView):
    """There is no page at this address. The start page lists those that there are."""

    role = OPEN

    def get_view_name(self) -> str:
        """Return the page's heading."""
        return "Not found"

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse, whatever the method."""
        super().initial(request, *args, **kwargs)
        raise unknown_path(request._request)


def _response(steps: Steps[Answer]) -> Response:
    answer = services.run(steps)
    return Response({"data": answer.data}, status=answer.status, headers=answer.headers)


def _page(path: str, cursor: str | None, limit: int) -> dict[str, Any]:
    """Return the part of a list's answer that says how it goes on; a cursor needs no quoting in a URL."""
    following = None if cursor is None else f"{path}?cursor={cursor}&limit={limit}"
    return {"next": following, "next_cursor": cursor, "has_more": cursor is not None}
