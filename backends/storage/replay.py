"""Playing rows of the journal on the stocks as they were at the beginning."""

from collections.abc import Iterable

from backends.storage.known_keys import KnownKeys
from backends.storage.values import Stock
from common.bounds import MAX_STOCK_QUANTITY
from common.rows import cents_of, parse_row, places, split_rows

_NAME, _TYPE, _QUANTITY, _PRICE, _ACCOUNT, _KEY = places(
    "stock_name", "order_type", "quantity", "price_cents", "account", "idempotency_key"
)


def checkpoint_number(stocks: Iterable[Stock]) -> int:
    """Return the number of the trade that these stocks are as of, 0 if none was ever traded."""
    return max((stock.last_trade for stock in stocks), default=0)


class ReplayFailed(Exception):
    """A row cannot be played on these stocks.

    Attributes:
        number: the transaction number of the row.
        stock_name: the stock that it trades.
    """

    def __init__(self, number: int, stock_name: str, reason: str) -> None:
        super().__init__(f"row {number} {reason}")
        self.number = number
        self.stock_name = stock_name


class Replay:
    """Checked rows from number 1 on, played in order on the initial quantities of a checkpoint's stocks.

    The checkpoint's stocks are not changed.

    Attributes:
        stocks: as of the last row played, by name.
        checkpoint_number: the trade that the checkpoint is as of.
        disagreements: by name, in words, the stocks that were not what the checkpoint says at its number. Empty until
            that row is played.
        keys: of the rows played; as many as KnownKeys keeps.
        last_number: of the last row played.
        last_epoch, last_created_at: of that row; 0 and "" at number 0.
        traded_prices: in cents, by name: those of the trades above the checkpoint's number.
    """

    def __init__(self, checkpoint: Iterable[Stock]) -> None:
        """Begin at number 0."""
        self._checkpoint = list(checkpoint)
        self.checkpoint_number = checkpoint_number(self._checkpoint)
        self.stocks = {
            stock.name: Stock.new(stock.name, stock.price_cents, stock.initial_quantity) for stock in self._checkpoint
        }
        # The same stocks by the bytes that rows name them with: a row is not decoded.
        self._by_bytes = {name.encode(): stock for name, stock in self.stocks.items()}
        self.keys = KnownKeys()
        self.last_number = 0
        self.last_epoch = 0
        self.last_created_at = ""
        self.traded_prices: dict[str, int] = {}
        self.disagreements: dict[str, str] = {}
        if self.checkpoint_number == 0:
            self._compare()

    def visit(self, rows: bytes, first_number: int) -> None:
        """Play these rows, the first of which has the number after the last one played.

        Raises:
            ReplayFailed: a row trades a stock that is not here, or takes it out of its bounds.
        """
        lines = rows.split(b"\n")
        lines.pop()  # what is behind the last "\n": nothing
        up_to_checkpoint = self.checkpoint_number - first_number + 1
        if 0 < up_to_checkpoint <= len(lines):
            self._play(lines[:up_to_checkpoint], first_number)
            self._compare()
            del lines[:up_to_checkpoint]
            first_number += up_to_checkpoint
        self._play(lines, first_number)

    def _play(self, lines: list[bytes], first_number: int) -> None:
        """The loop of every start: 1,000,000 rows in about 2 s, so it parses no more than it needs."""
        stocks, add_key = self._by_bytes, self.keys.add
        number = first_number
        for fields in split_rows(lines):
            stock = stocks.get(fields[_NAME])
            if stock is None:
                name = fields[_NAME].decode()
                raise ReplayFailed(number, name, f"trades stock {name!r}, which is not known")
            stock.quantity += int(fields[_QUANTITY]) if fields[_TYPE] == b"sell" else -int(fields[_QUANTITY])
            stock.last_trade = number
            if not 0 <= stock.quantity <= MAX_STOCK_QUANTITY:
                raise ReplayFailed(number, stock.name, f"leaves {stock.quantity} shares of stock {stock.name!r}")
            add_key(fields[_ACCOUNT] + b"," + fields[_KEY], number)
            number += 1
        if not lines:
            return
        if self.last_number >= self.checkpoint_number:
            self._note_prices(lines)
        last = parse_row(lines[-1])
        self.last_number = number - 1
        self.last_epoch = last.epoch
        self.last_created_at = last.created_at

    def _note_prices(self, lines: list[bytes]) -> None:
        newest = {fields[_NAME]: fields[_PRICE] for fields in split_rows(lines, last="price_cents")}
        self.traded_prices.update({name.decode(): cents_of(price) for name, price in newest.items()})

    def _compare(self) -> None:
        for expected in self._checkpoint:
            played = self.stocks[expected.name]
            if (played.quantity, played.last_trade) != (expected.quantity, expected.last_trade):
                self.disagreements[expected.name] = (
                    f"at trade {self.checkpoint_number} the rows give stock {expected.name!r} {played.quantity} shares"
                    f" and last trade {played.last_trade}, not {expected.quantity} and {expected.last_trade}"
                )
