"""What a simulated frontend is asked, besides to place an order (a NewOrder)."""

from dataclasses import dataclass

from trading.reads.order_query import OrderQuery


@dataclass(frozen=True)
class ReadStock:
    """Ask a frontend for a stock."""

    name: str
    past_cache: bool


@dataclass(frozen=True)
class LookUpOrder:
    """Ask a frontend for an order."""

    number: int


@dataclass(frozen=True)
class ListOrders:
    """Ask a frontend for a page of orders."""

    query: OrderQuery
