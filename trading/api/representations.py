"""Stocks and orders as the REST interface shows them: docs/API.md, 3 and 4."""

from typing import Any

from common.bounds import price_text
from common.rows import ORDER_TYPE_NAMES
from protos import order_pb2
from trading.reads.stock import Stock

# Orders fill at once and in full, or not at all.
FILLED = "filled"


def stock_data(stock: Stock) -> dict[str, Any]:
    """Return the JSON object of a stock."""
    return {"name": stock.name, **_price_data(stock.price_cents), "quantity": stock.quantity}


# An order's number by each of the names that clients know it by; they read one of the three. Nobody else lists them.
NUMBER_FIELDS = ("transaction_number", "transaction_id", "number")


def order_data(order: order_pb2.Order) -> dict[str, Any]:
    """Return the JSON object of an order."""
    return {
        **dict.fromkeys(NUMBER_FIELDS, order.transaction_number),
        "name": order.stock_name,
        "type": ORDER_TYPE_NAMES[order.order_type],
        "quantity": order.quantity,
        **_price_data(order.price_cents),
        "status": FILLED,
        "client_order_id": order.idempotency_key,
        "created_at": order.created_at,
    }


def placed_headers(placed: order_pb2.PlaceOrderResponse) -> dict[str, str]:
    """Return the headers of the answer to an order: where it is, and whether it was made before."""
    headers = {"Location": f"/orders/{placed.order.transaction_number}"}
    if placed.replayed:
        headers["Idempotency-Replayed"] = "true"
    return headers


def _price_data(cents: int) -> dict[str, Any]:
    # The double that is nearest to the price, as to its text.
    return {"price": cents / 100, "price_decimal": price_text(cents)}
