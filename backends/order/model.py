"""An order as messages and rows say it; no I/O."""

from backends.failures import InvalidArgument
from backends.row import Row
from common.bounds import ACCOUNT, IDEMPOTENCY_KEY, MAX_ORDER_QUANTITY, STOCK_NAME
from protos import catalog_pb2, order_pb2

_TYPE_BY_NAME = {"buy": catalog_pb2.BUY, "sell": catalog_pb2.SELL}
_NAME_BY_TYPE = {number: name for name, number in _TYPE_BY_NAME.items()}


def order_type_name(order_type: catalog_pb2.OrderType.ValueType) -> str:
    """Return "buy" or "sell".

    Raises:
        InvalidArgument: neither of the two.
    """
    try:
        return _NAME_BY_TYPE[order_type]
    except KeyError:
        raise InvalidArgument(f"order_type {order_type} is neither BUY nor SELL") from None


def check_new_order(order: order_pb2.NewOrder) -> None:
    """Raise InvalidArgument, naming field and value, if the order is outside the bounds of protos/catalog.proto."""
    if not STOCK_NAME.fullmatch(order.stock_name):
        raise InvalidArgument(f"stock_name {order.stock_name!r} is not 1 to 32 of A-Z a-z 0-9 . _ -")
    order_type_name(order.order_type)
    if not 1 <= order.quantity <= MAX_ORDER_QUANTITY:
        raise InvalidArgument(f"quantity {order.quantity} is not within 1 to {MAX_ORDER_QUANTITY}")
    if not IDEMPOTENCY_KEY.fullmatch(order.idempotency_key):
        raise InvalidArgument(f"idempotency_key {order.idempotency_key!r} is not 1 to 64 of A-Z a-z 0-9 . _ : -")
    if not ACCOUNT.fullmatch(order.account):
        raise InvalidArgument(f"account {order.account!r} is not 0 to 64 of A-Z a-z 0-9 . _ @ + -")


def order_from_row(row: Row) -> order_pb2.Order:
    """Return the order that a row of the log records."""
    return order_pb2.Order(
        transaction_number=row.transaction_number,
        epoch=row.epoch,
        stock_name=row.stock_name,
        order_type=_TYPE_BY_NAME[row.order_type],
        quantity=row.quantity,
        price_cents=row.price_cents,
        account=row.account,
        idempotency_key=row.idempotency_key,
        created_at=row.created_at,
    )


def is_same_intent(order: order_pb2.Order, wanted: order_pb2.NewOrder) -> bool:
    """Whether a recorded order is what was asked for: a key that names another one has been reused."""
    return (order.stock_name, order.order_type, order.quantity) == (
        wanted.stock_name,
        wanted.order_type,
        wanted.quantity,
    )
