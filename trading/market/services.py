"""What the frontend does, for views and commands alike: below it are the cache and the clients."""

import dataclasses
import time
from typing import Any, NamedTuple

from common.bounds import STOCK_NAME
from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.waiting_room import WaitingRoom
from common.process.failpoints import failpoint
from common.process.request_context import current_request_id
from common.rows import ORDER_TYPES
from protos import catalog_pb2, order_pb2
from trading.api.errors import ApiError, shown
from trading.api.stock_query import StockQuery, stock_cursor
from trading.market.catalog_client import catalog_client
from trading.market.order_client import order_client
from trading.market.order_query import OrderQuery
from trading.market.shutdown import refuse_if_stopping
from trading.market.stock import Stock
from trading.market.stock_reader import StockRead, forget_stock, stock_reader
from trading.operator.status import status_data
from trading.process import cluster_config, network
from trading.replicas.manager import replica_manager

LIST_BUDGET_S = 1.0
# Orders that wait at once, each in a thread of the server (deploy/frontend.py has more of them). At a thousand orders a
# second the last of so many waits 0.2 s; more would only wait longer, and leave no thread for look-ups.
ORDERS_AT_ONCE = 160

_orders_room = WaitingRoom(ORDERS_AT_ONCE, Reason.OVERLOADED)


class StockPage(NamedTuple):
    """Stocks by name; the next page's cursor, None at the end."""

    stocks: list[Stock]
    next_cursor: str | None


class OrderPage(NamedTuple):
    """Orders in number order or its reverse; the next page's cursor, None at the end; the highest number so far."""

    orders: list[order_pb2.Order]
    next_cursor: str | None
    latest: int


def look_up_stock(*, name: str, past_cache: bool) -> StockRead:
    """Return the stock of this name, and how the cache took part.

    Raises:
        ApiError: UNKNOWN_STOCK, for a name that no stock can have: nobody is asked.
        RpcFailure: UNKNOWN_STOCK, CATALOG, HALTED.
    """
    if not STOCK_NAME.fullmatch(name):
        raise ApiError(Reason.UNKNOWN_STOCK, f"No stock is named {shown(name)}.", [{"field": "name"}])
    return network().run(stock_reader().read(name, past_cache=past_cache))


def list_stocks(*, query: StockQuery) -> StockPage:
    """Return a page of the stocks, as the catalog has them now.

    Raises:
        RpcFailure: CATALOG, HALTED.
    """
    stocks, has_more = network().run(catalog_client().list_stocks(after_name=query.after_name, limit=query.limit))
    return StockPage(stocks, stock_cursor(stocks[-1].name) if has_more and stocks else None)


def place_order(
    *, name: str, type: str, quantity: int, client_order_id: str, account: str = ""
) -> order_pb2.PlaceOrderResponse:
    """Place one order under its key; the fields are checked already (trading.api.serializers). Takes 9 s at most.

    Whatever came of it, no read that begins afterwards sees the stock as it was before.

    Raises:
        ApiError: SHUTTING_DOWN; nothing was done.
        RpcFailure: OVERLOADED: ORDERS_AT_ONCE wait already; nothing was done. Else as OrderClient.place.
    """
    refuse_if_stopping()
    order = catalog_pb2.NewOrder(
        stock_name=name,
        order_type=ORDER_TYPES[type],
        quantity=quantity,
        account=account,
        idempotency_key=client_order_id,
        request_id=current_request_id(),
    )
    with _orders_room.place():
        try:
            placed = network().run(order_client().place(order))
            failpoint("frontend-committed")
            return placed
        finally:
            # After a failure too: it may have been executed, or refused because another process traded the stock.
            forget_stock(name)


def look_up_order(*, number: int, account: str | None) -> order_pb2.Order:
    """Return the order of this number, 1 to MAX_NUMBER; with an account, only if it is that account's.

    Raises:
        ApiError: UNKNOWN_ORDER, with an account: the same whether the order is another's or there is none.
        RpcFailure: UNKNOWN_ORDER, CATALOG, NO_LEADER, HALTED.
    """
    if account is None:
        return network().run(order_client().look_up(number))
    hidden = ApiError(Reason.UNKNOWN_ORDER, f"account {account!r} has no order {number}", [{"field": "number"}])
    try:
        order = network().run(order_client().look_up(number))
    except RpcFailure as failure:
        if failure.reason is Reason.UNKNOWN_ORDER:
            raise hidden from failure
        raise
    if order.account != account:
        raise hidden
    return order


def list_orders(*, query: OrderQuery, account: str | None) -> OrderPage:
    """Return a page of the orders, of one account unless that is None; it shows every one of them that was acknowledged
    before this call.

    It may be shorter than the query's limit, even empty, and still have a next one: a replica looks at a bounded number
    of orders in one call. While nothing is found this goes on, for LIST_BUDGET_S. `account`: see OrderQuery.request.

    Raises:
        RpcFailure: CATALOG, NO_LEADER, HALTED.
    """
    give_up = time.monotonic() + LIST_BUDGET_S
    page = network().run(order_client().list_orders(query.request(account)))
    while page.resume_number and not page.orders and time.monotonic() < give_up:
        query = dataclasses.replace(query, position=page.resume_number)
        page = network().run(order_client().list_orders(query.request(account)))
    next_cursor = query.cursor_after(page.resume_number) if page.resume_number else None
    return OrderPage(list(page.orders), next_cursor, page.last_number)


def replicas_status() -> dict[str, Any]:
    """Return the state of the order service, asked of all processes now; takes a second at most."""
    return status_data(replica_manager().look(measure=True), cluster_config())
