"""What a batch of trades does: decided in memory against the stocks, applied by the catalog once it is synced."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from backends.checks import order_type_name
from backends.failures import InvalidArgument
from backends.storage.known_keys import KnownKeys, key_of
from backends.storage.model import Stock, check_trade
from common.bounds import MAX_STOCK_QUANTITY
from common.rows import encode_row
from protos import catalog_pb2


class Level(NamedTuple):
    """What a trade leaves of a stock."""

    quantity: int
    last_trade: int


class Place(NamedTuple):
    """Where new rows go on.

    Attributes:
        last_number: the number before the first new row, `last_chain` the chain at it.
        created_at: of all rows of the batch; not below that of the row before.
    """

    epoch: int
    last_number: int
    last_chain: int
    created_at: str


class Batch:
    """The results of trades taken in order; nothing outside it is changed.

    Attributes:
        results: one for each trade taken.
        rows: the bytes of the new rows, in number order.
        levels: by name, what the new rows leave of each stock that they trade.
        keys: the keys of the new rows with their numbers.
        refused: how many trades were refused, by reason.
        last_number, last_chain: of the last new row; those of the place if there is none.
    """

    def __init__(self, stocks: Mapping[str, Stock], known: KnownKeys, place: Place, *, disk_is_full: bool) -> None:
        """`disk_is_full`: no trade can be recorded now; one that would be is refused, and changes nothing."""
        self._stocks = stocks
        self._known = known
        self._place = place
        self._disk_is_full = disk_is_full
        self._rows: list[bytes] = []
        self.results: list[catalog_pb2.TradeResult] = []
        self.levels: dict[str, Level] = {}
        self.keys: dict[bytes, int] = {}
        self.refused: Counter[str] = Counter()
        self.last_number = place.last_number
        self.last_chain = place.last_chain

    @property
    def rows(self) -> bytes:
        """The bytes of the new rows."""
        return b"".join(self._rows)

    def take(self, trades: Iterable[catalog_pb2.Trade]) -> None:
        """Take the trades in order: each becomes a row, an existing number, or a refusal that fails no other."""
        self.results.extend(self._take(trade) for trade in trades)

    def _take(self, trade: catalog_pb2.Trade) -> catalog_pb2.TradeResult:
        try:
            check_trade(trade)
        except InvalidArgument as error:
            return self._refuse(error.reason, error.message)
        key = key_of(trade.account, trade.idempotency_key)
        # A known key answers with its order whatever has become of the stock since.
        exists = self.keys.get(key) or self._known.number(key)
        if exists is not None:
            return catalog_pb2.TradeResult(exists=exists)
        stock = self._stocks.get(trade.stock_name)
        if stock is None:
            return self._refuse("UNKNOWN_STOCK", f"no stock is named {trade.stock_name!r}")
        level = self.levels.get(stock.name)
        return self._trade(trade, stock, stock.quantity if level is None else level.quantity, key)

    def _trade(self, trade: catalog_pb2.Trade, stock: Stock, available: int, key: bytes) -> catalog_pb2.TradeResult:
        quantity = available + (trade.quantity if trade.order_type == catalog_pb2.SELL else -trade.quantity)
        if quantity < 0:
            return self._refuse(
                "INSUFFICIENT_STOCK", f"stock {stock.name!r}: {available} left, {trade.quantity} asked", available
            )
        if quantity > MAX_STOCK_QUANTITY:
            return self._refuse(
                "STOCK_LIMIT", f"stock {stock.name!r}: {available} and {trade.quantity} are above {MAX_STOCK_QUANTITY}"
            )
        if self._disk_is_full:
            return self._refuse("DISK_FULL", "the catalog's disk is full")
        return catalog_pb2.TradeResult(row=self._add_row(trade, stock, quantity, key))

    def _add_row(self, trade: catalog_pb2.Trade, stock: Stock, quantity: int, key: bytes) -> bytes:
        number = self.last_number + 1
        row, chain = encode_row(
            transaction_number=number,
            epoch=self._place.epoch,
            stock_name=stock.name,
            order_type=order_type_name(trade.order_type),
            quantity=trade.quantity,
            price_cents=stock.price_cents,
            account=trade.account,
            idempotency_key=trade.idempotency_key,
            created_at=self._place.created_at,
            prev_chain=self.last_chain,
        )
        self._rows.append(row)
        self.levels[stock.name] = Level(quantity, number)
        self.keys[key] = number
        self.last_number, self.last_chain = number, chain
        return row

    def _refuse(self, reason: str, message: str, available: int = 0) -> catalog_pb2.TradeResult:
        self.refused[reason] += 1
        refusal = catalog_pb2.Refusal(reason=reason, message=message, available=available)
        return catalog_pb2.TradeResult(refusal=refusal)
