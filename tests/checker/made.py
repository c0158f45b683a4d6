"""Histories made for the checker's own tests."""

from collections.abc import Iterable

from common.rows import HEADER, chain_seed, encode_row
from tests.checker.history import JOURNAL, History, ShownOrder

CLUSTER_ID = "0123456789abcdef"
REPLICAS = ("order-1", "order-2", "order-3")


class MadeMarket:
    """Stocks and the orders made so far: what a correct system would answer at this moment."""

    def __init__(self, initial: dict[str, int]) -> None:
        self.quantities = dict(initial)
        self.orders: list[ShownOrder] = []

    def number_of(self, key: str) -> int | None:
        """Return the number of the order of this key, None if there is none."""
        return next((order.number for order in self.orders if order.key == key), None)

    def execute(self, key: str, name: str, order_type: str, quantity: int) -> ShownOrder:
        """Make an order, whether there are shares enough or not."""
        number = len(self.orders) + 1
        self.quantities[name] += quantity if order_type == "sell" else -quantity
        order = ShownOrder(number, name, order_type, quantity, "1.50", key, f"2031-04-09T13:05:22.{number:06d}Z")
        self.orders.append(order)
        return order


def make_journal(orders: Iterable[ShownOrder], account: str = "") -> bytes:
    """Return the bytes of a journal that holds these orders in this order, by the product's own encoder."""
    rows, chain = [HEADER], chain_seed(CLUSTER_ID)
    for order in orders:
        row, chain = encode_row(
            transaction_number=order.number,
            epoch=1,
            stock_name=order.name,
            order_type=order.order_type,
            quantity=order.quantity,
            price_cents=round(float(order.price) * 100),
            account=account,
            idempotency_key=order.key,
            created_at=order.created_at,
            prev_chain=chain,
        )
        rows.append(row)
    return b"".join(rows)


def set_journal(history: History, orders: Iterable[ShownOrder]) -> None:
    """Make these the orders of the journal and of every replica."""
    data = make_journal(orders)
    history.files = dict.fromkeys((JOURNAL, *REPLICAS), data)
