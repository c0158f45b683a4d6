"""What has been decided in a simulated run, and whether what is answered agrees with it: I1 and I4 to I7.

A simulation sees the moment of each decision, so answers are checked against the truth when they are given: an order
that is asked for now gets a number above all that are decided; an uncached read shows a state that was true between
its question and its answer.
"""

from bisect import bisect_left
from typing import NamedTuple

from common.calls.reasons import Reason
from common.rows import Row, order_from_row
from protos import catalog_pb2, order_pb2
from tests.simulation.nodes import FIRST_PRICE_CENTS, FIRST_QUANTITY, STOCKS
from tests.simulation.world import World
from trading.reads.order_query import OrderQuery
from trading.reads.stock_reader import BYPASS, HIT, StockRead

CACHE_S = 1.0
# Sums of times are not exact.
ROUNDING_S = 1e-6


class Violation(AssertionError):
    """An invariant does not hold."""


class State(NamedTuple):
    """A stock, from a moment on."""

    since: float
    quantity: int
    price_cents: int


class History:
    """The rows of the journal in the order in which they were decided, and the states of the stocks.

    Attributes:
        rows: all that was ever decided. It never shrinks.
        chains: the chain at each.
        acked: the number that each key was acknowledged with.
        cursor_times: when the changes up to each cursor of the catalog's had been made, at the latest.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.rows: list[Row] = []
        self.chains: list[int] = []
        self.acked: dict[str, int] = {}
        self.cursor_times: dict[str, float] = {}
        self.judges_stocks = True  # False: what stocks are shown as is not looked at
        self.judges_orders = True  # False: what orders are shown as is not looked at
        self._number_by_key: dict[str, int] = {}
        self._quantities = dict.fromkeys(STOCKS, FIRST_QUANTITY)
        self._states = {name: [State(0.0, FIRST_QUANTITY, FIRST_PRICE_CENTS)] for name in STOCKS}
        self._abandoned: set[str] = set()  # answered not_executed, and not tried again
        self._refused: dict[str, int] = {}  # the epoch in which a key was last refused for good

    def violated(self, what: str) -> Violation:
        """Return what is to be raised."""
        return Violation(what)

    # -- What is decided -------------------------------------------------------------------------------------------

    def add(self, row: Row) -> None:
        """Take in the next row of the journal."""
        number = len(self.rows) + 1
        key = row.idempotency_key
        if row.transaction_number != number:
            raise self.violated(f"I1: row {row.transaction_number} stands at {number}")
        if key in self._number_by_key:
            raise self.violated(f"I4: key {key} made orders {self._number_by_key[key]} and {number}")
        if key in self._abandoned:
            raise self.violated(f"I4: {key} was answered not_executed and is order {number}")
        if self._refused.get(key) == row.epoch:
            raise self.violated(f"I4: {key} was refused in epoch {row.epoch} and is order {number} in the same")
        sign = 1 if row.order_type == "sell" else -1
        self._quantities[row.stock_name] += sign * row.quantity
        if self._quantities[row.stock_name] < 0:
            raise self.violated(f"I5: {row.stock_name} is at {self._quantities[row.stock_name]} behind order {number}")
        self.rows.append(row)
        self.chains.append(row.chain)
        self._number_by_key[key] = number
        self.world.note(f"decided {number} {key} {row.order_type} {row.quantity} {row.stock_name}")

    def note_batch(self, batch: catalog_pb2.UpdateStockRequest, answer: catalog_pb2.UpdateStockResponse) -> None:
        """Keep which trades of a batch the catalog refused for good."""
        for trade, result in zip(batch.trades, answer.results, strict=True):
            if result.HasField("refusal") and result.refusal.reason != Reason.DISK_FULL.name:
                self._refused[trade.idempotency_key] = batch.epoch

    def note_cursor(self, cursor: str) -> None:
        """Keep when the catalog first told somebody of the changes up to a cursor."""
        self.cursor_times.setdefault(cursor, self.world.now)

    def see_stock(self, stock: catalog_pb2.Stock) -> None:
        """Take in a stock as readers of the catalog see it from now on."""
        states = self._states[stock.name]
        if stock.quantity != self._quantities[stock.name]:
            raise self.violated(
                f"I5: the catalog shows {stock.quantity} of {stock.name}, the rows give {self._quantities[stock.name]}"
            )
        if self.judges_stocks and stock.price_cents < states[-1].price_cents:
            raise self.violated(
                f"I8: the price of {stock.name} was {states[-1].price_cents}, is {stock.price_cents}: it only rises"
            )
        if (stock.quantity, stock.price_cents) != states[-1][1:]:
            states.append(State(self.world.now, stock.quantity, stock.price_cents))

    # -- What is answered ------------------------------------------------------------------------------------------

    def acknowledge(self, order: order_pb2.Order, wanted: catalog_pb2.NewOrder, decided: int) -> None:
        """Check an order that a client is answered; `decided`: how many were before the key was first sent."""
        number, key = order.transaction_number, order.idempotency_key
        self.world.note(f"acknowledged {number} {key}")
        if self._number_by_key.get(key) != number:
            raise self.violated(f"I1: {key} was acknowledged as {number}, decided as {self._number_by_key.get(key)}")
        if key != wanted.idempotency_key or order.quantity != wanted.quantity:
            raise self.violated(f"I4: {wanted.idempotency_key} was answered with the order of {key}")
        if number <= decided:
            raise self.violated(f"I6: {key} is order {number}, but {decided} were decided before it was sent")
        if self.acked.get(key, number) != number:
            raise self.violated(f"I1: {key} was acknowledged as {self.acked[key]} and as {number}")
        self.check_order(number, order)
        self.acked[key] = number

    def abandon(self, key: str) -> None:
        """Take in that an order is not executed, by all that its client was answered, and never will be."""
        self.world.note(f"not executed {key}")
        if key in self._number_by_key:
            raise self.violated(f"I4: {key} was answered not_executed and is order {self._number_by_key[key]}")
        self._abandoned.add(key)

    def check_stock(self, read: StockRead, began: float, changed: float) -> None:
        """Check a stock that a frontend answers now: I6 past the cache, else I7.

        `began`: when it was asked; `changed`: by when the stock had changed, as the frontend knew then: it had answered
        an order of it, or the catalog had told it of a change.
        """
        if not self.judges_stocks:
            return
        now = self.world.now
        since = began
        if read.cache != BYPASS:
            since = now - CACHE_S if read.cache == HIT else min(began, now - CACHE_S)
            since = max(since, changed)
        states = self._states[read.stock.name]
        ends = [state.since for state in states[1:]]
        true_then = states[bisect_left(ends, since - ROUNDING_S) :]
        if not any(one[1:] == (read.stock.quantity, read.stock.price_cents) for one in true_then):
            invariant = "I6" if read.cache == BYPASS else "I7"
            raise self.violated(
                f"{invariant}: {read.cache} shows {read.stock}, which was not true in the last {now - since:.3f} s;"
                f" asked {now - began:.3f} s ago, known to have changed {now - changed:.3f} s ago; true: {true_then}"
            )

    def check_no_order(self, number: int, decided: int) -> None:
        """Check that there is no order of this number; `decided`: how many there were when it was asked for."""
        if number <= decided:
            raise self.violated(f"I6: order {number} was not found, but {decided} were decided before it was asked for")

    def check_order(self, number: int, order: order_pb2.Order) -> None:
        """Check an order that is shown under a number."""
        if number > len(self.rows):
            raise self.violated(f"I8: order {number} is shown, {len(self.rows)} are decided")
        if self.judges_orders and order != order_from_row(self.rows[number - 1]):
            raise self.violated(f"I1: order {number} is shown as {order}, decided as {self.rows[number - 1]}")

    def check_page(self, query: OrderQuery, page: order_pb2.ListOrdersResponse, decided: int) -> None:
        """Check a page of a list; `decided`: how many orders there were when it was asked for."""
        if not decided <= page.last_number <= len(self.rows):
            raise self.violated(f"I6: a list names {page.last_number} as latest; {decided}..{len(self.rows)} are")
        matching = [row.transaction_number for row in self.rows[: page.last_number] if _matches(query, row)]
        if query.is_descending:
            matching.reverse()
        shown = [order.transaction_number for order in page.orders]
        if self.judges_orders and shown != matching[: query.limit]:
            raise self.violated(f"I6: a page of {query} shows {shown} of {page.last_number}, not {matching[:50]}")
        if page.resume_number != (shown[-1] if len(matching) > query.limit else 0):
            raise self.violated(f"I6: a page of {query} shows {shown}, and goes on from {page.resume_number}")
        for order in page.orders:
            self.check_order(order.transaction_number, order)


def _matches(query: OrderQuery, row: Row) -> bool:
    number, position, filters = row.transaction_number, query.position, query.filters
    if position is not None and not (number < position if query.is_descending else number > position):
        return False
    return (
        number > filters.after_number
        and row.stock_name in (filters.name or STOCKS)
        and row.order_type in (filters.type or ("buy", "sell"))
        and row.idempotency_key == (filters.client_order_id or row.idempotency_key)
    )
