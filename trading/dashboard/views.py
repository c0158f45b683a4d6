"""The page at / and its panels."""

from time import monotonic
from typing import Any

from django.conf import settings
from django.http import HttpResponse, HttpResponseRedirect
from rest_framework.request import Request
from rest_framework.response import Response

from common.bounds import MAX_ORDER_QUANTITY
from common.calls.reasons import Reason
from trading import services
from trading.accounts.account import OPERATOR, TRADER, account_of
from trading.accounts.operator_key import is_operator_key, set_operator_cookie
from trading.api.accepted import Accepted
from trading.api.api_view import ApiView
from trading.api.browsable import BrowsableRenderer, stock_names
from trading.api.errors import ApiError
from trading.api.order_key import new_key
from trading.api.permissions import KEY_NEEDED, may_act_as
from trading.api.renderers import ExactJSONRenderer
from trading.api.representations import order_data, stock_data
from trading.api.schema import operations
from trading.dashboard.board import board
from trading.dashboard.charts import VIEW_BOX, hit_rate, order_rate
from trading.dashboard.fragment import FragmentView
from trading.dashboard.stock_search import stock_search
from trading.operator.status import in_sync_count
from trading.reads.order_query import OrderFilters, OrderQuery

STOCKS_SHOWN = 15
ORDERS_SHOWN = 12
EVENTS_SHOWN = 12
MOST_SEARCH = 32  # characters, as a stock's name has at most


class DashboardRenderer(BrowsableRenderer):
    """The page: the frame of its panels, and the form for orders for those who may trade."""

    template = "dashboard/page.html"

    def get_context(self, data: Any, accepted_media_type: str, renderer_context: Any) -> dict[str, Any]:
        """Return what the frame shows."""
        context = super().get_context(data, accepted_media_type, renderer_context)
        if context["error"]:
            return context
        request = renderer_context["request"]
        return context | {
            "is_trader": may_act_as(TRADER, request),
            "account": account_of(request) or "",
            "key": new_key(),
            "most": MAX_ORDER_QUANTITY,
            "stocks": stock_names(),
        }


class DashboardView(ApiView):
    """Buy and sell stocks, and see what becomes of the system that trades them."""

    renderer_classes = [ExactJSONRenderer, DashboardRenderer]

    def get_view_name(self) -> str:
        """Return the page's heading."""
        return "Bourse"

    def accepted(self, method: str) -> Accepted:
        """Return also the token of the address that `make run` prints; with authentication on there is none."""
        accepted = super().accepted(method)
        return accepted if settings.AUTHENTICATION else accepted._replace(parameters=frozenset({"token"}))

    @operations.index
    def get(self, request: Request) -> HttpResponse:
        """Answer with the page, or for programs with the index of the interface."""
        if "token" in request.query_params:
            return _become_operator(request)
        return Response(
            {
                "data": {
                    "stocks": "/stocks",
                    "stock": "/stocks/{name}",
                    "orders": "/orders",
                    "order": "/orders/{number}",
                    "events": "/events",
                    "replicas": "/replicas",
                    "health": "/healthz",
                    "ready": "/readyz",
                    "metrics": "/metrics",
                    "schema": "/schema",
                    "docs": "/docs",
                }
            }
        )


def _become_operator(request: Request) -> HttpResponse:
    """Have the browser keep the operator key that the address holds, and leave that address."""
    if not may_act_as(OPERATOR, request) or not is_operator_key(request.query_params["token"]):
        raise ApiError(Reason.PERMISSION_DENIED, f"The address holds no key that counts here: {KEY_NEEDED}")
    response = HttpResponseRedirect("/", status=303)
    set_operator_cookie(response, is_secure=request.is_secure())
    return response


class StocksFragment(FragmentView):
    """The stocks whose name holds the parameter `search`."""

    template = "dashboard/stocks.html"
    parameters = frozenset({"version", "search"})

    def context(self, request: Request) -> dict[str, Any]:
        """Return the first stocks that match."""
        search = request.query_params.get("search", "")[:MOST_SEARCH]
        found = stock_search().find(search, STOCKS_SHOWN)
        return {
            "stocks": [stock_data(stock) for stock in found.stocks],
            "more": found.more,
            "search": search,
            "is_trader": may_act_as(TRADER, request),
        }


class OrdersFragment(FragmentView):
    """The newest orders that the caller may see."""

    template = "dashboard/orders.html"

    def context(self, request: Request) -> dict[str, Any]:
        """Return one page of them."""
        page = services.list_orders(query=OrderQuery(OrderFilters(), None, ORDERS_SHOWN), account=account_of(request))
        return {"orders": [order_data(order) for order in page.orders], "is_trader": may_act_as(TRADER, request)}


class ReplicasFragment(FragmentView):
    """The replicas: to everybody what GET /events tells of them, to operators where they are and what ails them."""

    template = "dashboard/replicas.html"

    def context(self, request: Request) -> dict[str, Any]:
        """Return the state of the order service."""
        status = board().status()
        return {
            "status": status,
            "in_sync": in_sync_count(status),
            "is_operator": may_act_as(OPERATOR, request),
        }


class FailoversFragment(FragmentView):
    """Who led when; to operators also failures and returns."""

    template = "dashboard/failovers.html"

    def context(self, request: Request) -> dict[str, Any]:
        """Return the newest events, the newest first."""
        is_operator = may_act_as(OPERATOR, request)
        events = [event for event in board().events() if is_operator or event.kind == "election"]
        return {"events": events[: -EVENTS_SHOWN - 1 : -1]}


class ChartsFragment(FragmentView):
    """Orders per second of the whole system, and hits of this process's stock cache."""

    template = "dashboard/charts.html"

    def context(self, request: Request) -> dict[str, Any]:
        """Return both charts."""
        samples, now = board().samples(), monotonic()
        return {
            "orders": order_rate(samples, now),
            "hits": hit_rate(samples, now),
            "view_box": VIEW_BOX,
        }
