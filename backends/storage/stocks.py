"""The stocks as readers see them: as of the last synced trade."""

from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping
from dataclasses import replace

from backends.storage.changes import ChangeFeed
from backends.storage.values import Level, Position, Stock, StockPage
from common.rwlock import ReadWriteLock


class StockTable:
    """Stocks by name, and the position in the journal that they are as of.

    Any number of threads may read while one changes: `apply` and `put` are called by one thread at a time. A change of
    several stocks is seen whole or not at all. The lock is held for memory work only.
    """

    def __init__(self, stocks: Iterable[Stock], position: tuple[int, int], changes: ChangeFeed) -> None:
        """The stocks are as of `position`; their changes are told to `changes`."""
        self._lock = ReadWriteLock()
        self._stocks = {stock.name: stock for stock in stocks}  # guarded by _lock
        self._names = sorted(self._stocks)  # guarded by _lock
        self._position = Position(*position)  # replaced as a whole, while _lock is held for writing
        self.changes = changes

    @property
    def position(self) -> Position:
        """The last number that readers see, and the chain at it. Never waits."""
        return self._position

    def for_writer(self) -> Mapping[str, Stock]:
        """The stocks themselves, for the one thread that may change them: it needs no lock to look."""
        return self._stocks

    def find(self, name: str) -> Stock | None:
        """Return a copy of one stock, None if there is none of this name."""
        with self._lock.read():
            stock = self._stocks.get(name)
            return None if stock is None else replace(stock)

    def page(self, after_name: str, limit: int) -> StockPage:
        """Return up to `limit` stocks behind `after_name` (exclusive) in the order of names, all of one moment."""
        with self._lock.read():
            first = bisect_right(self._names, after_name)
            stocks = [replace(self._stocks[name]) for name in self._names[first : first + limit]]
            return StockPage(stocks, first + limit < len(self._names), self._position.number)

    def named(self, names: Iterable[str]) -> StockPage:
        """Return the stocks of these names, all of one moment; a name that no stock has is left out."""
        with self._lock.read():
            found = [replace(self._stocks[name]) for name in names if name in self._stocks]
            return StockPage(found, False, self._position.number)

    def snapshot(self) -> list[Stock]:
        """Return copies of all stocks, of one moment."""
        with self._lock.read():
            return [replace(stock) for stock in self._stocks.values()]

    def apply(self, levels: Mapping[str, Level], position: Position) -> None:
        """Make synced trades visible: what they leave of the stocks, and the journal's position behind them."""
        with self._lock.write():
            for name, level in levels.items():
                stock = self._stocks[name]
                stock.quantity, stock.last_trade = level
            self._position = position
            self.changes.publish(levels)

    def put(self, stock: Stock) -> None:
        """Make a new stock, or another price of a known one, visible."""
        with self._lock.write():
            if stock.name not in self._stocks:
                insort(self._names, stock.name)
            self._stocks[stock.name] = stock
            self.changes.publish([stock.name])
