"""One valid history with operations of every kind, for tests that plant a violation in it."""

from dataclasses import replace

from tests.checker.history import (
    JOURNAL,
    History,
    ListOrders,
    LookUpOrder,
    Operation,
    Outcome,
    Page,
    PlaceOrder,
    ReadStock,
    Reason,
    ShownOrder,
)
from tests.checker.made import CLUSTER_ID, MadeMarket, set_journal

INITIAL = {"A": 3, "B": 10}
ONE, TWO = "front-1", "front-2"


class Sample:
    """A history in which every operation takes half a second and a second passes between them, to be changed.

    Attributes:
        named: the place of each operation in the history, by a name for it.
    """

    def __init__(self) -> None:
        self.market = MadeMarket(INITIAL)
        self.history = History(CLUSTER_ID, INITIAL)
        self.named: dict[str, int] = {}
        self._now = 100.0
        self._fill()
        set_journal(self.history, self.market.orders)
        self.history.files_read_at = self._now
        self.add("last read", ReadStock(ONE, *self._times(), "A", self.market.quantities["A"]))

    @property
    def orders(self) -> list[ShownOrder]:
        """The journal's orders; `set_orders` changes them."""
        return self.market.orders

    def add(self, name: str, operation: Operation) -> None:
        """Append an operation."""
        self.named[name] = len(self.history.operations)
        self.history.operations.append(operation)

    def change(self, name: str, /, **changes: object) -> None:
        """Change fields of an operation."""
        place = self.named[name]
        self.history.operations[place] = replace(self.history.operations[place], **changes)  # type: ignore[arg-type]

    def change_page(self, name: str, page: int, /, **changes: object) -> None:
        """Change fields of a page of a list."""
        one = self.operation(name)
        assert isinstance(one, ListOrders)
        pages = list(one.pages)
        pages[page] = replace(pages[page], **changes)  # type: ignore[arg-type]
        self.change(name, pages=tuple(pages))

    def drop(self, name: str) -> None:
        """Remove an operation."""
        place = self.named.pop(name)
        del self.history.operations[place]
        self.named = {other: at - (at > place) for other, at in self.named.items()}

    def operation(self, name: str) -> Operation:
        """Return an operation."""
        return self.history.operations[self.named[name]]

    def set_orders(self, *orders: ShownOrder) -> None:
        """Make these the journal and the replicas' logs."""
        set_journal(self.history, orders)

    def damage(self, name: str, old: bytes, new: bytes) -> None:
        """Replace bytes of one file."""
        assert old in self.history.files[name]
        self.history.files[name] = self.history.files[name].replace(old, new, 1)

    def damage_all(self, old: bytes, new: bytes) -> None:
        """Replace bytes of all files."""
        assert old in self.history.files[JOURNAL]
        self.history.files = {name: data.replace(old, new, 1) for name, data in self.history.files.items()}

    def _times(self) -> tuple[float, float]:
        self._now += 1.0
        return self._now - 1.0, self._now - 0.5

    def _order(self, name: str, frontend: str, key: str, stock: str, order_type: str, quantity: int) -> None:
        order = self.market.execute(key, stock, order_type, quantity)
        times = self._times()
        self.add(name, PlaceOrder(frontend, *times, key, stock, order_type, quantity, Outcome.ORDER, order))

    def _page(self, first: int, last: int, *, more: bool) -> Page:
        step = 1 if first <= last else -1
        orders = tuple(self.orders[number - 1] for number in range(first, last + step, step))
        return Page(*self._times(), orders, len(self.orders), more)

    def _fill(self) -> None:
        self._order("first", ONE, "k1", "A", "buy", 1)  # A: 2
        self.add("read", ReadStock(TWO, *self._times(), "A", 2))
        self.add("lost answer", PlaceOrder(ONE, *self._times(), "k2", "A", "buy", 1, Outcome.NO_ANSWER))
        retried = self.market.execute("k2", "A", "buy", 1)  # A: 1
        self.add("retry", PlaceOrder(TWO, *self._times(), "k2", "A", "buy", 1, Outcome.ORDER, retried))
        self.add("cached", ReadStock(TWO, *self._times(), "A", 1, cached=True))
        refusal = {"reason": Reason.INSUFFICIENT_STOCK, "available": 1}
        self.add("refused", PlaceOrder(ONE, *self._times(), "k3", "A", "buy", 2, Outcome.REFUSED, **refusal))  # type: ignore[arg-type]
        self.add("unavailable", PlaceOrder(ONE, *self._times(), "k4", "B", "buy", 1, Outcome.NOT_EXECUTED))
        self._order("third", ONE, "k5", "B", "sell", 5)
        self._order("fourth", TWO, "k6", "A", "sell", 1)  # A: 2
        self.add("cached own", ReadStock(TWO, self._now - 0.4, self._now - 0.3, "A", 2, cached=True))
        # Front-1 has not heard of order 4 yet: it was made less than a second before.
        self.add("cached other", ReadStock(ONE, self._now - 0.4, self._now - 0.3, "A", 1, cached=True))
        self.add("reused", PlaceOrder(ONE, *self._times(), "k1", "A", "buy", 2, Outcome.KEY_REUSED, reused_number=1))
        self.add("found", LookUpOrder(ONE, *self._times(), 4, self.orders[3]))
        self.add("not found", LookUpOrder(ONE, *self._times(), 5, None))
        self._order("fifth", ONE, "k7", "B", "buy", 2)
        self.add("unsettled", PlaceOrder(ONE, *self._times(), "k8", "B", "buy", 1, Outcome.UNKNOWN))
        self.market.execute("k8", "B", "buy", 1)
        ascending = (self._page(2, 4, more=True), self._page(5, 6, more=False))
        self.add("ascending", ListOrders(ONE, ascending, after_number=1))
        self.add("descending", ListOrders(TWO, (self._page(6, 4, more=True), self._page(3, 1, more=False)), True))
        only_a = Page(*self._times(), tuple(order for order in self.orders if order.name == "A"), 6, False)
        self.add("filtered", ListOrders(TWO, (only_a,), names=("A",)))
