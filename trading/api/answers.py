"""What the requests of programs are answered with, said once: the edge sends it as it is, a view through its renderer.

Each function is a procedure (common.calls.steps), and raises what its service raises.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from django.conf import settings

from common.bounds import MAX_NUMBER, STOCK_NAME
from common.calls.reasons import Reason
from common.calls.steps import Steps
from trading import services
from trading.api.errors import ApiError, shown
from trading.api.representations import order_data, placed_headers, stock_data

_NUMBER = re.compile(r"[1-9][0-9]{0,15}")
HEALTHY = {"status": "ok"}


class Answer(NamedTuple):
    """The object under `data` of an answer that is no error, its headers beside those that all have, and its status."""

    data: Mapping[str, Any]
    headers: Mapping[str, str]
    status: int = 200


def answer_stock(name: str, *, past_cache: bool) -> Steps[Answer]:
    """Answer with a stock; the header X-Cache says how the cache took part.

    Raises:
        ApiError: STOCK_NOT_FOUND: no stock can have this name; nobody is asked.
    """
    if not STOCK_NAME.fullmatch(name):
        raise ApiError(Reason.UNKNOWN_STOCK, f"No stock is named {shown(name)}.", [{"field": "name"}])
    read = yield from services.look_up_stock(name=name, past_cache=past_cache)
    return Answer(stock_data(read.stock), {"X-Cache": read.cache})


def answer_order(number: str, account: str | None) -> Steps[Answer]:
    """Answer with an order, of this account unless that is None.

    Raises:
        ApiError: VALIDATION_FAILED: no order can have this number.
    """
    if not _NUMBER.fullmatch(number) or int(number) > MAX_NUMBER:
        message = f"{shown(number)} is not an order number: an integer from 1 to {MAX_NUMBER}."
        raise ApiError(Reason.INVALID_ARGUMENT, message, [{"field": "number", "message": message}])
    order = yield from services.look_up_order(number=int(number), account=account)
    return Answer(order_data(order), {})


def answer_placed(**order: Any) -> Steps[Answer]:
    """Place an order (`services.place_order` has the arguments) and answer with it."""
    placed = yield from services.place_order(**order)
    return Answer(order_data(placed.order), placed_headers(placed), settings.ORDERS_CREATED_STATUS)
