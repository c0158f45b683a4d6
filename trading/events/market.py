"""Orders and stock changes as events: every order that is made, by any frontend, and what it leaves of its stock."""

from collections.abc import Callable, Iterable, Sequence

from protos import catalog_pb2, order_pb2
from trading.api.renderers import exact_json
from trading.api.representations import order_data, stock_data
from trading.events.ring import Event
from trading.events.topics import ORDER, RESET, STOCK
from trading.reads.stock import Stock

WAIT_MS = 500
PAGE = 500
# Further behind than this, orders are left out and a reset says so: they would push each other out of the ring.
MOST_BEHIND = 5_000

Watch = Callable[[str, int], catalog_pb2.WatchStocksResponse]
ListOrders = Callable[[order_pb2.ListOrdersRequest], order_pb2.ListOrdersResponse]
ReadStocks = Callable[[Sequence[str]], Iterable[Stock]]


class MarketSource:
    """Follows the catalog's changes: each of them says that there are new orders, and which stocks to read again.

    Not thread-safe: one thread makes the ticks.
    """

    def __init__(
        self,
        watch: Watch,
        list_orders: ListOrders,
        read_stocks: ReadStocks,
        publish: Callable[[Sequence[Event]], None],
    ) -> None:
        """`watch(cursor, wait_ms)` waits for changes; `read_stocks` takes PAGE names at most."""
        self._watch = watch
        self._list_orders = list_orders
        self._read_stocks = read_stocks
        self._publish = publish
        self._cursor = ""
        self._last_number: int | None = None  # of the newest order that was published, or need not be
        self._changed: set[str] = set()  # stocks to be read
        self._orders_due = False

    def begin(self) -> None:
        """Take the present for the beginning: what happens from now on becomes events. Raises RpcFailure.

        Called again, it begins anew.
        """
        self._cursor = self._watch("", 0).cursor
        page = self._list_orders(order_pb2.ListOrdersRequest(limit=1, descending=True))
        self._last_number = page.last_number
        self._changed.clear()
        self._orders_due = False

    def tick(self) -> bool:
        """Wait for changes, for half a second at most, and publish them; return whether there were any.

        Raises:
            RpcFailure: somebody did not answer. Nothing is lost: the next tick goes on where this one failed.
        """
        has_work = self._orders_due or bool(self._changed)
        changes = self._watch(self._cursor, 0 if has_work else WAIT_MS)
        self._cursor = changes.cursor
        self._changed |= set(changes.names)
        if changes.reset:  # the catalog was started again, or changed more than it remembers: orders are not lost
            self._publish([left_out(STOCK)])
        self._orders_due = self._orders_due or changes.reset or bool(changes.names)
        if not self._orders_due and not self._changed:
            return False
        self._publish_orders()
        self._publish_stocks()
        return True

    def _publish_orders(self) -> None:
        assert self._last_number is not None, "begin() comes first"
        while self._orders_due:
            page = self._list_orders(order_pb2.ListOrdersRequest(after_number=self._last_number, limit=PAGE))
            if page.last_number - self._last_number > MOST_BEHIND:
                self._last_number = page.last_number
                self._publish([left_out(ORDER)])
                continue
            if page.orders:
                self._publish([_order_event(order) for order in page.orders])
                self._last_number = page.orders[-1].transaction_number
            self._orders_due = page.resume_number > 0

    def _publish_stocks(self) -> None:
        while self._changed:
            names = sorted(self._changed)[:PAGE]
            self._publish([_stock_event(stock) for stock in self._read_stocks(names)])
            self._changed -= set(names)


def _order_event(order: order_pb2.Order) -> Event:
    return Event(ORDER, exact_json(order_data(order)), order.stock_name, account=order.account)


def _stock_event(stock: Stock) -> Event:
    return Event(STOCK, exact_json(stock_data(stock)), stock.name)


def left_out(*types: str) -> Event:
    """Return the reset that says that events of these types may be missing."""
    return Event(RESET, exact_json({"reason": "left_out"}), types=frozenset(types))
