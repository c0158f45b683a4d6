"""The bounds of fields that both backends are sent (protos/catalog.proto). All raise InvalidArgument with the value."""

import re

from backends.failures import InvalidArgument
from common.bounds import (
    ACCOUNT,
    HELD_STOCK_NAME,
    IDEMPOTENCY_KEY,
    MAX_ORDER_QUANTITY,
    STOCK_NAME,
    STOCK_NAME_RULE,
)
from common.rows import ORDER_TYPE_NAMES
from protos import catalog_pb2


def check_new_order(order: catalog_pb2.NewOrder) -> None:
    """Check an order that is to be placed; `request_id` is for logs alone, and may be anything."""
    check_stock_name(order.stock_name)
    order_type_name(order.order_type)
    check_order_quantity(order.quantity)
    check_account(order.account)
    check_idempotency_key(order.idempotency_key)


def check_within(field: str, value: int, least: int, most: int) -> None:
    """Check that a number is within least..most, both included."""
    if not least <= value <= most:
        raise InvalidArgument(f"{field} {value} is not within {least} to {most}")


def check_stock_name(name: str) -> None:
    """Check the name of a stock that is to be made or traded."""
    _check_text("stock_name", name, STOCK_NAME, STOCK_NAME_RULE)


def check_held_stock_name(name: str) -> None:
    """Check the name of a stock that is asked for: one that an older catalog holds is shown."""
    _check_text("stock_name", name, HELD_STOCK_NAME, STOCK_NAME_RULE)


def check_idempotency_key(key: str) -> None:
    """Check an idempotency key."""
    _check_text("idempotency_key", key, IDEMPOTENCY_KEY, "1 to 64 of A-Z a-z 0-9 . _ : -")


def check_account(account: str) -> None:
    """Check an account; it is empty while authentication is off."""
    _check_text("account", account, ACCOUNT, "0 to 64 of A-Z a-z 0-9 . _ @ + -")


def check_order_quantity(quantity: int) -> None:
    """Check the quantity of one order."""
    check_within("quantity", quantity, 1, MAX_ORDER_QUANTITY)


def order_type_name(order_type: catalog_pb2.OrderType.ValueType) -> str:
    """Return "buy" or "sell", as rows say it."""
    try:
        return ORDER_TYPE_NAMES[order_type]
    except KeyError:
        raise InvalidArgument(f"order_type {order_type} is neither BUY nor SELL") from None


def _check_text(field: str, text: str, pattern: "re.Pattern[str]", form: str) -> None:
    if not pattern.fullmatch(text):
        # Not the whole of a text of megabytes: this sentence travels and is logged.
        raise InvalidArgument(f"{field} {text[:80]!r} is not {form}")
