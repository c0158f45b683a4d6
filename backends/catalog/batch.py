"""What a batch of trades does: decided in memory against a ledger's state, and made durable by the ledger."""

from collections import Counter
from collections.abc import Iterable

from backends.checks import check_new_order
from backends.failures import InvalidArgument
from backends.storage.known_keys import key_of
from backends.storage.values import LedgerState, Level, Position, Stock, Trades
from common.bounds import MAX_STOCK_QUANTITY
from common.calls.reasons import Reason
from common.rows import encode_order
from protos import catalog_pb2


class Batch:
    """The results of trades taken in order; nothing outside it is changed.

    Attributes:
        results: one for each trade taken.
        refused: how many trades were refused, by reason.
    """

    def __init__(self, state: LedgerState, epoch: int, created_at: str) -> None:
        """New rows continue the state's position, in this epoch and of this time.

        If the state is full no trade can be recorded: one that would be is refused, and changes nothing.
        """
        self._state = state
        self._epoch = epoch
        self._created_at = created_at
        self._rows: list[bytes] = []
        self._levels: dict[str, Level] = {}  # by name, what the new rows leave of each stock that they trade
        self._keys: dict[bytes, int] = {}  # of the new rows, with their numbers
        self._last_number, self._last_chain = state.position
        self.results: list[catalog_pb2.TradeResult] = []
        self.refused: Counter[str] = Counter()

    @property
    def trade_count(self) -> int:
        """How many trades were made."""
        return len(self._rows)

    @property
    def trades(self) -> Trades:
        """What the trades taken so far change."""
        position = Position(self._last_number, self._last_chain)
        return Trades(b"".join(self._rows), position, self._created_at, self._levels, self._keys)

    def take(self, trades: Iterable[catalog_pb2.NewOrder]) -> None:
        """Take the trades in order: each becomes a row, an existing number, or a refusal that fails no other."""
        self.results.extend(self._take(trade) for trade in trades)

    def _take(self, trade: catalog_pb2.NewOrder) -> catalog_pb2.TradeResult:
        try:
            check_new_order(trade)
        except InvalidArgument as error:
            return self._refuse(error.reason, error.message)
        key = key_of(trade.account, trade.idempotency_key)
        # A known key answers with its order whatever has become of the stock since.
        exists = self._keys.get(key) or self._state.number_of(key)
        if exists is not None:
            return catalog_pb2.TradeResult(exists=exists)
        stock = self._state.stocks.get(trade.stock_name)
        if stock is None:
            return self._refuse(Reason.UNKNOWN_STOCK, f"no stock is named {trade.stock_name!r}")
        level = self._levels.get(stock.name)
        return self._trade(trade, stock, stock.quantity if level is None else level.quantity, key)

    def _trade(self, trade: catalog_pb2.NewOrder, stock: Stock, available: int, key: bytes) -> catalog_pb2.TradeResult:
        quantity = available + (trade.quantity if trade.order_type == catalog_pb2.SELL else -trade.quantity)
        if quantity < 0:
            return self._refuse(
                Reason.INSUFFICIENT_STOCK, f"stock {stock.name!r}: {available} left, {trade.quantity} asked", available
            )
        if quantity > MAX_STOCK_QUANTITY:
            return self._refuse(
                Reason.STOCK_LIMIT,
                f"stock {stock.name!r}: {available} and {trade.quantity} are above {MAX_STOCK_QUANTITY}",
            )
        if self._state.is_full:
            return self._refuse(Reason.DISK_FULL, "the catalog's disk is full")
        return catalog_pb2.TradeResult(row=self._add_row(trade, stock, quantity, key))

    def _add_row(self, trade: catalog_pb2.NewOrder, stock: Stock, quantity: int, key: bytes) -> bytes:
        number = self._last_number + 1
        row, chain = encode_order(
            trade,
            transaction_number=number,
            epoch=self._epoch,
            price_cents=stock.price_cents,
            created_at=self._created_at,
            prev_chain=self._last_chain,
        )
        self._rows.append(row)
        self._levels[stock.name] = Level(quantity, number)
        self._keys[key] = number
        self._last_number, self._last_chain = number, chain
        return row

    def _refuse(self, reason: Reason, message: str, available: int = 0) -> catalog_pb2.TradeResult:
        self.refused[reason.name] += 1
        refusal = catalog_pb2.Refusal(reason=reason.name, message=message, available=available)
        return catalog_pb2.TradeResult(refusal=refusal)
