"""A stock, and what a trade must look like; no I/O."""

from dataclasses import dataclass

from backends.checks import (
    check_account,
    check_idempotency_key,
    check_order_quantity,
    check_stock_name,
    order_type_name,
)
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
        return catalog_pb2.Stock(name=self.name, price_cents=self.price_cents, quantity=self.quantity)


def check_trade(trade: catalog_pb2.Trade) -> None:
    """Raise InvalidArgument, naming field and value, if the trade is outside the bounds of protos/catalog.proto."""
    check_stock_name(trade.stock_name)
    order_type_name(trade.order_type)
    check_order_quantity(trade.quantity)
    check_account(trade.account)
    check_idempotency_key(trade.idempotency_key)
