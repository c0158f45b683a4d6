"""A stock, and what a trade must look like; no I/O."""

from dataclasses import dataclass

from backends.failures import InvalidArgument
from common.bounds import ACCOUNT, IDEMPOTENCY_KEY, MAX_ORDER_QUANTITY, MAX_PRICE_CENTS, MAX_STOCK_QUANTITY, STOCK_NAME
from protos import catalog_pb2

TYPE_NAMES = {catalog_pb2.BUY: "buy", catalog_pb2.SELL: "sell"}


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


def check_name(name: str) -> None:
    """Raise InvalidArgument, naming the value, if this cannot be a stock's name."""
    if not STOCK_NAME.fullmatch(name):
        raise InvalidArgument(f"stock name {_shown(name)} is not 1 to 32 of A-Z a-z 0-9 . _ -")


def check_price(price_cents: int) -> None:
    """Raise InvalidArgument, naming the value, if this cannot be a price."""
    if not 1 <= price_cents <= MAX_PRICE_CENTS:
        raise InvalidArgument(f"price_cents {price_cents} is not within 1 to {MAX_PRICE_CENTS}")


def check_stock_quantity(quantity: int) -> None:
    """Raise InvalidArgument, naming the value, if a stock cannot have this many shares."""
    if not 0 <= quantity <= MAX_STOCK_QUANTITY:
        raise InvalidArgument(f"quantity {quantity} is not within 0 to {MAX_STOCK_QUANTITY}")


def check_trade(trade: catalog_pb2.Trade) -> None:
    """Raise InvalidArgument, naming field and value, if the trade is outside the bounds of protos/catalog.proto."""
    check_name(trade.stock_name)
    if trade.order_type not in TYPE_NAMES:
        raise InvalidArgument(f"order_type {trade.order_type} is neither BUY nor SELL")
    if not 1 <= trade.quantity <= MAX_ORDER_QUANTITY:
        raise InvalidArgument(f"quantity {trade.quantity} is not within 1 to {MAX_ORDER_QUANTITY}")
    if not ACCOUNT.fullmatch(trade.account):
        raise InvalidArgument(f"account {_shown(trade.account)} is not 0 to 64 of A-Z a-z 0-9 . _ @ + -")
    if not IDEMPOTENCY_KEY.fullmatch(trade.idempotency_key):
        raise InvalidArgument(f"idempotency_key {_shown(trade.idempotency_key)} is not 1 to 64 of A-Z a-z 0-9 . _ : -")


def _shown(text: str) -> str:
    """Quote a caller's text for a message; a long one is cut, for messages travel in headers of limited size."""
    return repr(text) if len(text) <= 80 else f"{text[:80]!r}... ({len(text)} characters)"
