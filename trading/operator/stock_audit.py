"""Conservation of stock: for every stock, initial quantity + sells - buys = quantity, and never negative on the way."""

from dataclasses import dataclass

from common.calls.failures import RpcFailure
from common.calls.reasons import Reason
from common.calls.steps import Call, Steps
from common.rows import places, split_rows
from protos import catalog_pb2

PAGE_TIMEOUT_S = 5.0
PAGE_STOCKS = 500
_NAME, _TYPE, _QUANTITY = places("stock_name", "order_type", "quantity")


@dataclass
class _Audited:
    """One stock: what the catalog says it is as of a trade, and what the orders up to there make of it."""

    quantity: int
    as_of: int
    level: int


class StockAudit:
    """Adds up the orders on the initial quantities. Give it all rows in order, then ask for the faults."""

    def __init__(self) -> None:
        self._stocks: dict[bytes, _Audited] = {}
        self._listed_from = 0  # every stock with an order up to this number is listed
        self._faults: list[str] = []
        self._strangers: dict[bytes, int] = {}

    @property
    def stock_count(self) -> int:
        """How many stocks are audited."""
        return len(self._stocks)

    def read_stocks(self, catalog: str) -> Steps[int]:
        """Read all stocks from the catalog; return the number up to which the orders must be given at least.

        Raises:
            RpcFailure: what the catalog answered.
        """
        after_name, last_number = "", 0
        while True:
            request = catalog_pb2.ListStocksRequest(after_name=after_name, limit=PAGE_STOCKS)
            page: catalog_pb2.ListStocksResponse = yield Call(catalog, request, PAGE_TIMEOUT_S)
            if not after_name:
                self._listed_from = page.last_number
            last_number = page.last_number
            for stock in page.stocks:
                audited = _Audited(stock.quantity, page.last_number, stock.initial_quantity)
                self._stocks[stock.name.encode()] = audited
            if not page.has_more:
                return last_number
            if not page.stocks:
                raise RpcFailure(Reason.MALFORMED_PAGE, "the catalog lists no stock, and says there are more")
            after_name = page.stocks[-1].name

    def take(self, rows: bytes, after: int) -> None:
        """Add up whole rows above `after`. Those above the trade as of which a stock was read do not count for it."""
        for number, fields in enumerate(split_rows(rows.splitlines(), last="quantity"), start=after + 1):
            name = fields[_NAME]
            stock = self._stocks.get(name)
            if stock is None:
                if number <= self._listed_from:
                    self._strangers.setdefault(name, number)
            elif number <= stock.as_of:
                stock.level += int(fields[_QUANTITY]) if fields[_TYPE] == b"sell" else -int(fields[_QUANTITY])
                if stock.level < 0:
                    self._faults.append(f"{name.decode()}: {stock.level} shares at order {number}")

    def faults(self) -> list[str]:
        """Return what does not add up, a line each; call it when all rows were given."""
        strangers = [f"{name.decode()}: order {number} is of no stock" for name, number in self._strangers.items()]
        sums = [
            f"{name.decode()}: initial + sells - buys is {stock.level} at order {stock.as_of},"
            f" the catalog has {stock.quantity}"
            for name, stock in self._stocks.items()
            if stock.level != stock.quantity
        ]
        return [*strangers, *self._faults, *sums]
