"""What the frontend does, for the edge, views and commands alike: below it are the cache and the clients.

What programs ask for all day is a procedure (common.calls.steps): the edge performs it in its event loop, a view by
`run` in its thread. The others, which views alone ask for, are plain functions.
"""

import dataclasses
import threading
import time
from typing import NamedTuple, TypeVar

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.steps import Steps
from common.process.failpoints import failpoint
from common.process.request_context import current_request_id
from common.rows import ORDER_TYPES
from protos import catalog_pb2, order_pb2
from trading.market.gatherer import IsWanted
from trading.market.order_client import ORDER_BUDGET_S, order_client
from trading.process import network
from trading.reads.catalog_client import catalog_client
from trading.reads.order_query import OrderQuery
from trading.reads.order_reader import order_reader
from trading.reads.stock import Stock
from trading.reads.stock_reader import StockRead, forget_stock, stock_reader

T = TypeVar("T")

LIST_BUDGET_S = 1.0

_stopping = threading.Event()


class StockPage(NamedTuple):
    """Stocks by name, and whether there are more behind the last of them."""

    stocks: list[Stock]
    has_more: bool


class OrderPage(NamedTuple):
    """Orders in number order or its reverse; the position of the next page (OrderQuery), None at the end; the highest
    number so far."""

    orders: list[order_pb2.Order]
    next_position: int | None
    latest: int


def run(steps: Steps[T]) -> T:
    """Perform one of the procedures below in this thread; its result is returned, its failure raised."""
    return network().run(steps)


def look_up_stock(*, name: str, past_cache: bool) -> Steps[StockRead]:
    """Return the stock of this name, which is one that a stock can have; and how the cache took part.

    Raises:
        RpcFailure: UNKNOWN_STOCK, CATALOG, HALTED.
    """
    return stock_reader().read(name, past_cache=past_cache)


def list_stocks(*, after_name: str, limit: int) -> StockPage:
    """Return the stocks after this name ("": from the first), at most `limit`, as the catalog has them now.

    Raises:
        RpcFailure: CATALOG, HALTED.
    """
    return StockPage(*run(catalog_client().list_stocks(after_name=after_name, limit=limit)))


def place_order(
    *,
    name: str,
    type: str,
    quantity: int,
    client_order_id: str,
    account: str = "",
    budget_s: float = ORDER_BUDGET_S,
    is_wanted: IsWanted = lambda: True,
) -> Steps[order_pb2.PlaceOrderResponse]:
    """Place one order under its key; the fields are checked already (trading.api.serializers). It takes `budget_s`, and
    a second more at most.

    Whatever came of it, no read that begins afterwards sees the stock as it was before.

    Raises:
        RpcFailure: SHUTTING_DOWN: nothing was done. Else as OrderClient.place.
    """
    _refuse_if_stopping()
    order = catalog_pb2.NewOrder(
        stock_name=name,
        order_type=ORDER_TYPES[type],
        quantity=quantity,
        account=account,
        idempotency_key=client_order_id,
        request_id=current_request_id(),
    )
    try:
        placed = yield from order_client().place(order, budget_s=budget_s, is_wanted=is_wanted)
        failpoint("frontend-committed")
        return placed
    finally:
        # After a failure too: it may have been executed, or refused because another process traded the stock.
        forget_stock(name)


def look_up_order(*, number: int, account: str | None) -> Steps[order_pb2.Order]:
    """Return the order of this number, 1 to MAX_NUMBER; with an account, only if it is that account's.

    Raises:
        RpcFailure: UNKNOWN_ORDER (with an account: the same whether the order is another's or there is none), CATALOG,
            NO_LEADER, HALTED.
    """
    if account is None:
        return (yield from order_reader().look_up(number))
    hidden = RpcFailure(Reason.UNKNOWN_ORDER, f"account {account!r} has no order {number}")
    try:
        order = yield from order_reader().look_up(number)
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
    page = run(order_reader().list_orders(query.request(account)))
    while page.resume_number and not page.orders and time.monotonic() < give_up:
        query = dataclasses.replace(query, position=page.resume_number)
        page = run(order_reader().list_orders(query.request(account)))
    return OrderPage(list(page.orders), page.resume_number or None, page.last_number)


def begin_shutdown() -> None:
    """Have every order that begins from now on refused. Orders under way go on. Any thread may call it."""
    _stopping.set()


def _refuse_if_stopping() -> None:
    """Refuse what has not begun: the server waits a limited time for what is under way, and cuts the rest off."""
    if _stopping.is_set():
        raise RpcFailure(Reason.SHUTTING_DOWN, "This frontend is stopping; nothing was done.")
