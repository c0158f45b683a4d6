"""A stock, and what a trade must look like; no I/O."""

from dataclasses import dataclass, replace

from backends.checks import (
    check_account,
    check_idempotency_key,
    check_order_quantity,
    check_stock_name,
    order_type_name,
)
from backends.failures import InvalidArgument
from protos import catalog_pb2


@dataclass(slots=True)
class Stock:
    """One stock as of its last trade.

    Invariant: quantity = initial_quantity + all sells - all buys, within 0 to 10^15.

    Attributes:
        price_cents: of one share.
        initial_quantity: shares before the first trade.
        quantity: shares left.
        last_trade: number of its last trade, 0 if there was none.
    """

    name: str
    price_cents: int
    initial_quantity: int
    quantity: int
    last_trade: int

    @classmethod
    def new(cls, name: str, price_cents: int, initial_quantity: int) -> "Stock":
        """Return a stock that was never traded."""
        return cls(name, price_cents, initial_quantity, initial_quantity, 0)

    def to_proto(self) -> catalog_pb2.Stock:
        """Return the message that shows this stock."""
        return catalog_pb2.Stock(
            name=self.name,
            price_cents=self.price_cents,
            quantity=self.quantity,
            initial_quantity=self.initial_quantity,
        )


def stock_to_be(known: Stock | None, request: catalog_pb2.SetStockRequest) -> Stock:
    """Return the stock as a SetStock request wants it; `known` is the one that has its name now, if there is one.

    Raises:
        InvalidArgument: a new stock without its first quantity, or a known one with another.
    """
    if known is None:
        if not request.HasField("initial_quantity"):
            raise InvalidArgument(f"stock {request.name!r} is new: initial_quantity is needed")
        return Stock.new(request.name, request.price_cents, request.initial_quantity)
    if request.HasField("initial_quantity") and request.initial_quantity != known.initial_quantity:
        raise InvalidArgument(
            f"stock {known.name!r} began with {known.initial_quantity} shares, not {request.initial_quantity};"
            " the quantity of a known stock changes by trades only"
        )
    return replace(known, price_cents=request.price_cents)


def check_trade(trade: catalog_pb2.Trade) -> None:
    """Raise InvalidArgument, naming field and value, if the trade is outside the bounds of protos/catalog.proto."""
    check_stock_name(trade.stock_name)
    order_type_name(trade.order_type)
    check_order_quantity(trade.quantity)
    check_account(trade.account)
    check_idempotency_key(trade.idempotency_key)
